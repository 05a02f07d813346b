//! The table of emitters. A new one is an entry in the file of its family, or a new file and a line here.
//!
//! Order matters only between entries that fit the same scope: narrower version ranges stand first.

mod agents;
mod gateways;
mod openinference;
mod otel;
mod platforms;
mod products;
mod traceloop;
mod vercel;

use super::profile::{BASE, Profile};

/// The profile of emitters that none of the others fits.
pub(crate) static GENERIC: Profile = BASE;

const FAMILIES: &[&[Profile]] = &[
    products::PROFILES,
    gateways::PROFILES,
    otel::PROFILES,
    openinference::PROFILES,
    traceloop::PROFILES,
    vercel::PROFILES,
    agents::PROFILES,
    platforms::PROFILES,
];

/// The profiles that a scope or a marker selects.
pub(super) fn all() -> impl Iterator<Item = &'static Profile> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// Every profile there is, those included that only a span's attributes tell apart.
pub(crate) fn documented() -> impl Iterator<Item = &'static Profile> {
    let variants = [
        openinference::VARIANTS,
        otel::VARIANTS,
        vercel::VARIANTS,
        gateways::VARIANTS,
        agents::VARIANTS,
    ]
    .into_iter()
    .flatten()
    .copied();
    all().chain(variants).chain([&GENERIC])
}

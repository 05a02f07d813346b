//! The mapping language: what a billing system's export means, as a TOML file that a user can read, copy and change.
//!
//! `document` is what was written, `Mapping` the same checked, `Plan` the same bound to the columns of one file, and
//! `read` turns rows into lines. Presets are mappings that we ship: see `../presets/`.

mod amount;
mod condition;
mod dates;
mod document;
mod joins;
mod plan;
mod read;
mod spread;
mod value;

#[cfg(test)]
mod tests;

pub(crate) use document::{Grain, Mapping, refuse_file};
pub(crate) use joins::Joins;
pub(crate) use plan::Plan;
pub(crate) use read::{Reading, Texts};
pub(crate) use spread::spread_documents;

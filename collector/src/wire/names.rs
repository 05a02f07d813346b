//! Attribute keys that a reader knows, by number: a key is looked up once, as bytes, and is its own known text from then on.
//!
//! Nearly all keys repeat from record to record and few are known. A known key needs no check for UTF-8 and no second lookup;
//! what is known to be read by nobody is not even looked at.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use rustc_hash::FxHasher;

/// What a reader knows of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Name {
    /// Nobody looked.
    #[default]
    NotAsked,
    /// It is none of the known ones.
    Unknown,
    /// Its place among them.
    Known(u16),
}

/// What a key is, by one lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found<'n> {
    /// Nobody has heard of it.
    Nothing,
    /// Nobody reads it.
    PassedOver,
    /// The key and its place.
    Known(&'n str, u16),
}

/// The place of what is passed over.
const NOWHERE: u16 = u16::MAX;

/// The known keys. At most 65,535: those beyond are not found, which costs time and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Names {
    texts: Vec<Box<str>>,
    places: HashMap<Box<[u8]>, u16, BuildHasherDefault<FxHasher>>,
}

impl Names {
    /// Knows these keys by their places.
    pub(crate) fn new<'k>(keys: impl IntoIterator<Item = &'k str>) -> Self {
        let mut names = Self::default();
        for key in keys {
            let place = match u16::try_from(names.texts.len()) {
                Ok(place) if place != NOWHERE => place,
                _ => break,
            };
            names.texts.push(key.into());
            names.places.insert(key.as_bytes().into(), place);
        }
        names
    }

    /// Lets attributes with this key be passed over, unless it is known.
    pub(crate) fn pass_over(&mut self, key: &str) {
        self.places.entry(key.as_bytes().into()).or_insert(NOWHERE);
    }

    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Found<'_> {
        match self.places.get(key) {
            None => Found::Nothing,
            Some(&NOWHERE) => Found::PassedOver,
            Some(&place) => Found::Known(&self.texts[usize::from(place)], place),
        }
    }
}

//! Attribute keys that a reader knows, by number: a key is looked up once, as bytes, and is its own known text from then on.
//!
//! Nearly all keys repeat from record to record and few are known. A known key needs no check for UTF-8 and no second lookup.

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

/// The known keys. At most 65,536: those beyond are not found, which costs time and nothing else.
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
            let Ok(place) = u16::try_from(names.texts.len()) else { break };
            names.texts.push(key.into());
            names.places.insert(key.as_bytes().into(), place);
        }
        names
    }

    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Option<(&str, u16)> {
        let place = *self.places.get(key)?;
        Some((&self.texts[usize::from(place)], place))
    }
}

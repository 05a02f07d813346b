//! The lookup from an attribute's key to the fields it feeds, built once from the tables and the configuration.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use rustc_hash::FxHasher;

use super::attribution::{AttributionConfig, dimension_keys};
use super::field::{BARE_SPELLINGS, Field, SPELLINGS, is_content};
use super::unread;
use crate::wire::{KeyValue, Name, Names};

/// What one key is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyUse {
    /// The field and the place of this spelling among its alternatives, 0 the best.
    pub(crate) field: Option<(Field, u8)>,
    /// A dimension of attribution that the same key feeds.
    pub(crate) dimension: Option<(Field, u8)>,
    /// Read only under profiles of products that send keys without a namespace.
    pub(crate) bare: bool,
    /// The emitter's own sum over calls (`gen_ai.aggregated_usage.*`): read for aggregates only.
    pub(crate) aggregated: bool,
    /// Kept in `tags`.
    pub(crate) keep: bool,
}

const UNUSED: KeyUse = KeyUse {
    field: None,
    dimension: None,
    bare: false,
    aggregated: false,
    keep: false,
};

/// All keys that mean something to us.
#[derive(Debug)]
pub(crate) struct Keys {
    uses: HashMap<Box<str>, KeyUse, BuildHasherDefault<FxHasher>>,
    /// The same keys as the wire knows them, and what each is good for by its place there.
    names: Names,
    by_place: Vec<KeyUse>,
    /// Prefixes of kept attributes (`app.*` in the configuration).
    keep_prefixes: Vec<Box<str>>,
}

impl Keys {
    pub(crate) fn new(config: &AttributionConfig) -> Self {
        let mut keys = Self {
            uses: HashMap::default(),
            names: Names::default(),
            by_place: Vec::new(),
            keep_prefixes: Vec::new(),
        };
        for (table, bare) in [(SPELLINGS, false), (BARE_SPELLINGS, true)] {
            for (field, spellings) in table {
                for (rank, spelling) in spellings.iter().enumerate() {
                    let of_key = keys.of(spelling);
                    of_key.field = Some((*field, rank_of(rank, bare)));
                    of_key.bare = bare;
                    if let Some(rest) = spelling.strip_prefix("gen_ai.usage.") {
                        let aggregated = keys.of(&format!("gen_ai.aggregated_usage.{rest}"));
                        aggregated.field = Some((*field, rank_of(rank, bare)));
                        aggregated.aggregated = true;
                    }
                }
            }
        }
        for (dimension, spellings) in dimension_keys(config) {
            for (rank, spelling) in spellings.iter().enumerate() {
                let of_key = keys.of(spelling);
                of_key
                    .dimension
                    .get_or_insert((dimension, u8::try_from(rank).unwrap_or(u8::MAX)));
            }
        }
        for key in &config.keep {
            match key.strip_suffix('*') {
                Some(prefix) => keys.keep_prefixes.push(prefix.into()),
                None if !is_content(key) => keys.of(key).keep = true,
                None => {}
            }
        }
        keys.names = Names::new(keys.uses.keys().map(|key| &**key));
        keys.by_place = keys.uses.values().copied().collect();
        unread::keys(&keys.keep_prefixes).for_each(|key| keys.names.pass_over(key));
        keys
    }

    /// The keys, for whoever reads attributes that are recognised by this table.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    fn of(&mut self, key: &str) -> &mut KeyUse {
        self.uses.entry(key.into()).or_insert(UNUSED)
    }

    #[inline]
    pub(crate) fn get(&self, attribute: &KeyValue<'_>) -> Option<&KeyUse> {
        match attribute.name {
            Name::Known(place) => self.by_place.get(usize::from(place)),
            Name::Unknown => None,
            Name::NotAsked => self.uses.get(attribute.key),
        }
    }

    /// Whether a key is kept because of a prefix of the configuration.
    pub(crate) fn keeps_by_prefix(&self, key: &str) -> bool {
        self.keep_prefixes.iter().any(|prefix| key.starts_with(&**prefix)) && !is_content(key)
    }
}

/// Bare spellings come after the namespaced ones of the same field.
fn rank_of(rank: usize, bare: bool) -> u8 {
    let rank = u8::try_from(rank).unwrap_or(u8::MAX);
    if bare { rank.saturating_add(64) } else { rank }
}

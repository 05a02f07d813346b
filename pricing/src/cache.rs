//! Remembers which model a name resolved to, misses included.
//!
//! The key is the provider and the name as sent. The cache belongs to one catalogue, so it can never be stale.
//! It is bounded: names come from outside, and somebody will put a request id into them.

use std::hash::BuildHasher;
use std::sync::RwLock;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::matching::Match;
use crate::provider::ProviderIndex;

const SHARDS: usize = 16;
const ENTRIES_PER_SHARD: usize = 4_096;
/// Longer names are resolved each time; no model is called that.
const LONGEST_NAME: usize = 256;

#[derive(Debug)]
pub(crate) struct MatchCache {
    hasher: DefaultHashBuilder,
    shards: [RwLock<HashTable<Entry>>; SHARDS],
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    provider: ProviderIndex,
    name: Box<str>,
    found: Match,
}

impl MatchCache {
    pub(crate) fn new() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            shards: std::array::from_fn(|_| RwLock::new(HashTable::new())),
        }
    }

    /// The remembered match, or the result of `resolve`, remembered from now on.
    pub(crate) fn get_or_insert(&self, provider: ProviderIndex, name: &str, resolve: impl FnOnce() -> Match) -> Match {
        if name.len() > LONGEST_NAME {
            return resolve();
        }
        let hash = self.hasher.hash_one((provider, name));
        let shard = &self.shards[(hash >> 56) as usize % SHARDS];
        let is_it = |entry: &Entry| entry.provider == provider && *entry.name == *name;
        // A poisoned lock guards plain data that is whole at every step.
        let read = shard.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(entry) = read.find(hash, is_it) {
            return entry.found;
        }
        drop(read);
        let found = resolve();
        let mut write = shard.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if write.len() >= ENTRIES_PER_SHARD {
            write.clear();
        }
        if write.find(hash, is_it).is_none() {
            write.insert_unique(
                hash,
                Entry {
                    hash,
                    provider,
                    name: name.into(),
                    found,
                },
                |entry| entry.hash,
            );
        }
        found
    }
}

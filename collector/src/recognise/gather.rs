//! One pass over the attributes of a record: for each field the best spelling that is present.
//!
//! Nothing is copied: a field is the position of its attribute. The work per attribute is one lookup of its key.

use std::borrow::Cow;
use std::cell::Cell;

use super::field::{FIELDS, Field};
use super::flag::{Flag, Flags};
use super::keys::Keys;
use super::payload::scan::plain;
use crate::wire::{Attributes, KeyValue, Value};

const NONE: u32 = u32::MAX;

/// How many unknown usage keys of one record are kept.
const UNKNOWN_KEYS: usize = 4;

/// The fields of one record.
#[derive(Debug, Clone)]
pub(crate) struct Gathered<'s, 'a> {
    attributes: &'s [KeyValue<'a>],
    at: [u32; FIELDS],
    rank: [u8; FIELDS],
    /// The attributes that the configuration keeps.
    pub(crate) kept: Vec<u32>,
    /// There are `gen_ai.aggregated_usage.*` keys.
    pub(crate) has_aggregated: bool,
    /// A key that looks like a count of tokens and that no rule knows.
    pub(crate) unknown_usage: bool,
    /// The first attributes with such keys.
    unknown_keys: [u32; UNKNOWN_KEYS],
    pub(crate) flags: Flags,
    /// A value was asked for as a name and is longer than names are.
    too_long: Cell<bool>,
}

/// Which keys a pass reads besides the namespaced ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The conventions' own keys.
    Namespaced,
    /// Also keys without a namespace.
    WithBare,
}

impl<'s, 'a> Gathered<'s, 'a> {
    pub(crate) fn new(keys: &Keys, attributes: Attributes<'s, 'a>, reading: Reading) -> Self {
        let mut gathered = Self {
            attributes: attributes.0,
            at: [NONE; FIELDS],
            rank: [u8::MAX; FIELDS],
            kept: Vec::new(),
            has_aggregated: false,
            unknown_usage: false,
            unknown_keys: [NONE; UNKNOWN_KEYS],
            flags: Flags::default(),
            too_long: Cell::new(false),
        };
        for (index, attribute) in attributes.0.iter().enumerate() {
            let index = index as u32;
            let Some(of_key) = keys.get(attribute) else {
                gathered.not_known(keys, attribute, index);
                continue;
            };
            if of_key.aggregated {
                gathered.has_aggregated = true;
            } else if let Some((field, rank)) = of_key.field {
                if !of_key.bare || reading == Reading::WithBare {
                    gathered.offer(field, rank, index);
                } else if field.is_count() && looks_like_usage(attribute) {
                    gathered.note_unknown(index);
                }
            }
            if let Some((field, rank)) = of_key.dimension {
                gathered.offer(field, rank, index);
            }
            if of_key.keep || keys.keeps_by_prefix(attribute.key) {
                gathered.kept.push(index);
            }
        }
        gathered
    }

    /// Reads the emitter's own sums in place of usage: for aggregates that carry nothing else.
    pub(crate) fn read_aggregated(&mut self, keys: &Keys) {
        for (index, attribute) in self.attributes.iter().enumerate() {
            if let Some(of_key) = keys.get(attribute).filter(|of_key| of_key.aggregated)
                && let Some((field, rank)) = of_key.field
            {
                self.offer(field, rank, index as u32);
            }
        }
    }

    fn not_known(&mut self, keys: &Keys, attribute: &KeyValue<'a>, index: u32) {
        if keys.keeps_by_prefix(attribute.key) {
            self.kept.push(index);
        }
        if looks_like_usage(attribute) {
            self.note_unknown(index);
        }
    }

    fn note_unknown(&mut self, index: u32) {
        self.unknown_usage = true;
        if let Some(free) = self.unknown_keys.iter_mut().find(|slot| **slot == NONE) {
            *free = index;
        }
    }

    /// Attributes that look like usage and that no rule took.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &'s KeyValue<'a>> {
        let known = self.unknown_keys.iter().filter(|index| **index != NONE);
        known.map(|index| self.attribute(*index))
    }

    #[inline]
    fn offer(&mut self, field: Field, rank: u8, index: u32) {
        let slot = field as usize;
        if is_empty(&self.attributes[index as usize].value) {
            return;
        }
        let current = self.at[slot];
        if current == NONE {
            self.at[slot] = index;
            self.rank[slot] = rank;
            return;
        }
        // Later duplicates of one key win, as in the OTel SDKs.
        let better = rank <= self.rank[slot];
        if field.is_count() && rank != self.rank[slot] {
            let [old, new] = [current, index].map(|at| super::count::count(&self.attributes[at as usize].value));
            if let (Ok(old), Ok(new)) = (old, new)
                && old != new
            {
                self.flags.set(Flag::AliasConflict);
            }
        }
        if better {
            self.at[slot] = index;
            self.rank[slot] = rank;
        }
    }

    pub(crate) fn attribute(&self, index: u32) -> &'s KeyValue<'a> {
        &self.attributes[index as usize]
    }

    pub(crate) fn attributes(&self) -> impl Iterator<Item = &'s KeyValue<'a>> {
        self.attributes.iter()
    }

    #[inline]
    pub(crate) fn has(&self, field: Field) -> bool {
        self.at[field as usize] != NONE
    }

    #[inline]
    pub(crate) fn entry(&self, field: Field) -> Option<&'s KeyValue<'a>> {
        let index = self.at[field as usize];
        (index != NONE).then(|| self.attribute(index))
    }

    pub(crate) fn value(&self, field: Field) -> Option<&'s Value<'a>> {
        self.entry(field).map(|entry| &entry.value)
    }

    pub(crate) fn text(&self, field: Field) -> Option<&'a str> {
        self.value(field)?.as_text()
    }

    pub(crate) fn text_with_key(&self, field: Field) -> Option<(&'a str, &'a str)> {
        let entry = self.entry(field)?;
        Some((entry.value.as_text()?, entry.key))
    }

    /// The field as one word: text without the JSON quotes that some emitters add, or a number.
    pub(crate) fn words(&self, field: Field) -> Option<Cow<'a, str>> {
        self.words_with_key(field).map(|(words, _)| words)
    }

    pub(crate) fn words_with_key(&self, field: Field) -> Option<(Cow<'a, str>, &'a str)> {
        let entry = self.entry(field)?;
        Some((self.words_of(&entry.value)?, entry.key))
    }

    /// [`words`], and a remark where it is their length that is wrong.
    pub(crate) fn words_of(&self, value: &Value<'a>) -> Option<Cow<'a, str>> {
        let words = words(value);
        if words.is_none() && matches!(value, Value::Text(text) if text.len() > LONGEST_WORDS) {
            self.note_too_long();
        }
        words
    }

    /// A value is longer than what it stands for can be.
    pub(crate) fn note_too_long(&self) {
        self.too_long.set(true);
    }

    /// Whether a value was too long to be what it was asked for, so far.
    pub(crate) fn too_long(&self) -> bool {
        self.too_long.get()
    }
}

/// The longest value that is taken for an id or a name, in bytes.
pub(super) const LONGEST_WORDS: usize = 1024;

/// A scalar as one word.
pub(crate) fn words<'a>(value: &Value<'a>) -> Option<Cow<'a, str>> {
    match value {
        Value::Text(text) if text.len() <= LONGEST_WORDS => {
            let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let inner = quoted.and_then(plain).unwrap_or(Cow::Borrowed(quoted.unwrap_or(text)));
            (!inner.is_empty()).then_some(inner)
        }
        Value::Int(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(bit) => Some(Cow::Borrowed(if *bit { "true" } else { "false" })),
        _ => None,
    }
}

fn is_empty(value: &Value<'_>) -> bool {
    matches!(value, Value::Empty | Value::Text(""))
}

const USAGE: &[u8] = b".usage.";

pub(super) fn looks_like_usage(attribute: &KeyValue<'_>) -> bool {
    let numeric = match attribute.value {
        Value::Int(number) => number > 0,
        Value::Double(number) => number > 0.0,
        _ => false,
    };
    // Limits of a request are no usage; the sums of Codex's turns are known and never read.
    numeric
        && (attribute.key.ends_with("_tokens")
            || attribute.key.ends_with("Tokens")
            || attribute.key.ends_with("token_count")
            || attribute.key.as_bytes().windows(USAGE.len()).any(|part| part == USAGE))
        && !attribute.key.starts_with("codex.turn.")
        && !attribute.key.contains("max_")
        && !attribute.key.contains("request.")
        && !attribute.key.contains(".cache.")
        && !attribute.key.contains(".cost")
}

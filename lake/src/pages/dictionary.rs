//! The distinct values of a column chunk, numbered in the order of their first coming.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Values as a dictionary page holds them, and the number of each.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    values: Plain,
    entries: Vec<Entry>,
    /// The number that was asked for last.
    last: usize,
    table: HashTable<u32>,
    /// For each small integer its number and one, 0 where it has not come yet.
    small: Vec<u32>,
    /// Seeded at random: who sends values must not choose what collides.
    hasher: DefaultHashBuilder,
}

/// Where a value stands, and which one followed it the last time: rows repeat, and so do the entries of maps.
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: usize,
    end: usize,
    followed_by: u32,
}

/// Integers below it are found by themselves.
const SMALL: i64 = 1 << 15;

/// Values one after another in `PLAIN` encoding.
#[derive(Debug, Default)]
pub(super) struct Plain {
    /// Whether the length stands before each: values of one width need none.
    pub(super) with_length: bool,
    pub(super) bytes: Vec<u8>,
}

impl Plain {
    pub(super) fn new(with_length: bool) -> Self {
        Self {
            with_length,
            bytes: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn put(&mut self, value: &[u8]) {
        if self.with_length {
            // Arrow's own offsets keep a value below 2 GiB.
            self.bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        }
        self.bytes.extend_from_slice(value);
    }
}

impl Dictionary {
    pub(super) fn new(with_length: bool) -> Self {
        Self {
            values: Plain::new(with_length),
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn has_lengths(&self) -> bool {
        self.values.with_length
    }

    /// Bytes of the page.
    pub(super) fn size(&self) -> usize {
        self.values.bytes.len()
    }

    /// The page.
    pub(super) fn page(&self) -> &[u8] {
        &self.values.bytes
    }

    #[inline]
    pub(super) fn number(&mut self, value: &[u8]) -> u32 {
        if let Some(last) = self.entries.get(self.last)
            && let Some(guess) = self.entries.get(last.followed_by as usize)
            && self.values.bytes[guess.start..guess.end] == *value
        {
            let number = last.followed_by;
            self.last = number as usize;
            return number;
        }
        self.look_up(value)
    }

    #[inline]
    pub(super) fn number_of(&mut self, value: i64) -> u32 {
        if !(0..SMALL).contains(&value) {
            return self.number(&value.to_le_bytes());
        }
        match self.small.get(value as usize) {
            Some(&known) if known > 0 => known - 1,
            _ => self.add_small(value),
        }
    }

    fn add_small(&mut self, value: i64) -> u32 {
        let at = value as usize;
        if at >= self.small.len() {
            self.small.resize((at + 1).next_power_of_two(), 0);
        }
        let number = self.push(&value.to_le_bytes());
        self.small[at] = number + 1;
        number
    }

    fn look_up(&mut self, value: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(value);
        let bytes_of = |number: u32| {
            let entry = &self.entries[number as usize];
            &self.values.bytes[entry.start..entry.end]
        };
        let known = self.table.find(hash, |number| bytes_of(*number) == value).copied();
        let number = known.unwrap_or_else(|| self.add(hash, value));
        if let Some(last) = self.entries.get_mut(self.last) {
            last.followed_by = number;
        }
        self.last = number as usize;
        number
    }

    fn add(&mut self, hash: u64, value: &[u8]) -> u32 {
        let number = self.push(value);
        let Self {
            table,
            entries,
            values,
            hasher,
            ..
        } = self;
        table.insert_unique(hash, number, |number| {
            let entry = &entries[*number as usize];
            hasher.hash_one(&values.bytes[entry.start..entry.end])
        });
        number
    }

    fn push(&mut self, value: &[u8]) -> u32 {
        // A page is full long before.
        let number = self.entries.len() as u32;
        self.values.put(value);
        let end = self.values.bytes.len();
        self.entries.push(Entry {
            start: end - value.len(),
            end,
            followed_by: number,
        });
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_number() {
        let mut dictionary = Dictionary::new(true);
        let values = ["a", "", "b", "a", "a", "", "b", "bb", "b", "bb", "a"];
        let numbers: Vec<u32> = values.iter().map(|value| dictionary.number(value.as_bytes())).collect();
        assert_eq!(numbers, [0, 1, 2, 0, 0, 1, 2, 3, 2, 3, 0]);
        assert_eq!(dictionary.page(), b"\x01\0\0\0a\0\0\0\0\x01\0\0\0b\x02\0\0\0bb");
    }

    #[test]
    fn integers_of_any_size_keep_theirs() {
        let mut dictionary = Dictionary::new(false);
        let values = [7, 0, -1, 7, SMALL, SMALL - 1, i64::MIN, SMALL, 0, -1];
        let numbers: Vec<u32> = values.iter().map(|value| dictionary.number_of(*value)).collect();
        assert_eq!(numbers, [0, 1, 2, 0, 3, 4, 5, 3, 1, 2]);
        assert_eq!(dictionary.page()[..16], [7_i64.to_le_bytes(), 0_i64.to_le_bytes()].concat());
    }
}

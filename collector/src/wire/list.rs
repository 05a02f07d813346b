//! The attributes of one record, bounded: two bytes on the wire must not become fifty in memory without an end.
//!
//! Of a record with more than [`MOST`] attributes the first half and the last half of that many are kept. What it is stands at
//! the beginning and what came of it at the end; between them are the messages of a long conversation.

use super::value::KeyValue;

/// Attributes of one record that are read.
pub(crate) const MOST: usize = 4096;
const HALF: usize = MOST / 2;

/// Attributes in the order of the wire.
#[derive(Debug, Default)]
pub(super) struct AttributeList<'a> {
    kept: Vec<KeyValue<'a>>,
    dropped: usize,
}

impl<'a> AttributeList<'a> {
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.dropped = 0;
    }

    #[inline]
    pub(super) fn push(&mut self, attribute: KeyValue<'a>) {
        if self.kept.len() < MOST {
            self.kept.push(attribute);
        } else {
            // The second half is a ring until `finish`.
            self.kept[HALF + self.dropped % HALF] = attribute;
            self.dropped += 1;
        }
    }

    /// Puts them into the order of the wire again; after the last one.
    #[inline]
    pub(super) fn finish(&mut self) {
        if self.dropped > 0 {
            self.kept[HALF..].rotate_left(self.dropped % HALF);
        }
    }

    pub(super) fn as_slice(&self) -> &[KeyValue<'a>] {
        &self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::Value;
    use super::*;

    #[test]
    fn the_first_and_the_last_are_kept_in_their_order() {
        for total in [0, 1, MOST, MOST + 1, MOST + HALF, 3 * MOST + 7] {
            let mut list = AttributeList::default();
            for number in 0..total {
                let value = Value::Int(number as i64);
                list.push(KeyValue::new("k", value));
            }
            list.finish();
            let expected = if total <= MOST {
                (0..total).collect::<Vec<_>>()
            } else {
                (0..HALF).chain(total - HALF..total).collect()
            };
            let found = list.as_slice().iter().map(|attribute| attribute.value);
            assert!(
                found.eq(expected.into_iter().map(|number| Value::Int(number as i64))),
                "{total}"
            );
            assert_eq!(list.dropped, total.saturating_sub(MOST));
        }
    }
}

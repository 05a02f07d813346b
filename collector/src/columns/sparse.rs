//! Builders that hear of values only: most columns have none in most rows.
//!
//! The NULLs before a value are added with it, in one run; a column without any value costs nothing until the batch ends. A
//! new batch begins with as much room as the last one took, so that nothing is moved while it grows.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, ArrowPrimitiveType, BooleanBuilder, GenericByteBuilder, ListBuilder, MapBuilder, PrimitiveBuilder,
    StringBuilder,
};
use arrow::datatypes::ByteArrayType;
use marginlake_lake::ReceiptBuilder;

/// Bytes of one column for which room is made before they come.
const MOST_ROOM: usize = 1 << 20;

/// A builder that can be told of many NULLs at a time.
pub(super) trait Builder {
    /// Rows so far.
    fn rows(&self) -> usize;
    /// Appends NULLs.
    fn nulls(&mut self, count: usize);
    /// The rows so far; the next ones are expected to be as large.
    fn take(&mut self) -> ArrayRef;
}

/// A builder behind which rows are counted elsewhere.
#[derive(Debug, Default)]
pub(super) struct Sparse<B>(B);

impl<B: Builder> Sparse<B> {
    pub(super) fn new(builder: B) -> Self {
        Self(builder)
    }

    /// The builder at a row that it has not yet: every row before it is there.
    #[inline]
    pub(super) fn at(&mut self, row: usize) -> &mut B {
        let behind = row - self.0.rows();
        if behind > 0 {
            self.0.nulls(behind);
        }
        &mut self.0
    }

    /// The column with that many rows.
    pub(super) fn finish(&mut self, rows: usize) -> ArrayRef {
        self.at(rows).take()
    }
}

impl<T: ByteArrayType> Builder for GenericByteBuilder<T> {
    #[inline]
    fn rows(&self) -> usize {
        self.offsets_slice().len() - 1
    }

    fn nulls(&mut self, count: usize) {
        self.append_nulls(count);
    }

    fn take(&mut self) -> ArrayRef {
        let room = room_of(self);
        let array = self.finish();
        *self = room();
        Arc::new(array)
    }
}

/// Makes a builder with the room that another one took.
fn room_of<T: ByteArrayType>(builder: &GenericByteBuilder<T>) -> impl FnOnce() -> GenericByteBuilder<T> + use<T> {
    let (rows, bytes) = (builder.offsets_slice().len(), builder.values_slice().len());
    move || GenericByteBuilder::with_capacity(rows, (bytes + bytes / 8).min(MOST_ROOM))
}

impl<T: ArrowPrimitiveType> Builder for PrimitiveBuilder<T> {
    #[inline]
    fn rows(&self) -> usize {
        self.values_slice().len()
    }

    fn nulls(&mut self, count: usize) {
        self.append_nulls(count);
    }

    fn take(&mut self) -> ArrayRef {
        let rows = self.rows();
        let array: ArrayRef = Arc::new(self.finish());
        *self = Self::with_capacity(rows).with_data_type(array.data_type().clone());
        array
    }
}

impl Builder for BooleanBuilder {
    #[inline]
    fn rows(&self) -> usize {
        self.len()
    }

    fn nulls(&mut self, count: usize) {
        self.append_nulls(count);
    }

    fn take(&mut self) -> ArrayRef {
        Arc::new(self.finish())
    }
}

impl Builder for ListBuilder<StringBuilder> {
    #[inline]
    fn rows(&self) -> usize {
        self.offsets_slice().len() - 1
    }

    fn nulls(&mut self, count: usize) {
        self.append_nulls(count);
    }

    fn take(&mut self) -> ArrayRef {
        let room = room_of(self.values_ref());
        let array = self.finish();
        *self.values() = room();
        Arc::new(array)
    }
}

impl<V: ArrayBuilder> Builder for MapBuilder<StringBuilder, V> {
    #[inline]
    fn rows(&self) -> usize {
        ArrayBuilder::len(self)
    }

    fn nulls(&mut self, count: usize) {
        self.append_nulls(count).expect("keys and values are appended together");
    }

    fn take(&mut self) -> ArrayRef {
        let room = room_of(self.keys());
        let array = self.finish();
        *self.keys() = room();
        Arc::new(array)
    }
}

impl Builder for ReceiptBuilder {
    #[inline]
    fn rows(&self) -> usize {
        self.len()
    }

    fn nulls(&mut self, count: usize) {
        self.append_nulls(count);
    }

    fn take(&mut self) -> ArrayRef {
        Arc::new(self.finish())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, Int64Builder};
    use arrow::datatypes::Int64Type;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever rows have a value, and in every batch, the column is what a builder that hears of all rows makes.
        #[test]
        fn values_stand_at_their_rows(batches in proptest::collection::vec(proptest::collection::vec(proptest::option::of(0..9_i64), 0..40), 1..4)) {
            let (mut numbers, mut texts) = (Sparse::<Int64Builder>::default(), Sparse::<StringBuilder>::default());
            for rows in batches {
                for (row, value) in rows.iter().enumerate() {
                    if let Some(value) = value {
                        numbers.at(row).append_value(*value);
                        texts.at(row).append_value(value.to_string());
                    }
                }
                let found = numbers.finish(rows.len());
                prop_assert_eq!(found.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), rows.clone());
                let found = texts.finish(rows.len());
                let as_text: Vec<_> = rows.iter().map(|value| value.map(|value| value.to_string())).collect();
                prop_assert_eq!(found.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>(), as_text);
                prop_assert_eq!(found.len(), rows.len());
            }
        }
    }
}

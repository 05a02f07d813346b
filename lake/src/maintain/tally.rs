//! What must not change when files are rewritten: how many rows, the sum of every number, and a fingerprint of all values.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::error::DataFusionError;

/// Does not depend on the order of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Rows.
    pub(super) rows: u64,
    /// Exact sums and counts of values of each column of whole numbers or decimals. A sum that overflows wraps: equal rows
    /// still give equal sums.
    sums: BTreeMap<String, (u64, i128)>,
    /// The sum of one hash per row over all its columns, nested ones included.
    fingerprint: u128,
}

impl Tally {
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), DataFusionError> {
        self.rows += batch.num_rows() as u64;
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let values: i128 = match column.data_type() {
                DataType::Int64 => column
                    .as_primitive::<Int64Type>()
                    .iter()
                    .flatten()
                    .map(i128::from)
                    .fold(0, i128::wrapping_add),
                DataType::Decimal128(..) => column
                    .as_primitive::<Decimal128Type>()
                    .iter()
                    .flatten()
                    .fold(0, i128::wrapping_add),
                _ => continue,
            };
            let (count, sum) = self.sums.entry(field.name().clone()).or_default();
            *count += (column.len() - column.null_count()) as u64;
            *sum = sum.wrapping_add(values);
        }
        let mut hashes = vec![0; batch.num_rows()];
        create_hashes(batch.columns(), &RandomState::with_seed(0), &mut hashes)?;
        self.fingerprint = hashes
            .iter()
            .fold(self.fingerprint, |sum, hash| sum.wrapping_add(u128::from(*hash)));
        Ok(())
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} rows (fingerprint {:x}", self.rows, self.fingerprint)?;
        for (column, (count, sum)) in &self.sums {
            write!(formatter, ", {column} {count} values sum {sum}")?;
        }
        formatter.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn batch(rows: &[(&str, i64)]) -> RecordBatch {
        let names: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)));
        let counts: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)));
        RecordBatch::try_from_iter([("name", names), ("count", counts)]).expect("a batch")
    }

    fn tally(batches: &[&[(&str, i64)]]) -> Tally {
        let mut tally = Tally::default();
        batches.iter().for_each(|rows| tally.add(&batch(rows)).expect("hashed"));
        tally
    }

    #[test]
    fn order_and_batches_do_not_matter_and_every_value_does() {
        let rows = tally(&[&[("a", 1), ("b", 2)], &[("c", 3)]]);
        assert_eq!(rows, tally(&[&[("c", 3), ("b", 2), ("a", 1)]]));
        assert_ne!(rows, tally(&[&[("a", 1), ("b", 2)]]), "a lost row");
        assert_ne!(rows, tally(&[&[("a", 1), ("b", 2), ("c", 3), ("c", 3)]]), "a doubled row");
        assert_ne!(
            rows,
            tally(&[&[("a", 2), ("b", 1), ("c", 3)]]),
            "values swapped, the sums equal"
        );
        assert_ne!(rows, tally(&[&[("a", 1), ("b", 2), ("d", 3)]]), "another text");
    }
}

//! Rows on their way into a table: kept in Arrow, day by day, and in one fixed order in the end.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::compute::{SortColumn, SortOptions, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::error::ArrowError;
use marginlake_lake::Table;

/// Rows held in Rust before they become Arrow, which is several times smaller.
const PENDING_ROWS: usize = 8_192;

/// Days above this size are sorted batch by batch only: a second copy of them would not fit in memory, and no reader
/// relies on the order.
const MOST_SORTED_ROWS: usize = 131_072;

/// What orders the rows of a day.
const ORDER: [&str; 8] = [
    "start_time",
    "tenant",
    "trace_id",
    "span_id",
    "signal",
    "event_key",
    "name",
    "response_id",
];

/// Collects rows of one table.
pub(crate) struct Rows<T> {
    encode: fn(&[T]) -> Result<RecordBatch, ArrowError>,
    pending: BTreeMap<i32, Vec<T>>,
    batches: BTreeMap<i32, Vec<RecordBatch>>,
    count: usize,
}

impl<T> Rows<T> {
    pub(crate) fn new(encode: fn(&[T]) -> Result<RecordBatch, ArrowError>) -> Rows<T> {
        Rows {
            encode,
            pending: BTreeMap::new(),
            batches: BTreeMap::new(),
            count: 0,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, day: i32, row: T) -> Result<(), ArrowError> {
        let pending = self.pending.entry(day).or_default();
        pending.push(row);
        self.count += 1;
        if pending.len() >= PENDING_ROWS {
            let batch = (self.encode)(pending)?;
            pending.clear();
            self.batches.entry(day).or_default().push(batch);
        }
        Ok(())
    }

    /// All rows with those that were kept, day by day.
    pub(crate) fn finish(mut self, kept: Vec<RecordBatch>, table: Table) -> Result<Vec<RecordBatch>, ArrowError> {
        for (day, pending) in std::mem::take(&mut self.pending) {
            if !pending.is_empty() {
                self.batches.entry(day).or_default().push((self.encode)(&pending)?);
            }
        }
        for batch in kept {
            for (day, part) in by_day(&batch, table)? {
                self.batches.entry(day).or_default().push(part);
            }
        }
        let mut rows = Vec::new();
        for (_, batches) in self.batches {
            if batches.iter().map(RecordBatch::num_rows).sum::<usize>() <= MOST_SORTED_ROWS {
                rows.push(sorted(&batches, table)?);
                continue;
            }
            for batch in batches {
                rows.push(sorted(&[batch], table)?);
            }
        }
        Ok(rows)
    }
}

fn sorted(batches: &[RecordBatch], table: Table) -> Result<RecordBatch, ArrowError> {
    let all = concat_batches(&table.schema(), batches)?;
    let columns: Vec<SortColumn> = ORDER
        .iter()
        .filter_map(|name| all.column_by_name(name))
        .map(|values| SortColumn {
            values: values.clone(),
            options: Some(SortOptions::default()),
        })
        .collect();
    take_record_batch(&all, &lexsort_to_indices(&columns, None)?)
}

/// Splits a batch as read from the table, casting what the reader returned as views.
fn by_day(batch: &RecordBatch, table: Table) -> Result<Vec<(i32, RecordBatch)>, ArrowError> {
    use arrow::array::{AsArray, BooleanArray};
    use arrow::datatypes::Date32Type;
    let schema = table.schema();
    let columns = schema.fields().iter().map(|field| {
        let column = batch
            .column_by_name(field.name())
            .ok_or_else(|| ArrowError::SchemaError(format!("{} has no column {}", table.name(), field.name())))?;
        arrow::compute::cast(column, field.data_type())
    });
    let batch = RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)?;
    let days = batch
        .column_by_name("date")
        .map(|column| column.as_primitive::<Date32Type>().clone());
    let days = days.ok_or_else(|| ArrowError::SchemaError("no column date".into()))?;
    let distinct: std::collections::BTreeSet<i32> = days.values().iter().copied().collect();
    let part = |day: i32| {
        let keep = BooleanArray::from_iter(days.values().iter().map(|value| Some(*value == day)));
        Ok((day, arrow::compute::filter_record_batch(&batch, &keep)?))
    };
    distinct.into_iter().map(part).collect()
}

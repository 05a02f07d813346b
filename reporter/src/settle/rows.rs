//! Rows on their way into a table: kept in Arrow, day by day, and in one fixed order in the end.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::compute::{SortColumn, SortOptions, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::error::ArrowError;
use marginlake_lake::Table;

/// Rows of a day that are held in Rust before they become Arrow, which is several times smaller.
const PENDING_ROWS: usize = 2_048;

/// Rows that are held before the largest day goes to disk. Days above it become several files, each sorted: no reader
/// relies on the order of files.
const HELD_ROWS: usize = 131_072;

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

/// Collects rows of one table, within a bound of memory.
pub(crate) struct Rows<T> {
    table: Table,
    encode: fn(&[T]) -> Result<RecordBatch, ArrowError>,
    days: BTreeMap<i32, Day<T>>,
    held: usize,
    count: usize,
}

/// The rows of one day that are held.
struct Day<T> {
    pending: Vec<T>,
    batches: Vec<RecordBatch>,
    rows: usize,
}

impl<T> Default for Day<T> {
    fn default() -> Self {
        Day {
            pending: Vec::new(),
            batches: Vec::new(),
            rows: 0,
        }
    }
}

impl<T> Rows<T> {
    pub(crate) fn new(table: Table, encode: fn(&[T]) -> Result<RecordBatch, ArrowError>) -> Rows<T> {
        Rows {
            table,
            encode,
            days: BTreeMap::new(),
            held: 0,
            count: 0,
        }
    }

    /// Rows that were pushed.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, day: i32, row: T) -> Result<(), ArrowError> {
        let day = self.days.entry(day).or_default();
        day.pending.push(row);
        day.rows += 1;
        self.held += 1;
        self.count += 1;
        if day.pending.len() >= PENDING_ROWS {
            day.batches.push((self.encode)(&day.pending)?);
            day.pending.clear();
        }
        Ok(())
    }

    /// The rows of the largest day, sorted, where more are held than should be: they go to disk now.
    pub(super) fn overflow(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        if self.held < HELD_ROWS {
            return Ok(None);
        }
        let largest = self.days.iter().max_by_key(|(_, day)| day.rows).map(|(day, _)| *day);
        let Some(day) = largest.and_then(|day| self.days.remove(&day)) else {
            return Ok(None);
        };
        self.held -= day.rows;
        self.sorted(day).map(Some)
    }

    /// The rows that are held still, with those that were kept, day by day.
    pub(crate) fn finish(mut self, kept: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, ArrowError> {
        for batch in kept {
            for (day, part) in by_day(&batch, self.table)? {
                self.days.entry(day).or_default().batches.push(part);
            }
        }
        let days = std::mem::take(&mut self.days);
        days.into_values().map(|day| self.sorted(day)).collect()
    }

    fn sorted(&self, mut day: Day<T>) -> Result<RecordBatch, ArrowError> {
        if !day.pending.is_empty() {
            day.batches.push((self.encode)(&day.pending)?);
        }
        sorted(&day.batches, self.table)
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

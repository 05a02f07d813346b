//! What a report may not move: the mart rows of closed months.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use arrow::array::{AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Date32Type, SchemaRef};
use arrow::error::ArrowError;
use chrono::NaiveDate;
use marginlake_lake::Lake;

use super::{CloseError, Closed, Month};
use crate::session::{SessionError, empty_session};

/// The closed months of a lake, for the tables of a report.
pub(crate) struct Held<'a> {
    lake: Option<&'a Lake>,
    closed: Closed,
    /// Months that today's inputs would move.
    moved: Mutex<BTreeSet<Month>>,
}

impl<'a> Held<'a> {
    pub(crate) async fn read(lake: &'a Lake) -> Result<Held<'a>, CloseError> {
        Ok(Held {
            lake: Some(lake),
            closed: Closed::read(lake).await?,
            moved: Mutex::default(),
        })
    }

    /// Where no month is closed.
    #[cfg(test)]
    pub(crate) fn nothing() -> Held<'a> {
        Held {
            lake: None,
            closed: Closed::default(),
            moved: Mutex::default(),
        }
    }

    /// What a reader of figures must know about closed months, in a sentence each.
    pub(crate) fn notes(&self) -> Vec<String> {
        let moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        let note = |month: &Month| {
            format!(
                "{month} is closed and keeps the figures that it was closed with; today's calls, files and rules would give \
                 others. `marginlake close {month} --reopen` lets them in."
            )
        };
        moved.iter().map(note).collect()
    }

    /// The rows of `table` with those of closed months as they were written. A mart that is younger than the closing
    /// has none and is left as it is.
    pub(crate) async fn keep(&self, table: &str, fresh: RecordBatch) -> Result<RecordBatch, CloseError> {
        let Some(lake) = self.lake.filter(|_| !self.closed.is_empty()) else {
            return Ok(fresh);
        };
        if fresh.schema().index_of("date").is_err() {
            return Ok(fresh);
        }
        let Some(stored) = lake.table(table).await? else {
            return Ok(fresh);
        };
        let files = stored.files()?.into_iter();
        let files: Vec<_> = files
            .filter(|file| file.date.is_some_and(|day| self.closed.holds_date(day)))
            .collect();
        let months: BTreeSet<Month> = files.iter().filter_map(|file| file.date).map(Month::of).collect();
        if months.is_empty() {
            return Ok(fresh);
        }
        let frame = empty_session().read_table(stored.provider_of(&files).await?);
        let frozen = frame
            .map_err(SessionError::from)?
            .collect()
            .await
            .map_err(SessionError::from)?;
        let schema = fresh.schema();
        let is_held = |day: i32| NaiveDate::from_epoch_days(day).is_some_and(|day| months.contains(&Month::of(day)));
        let mut days: BTreeMap<i32, Vec<RecordBatch>> = BTreeMap::new();
        for batch in &frozen {
            split(&fitted(batch, &schema)?, &mut days)?;
        }
        let mut others: BTreeMap<i32, Vec<RecordBatch>> = BTreeMap::new();
        split(&fresh, &mut others)?;
        for (day, rows) in others.iter().filter(|(day, _)| is_held(**day)) {
            if !same(rows, days.get(day))?
                && let Some(day) = NaiveDate::from_epoch_days(*day)
            {
                self.moved
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(Month::of(day));
            }
        }
        days.extend(others.into_iter().filter(|(day, _)| !is_held(*day)));
        Ok(concat_batches(&schema, days.values().flatten())?)
    }

    /// The same for rows in batches.
    pub(crate) async fn keep_all(&self, table: &str, fresh: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, CloseError> {
        let Some(first) = fresh.first().filter(|_| !self.closed.is_empty()) else {
            return Ok(fresh);
        };
        let all = concat_batches(&first.schema(), &fresh)?;
        Ok(vec![self.keep(table, all).await?])
    }
}

/// Rows as read from a table, in the columns of today: those that were added since are NULL.
fn fitted(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => arrow::compute::cast(column, field.data_type()),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}

/// Adds the rows by day, in their order.
fn split(batch: &RecordBatch, days: &mut BTreeMap<i32, Vec<RecordBatch>>) -> Result<(), ArrowError> {
    let missing = || ArrowError::SchemaError("no column date".to_owned());
    let dates = batch.column_by_name("date").ok_or_else(missing)?;
    let dates = dates.as_primitive_opt::<Date32Type>().ok_or_else(missing)?;
    let distinct: BTreeSet<i32> = dates.values().iter().copied().collect();
    for day in distinct {
        let keep = BooleanArray::from_iter(dates.values().iter().map(|value| Some(*value == day)));
        days.entry(day).or_default().push(filter_record_batch(batch, &keep)?);
    }
    Ok(())
}

fn same(fresh: &[RecordBatch], frozen: Option<&Vec<RecordBatch>>) -> Result<bool, ArrowError> {
    let (Some(first), Some(frozen)) = (fresh.first(), frozen) else {
        return Ok(false);
    };
    Ok(concat_batches(&first.schema(), fresh)? == concat_batches(&first.schema(), frozen)?)
}

//! What a report may not move: the mart rows of closed months.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Date32Type, SchemaRef};
use arrow::error::ArrowError;
use chrono::NaiveDate;
use marginlake_lake::{DataFile, Lake, LakeTable, days_since_epoch};

use super::{CloseError, Closed, Month};
use crate::marts::{Purpose, Spool, SpoolWriter};
use crate::session::{SessionError, empty_session};

/// The closed months of a lake, for the tables of a report.
pub(crate) struct Held<'a> {
    lake: Option<&'a Lake>,
    closed: Closed,
    /// The days that the report was asked for; `None` has no end on that side. Others are neither read nor written.
    asked: (Option<NaiveDate>, Option<NaiveDate>),
    /// Months that today's inputs would move.
    moved: Mutex<BTreeSet<Month>>,
}

impl<'a> Held<'a> {
    /// For a report of the days `from` to `to`.
    pub(crate) async fn read(lake: &'a Lake, from: Option<NaiveDate>, to: Option<NaiveDate>) -> Result<Held<'a>, CloseError> {
        Ok(Held {
            lake: Some(lake),
            closed: Closed::read(lake).await?,
            asked: (from, to),
            moved: Mutex::default(),
        })
    }

    /// Where no month is closed.
    #[cfg(test)]
    pub(crate) fn nothing() -> Held<'a> {
        Held {
            lake: None,
            closed: Closed::default(),
            asked: (None, None),
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

    /// Whether a day is both in a closed month and asked for.
    fn holds(&self, day: NaiveDate) -> bool {
        let (from, to) = self.asked;
        from.is_none_or(|from| from <= day) && to.is_none_or(|to| day <= to) && self.closed.holds_date(day)
    }

    /// [`Held::keep`] for rows of one table that are kept in several places.
    pub(crate) async fn keep_all(&self, table: &str, fresh: Vec<Arc<Spool>>) -> Result<Vec<Arc<Spool>>, CloseError> {
        let Some(first) = fresh.first().filter(|_| !self.closed.is_empty()) else {
            return Ok(fresh);
        };
        let mut all = SpoolWriter::new(first.schema(), Purpose::Publish);
        let mut days: BTreeMap<i32, Vec<RecordBatch>> = BTreeMap::new();
        for rows in &fresh {
            for batch in rows.batches()? {
                split(&batch?, &mut days)?;
            }
        }
        add(&mut all, days.into_values().flatten())?;
        let all = all.finish().map_err(SessionError::from)?;
        Ok(vec![self.keep(table, Arc::new(all)).await?])
    }

    /// The rows of `table` with those of closed months as they were written. A mart that is younger than the closing
    /// has none and is left as it is. One closed month at a time is in memory.
    pub(crate) async fn keep(&self, table: &str, fresh: Arc<Spool>) -> Result<Arc<Spool>, CloseError> {
        let Some(lake) = self.lake.filter(|_| !self.closed.is_empty()) else {
            return Ok(fresh);
        };
        let schema = fresh.schema();
        if schema.index_of("date").is_err() {
            return Ok(fresh);
        }
        let Some(stored) = lake.table(table).await? else {
            return Ok(fresh);
        };
        let mut held: BTreeMap<Month, Vec<DataFile>> = BTreeMap::new();
        for file in stored.files()? {
            if let Some(day) = file.date.filter(|day| self.holds(*day)) {
                held.entry(Month::of(day)).or_default().push(file);
            }
        }
        if held.is_empty() {
            return Ok(fresh);
        }
        let mut rows = SpoolWriter::new(Arc::clone(&schema), Purpose::Publish);
        let mut days = days_of(&fresh)?.peekable();
        for (month, files) in held {
            let (first, last) = (days_since_epoch(month.first()), days_since_epoch(month.last()));
            while let Some(before) = days.next_if(|next| next.as_ref().map_or(true, |(day, _)| *day < first)) {
                add(&mut rows, before?.1)?;
            }
            let frozen = read(&stored, &files, &schema).await?;
            let mut is_moved = false;
            while let Some(of_month) = days.next_if(|next| next.as_ref().map_or(true, |(day, _)| *day <= last)) {
                let (day, fresh) = of_month?;
                is_moved |= !same(&fresh, frozen.get(&day))?;
            }
            if is_moved {
                self.moved.lock().unwrap_or_else(PoisonError::into_inner).insert(month);
            }
            add(&mut rows, frozen.into_values().flatten())?;
        }
        for after in days {
            add(&mut rows, after?.1)?;
        }
        Ok(Arc::new(rows.finish().map_err(SessionError::from)?))
    }
}

fn add(rows: &mut SpoolWriter, batches: impl IntoIterator<Item = RecordBatch>) -> Result<(), SessionError> {
    Ok(batches.into_iter().try_for_each(|batch| rows.push(batch))?)
}

/// Rows with their day, days in order.
type Days<'a> = Box<dyn Iterator<Item = Result<(i32, Vec<RecordBatch>), ArrowError>> + Send + 'a>;

fn days_of(rows: &Spool) -> Result<Days<'_>, ArrowError> {
    if rows.in_memory().is_some() {
        let mut days = BTreeMap::new();
        split(&rows.whole()?, &mut days)?;
        return Ok(Box::new(days.into_iter().map(Ok)));
    }
    Ok(Box::new(rows.days()?.map(|day| {
        let day = day?;
        Ok((day[0].column(0).as_primitive::<Date32Type>().value(0), day))
    })))
}

/// The rows of some files of a table, by day.
async fn read(stored: &LakeTable, files: &[DataFile], schema: &SchemaRef) -> Result<BTreeMap<i32, Vec<RecordBatch>>, CloseError> {
    let frame = empty_session().read_table(stored.provider_of(files).await?);
    let rows = frame.map_err(SessionError::from)?.collect().await;
    let mut days = BTreeMap::new();
    for batch in rows.map_err(SessionError::from)? {
        split(&fitted(&batch, schema)?, &mut days)?;
    }
    Ok(days)
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

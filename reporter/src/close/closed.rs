//! How each month stands: the last row of `closed_periods` for it.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use chrono::NaiveDate;
use datafusion::prelude::SessionContext;
use marginlake_lake::{Lake, Table};

use super::{CloseError, Month};
use crate::session::SessionError;

/// Whether a month may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its days stay as they are.
    Closed,
    /// It was closed once, and its days move again.
    Reopened,
}

impl State {
    /// The word in `closed_periods.state`.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Reopened => "reopened",
        }
    }
}

/// The last that was recorded about a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Counts closings and reopenings.
    pub sequence: i64,
    /// Whether it may move.
    pub state: State,
    /// The last export.
    pub revision: i64,
    /// Its folder below the lake's root.
    pub folder: String,
    /// SHA-256 of its manifest.
    pub sha256: String,
}

/// All months that were ever closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closed {
    months: BTreeMap<Month, Standing>,
}

impl Closed {
    /// Reads `closed_periods`; nothing is closed where there is none.
    pub async fn read(lake: &Lake) -> Result<Closed, CloseError> {
        let mut closed = Closed::default();
        let Some(table) = lake.table(Table::ClosedPeriods.name()).await? else {
            return Ok(closed);
        };
        let rows = SessionContext::new().read_table(table.provider().await?);
        let rows = rows
            .map_err(SessionError::from)?
            .collect()
            .await
            .map_err(SessionError::from)?;
        for batch in &rows {
            closed.add(batch)?;
        }
        Ok(closed)
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), CloseError> {
        let column = |name: &str, data_type: &DataType| {
            let missing = || arrow::error::ArrowError::SchemaError(format!("closed_periods has no column {name}"));
            arrow::compute::cast(batch.column_by_name(name).ok_or_else(missing)?, data_type)
        };
        let text = |name: &str| Ok::<_, CloseError>(column(name, &DataType::Utf8)?.as_string::<i32>().clone());
        let number = |name: &str| Ok::<_, CloseError>(column(name, &DataType::Int64)?.as_primitive::<Int64Type>().clone());
        let (periods, states, folders, hashes) = (text("period")?, text("state")?, text("folder")?, text("sha256")?);
        let (sequences, revisions) = (number("sequence")?, number("revision")?);
        for row in 0..batch.num_rows() {
            let Ok(month) = periods.value(row).parse::<Month>() else {
                continue;
            };
            let standing = Standing {
                sequence: sequences.value(row),
                state: match states.value(row) {
                    "reopened" => State::Reopened,
                    _ => State::Closed,
                },
                revision: revisions.value(row),
                folder: folders.value(row).to_owned(),
                sha256: hashes.value(row).to_owned(),
            };
            let last = self.months.get(&month);
            if last.is_none_or(|last| last.sequence < standing.sequence) {
                self.months.insert(month, standing);
            }
        }
        Ok(())
    }

    /// How a month stands; `None` where it was never closed.
    pub fn standing(&self, month: Month) -> Option<&Standing> {
        self.months.get(&month)
    }

    /// Whether a day, in days since 1970-01-01, belongs to a closed month.
    pub fn holds(&self, day: i32) -> bool {
        NaiveDate::from_epoch_days(day).is_some_and(|day| self.holds_date(day))
    }

    /// Whether a day belongs to a closed month.
    pub fn holds_date(&self, day: NaiveDate) -> bool {
        let standing = self.standing(Month::of(day));
        standing.is_some_and(|standing| standing.state == State::Closed)
    }

    /// Whether no month is closed now.
    pub fn is_empty(&self) -> bool {
        self.months.values().all(|standing| standing.state != State::Closed)
    }
}

//! The margin marts without the engine: the rows of `margin_by_*.sql` and of `margin_daily.sql`, by one merge.
//!
//! What keys earn and what bills cost them lies in memory, in the order of keys; calls come added up by day, key
//! and currency and in that order. Walking all three side by side makes each row once and in its place, where the SQL would join
//! and sort as many rows as there are keys and days. The SQL stays what the marts mean: tests hold the two against each other.

use std::collections::HashMap;

use arrow::array::{AsArray, Decimal128Array, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use marginlake_lake::schema::{self, MONEY_PRECISION, MONEY_SCALE};

use super::facts::{Facts, ReportCalls};
use super::key_days::key_days;
use super::key_sums::KeySums;
use super::margin_rows::{MarginRows, MarginSums};
use super::spool::SpoolWriter;
use super::{Window, texts};
use crate::allocate::{CostClass, Dimension, KeyAmounts, KeyCost};
use crate::revenue::Amount;
use crate::revenue::time::Day;

/// What takes the rows of a dimension.
pub(crate) struct MarginWriters<'a> {
    /// Those of its mart.
    pub(crate) rows: &'a mut SpoolWriter,
    /// The same, added up by key.
    pub(crate) sums: &'a mut KeySums,
    /// Where asked for, those of the mart of days.
    pub(crate) days: Option<&'a mut SpoolWriter>,
}

/// Makes the marts of a dimension. The session must have `dearest_rate`; `revenue` and `costs` are in the order of their
/// makers.
pub(crate) async fn margins(
    session: &SessionContext,
    (facts, calls): (&Facts, &ReportCalls<'_>),
    dimension: Dimension,
    (revenue, costs): (&[KeyAmounts], &[KeyCost]),
    into: MarginWriters<'_>,
) -> Result<(), DataFusionError> {
    let dearest = dearest_rates(session).await?;
    let mut merge = Merge::new(calls.window, revenue, costs, Margins::new(into, &dearest));
    key_days(facts, dimension, calls, |day, key, currency, sums| {
        merge.calls(day, (key, currency), sums)
    })?;
    merge.finish()
}

/// By currency: the most that a token of any priced model costs, as cost and tokens.
async fn dearest_rates(session: &SessionContext) -> Result<HashMap<String, (i128, i64)>, DataFusionError> {
    let mut rates = HashMap::new();
    for batch in session
        .sql("SELECT currency, cost, tokens FROM dearest_rate")
        .await?
        .collect()
        .await?
    {
        let (currencies, costs, tokens) = (texts(&batch, 0)?, amounts(&batch, 1)?, counts(&batch, 2)?);
        for row in 0..batch.num_rows() {
            rates.insert(currencies.value(row).to_owned(), (costs.value(row), tokens.value(row)));
        }
    }
    Ok(rates)
}

fn amounts(batch: &RecordBatch, column: usize) -> Result<Decimal128Array, DataFusionError> {
    let cast = cast(batch.column(column), &DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE))?;
    Ok(cast.as_primitive::<Decimal128Type>().clone())
}

fn counts(batch: &RecordBatch, column: usize) -> Result<Int64Array, DataFusionError> {
    Ok(cast(batch.column(column), &DataType::Int64)?
        .as_primitive::<Int64Type>()
        .clone())
}

/// One of the two sides that lie in memory: its keys in order, and of each the place of its next day.
struct Side<'a, T> {
    keys: Vec<&'a T>,
    places: Vec<usize>,
    amounts: fn(&T) -> &KeyAmounts,
    /// The keys of the day, with what they have on it.
    of_day: Vec<(&'a T, Amount)>,
    /// How many of them are in a row already.
    taken: usize,
}

impl<'a, T> Side<'a, T> {
    fn new(keys: &'a [T], amounts: fn(&T) -> &KeyAmounts, from: Day) -> Side<'a, T> {
        let mut keys: Vec<&T> = keys.iter().collect();
        keys.sort_by(|left, right| {
            let (left, right) = (amounts(left), amounts(right));
            (&left.key, left.currency).cmp(&(&right.key, right.currency))
        });
        Side {
            places: keys.iter().map(|key| amounts(key).days.place_of(from)).collect(),
            keys,
            amounts,
            of_day: Vec::new(),
            taken: 0,
        }
    }

    fn enter(&mut self, day: Day) {
        self.of_day.clear();
        self.taken = 0;
        for (key, place) in self.keys.iter().zip(&mut self.places) {
            if let Some(amount) = (self.amounts)(key).days.at(*place, day) {
                *place += 1;
                self.of_day.push((key, amount));
            }
        }
    }

    /// Key and currency of the next that is in no row.
    fn next(&self) -> Option<(&'a str, &'a str)> {
        let (key, _) = *self.of_day.get(self.taken)?;
        let amounts = (self.amounts)(key);
        Some((&amounts.key, amounts.currency.code()))
    }

    /// Gives all that belong to a key and currency.
    fn take(&mut self, of: (&str, &str), mut each: impl FnMut(&T, Amount)) {
        while self.next() == Some(of) {
            let (key, amount) = self.of_day[self.taken];
            each(key, amount);
            self.taken += 1;
        }
    }
}

/// The walk.
struct Merge<'a, 'b> {
    day: Day,
    last: Day,
    revenue: Side<'a, KeyAmounts>,
    costs: Side<'a, KeyCost>,
    margins: Margins<'b>,
}

impl<'a, 'b> Merge<'a, 'b> {
    fn new(window: Window, revenue: &'a [KeyAmounts], costs: &'a [KeyCost], margins: Margins<'b>) -> Merge<'a, 'b> {
        let mut merge = Merge {
            day: window.from,
            last: window.to,
            revenue: Side::new(revenue, |amounts| amounts, window.from),
            costs: Side::new(costs, |cost| &cost.amounts, window.from),
            margins,
        };
        merge.enter(window.from);
        merge
    }

    fn enter(&mut self, day: Day) {
        self.day = day;
        self.revenue.enter(day);
        self.costs.enter(day);
    }

    /// Takes what the calls of a key cost on a day; days, keys and currencies in order.
    fn calls(&mut self, day: Day, (key, currency): (&str, &str), sums: MarginSums) -> Result<(), DataFusionError> {
        while self.day < day {
            self.leave_day()?;
        }
        self.rows_before(Some((key, currency)))?;
        self.row((key, currency), sums)
    }

    fn finish(mut self) -> Result<(), DataFusionError> {
        while self.day <= self.last {
            self.leave_day()?;
        }
        self.margins.finish()
    }

    fn leave_day(&mut self) -> Result<(), DataFusionError> {
        self.rows_before(None)?;
        self.margins.end_of_day(self.day)?;
        self.enter(self.day + 1);
        Ok(())
    }

    /// The rows of keys without calls, up to a key and currency.
    fn rows_before(&mut self, end: Option<(&str, &str)>) -> Result<(), DataFusionError> {
        loop {
            let next = match (self.revenue.next(), self.costs.next()) {
                (Some(earned), Some(spent)) => earned.min(spent),
                (Some(next), None) | (None, Some(next)) => next,
                (None, None) => return Ok(()),
            };
            if end.is_some_and(|end| next >= end) {
                return Ok(());
            }
            self.row(next, MarginSums::default())?;
        }
    }

    fn row(&mut self, of: (&str, &str), mut sums: MarginSums) -> Result<(), DataFusionError> {
        self.revenue.take(of, |keys, amount| {
            sums.revenue += amount.scaled();
            if keys.method.is_allocation() {
                sums.revenue_allocated += amount.scaled();
            }
            sums.method = sums.method.and(keys.method.name());
        });
        self.costs.take(of, |cost, amount| {
            let amount = amount.scaled();
            sums.spread_cost += amount;
            match cost.source.class {
                CostClass::Model => sums.model_cost += amount,
                CostClass::OtherCogs => sums.other_cogs += amount,
                CostClass::Variable => sums.variable_cost += amount,
                CostClass::NotCogs => sums.not_cogs_cost += amount,
            }
            sums.known_costs += i64::from(matches!(cost.source.class, CostClass::Model | CostClass::OtherCogs));
        });
        self.margins.row(self.day, of, &sums)
    }
}

/// The rows of days.
struct Days<'b> {
    /// The day so far, by currency.
    of_day: Vec<(String, MarginSums)>,
    rows: MarginRows<'b>,
    into: &'b mut SpoolWriter,
}

/// Where the rows go.
struct Margins<'b> {
    rows: MarginRows<'b>,
    into: &'b mut SpoolWriter,
    sums: &'b mut KeySums,
    days: Option<Days<'b>>,
}

impl<'b> Margins<'b> {
    fn new(into: MarginWriters<'b>, dearest: &'b HashMap<String, (i128, i64)>) -> Margins<'b> {
        let of_days: SchemaRef = schema::margin_mart(&[]);
        Margins {
            rows: MarginRows::new(into.rows.schema(), dearest),
            into: into.rows,
            sums: into.sums,
            days: into.days.map(|into| Days {
                of_day: Vec::new(),
                rows: MarginRows::new(of_days, dearest),
                into,
            }),
        }
    }

    fn row(&mut self, day: Day, (key, currency): (&str, &str), sums: &MarginSums) -> Result<(), DataFusionError> {
        if let Some(Days { of_day, .. }) = &mut self.days {
            match of_day.iter_mut().find(|(of, _)| of == currency) {
                Some((_, all)) => all.add(sums),
                None => of_day.push((currency.to_owned(), sums.clone())),
            }
        }
        self.rows.push(day, Some(key), currency, sums);
        if self.rows.is_full() { self.push() } else { Ok(()) }
    }

    /// Moves the rows so far to where they belong.
    fn push(&mut self) -> Result<(), DataFusionError> {
        let rows = self.rows.take()?;
        self.sums.add(&rows)?;
        self.into.push(rows)
    }

    fn end_of_day(&mut self, day: Day) -> Result<(), DataFusionError> {
        if let Some(Days { of_day, rows, .. }) = &mut self.days {
            of_day.sort_by(|left, right| left.0.cmp(&right.0));
            of_day
                .drain(..)
                .for_each(|(currency, sums)| rows.push(day, None, &currency, &sums));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), DataFusionError> {
        self.push()?;
        match self.days {
            Some(Days { mut rows, into, .. }) => into.push(rows.take()?),
            None => Ok(()),
        }
    }
}

//! The margin marts without the engine: the rows of `margin_by_*.sql` and of `margin_daily.sql`, by one merge.
//!
//! What keys earn and what bills cost them lies in memory, in the order of keys; calls come from the engine, added up by day, key
//! and currency and in that order. Walking all three side by side makes each row once and in its place, where the SQL would join
//! and sort as many rows as there are keys and days. The SQL stays what the marts mean: tests hold the two against each other.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use marginlake_lake::schema::{self, MONEY_PRECISION, MONEY_SCALE};

use super::margin_rows::{MarginRows, MarginSums};
use super::spool::SpoolWriter;
use super::{Window, texts};
use crate::allocate::{CostClass, Dimension, KeyAmounts, KeyCost};
use crate::revenue::Amount;
use crate::revenue::time::Day;

/// What calls cost each key on each day: what the marts read of `call_cells`.
const CALLS: &str = "sum(model_cost) AS model_cost, sum(other_cogs) AS other_cogs, sum(variable_cost) AS variable_cost, \
    sum(not_cogs_cost) AS not_cogs_cost, sum(error_cost) AS error_cost, sum(calls) AS calls, sum(unpriced_calls) AS unpriced_calls, \
    sum(unpriced_tokens) AS unpriced_tokens, sum(unbounded_calls) AS unbounded_calls, sum(known_costs) AS known_costs, \
    sum(error_calls) AS error_calls, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, \
    sum(cache_read_tokens) AS cache_read_tokens";
const AMOUNTS: usize = 5;
const COUNTS: usize = 9;

/// Makes the mart of a dimension, and, where asked for, the mart of days beside it. The session must have `call_cells` and
/// `dearest_rate`; `revenue` and `costs` are in the order of their makers.
pub(crate) async fn margins(
    session: &SessionContext,
    dimension: Dimension,
    window: Window,
    (revenue, costs): (&[KeyAmounts], &[KeyCost]),
    into: &mut SpoolWriter,
    days: Option<&mut SpoolWriter>,
) -> Result<(), DataFusionError> {
    let dearest = dearest_rates(session).await?;
    let mut merge = Merge::new(window, revenue, costs, Margins::new(into, days, &dearest));
    let sql = format!(
        "SELECT date, {key} AS key, currency, {CALLS} FROM call_cells GROUP BY date, {key}, currency ORDER BY date, key, currency",
        key = dimension.key_column(),
    );
    let mut calls = session.sql(&sql).await?.execute_stream().await?;
    while let Some(batch) = calls.next().await {
        let rows = CallRows::of(&batch?)?;
        for row in 0..rows.len() {
            merge.calls(
                rows.day(row),
                rows.keys.value(row),
                rows.currencies.value(row),
                rows.sums(row),
            )?;
        }
    }
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

/// Calls as they come from the engine.
struct CallRows {
    dates: ArrayRef,
    keys: StringArray,
    currencies: StringArray,
    amounts: [Decimal128Array; AMOUNTS],
    counts: [Int64Array; COUNTS],
}

impl CallRows {
    fn of(batch: &RecordBatch) -> Result<CallRows, DataFusionError> {
        let mut money = Vec::with_capacity(AMOUNTS);
        for column in 3..3 + AMOUNTS {
            money.push(amounts(batch, column)?);
        }
        let mut numbers = Vec::with_capacity(COUNTS);
        for column in 3 + AMOUNTS..3 + AMOUNTS + COUNTS {
            numbers.push(counts(batch, column)?);
        }
        Ok(CallRows {
            dates: cast(batch.column(0), &DataType::Date32)?,
            keys: texts(batch, 1)?,
            currencies: texts(batch, 2)?,
            amounts: money.try_into().expect("as many as were read"),
            counts: numbers.try_into().expect("as many as were read"),
        })
    }

    fn len(&self) -> usize {
        self.keys.len()
    }

    fn day(&self, row: usize) -> Day {
        self.dates.as_primitive::<Date32Type>().value(row)
    }

    fn sums(&self, row: usize) -> MarginSums {
        let known = |column: &Decimal128Array| if column.is_valid(row) { column.value(row) } else { 0 };
        let [model_cost, other_cogs, variable_cost, not_cogs_cost, error_cost] = self.amounts.each_ref().map(known);
        let count = |column: &Int64Array| column.is_valid(row).then(|| column.value(row));
        let [
            calls,
            unpriced_calls,
            unpriced_tokens,
            unbounded_calls,
            known_costs,
            error_calls,
            input_tokens,
            output_tokens,
            cache_read_tokens,
        ] = self.counts.each_ref().map(count);
        MarginSums {
            model_cost,
            other_cogs,
            variable_cost,
            not_cogs_cost,
            error_cost,
            calls: calls.unwrap_or(0),
            unpriced_calls: unpriced_calls.unwrap_or(0),
            unpriced_tokens: unpriced_tokens.unwrap_or(0),
            unbounded_calls: unbounded_calls.unwrap_or(0),
            known_costs: known_costs.unwrap_or(0),
            error_calls: error_calls.unwrap_or(0),
            input_tokens,
            output_tokens,
            cache_read_tokens,
            ..MarginSums::default()
        }
    }
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
    fn calls(&mut self, day: Day, key: &str, currency: &str, sums: MarginSums) -> Result<(), DataFusionError> {
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
    days: Option<Days<'b>>,
}

impl<'b> Margins<'b> {
    fn new(
        into: &'b mut SpoolWriter,
        days: Option<&'b mut SpoolWriter>,
        dearest: &'b HashMap<String, (i128, i64)>,
    ) -> Margins<'b> {
        let of_days: SchemaRef = schema::margin_mart(&[]);
        Margins {
            rows: MarginRows::new(into.schema(), dearest),
            into,
            days: days.map(|into| Days {
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
        if self.rows.is_full() {
            self.into.push(self.rows.take()?)?;
        }
        Ok(())
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
        self.into.push(self.rows.take()?)?;
        match self.days {
            Some(Days { mut rows, into, .. }) => into.push(rows.take()?),
            None => Ok(()),
        }
    }
}

//! What calls cost each key of a dimension on each day, in the order of days, keys and currencies: `call_cells` added up by one
//! of its keys.
//!
//! The engine would add up all days at once and sort what it has. Cells lie part after part, each of some whole days
//! ([`Facts`]): here one part is added up and sorted at a time, so that what is in memory does not grow with the month.

use std::cmp::Ordering;

use arrow::array::{Array, AsArray, BooleanArray, PrimitiveArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type};
use datafusion::error::DataFusionError;

use super::facts::Facts;
use super::groups::{Groups, Names, Sums};
use super::margin_rows::MarginSums;
use super::plans::Plans;
use super::{ReportCalls, Window};
use crate::allocate::{Dimension, NO_RATE};
use crate::revenue::Currency;
use crate::revenue::time::Day;

const AMOUNTS: [&str; 5] = ["model_cost", "other_cogs", "variable_cost", "not_cogs_cost", "error_cost"];
const COUNTS: [&str; 9] = [
    "calls",
    "unpriced_calls",
    "unpriced_tokens",
    "unbounded_calls",
    "known_costs",
    "error_calls",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
];

/// Gives the sums of each day, key and currency of the report's days to `each`.
pub(super) fn key_days(
    facts: &Facts,
    dimension: Dimension,
    calls: &ReportCalls<'_>,
    mut each: impl FnMut(Day, &str, &str, MarginSums) -> Result<(), DataFusionError>,
) -> Result<(), DataFusionError> {
    // Cells have no plan of their own.
    let plans = (dimension == Dimension::Plan).then(|| Plans::new(&calls.customer_plans));
    let key = match plans {
        Some(_) => Dimension::Customer.key_column(),
        None => dimension.key_column(),
    };
    let columns = ["date", key, "currency", "no_rate"];
    let columns: Vec<&str> = columns.into_iter().chain(AMOUNTS).chain(COUNTS).collect();
    let mut ends = facts.parts.iter().map(|part| part.to);
    let mut end = ends.next();
    let mut part = Part::new(calls.currency, plans);
    for batch in facts.cells.columns(&columns)? {
        let mut batch = batch?;
        // A batch may hold the end of a part and the beginning of the next.
        while batch.num_rows() > 0 {
            let days = batch.column(0).as_primitive::<Date32Type>().values();
            let rows = days.iter().position(|day| end.is_some_and(|end| *day > end));
            part.add(&batch.slice(0, rows.unwrap_or(batch.num_rows())), calls.window)?;
            let Some(rows) = rows else { break };
            part.drain(&mut each)?;
            end = ends.next();
            batch = batch.slice(rows, batch.num_rows() - rows);
        }
    }
    part.drain(&mut each)
}

/// The sums of some days.
struct Part {
    /// Where the report's currency is the one that costs are in, every cost has its rate.
    has_rates: bool,
    plans: Option<Plans>,
    keys: Names,
    currencies: Names,
    groups: Groups<3>,
    amounts: [Sums<i128>; AMOUNTS.len()],
    counts: [Sums<i64>; COUNTS.len()],
}

impl Part {
    fn new(currency: Currency, plans: Option<Plans>) -> Part {
        Part {
            has_rates: currency == Currency::USD,
            plans,
            keys: Names::default(),
            currencies: Names::default(),
            groups: Groups::default(),
            amounts: Default::default(),
            counts: Default::default(),
        }
    }

    /// Adds those of the rows that are of the report's days.
    fn add(&mut self, rows: &RecordBatch, window: Window) -> Result<(), DataFusionError> {
        let of_report = rows.column(0).as_primitive::<Date32Type>().values().iter();
        let of_report: BooleanArray = of_report.map(|day| Some(window.contains(*day))).collect();
        let rows = match of_report.has_false() {
            true => &filter_record_batch(rows, &of_report)?,
            false => rows,
        };
        let days = rows.column(0).as_primitive::<Date32Type>().values();
        let mut keys = match &self.plans {
            Some(plans) => self.keys.numbers(&plans.column(rows.column(1), rows.column(0))?),
            None => self.keys.numbers(rows.column(1).as_string::<i32>()),
        };
        let no_rate = rows.column(3).as_boolean();
        if !self.has_rates && no_rate.true_count() > 0 {
            let aside = self.keys.number(NO_RATE);
            let without = keys.iter_mut().enumerate().filter(|(row, _)| no_rate.value(*row));
            without.for_each(|(_, key)| *key = aside);
        }
        let currencies = self.currencies.numbers(rows.column(2).as_string::<i32>());
        let groups = &mut self.groups;
        let of_row = days.iter().zip(&keys).zip(&currencies);
        let places: Vec<u32> = of_row
            .map(|((day, key), currency)| groups.place([day.cast_unsigned(), *key, *currency]))
            .collect();
        let groups = self.groups.keys().len();
        for (at, sums) in self.amounts.iter_mut().enumerate() {
            sums.add(rows.column(4 + at).as_primitive::<Decimal128Type>(), &places, groups);
        }
        for (at, sums) in self.counts.iter_mut().enumerate() {
            sums.add(
                rows.column(4 + AMOUNTS.len() + at).as_primitive::<Int64Type>(),
                &places,
                groups,
            );
        }
        Ok(())
    }

    /// Gives what was added up, in order, and begins anew.
    fn drain(
        &mut self,
        each: &mut impl FnMut(Day, &str, &str, MarginSums) -> Result<(), DataFusionError>,
    ) -> Result<(), DataFusionError> {
        let order = self.order();
        let amounts: [PrimitiveArray<Decimal128Type>; AMOUNTS.len()] = self.amounts.each_mut().map(Sums::take);
        let counts: [PrimitiveArray<Int64Type>; COUNTS.len()] = self.counts.each_mut().map(Sums::take);
        for place in order {
            let [day, key, currency] = self.groups.keys()[place];
            let (key, currency) = (self.keys.name(key), self.currencies.name(currency));
            let sums = sums_of(&amounts, &counts, place);
            each(day.cast_signed(), key.unwrap_or_default(), currency.unwrap_or_default(), sums)?;
        }
        (self.keys, self.currencies, self.groups) = Default::default();
        Ok(())
    }

    /// The places of the groups by day, key and currency. Most keys are told apart by the eight bytes behind what all of
    /// them begin with, which is a number to compare and no text to look up.
    fn order(&self) -> Vec<usize> {
        let shared = self.keys.shared_beginning();
        let name = |key: u32| self.keys.name(key).unwrap_or_default();
        let head = |key: u32| match name(key).as_bytes().strip_prefix(shared) {
            // Names with one beginning stand side by side: all others are before or behind them.
            None => (name(key).as_bytes().cmp(shared), 0),
            Some(rest) => {
                let mut head = [0; 8];
                head.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                (Ordering::Equal, u64::from_be_bytes(head))
            }
        };
        let whole = |place: usize| {
            let [_, key, currency] = self.groups.keys()[place];
            (name(key), self.currencies.name(currency))
        };
        let groups = self.groups.keys().iter().enumerate();
        let mut order: Vec<(Day, (Ordering, u64), usize)> = groups
            .map(|(place, [day, key, _])| (day.cast_signed(), head(*key), place))
            .collect();
        order.sort_unstable_by(|left, right| {
            let heads = (left.0, left.1).cmp(&(right.0, right.1));
            heads.then_with(|| whole(left.2).cmp(&whole(right.2)))
        });
        order.into_iter().map(|(_, _, place)| place).collect()
    }
}

fn sums_of(
    amounts: &[PrimitiveArray<Decimal128Type>; AMOUNTS.len()],
    counts: &[PrimitiveArray<Int64Type>; COUNTS.len()],
    place: usize,
) -> MarginSums {
    let known = |column: &PrimitiveArray<Decimal128Type>| if column.is_valid(place) { column.value(place) } else { 0 };
    let [model_cost, other_cogs, variable_cost, not_cogs_cost, error_cost] = amounts.each_ref().map(known);
    let count = |column: &PrimitiveArray<Int64Type>| column.is_valid(place).then(|| column.value(place));
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
    ] = counts.each_ref().map(count);
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

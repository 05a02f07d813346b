//! The lines of bills as days in the report's currency: the pools that are shared out, and the rows of `bill_lines`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Builder, RecordBatch, StringArray};
use arrow::error::ArrowError;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE, bill_lines};

use super::Bills;
use super::config::{Every, Fixed};
use super::row::Line;
use crate::allocate::cost::{CostClass, CostPools};
use crate::allocate::pools::Earner;
use crate::marts::Window;
use crate::revenue::accrue::accrue;
use crate::revenue::fx::Rates;
use crate::revenue::time::{Day, Moment, Period, next_month};
use crate::revenue::{Amount, Currency};

/// What is added up: everything that a row of `bill_lines` names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct LineKey {
    bill: usize,
    file: Option<String>,
    class: CostClass,
    service: Option<String>,
    customer_id: Option<String>,
    feature: Option<String>,
    currency: Currency,
}

/// The lines of all files, by day.
#[derive(Debug, Default)]
pub(super) struct Lines(BTreeMap<LineKey, BTreeMap<Day, Amount>>);

/// The days of all bills.
#[derive(Debug, Default)]
pub struct BillDays {
    rows: Vec<(LineKey, Day, Amount, Option<Amount>)>,
}

impl Lines {
    pub(super) fn add(&mut self, bill: usize, file: &str, line: Line) {
        let key = LineKey {
            bill,
            file: Some(file.to_owned()),
            class: line.class,
            service: line.service,
            customer_id: line.customer_id,
            feature: line.feature,
            currency: line.currency,
        };
        let days = self.0.entry(key).or_default();
        for (day, amount) in accrue(line.amount, line.period) {
            *days.entry(day).or_default() += amount;
        }
    }
}

impl Bills {
    /// First and last day of the files' lines.
    pub fn days(&self) -> Option<(Day, Day)> {
        let ends = self
            .lines
            .0
            .values()
            .filter_map(|days| Some((*days.keys().next()?, *days.keys().next_back()?)));
        ends.reduce(|(first, last), (other_first, other_last)| (first.min(other_first), last.max(other_last)))
    }

    /// The days that cost something within `window`, in the report's currency where a rate is known.
    pub fn in_days(&self, window: Window, rates: &Rates, currency: Currency) -> BillDays {
        let mut rows = Vec::new();
        let mut keep = |key: &LineKey, day: Day, amount: Amount| {
            if window.contains(day) {
                let reported = rates.convert(amount, key.currency, currency, day);
                rows.push((key.clone(), day, amount, reported));
            }
        };
        for (key, days) in &self.lines.0 {
            days.iter().for_each(|(day, amount)| keep(key, *day, *amount));
        }
        for (at, bill) in self.bills.iter().enumerate() {
            let Some(fixed) = &bill.fixed else { continue };
            let key = LineKey {
                bill: at,
                file: None,
                class: bill.class,
                service: None,
                customer_id: None,
                feature: None,
                currency: fixed.currency,
            };
            fixed_days(fixed, window).for_each(|(day, amount)| keep(&key, day, amount));
        }
        rows.sort_by(|left, right| (left.1, &left.0).cmp(&(right.1, &right.0)));
        BillDays { rows }
    }

    /// Puts the days where they are shared out from.
    pub fn pool(&self, days: &BillDays, pools: &mut CostPools) {
        for (key, day, amount, reported) in &days.rows {
            let source = self.bills[key.bill].source(key.class);
            match (reported, &key.customer_id) {
                (None, _) => pools.add_without_rate(source, key.currency, *day, *amount),
                (Some(reported), Some(customer)) => {
                    let earner = Earner {
                        customer_id: Some(customer.clone()),
                        feature: key.feature.clone(),
                        ..Earner::default()
                    };
                    pools.add_known(source, earner, *day, *reported);
                }
                (Some(reported), None) => pools.add_bill(source, key.bill, key.feature.clone(), *day, *reported),
            }
        }
    }
}

/// What a fixed amount costs on each day, as far as the months of `window` reach.
fn fixed_days(fixed: &Fixed, window: Window) -> impl Iterator<Item = (Day, Amount)> {
    let months = window.months();
    let (from, until) = (fixed.from.unwrap_or(months.from), fixed.until.unwrap_or(months.to + 1));
    let period = |start: Day, end: Day| Period {
        start: Moment::midnight(start),
        end: Moment::midnight(end),
    };
    let mut days: Vec<(Day, Amount)> = Vec::new();
    match fixed.every {
        None => days.extend(accrue(fixed.amount, period(from, until))),
        Some(Every::Day) => days.extend((from.max(months.from)..until.min(months.to + 1)).map(|day| (day, fixed.amount))),
        Some(Every::Month) => {
            let mut month = months.from;
            while month <= months.to {
                days.extend(
                    accrue(fixed.amount, period(month, next_month(month))).filter(|(day, _)| from <= *day && *day < until),
                );
                month = next_month(month);
            }
        }
    }
    days.into_iter()
}

/// The rows of `bill_lines`.
pub fn bill_batch(bills: &Bills, days: &BillDays, currency: Currency) -> Result<RecordBatch, ArrowError> {
    let rows = &days.rows;
    let texts = |of: &dyn Fn(&LineKey) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(|(key, ..)| of(key)).collect::<StringArray>())
    };
    let money = |values: &mut dyn Iterator<Item = Option<Amount>>| -> Result<ArrayRef, ArrowError> {
        let mut builder = Decimal128Builder::new().with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?;
        values.for_each(|value| builder.append_option(value.map(Amount::scaled)));
        Ok(Arc::new(builder.finish()))
    };
    let columns = vec![
        Arc::new(Date32Array::from_iter_values(rows.iter().map(|(_, day, ..)| *day))),
        texts(&|key| Some(bills.bills[key.bill].id.clone())),
        texts(&|key| key.file.clone()),
        texts(&|key| Some(key.class.name().to_owned())),
        texts(&|key| key.service.clone()),
        texts(&|key| key.customer_id.clone()),
        texts(&|key| key.feature.clone()),
        texts(&|key| Some(key.currency.to_string())),
        money(&mut rows.iter().map(|(_, _, amount, _)| Some(*amount)))?,
        texts(&|_| Some(currency.to_string())),
        money(&mut rows.iter().map(|(_, _, _, reported)| *reported))?,
        texts(&|key| {
            let spread = bills.bills[key.bill].spread.by.name();
            Some(if key.customer_id.is_some() { "direct" } else { spread }.to_owned())
        }),
    ];
    RecordBatch::try_new(bill_lines(), columns)
}

#[cfg(test)]
impl BillDays {
    /// Bill, day, amount in its own currency, amount in the report's.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, Day, Amount, Option<Amount>)> {
        self.rows
            .iter()
            .map(|(key, day, amount, reported)| (key.bill, *day, *amount, *reported))
    }
}

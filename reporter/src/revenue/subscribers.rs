//! What lines say of subscribers beside money: seats that are paid for, by day, and trials.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE, subscribers};

use super::currency::Currency;
use super::daily::RevenuePolicy;
use super::line::RevenueLine;
use super::money::Amount;
use crate::marts::Window;

/// Who pays for how many seats, and who tries, within the report's days.
#[derive(Debug, Default)]
pub struct Subscribers(BTreeMap<(String, Option<String>, Currency), Subscriber>);

#[derive(Debug, Default)]
struct Subscriber {
    seat_days: i64,
    seat_revenue: Amount,
    on_trial: bool,
}

impl Subscribers {
    /// Gathers the lines that have seats or are trials. A line that gives money back gives its seats back.
    pub fn of(lines: &[RevenueLine], policy: &RevenuePolicy, window: Window) -> Subscribers {
        let mut found = Subscribers::default();
        for line in lines {
            let on_trial = line.kind.as_deref() == Some("trial");
            let seats = line.seats.unwrap_or(0);
            if !on_trial && seats == 0 {
                continue;
            }
            let seats = if line.amount.is_negative() { -seats.abs() } else { seats };
            for day in policy.days(line).filter(|day| window.contains(day.day)) {
                let Some(customer) = day.customer_id else { continue };
                let (amount, currency) = match day.report_amount {
                    Some(amount) => (amount, policy.report_currency),
                    None => (day.amount, line.currency),
                };
                let key = (customer.to_owned(), line.plan.as_deref().map(str::to_owned), currency);
                let subscriber = found.0.entry(key).or_default();
                subscriber.on_trial |= on_trial;
                if seats != 0 {
                    subscriber.seat_days = subscriber.seat_days.saturating_add(seats);
                    subscriber.seat_revenue += amount;
                }
            }
        }
        found
    }

    /// True if anybody pays by the seat.
    pub fn any_seats(&self) -> bool {
        self.0.values().any(|subscriber| subscriber.seat_days != 0)
    }

    /// One row for each customer, plan and currency.
    pub fn rows(&self) -> Result<RecordBatch, ArrowError> {
        let revenue = self.0.values().map(|subscriber| Some(subscriber.seat_revenue.scaled()));
        let revenue = revenue.collect::<Decimal128Array>();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(self.0.keys().map(|key| key.0.as_str()))),
            Arc::new(self.0.keys().map(|key| key.1.as_deref()).collect::<StringArray>()),
            Arc::new(self.0.keys().map(|key| Some(key.2.to_string())).collect::<StringArray>()),
            Arc::new(Int64Array::from_iter_values(
                self.0.values().map(|subscriber| subscriber.seat_days),
            )),
            Arc::new(revenue.with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?),
            Arc::new(BooleanArray::from_iter(
                self.0.values().map(|subscriber| Some(subscriber.on_trial)),
            )),
        ];
        RecordBatch::try_new(subscribers(), columns)
    }
}

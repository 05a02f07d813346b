//! One revenue line on one day: whose it is, in its own currency and in the report's.
//!
//! The figure of the day in the report's currency is where rounding ends; everything behind it only adds and splits.

use super::currency::Currency;
use super::customer_map::CustomerLadder;
use super::fx::Rates;
use super::line::RevenueLine;
use super::money::Amount;
use super::policy::FxDay;
use super::recognise::Schedules;
use super::time::{Day, Moment};

/// What decides how a line becomes days.
#[derive(Debug, Clone)]
pub struct RevenuePolicy {
    /// Exchange rates.
    pub rates: Rates,
    /// Customers.
    pub customers: CustomerLadder,
    /// Currency of the report.
    pub report_currency: Currency,
    /// When lines earn.
    pub schedules: Schedules,
    /// Which day's rate counts.
    pub fx: FxDay,
}

/// A line on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevenueDay<'a> {
    /// UTC day.
    pub day: Day,
    /// The line.
    pub line: &'a RevenueLine,
    /// `None` is `(unmatched)`.
    pub customer_id: Option<&'a str>,
    /// In the line's own currency.
    pub amount: Amount,
    /// In the report's currency; `None` where no rate is known.
    pub report_amount: Option<Amount>,
    /// What the rate of the day that earns makes of it beyond the rate of the day on which it was billed; `None` where
    /// either is not known.
    pub fx_effect: Option<Amount>,
}

impl RevenuePolicy {
    /// The days of a line, in order.
    pub fn days<'a>(&'a self, line: &'a RevenueLine) -> impl Iterator<Item = RevenueDay<'a>> {
        let booked = line.booked_at.map_or(line.period.first_day(), Moment::day);
        self.schedules.days(line).map(move |(day, amount)| {
            let at = |day| self.rates.convert(amount, line.currency, self.report_currency, day);
            let (earned, billed) = match line.currency == self.report_currency {
                true => (Some(amount), Some(amount)),
                false => (at(day), at(booked)),
            };
            RevenueDay {
                day,
                line,
                customer_id: self.customers.customer(line, day),
                amount,
                report_amount: match self.fx {
                    FxDay::AccrualDay => earned,
                    FxDay::BookedDay => billed,
                },
                fx_effect: earned.zip(billed).map(|(earned, billed)| earned - billed),
            }
        })
    }
}

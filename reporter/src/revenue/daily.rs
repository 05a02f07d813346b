//! One revenue line on one day: whose it is, in its own currency and in the report's.
//!
//! The figure of the day in the report's currency is where rounding ends; everything behind it only adds and splits.

use super::accrue::accrue_line;
use super::currency::Currency;
use super::customer_map::CustomerLadder;
use super::fx::Rates;
use super::line::RevenueLine;
use super::money::Amount;
use super::time::Day;

/// What decides how a line becomes days.
#[derive(Debug, Clone)]
pub struct RevenuePolicy {
    /// Exchange rates.
    pub rates: Rates,
    /// Customers.
    pub customers: CustomerLadder,
    /// Currency of the report.
    pub report_currency: Currency,
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
}

impl RevenuePolicy {
    /// The days of a line, in order.
    pub fn days<'a>(&'a self, line: &'a RevenueLine) -> impl Iterator<Item = RevenueDay<'a>> {
        accrue_line(line).map(move |(day, amount)| RevenueDay {
            day,
            line,
            customer_id: self.customers.customer(line, day),
            amount,
            report_amount: self.rates.convert(amount, line.currency, self.report_currency, day),
        })
    }
}

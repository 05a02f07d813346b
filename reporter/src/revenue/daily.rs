//! One revenue line on one day: whose it is, in its own currency and in the report's.
//!
//! The figure of the day in the report's currency is where rounding ends; everything behind it only adds and splits.

use super::currency::Currency;
use super::customer_map::CustomerLadder;
use super::fx::Rates;
use super::line::RevenueLine;
use super::money::Amount;
use super::policy::FxDay;
use super::recognise::{Schedule, Schedules};
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

/// All days of one line, with what is the same on each of them found out once.
#[derive(Debug, Clone, Copy)]
pub struct LineDays<'a> {
    policy: &'a RevenuePolicy,
    line: &'a RevenueLine,
    schedule: Schedule<'a>,
    /// On its first day.
    customer_id: Option<&'a str>,
    /// Whether another day may be another's.
    changes_hands: bool,
}

impl RevenuePolicy {
    /// The days of a line, in order.
    pub fn days<'a>(&'a self, line: &'a RevenueLine) -> impl Iterator<Item = RevenueDay<'a>> {
        let days = self.line(line);
        let (first, last) = days.span();
        (first..=last).filter_map(move |day| days.on(day))
    }

    /// The days of a line, to be asked for one by one.
    pub fn line<'a>(&'a self, line: &'a RevenueLine) -> LineDays<'a> {
        let schedule = self.schedules.of(line);
        LineDays {
            policy: self,
            line,
            schedule,
            customer_id: self.customers.customer(line, schedule.span().0),
            changes_hands: self.customers.changes_by_day(line),
        }
    }
}

impl<'a> LineDays<'a> {
    /// First and last day.
    pub fn span(&self) -> (Day, Day) {
        self.schedule.span()
    }

    /// The line on a day; `None` where it earns nothing.
    pub fn on(&self, day: Day) -> Option<RevenueDay<'a>> {
        let amount = self.schedule.on(day)?;
        let (policy, line) = (self.policy, self.line);
        let at = |day| policy.rates.convert(amount, line.currency, policy.report_currency, day);
        let (earned, billed) = match line.currency == policy.report_currency {
            true => (Some(amount), Some(amount)),
            false => (at(day), at(line.booked_at.map_or(line.period.first_day(), Moment::day))),
        };
        Some(RevenueDay {
            day,
            line,
            customer_id: match self.changes_hands {
                true => policy.customers.customer(line, day),
                false => self.customer_id,
            },
            amount,
            report_amount: match policy.fx {
                FxDay::AccrualDay => earned,
                FxDay::BookedDay => billed,
            },
            fx_effect: earned.zip(billed).map(|(earned, billed)| earned - billed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::customer_map::tests::line as template;
    use super::super::policy::Policies;
    use super::super::recognise::DailyUsage;
    use super::super::time::{Period, TimeFormat};
    use super::*;

    fn moment(text: &str) -> Moment {
        Moment::parse(text, TimeFormat::Iso).unwrap()
    }

    /// Billed on the 1st at 1.10 dollars a euro, earned on the 2nd at 1.20.
    fn earned(fx: FxDay, booked_at: Option<&str>) -> (String, String) {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("rates.csv");
        std::fs::write(&path, "Date,USD\n2026-01-02,1.20\n2026-01-01,1.10\n").unwrap();
        let line = RevenueLine {
            amount: Amount::parse_major("100").unwrap(),
            currency: Currency::EUR,
            period: Period::new(moment("2026-01-02"), None).unwrap(),
            booked_at: booked_at.map(moment),
            ..template(Some("acme"), None)
        };
        let policy = RevenuePolicy {
            rates: Rates::read(&path).unwrap(),
            customers: CustomerLadder::default(),
            report_currency: Currency::USD,
            schedules: Schedules::new(
                std::slice::from_ref(&line),
                &Policies::default(),
                &DailyUsage::new(),
                &CustomerLadder::default(),
            ),
            fx,
        };
        let day = policy.days(&line).next().unwrap();
        (day.report_amount.unwrap().to_string(), day.fx_effect.unwrap().to_string())
    }

    #[test]
    fn the_rate_is_that_of_the_day_that_earns_or_of_the_day_that_billed_and_the_effect_is_shown() {
        let shown = |fx, booked| {
            let (amount, effect) = earned(fx, booked);
            format!("{amount} {effect}")
        };
        assert_eq!(shown(FxDay::AccrualDay, Some("2026-01-01")), "120 10");
        assert_eq!(shown(FxDay::BookedDay, Some("2026-01-01")), "110 10");
        // Where nobody says when it was billed, the period's first day stands for it.
        assert_eq!(shown(FxDay::BookedDay, None), "120 0");
    }
}

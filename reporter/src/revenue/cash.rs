//! Cash beside accrual: what was paid for each line and when, and what stands between the two.
//!
//! A line is paid as a whole on the day its export calls `settled_at`; money that goes back (refunds, disputes) moves on its own
//! day. A line without that date is not known to be paid: it is counted, never assumed. Use of prepaid credits moves no money.
//! Each line counts for the customer of its first day, in its own currency, so that for every customer and currency
//! `billed = earned before, in and after the report + never earned = received before, in and after + not received`, to the last
//! digit.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Builder, RecordBatch, StringArray};
use arrow::error::ArrowError;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE, cash_and_accrual, cash_daily};

use super::currency::Currency;
use super::daily::RevenuePolicy;
use super::line::{Kind, RevenueLine};
use super::money::Amount;
use super::time::{Day, Moment};
use crate::marts::Window;

/// The row of lines that name nobody.
const UNMATCHED: &str = "(unmatched)";

/// All payments of a run.
#[derive(Debug, Default)]
pub struct Cash {
    rows: HashMap<Currency, HashMap<String, Sums>>,
    /// Of the report's days, in the report's currency where a rate is known.
    received: BTreeMap<(Day, Currency), Amount>,
}

/// Amounts before, in and after the report's days.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    billed: Amount,
    earned: [Amount; 3],
    received: [Amount; 3],
    not_received: Amount,
}

impl RevenueLine {
    /// The day on which the line's money moved; `None` where nobody says so, or no money moves.
    pub fn paid_on(&self) -> Option<Day> {
        let settled = self.settled_at.map(Moment::day)?;
        match (self.meaning(), self.kind.as_deref()) {
            (Kind::CreditDrawdown, _) => None,
            (Kind::Refund, _) | (_, Some("chargeback" | "dispute_reversal")) => Some(self.period.first_day()),
            _ => Some(settled),
        }
    }
}

impl Cash {
    /// Adds up all lines of a run.
    pub fn of(lines: &[RevenueLine], policy: &RevenuePolicy, window: Window) -> Cash {
        let place = |day: Day| match day {
            day if day < window.from => 0,
            day if day <= window.to => 1,
            _ => 2,
        };
        let mut cash = Cash::default();
        for line in lines {
            let customer = policy.customers.customer(line, line.period.first_day());
            let of_currency = cash.rows.entry(line.currency).or_default();
            let customer = customer.unwrap_or(UNMATCHED);
            let sums = match of_currency.get_mut(customer) {
                Some(known) => known,
                None => of_currency.entry(customer.to_owned()).or_default(),
            };
            let schedule = policy.schedules.of(line);
            let (before, until) = (schedule.before(window.from), schedule.before(window.to + 1));
            let all = schedule.before(Day::MAX);
            for (earned, of_line) in sums.earned.iter_mut().zip([before, until - before, all - until]) {
                *earned += of_line;
            }
            if line.meaning() == Kind::CreditDrawdown {
                continue;
            }
            sums.billed += line.amount;
            let Some(day) = line.paid_on() else {
                sums.not_received += line.amount;
                continue;
            };
            sums.received[place(day)] += line.amount;
            // Days without any payment are zero where payments are known at all.
            cash.received.entry((window.from, policy.report_currency)).or_default();
            if window.contains(day) {
                let reported = policy.rates.convert(line.amount, line.currency, policy.report_currency, day);
                let (amount, currency) = match reported {
                    Some(reported) => (reported, policy.report_currency),
                    None => (line.amount, line.currency),
                };
                *cash.received.entry((day, currency)).or_default() += amount;
            }
        }
        cash
    }

    /// What came in, in the report's currency; `None` where no export says when anything was paid.
    pub fn total(&self, currency: Currency) -> Option<Amount> {
        let of_currency = self.received.iter().filter(|((_, other), _)| *other == currency);
        let amounts: Vec<Amount> = of_currency.map(|(_, amount)| *amount).collect();
        (!amounts.is_empty()).then(|| amounts.into_iter().sum())
    }

    /// Days and currencies with payments: no rows where no payment is known.
    pub fn daily(&self) -> Result<RecordBatch, ArrowError> {
        let columns = vec![
            Arc::new(Date32Array::from_iter_values(self.received.keys().map(|(day, _)| *day))) as ArrayRef,
            texts(self.received.keys().map(|(_, currency)| currency.to_string())),
            money(self.received.values().copied())?,
        ];
        RecordBatch::try_new(cash_daily(), columns)
    }

    /// The rows of `cash_and_accrual`, dated by the report's last day.
    pub fn by_customer(&self, window: Window) -> Result<RecordBatch, ArrowError> {
        let by_currency = self.rows.iter().flat_map(|(currency, customers)| {
            let of_currency = customers.iter();
            of_currency.map(move |(customer, sums)| (customer.as_str(), *currency, sums))
        });
        let mut rows: Vec<(&str, Currency, &Sums)> = by_currency.collect();
        rows.sort_unstable_by_key(|(customer, currency, _)| (*customer, *currency));
        let sums = |of: &dyn Fn(&Sums) -> Amount| money(rows.iter().map(|(_, _, sums)| of(sums)));
        let days = |day: Day| Arc::new(Date32Array::from_value(day, rows.len())) as ArrayRef;
        let total = |parts: [Amount; 3]| parts.into_iter().sum::<Amount>();
        let ahead = |sums: &Sums| sums.received[0] + sums.received[1] - sums.earned[0] - sums.earned[1];
        let columns = vec![
            days(window.to),
            days(window.from),
            texts(rows.iter().map(|(customer, ..)| (*customer).to_owned())),
            texts(rows.iter().map(|(_, currency, _)| currency.to_string())),
            sums(&|sums| sums.billed)?,
            sums(&|sums| sums.earned[0])?,
            sums(&|sums| sums.earned[1])?,
            sums(&|sums| sums.earned[2])?,
            sums(&|sums| sums.billed - total(sums.earned))?,
            sums(&|sums| sums.received[0])?,
            sums(&|sums| sums.received[1])?,
            sums(&|sums| sums.received[2])?,
            sums(&|sums| sums.not_received)?,
            sums(&|sums| ahead(sums).max(Amount::ZERO))?,
            sums(&|sums| (-ahead(sums)).max(Amount::ZERO))?,
        ];
        RecordBatch::try_new(cash_and_accrual(), columns)
    }
}

fn texts(values: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<StringArray>())
}

fn money(values: impl Iterator<Item = Amount>) -> Result<ArrayRef, ArrowError> {
    let mut builder = Decimal128Builder::new().with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?;
    values.for_each(|value| builder.append_value(value.scaled()));
    Ok(Arc::new(builder.finish()))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Decimal128Type;
    use proptest::prelude::*;

    use super::super::customer_map::CustomerLadder;
    use super::super::customer_map::tests::line as template;
    use super::super::fx::Rates;
    use super::super::policy::{FxDay, Policies};
    use super::super::recognise::{DailyUsage, Schedules};
    use super::super::time::Period;
    use super::*;

    const JAN_1: Day = 20_454;
    const JANUARY: Window = Window {
        from: JAN_1,
        to: JAN_1 + 30,
    };

    fn usd(text: &str) -> Amount {
        Amount::parse_major(text).unwrap()
    }

    fn policy(lines: &[RevenueLine]) -> RevenuePolicy {
        RevenuePolicy {
            rates: Rates::default(),
            schedules: Schedules::new(lines, &Policies::default(), &DailyUsage::new(), &CustomerLadder::default()),
            customers: CustomerLadder::default(),
            report_currency: Currency::USD,
            fx: FxDay::AccrualDay,
        }
    }

    fn paid(id: &str, kind: &str, amount: &str, start: Day, days: Day, paid: Option<Day>) -> RevenueLine {
        let at = Moment::midnight;
        RevenueLine {
            line_id: id.into(),
            kind: Some(kind.into()),
            amount: usd(amount),
            period: Period::new(at(start), Some(at(start + days))).unwrap(),
            settled_at: paid.map(at),
            ..template(Some("acme"), None)
        }
    }

    /// The amounts of the only row of `cash_and_accrual`.
    fn row(lines: &[RevenueLine]) -> Vec<String> {
        let batch = Cash::of(lines, &policy(lines), JANUARY).by_customer(JANUARY).unwrap();
        assert_eq!(batch.num_rows(), 1);
        let amount = |column: &ArrayRef| Amount::from_scaled(column.as_primitive::<Decimal128Type>().value(0)).to_string();
        batch.columns()[4..].iter().map(amount).collect()
    }

    #[test]
    fn an_annual_plan_is_paid_once_and_earned_by_day() {
        let lines = [paid("a", "subscription", "365", JAN_1 - 10, 365, Some(JAN_1 - 9))];
        // billed; earned before, in, after, never; received before, in, after, not; deferred, receivable.
        assert_eq!(row(&lines), ["365", "10", "31", "324", "0", "365", "0", "0", "0", "324", "0"]);
    }

    #[test]
    fn what_is_earned_and_not_paid_is_receivable_and_no_date_is_not_assumed() {
        let lines = [
            paid("a", "subscription", "31", JAN_1, 31, Some(JAN_1 + 40)),
            paid("b", "one_off", "5", JAN_1, 0, None),
        ];
        assert_eq!(row(&lines), ["36", "0", "36", "0", "0", "0", "0", "31", "5", "0", "36"]);
    }

    #[test]
    fn a_refund_gives_money_back_on_its_own_day_and_use_of_credits_moves_none() {
        let lines = [
            paid("p", "credit_purchase", "100", JAN_1 - 5, 0, Some(JAN_1 - 5)),
            paid("d", "credit_drawdown", "30", JAN_1 + 3, 0, Some(JAN_1 - 5)),
            paid("r", "refund", "-20", JAN_1 + 9, 0, Some(JAN_1 - 5)),
        ];
        assert_eq!(row(&lines), ["80", "0", "10", "0", "70", "100", "-20", "0", "0", "70", "0"]);
        let cash = Cash::of(&lines, &policy(&lines), JANUARY);
        assert_eq!(cash.total(Currency::USD).unwrap().to_string(), "-20");
        let unknown = [paid("b", "one_off", "5", JAN_1, 0, None)];
        assert_eq!(Cash::of(&unknown, &policy(&unknown), JANUARY).total(Currency::USD), None);
    }

    proptest! {
        #[test]
        fn cash_and_accrual_are_the_same_money(
            rows in prop::collection::vec((0_usize..6, -10_i64.pow(15)..10_i64.pow(15), -60_i32..60, 0_i32..90, prop::option::of(-90_i32..90), 0_u8..4), 1..30),
        ) {
            let kinds = ["subscription", "usage", "refund", "credit_purchase", "minimum_commitment", "chargeback"];
            let lines: Vec<RevenueLine> = rows.into_iter().enumerate().map(|(at, (kind, scaled, start, days, day, customer))| {
                let amount = Amount::from_scaled(if matches!(kind, 3 | 4) { scaled.abs() } else { scaled }.into());
                let line = paid(&at.to_string(), kinds[kind], "0", JAN_1 + start, days, day.map(|day| JAN_1 + day));
                let customer = (customer > 0).then(|| format!("c{customer}").into());
                RevenueLine { amount, source_customer_id: customer, ..line }
            }).collect();
            let batch = Cash::of(&lines, &policy(&lines), JANUARY).by_customer(JANUARY).unwrap();
            let mut all = Amount::ZERO;
            for row in 0..batch.num_rows() {
                let amount = |column: usize| Amount::from_scaled(batch.column(column).as_primitive::<Decimal128Type>().value(row));
                let sum = |columns: std::ops::Range<usize>| columns.map(amount).sum::<Amount>();
                prop_assert_eq!(amount(4), sum(5..9));
                prop_assert_eq!(amount(4), sum(9..13));
                prop_assert_eq!(amount(13) - amount(14), sum(9..11) - sum(5..7));
                all += amount(4);
            }
            prop_assert_eq!(all, lines.iter().map(|line| line.amount).sum::<Amount>());
        }
    }
}

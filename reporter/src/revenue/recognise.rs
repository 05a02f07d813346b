//! When lines earn: evenly over their period, unless their kind and the policies say otherwise.
//!
//! - A bill for use (`usage`, `overage`) is earned on the days of use: by the customer's own cost on each day, evenly where
//!   there is none.
//! - Prepaid credits (`credit_purchase`) are earned by drawing them down (`credit_drawdown` lines), and what is left on the
//!   last day on which they are valid. Without an end they stay deferred: the purchase earns nothing by itself.
//! - A minimum (`minimum_commitment`) earns what bills for use in its period leave of it, evenly: together they earn the larger
//!   of the minimum and the use.
//! - A refund is taken back on its day, or over the period that it refunds.
//!
//! Every line but a credit purchase and a minimum sums to its amount to the last digit; a purchase with an end sums to its amount
//! together with what was drawn from it.

use std::collections::{BTreeMap, HashMap};

use super::accrue::{Accrual, accrue};
use super::currency::Currency;
use super::customer_map::CustomerLadder;
use super::line::{Kind, RevenueLine, Text};
use super::money::Amount;
use super::policy::{Breakage, Policies, Refunds, Usage};
use super::time::{Day, Period};
use crate::allocate::largest_remainder;

/// What each customer cost us on each day: how use is known.
pub type DailyUsage = HashMap<String, BTreeMap<Day, i128>>;

/// The days of one line.
#[derive(Debug, Clone, Copy)]
pub enum Schedule<'a> {
    /// These, in order; at least one.
    On(&'a [(Day, Amount)]),
    /// Every day of a period.
    Evenly(Accrual),
}

impl Schedule<'_> {
    /// First and last day.
    pub fn span(&self) -> (Day, Day) {
        match self {
            Schedule::On(days) => (days[0].0, days[days.len() - 1].0),
            Schedule::Evenly(accrual) => accrual.span(),
        }
    }

    /// What the days before `day` earn.
    pub fn before(&self, day: Day) -> Amount {
        match self {
            Schedule::On(days) => days.iter().take_while(|(of, _)| *of < day).map(|(_, amount)| *amount).sum(),
            Schedule::Evenly(accrual) => accrual.before(day),
        }
    }

    /// What a day earns; `None` where it earns nothing of the line.
    pub fn on(&self, day: Day) -> Option<Amount> {
        match self {
            Schedule::On(days) => {
                let at = days.binary_search_by_key(&day, |(day, _)| *day).ok()?;
                Some(days[at].1)
            }
            Schedule::Evenly(accrual) => accrual.on(day),
        }
    }
}

/// Source and id of a line.
type LineKey = (Text, Text);

/// The days of all lines whose days are not simply those of their period.
#[derive(Debug, Clone, Default)]
pub struct Schedules {
    refunds: Refunds,
    special: HashMap<LineKey, Vec<(Day, Amount)>>,
}

impl Schedules {
    /// Decides about all lines of a run together.
    pub fn new(lines: &[RevenueLine], policies: &Policies, usage: &DailyUsage, customers: &CustomerLadder) -> Schedules {
        let mut schedules = Schedules {
            refunds: policies.refunds,
            special: HashMap::new(),
        };
        let customer = |line: &RevenueLine| customers.customer(line, line.period.first_day()).map(str::to_owned);
        let mut credits: BTreeMap<(Option<String>, Currency), Vec<&RevenueLine>> = BTreeMap::new();
        let mut minimums: BTreeMap<(Option<String>, Currency), Vec<&RevenueLine>> = BTreeMap::new();
        for line in lines {
            match line.meaning() {
                Kind::Usage if policies.usage == Usage::Usage && line.period.days() > 1 => {
                    let used = customer(line).and_then(|customer| usage.get(&customer));
                    if let Some(days) = used.and_then(|used| by_use(line, used)) {
                        schedules.special.insert(key(line), days);
                    }
                }
                Kind::CreditPurchase | Kind::CreditDrawdown => {
                    credits.entry((customer(line), line.currency)).or_default().push(line);
                }
                Kind::Minimum => minimums.entry((customer(line), line.currency)).or_default().push(line),
                _ => {}
            }
        }
        if !minimums.is_empty() {
            let uses: Vec<&RevenueLine> = lines.iter().filter(|line| line.meaning() == Kind::Usage).collect();
            for ((who, currency), minimums) in &minimums {
                let theirs = uses
                    .iter()
                    .copied()
                    .filter(|line| line.currency == *currency && customer(line) == *who);
                schedules.special.extend(shortfalls(minimums, theirs.collect()));
            }
        }
        for lines in credits.values() {
            schedules.special.extend(purchases(lines, policies));
        }
        schedules
    }

    /// When a line earns how much.
    pub fn of(&self, line: &RevenueLine) -> Schedule<'_> {
        let special = match line.meaning() {
            Kind::Usage | Kind::CreditPurchase | Kind::Minimum => self.special.get(&key(line)),
            _ => None,
        };
        match special {
            Some(days) => Schedule::On(days),
            None => Schedule::Evenly(Accrual::new(line.amount, self.period(line))),
        }
    }

    /// The days of a line with what each earns of it, in order.
    pub fn days<'a>(&'a self, line: &'a RevenueLine) -> impl Iterator<Item = (Day, Amount)> + 'a {
        let schedule = self.of(line);
        let (first, last) = schedule.span();
        (first..=last).filter_map(move |day| Some((day, schedule.on(day)?)))
    }

    fn period(&self, line: &RevenueLine) -> Period {
        match (self.refunds, line.original_period, line.meaning()) {
            (Refunds::OriginalPeriod, Some(original), Kind::Refund) => original,
            _ => line.period,
        }
    }
}

fn key(line: &RevenueLine) -> LineKey {
    (line.source.clone(), line.line_id.clone())
}

/// The line by the customer's own use; `None` where there was none in its period.
fn by_use(line: &RevenueLine, used: &BTreeMap<Day, i128>) -> Option<Vec<(Day, Amount)>> {
    let first = line.period.first_day();
    let (days, weights): (Vec<Day>, Vec<i128>) = used.range(first..first + line.period.days() as Day).unzip();
    let parts = largest_remainder::split(line.amount, &weights)?;
    let parts = days.into_iter().zip(parts).filter(|(_, part)| !part.is_zero());
    let parts: Vec<(Day, Amount)> = parts.collect();
    Some(if parts.is_empty() {
        vec![(first, Amount::ZERO)]
    } else {
        parts
    })
}

/// What minimums of one customer earn beside the bills for use that they cover: each bill counts towards the first minimum whose
/// period it starts in, and, where the minimum names a subscription, of that subscription only.
fn shortfalls(minimums: &[&RevenueLine], mut uses: Vec<&RevenueLine>) -> Vec<(LineKey, Vec<(Day, Amount)>)> {
    let mut in_order = minimums.to_vec();
    in_order.sort_by_key(|line| (line.period.start, line.line_id.clone()));
    let mut earned = Vec::new();
    for minimum in in_order {
        let (first, days) = (minimum.period.first_day(), minimum.period.days() as Day);
        let covers = |line: &RevenueLine| {
            let start = line.period.first_day();
            let same = minimum.subscription_id.is_none() || minimum.subscription_id == line.subscription_id;
            same && first <= start && start < first + days
        };
        let (covered, others): (Vec<&RevenueLine>, Vec<&RevenueLine>) = uses.into_iter().partition(|line| covers(line));
        uses = others;
        let used: Amount = covered.iter().map(|line| line.amount).sum();
        let left = (minimum.amount - used.max(Amount::ZERO)).max(Amount::ZERO);
        earned.push((key(minimum), accrue(left, minimum.period).collect()));
    }
    earned
}

/// What purchases of one customer earn beside what is drawn from them, first bought first used.
fn purchases(lines: &[&RevenueLine], policies: &Policies) -> Vec<(LineKey, Vec<(Day, Amount)>)> {
    let in_order = |kind: Kind| {
        let mut of_kind: Vec<&RevenueLine> = lines.iter().copied().filter(|line| line.meaning() == kind).collect();
        of_kind.sort_by(|left, right| (left.period.start, &left.line_id).cmp(&(right.period.start, &right.line_id)));
        of_kind
    };
    let mut purchases: Vec<Purchase<'_>> = in_order(Kind::CreditPurchase)
        .into_iter()
        .map(|line| Purchase::new(line, policies))
        .collect();
    for drawdown in in_order(Kind::CreditDrawdown) {
        let day = drawdown.period.first_day();
        let mut left = drawdown.amount;
        for purchase in purchases.iter_mut().filter(|purchase| purchase.is_valid(day)) {
            left = left - purchase.draw(day, left);
        }
    }
    purchases.into_iter().map(Purchase::finish).collect()
}

struct Purchase<'a> {
    line: &'a RevenueLine,
    /// Last day on which the credits can be used.
    expires: Option<Day>,
    /// Neither drawn nor earned as breakage.
    left: Amount,
    /// Breakage that may still be earned along with use.
    expected: Amount,
    percent: Amount,
    days: BTreeMap<Day, Amount>,
}

impl<'a> Purchase<'a> {
    fn new(line: &'a RevenueLine, policies: &Policies) -> Purchase<'a> {
        let percent = match policies.breakage {
            Breakage::Expiry => Amount::ZERO,
            Breakage::Proportional => policies.breakage_percent.0,
        };
        let days = line.period.days();
        Purchase {
            line,
            // A purchase without an end has one day, and is valid for ever.
            expires: (days > 1).then(|| line.period.first_day() + days as Day - 1),
            left: line.amount,
            expected: share(line.amount, percent, HUNDRED),
            percent,
            days: BTreeMap::new(),
        }
    }

    fn is_valid(&self, day: Day) -> bool {
        self.line.period.first_day() <= day && self.expires.is_none_or(|last| day <= last)
    }

    /// Draws up to `wanted` and says how much; expected breakage is earned along with it.
    fn draw(&mut self, day: Day, wanted: Amount) -> Amount {
        let drawn = wanted.min(self.left).max(Amount::ZERO);
        self.left = self.left - drawn;
        self.expected = self.expected.min(self.left);
        let along = share(drawn, self.percent, HUNDRED - self.percent).min(self.expected);
        if !along.is_zero() {
            (self.left, self.expected) = (self.left - along, self.expected - along);
            *self.days.entry(day).or_default() += along;
        }
        drawn
    }

    fn finish(mut self) -> (LineKey, Vec<(Day, Amount)>) {
        match self.expires {
            Some(last) => *self.days.entry(last).or_default() += self.left,
            None => *self.days.entry(self.line.period.first_day()).or_default() += Amount::ZERO,
        }
        (key(self.line), self.days.into_iter().collect())
    }
}

const HUNDRED: Amount = Amount::from_scaled(100 * 10_i128.pow(12));

fn share(amount: Amount, part: Amount, whole: Amount) -> Amount {
    amount.ratio(part.scaled(), whole.scaled()).unwrap_or_default()
}

#[cfg(test)]
mod tests;

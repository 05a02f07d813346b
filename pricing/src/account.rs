//! What an account pays beside its calls, and what it is let off: reserved capacity and free allowances.
//!
//! Neither belongs to a call. A provisioned unit costs its hours whether it is used or not; a free quota is shared by
//! everybody on the account. So both are lines of their own, by day, and are never spread over calls here: who wants
//! that states a key (a bill to spread, `[[bill]]`). An allowance takes off what its first units of the period cost, in
//! the order of days; the day on which it runs out is taken off in proportion, rounded half to even at scale 12.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::compile::{CatalogueError, Problem, at, interval};
use crate::instant::Instant;
use crate::pattern::Pattern;
use crate::provider::normalise_provider;
use crate::unit::UsageKey;

const NANOS_PER_DAY: i64 = 86_400_000_000_000;
const NANOS_PER_HOUR: i64 = 3_600_000_000_000;

/// How often an allowance begins again, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// At midnight.
    Day,
    /// On the first of the month.
    #[default]
    Month,
}

/// `[[allowance]]`: units that an account need not pay, shared by all models that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AllowanceEntry {
    /// A name for the line.
    pub id: String,
    /// Whose calls: the provider, by any of its names; any when empty.
    pub provider: String,
    /// Which models share it, as patterns; all when empty.
    pub models: Vec<String>,
    /// What is counted, for example `web_searches`.
    pub usage_key: String,
    /// How many of them are free in each period.
    pub count: i64,
    /// When it begins again.
    pub period: Period,
    /// In force from this moment on; whole days count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// In force until just before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Where it is written down.
    pub reference: String,
}

/// `[[capacity]]`: units that are paid by the hour, used or not, such as provisioned throughput.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReservedCapacity {
    /// A name for the line, for example the deployment's.
    pub id: String,
    /// With whom.
    pub provider: String,
    /// USD for one unit and hour.
    pub hourly: Amount,
    /// How many units.
    pub count: i64,
    /// Paid from this moment on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Paid until just before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Where it is written down.
    pub reference: String,
}

/// What calls of one day used of one unit, and what their receipts say it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyUse {
    /// Days since 1970-01-01.
    pub day: i32,
    /// The provider of the calls.
    pub provider: String,
    /// Their model.
    pub model: String,
    /// The unit.
    pub usage_key: String,
    /// How many.
    pub quantity: Amount,
    /// USD.
    pub amount: Amount,
}

/// One line of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountLine {
    /// Days since 1970-01-01.
    pub day: i32,
    /// `allowance` or `capacity`.
    pub kind: &'static str,
    /// The entry's id.
    pub id: String,
    /// Units let off, or hours paid.
    pub quantity: Amount,
    /// USD; below zero for what is let off.
    pub amount: Amount,
    /// Where it is written down.
    pub reference: String,
}

/// The allowances and capacities of one configuration, checked.
#[derive(Debug, Default)]
pub struct Account {
    allowances: Vec<(AllowanceEntry, Vec<Pattern>, (Instant, Instant))>,
    capacities: Vec<(ReservedCapacity, (Instant, Instant))>,
}

impl Account {
    /// Checks the entries.
    pub fn new(allowances: &[AllowanceEntry], capacities: &[ReservedCapacity]) -> Result<Self, CatalogueError> {
        let mut account = Account::default();
        for entry in allowances {
            let place = || format!("allowance {}", entry.id);
            let usable = !entry.id.trim().is_empty() && entry.count > 0;
            if !usable {
                return Err(at(place())(Problem::Field(
                    "an allowance needs an id and a count above zero".to_owned(),
                )));
            }
            UsageKey::parse(&entry.usage_key).ok_or_else(|| at(place())(Problem::UsageKey(entry.usage_key.clone())))?;
            let patterns = entry.models.iter().map(|text| Pattern::glob(text)).collect::<Result<_, _>>();
            let patterns = patterns.map_err(|error| at(place())(error.into()))?;
            let interval = interval(entry.from.as_deref(), entry.until.as_deref()).map_err(at(place()))?;
            account.allowances.push((entry.clone(), patterns, interval));
        }
        for entry in capacities {
            let place = || format!("capacity {}", entry.id);
            let usable = !entry.id.trim().is_empty() && entry.count > 0 && !entry.hourly.is_negative();
            if !usable || entry.hourly.decimals().is_none_or(|decimals| decimals > 6) {
                let needs = "a capacity needs an id, a count above zero and an hourly price with at most six decimals";
                return Err(at(place())(Problem::Field(needs.to_owned())));
            }
            let interval = interval(entry.from.as_deref(), entry.until.as_deref()).map_err(at(place()))?;
            account.capacities.push((entry.clone(), interval));
        }
        Ok(account)
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.allowances.is_empty() && self.capacities.is_empty()
    }

    /// The lines of the days `first` to `last`, inclusive. A monthly allowance needs the use of its month from the
    /// first day on: days before `first` are counted and not told.
    pub fn lines(&self, used: &[DailyUse], first: i32, last: i32) -> Vec<AccountLine> {
        let mut lines = Vec::new();
        for (entry, patterns, interval) in &self.allowances {
            allowance(entry, patterns, *interval, used, &mut lines);
        }
        for (entry, interval) in &self.capacities {
            let days = first..=last;
            lines.extend(days.filter_map(|day| capacity(entry, *interval, day)));
        }
        lines.retain(|line| first <= line.day && line.day <= last);
        lines.sort_by(|left, right| (left.day, left.kind, &left.id).cmp(&(right.day, right.kind, &right.id)));
        lines
    }
}

fn allowance(
    entry: &AllowanceEntry,
    patterns: &[Pattern],
    (from, until): (Instant, Instant),
    used: &[DailyUse],
    lines: &mut Vec<AccountLine>,
) {
    let provider = normalise_provider(&entry.provider);
    let counts = |one: &&DailyUse| {
        let start = Instant(i64::from(one.day).saturating_mul(NANOS_PER_DAY));
        one.usage_key == entry.usage_key
            && from <= start
            && start < until
            && (provider.is_none() || normalise_provider(&one.provider) == provider)
            && (patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(&one.model.to_lowercase())))
    };
    let mut days: BTreeMap<i32, (Amount, Amount)> = BTreeMap::new();
    for one in used.iter().filter(counts) {
        let (quantity, amount) = days.entry(one.day).or_default();
        let sums = quantity.checked_add(one.quantity).zip(amount.checked_add(one.amount));
        if let Some((more, cost)) = sums {
            (*quantity, *amount) = (more, cost);
        }
    }
    let (mut period, mut left) = (None, Amount::ZERO);
    for (day, (quantity, amount)) in days {
        let current = match entry.period {
            Period::Day => day,
            Period::Month => first_of_month(day),
        };
        if period != Some(current) {
            (period, left) = (Some(current), Amount::from(entry.count));
        }
        let covered = left.min(quantity);
        if covered.is_zero() || covered.is_negative() {
            continue;
        }
        let Some(let_off) = share(amount, covered, quantity) else {
            continue;
        };
        left = left.checked_sub(covered).unwrap_or(Amount::ZERO);
        lines.push(AccountLine {
            day,
            kind: "allowance",
            id: entry.id.clone(),
            quantity: covered.normalised(),
            amount: Amount::ZERO.checked_sub(let_off).unwrap_or(Amount::ZERO).normalised(),
            reference: entry.reference.clone(),
        });
    }
}

/// `amount x part / whole` at scale 12; all of it, unrounded, where the part is the whole.
fn share(amount: Amount, part: Amount, whole: Amount) -> Option<Amount> {
    if part == whole {
        return Some(amount);
    }
    let scale = |value: Amount| value.at_exactly(9).and_then(|value| i64::try_from(value).ok());
    let (part, whole) = (scale(part)?, scale(whole)?);
    Amount::from_scale_12(amount.to_scale_12())
        .checked_mul(Amount::from(part))?
        .divide_rounded(whole, 12)
}

fn capacity(entry: &ReservedCapacity, (from, until): (Instant, Instant), day: i32) -> Option<AccountLine> {
    let start = i64::from(day).checked_mul(NANOS_PER_DAY)?;
    let end = start.checked_add(NANOS_PER_DAY)?;
    let nanos = end.min(until.0).checked_sub(start.max(from.0)).filter(|nanos| *nanos > 0)?;
    let per_hour = |each: Amount| each.checked_mul(Amount::from(nanos))?.divide_rounded(NANOS_PER_HOUR, 12);
    let hours = per_hour(Amount::from(entry.count))?;
    let amount = per_hour(entry.hourly.checked_mul(Amount::from(entry.count))?)?;
    Some(AccountLine {
        day,
        kind: "capacity",
        id: entry.id.clone(),
        quantity: hours.normalised(),
        amount: amount.normalised(),
        reference: entry.reference.clone(),
    })
}

fn first_of_month(day: i32) -> i32 {
    let text = Instant(i64::from(day).saturating_mul(NANOS_PER_DAY)).to_string();
    let of_month: i32 = text.get(8..10).and_then(|digits| digits.parse().ok()).unwrap_or(1);
    day - (of_month - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> i32 {
        i32::try_from(Instant::parse(text).expect("a day").0 / NANOS_PER_DAY).expect("in range")
    }

    fn used(date: &str, model: &str, quantity: i64, amount: &str) -> DailyUse {
        DailyUse {
            day: day(date),
            provider: "gcp.gemini".to_owned(),
            model: model.to_owned(),
            usage_key: "web_searches".to_owned(),
            quantity: Amount::from(quantity),
            amount: amount.parse().expect("an amount"),
        }
    }

    fn grounding() -> AllowanceEntry {
        AllowanceEntry {
            id: "grounding".to_owned(),
            provider: "gemini".to_owned(),
            models: vec!["gemini-3*".to_owned()],
            usage_key: "web_searches".to_owned(),
            count: 5_000,
            reference: "https://ai.google.dev/pricing".to_owned(),
            ..AllowanceEntry::default()
        }
    }

    fn shown(lines: &[AccountLine]) -> Vec<String> {
        let line = |line: &AccountLine| {
            format!(
                "{} {} {} {}",
                line.day - day("2026-10-01"),
                line.id,
                line.quantity,
                line.amount
            )
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn a_shared_allowance_runs_out_and_begins_again() {
        let used = [
            used("2026-10-01", "gemini-3.5-flash", 3_000, "42"),
            used("2026-10-02", "gemini-3-pro-preview", 1_500, "21"),
            used("2026-10-02", "gemini-3.5-flash", 1_500, "21"),
            used("2026-10-02", "gemini-2.5-flash", 900, "31.5"),
            used("2026-10-03", "gemini-3.5-flash", 10, "0.14"),
            used("2026-11-01", "gemini-3.5-flash", 1, "0.014"),
        ];
        let account = Account::new(&[grounding()], &[]).expect("accepted");
        let lines = account.lines(&used, day("2026-10-01"), day("2026-11-30"));
        assert_eq!(
            shown(&lines),
            ["0 grounding 3000 -42", "1 grounding 2000 -28", "31 grounding 1 -0.014"]
        );
        let later = account.lines(&used, day("2026-10-02"), day("2026-10-31"));
        assert_eq!(
            shown(&later),
            ["1 grounding 2000 -28"],
            "the day before counts and is not told"
        );
        let daily = AllowanceEntry {
            period: Period::Day,
            count: 1_000,
            ..grounding()
        };
        let account = Account::new(&[daily], &[]).expect("accepted");
        let lines = account.lines(&used, day("2026-10-01"), day("2026-10-31"));
        assert_eq!(
            shown(&lines),
            ["0 grounding 1000 -14", "1 grounding 1000 -14", "2 grounding 10 -0.14"]
        );
    }

    #[test]
    fn capacity_is_paid_by_the_hour_used_or_not() {
        let units = ReservedCapacity {
            id: "ptu-prod".to_owned(),
            provider: "azure".to_owned(),
            hourly: "1.25".parse().expect("an amount"),
            count: 50,
            from: Some("2026-10-01T12:00:00Z".to_owned()),
            until: Some("2026-10-03T00:20:00Z".to_owned()),
            ..ReservedCapacity::default()
        };
        let account = Account::new(&[], &[units]).expect("accepted");
        let lines = account.lines(&[], day("2026-09-30"), day("2026-10-04"));
        assert_eq!(
            shown(&lines),
            [
                "0 ptu-prod 600 750",
                "1 ptu-prod 1200 1500",
                "2 ptu-prod 16.666666666667 20.833333333333"
            ]
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let mut unknown = grounding();
        unknown.usage_key = "telepathy".to_owned();
        let error = Account::new(&[unknown], &[]).expect_err("refused").to_string();
        assert_eq!(error, "allowance grounding: unknown usage key \"telepathy\"");
        let none = ReservedCapacity {
            id: "x".to_owned(),
            ..ReservedCapacity::default()
        };
        assert!(Account::new(&[], &[none]).is_err());
    }

    proptest! {
        #[test]
        fn an_allowance_never_takes_off_more_than_was_paid_nor_more_units_than_it_has(
            days in proptest::collection::vec((0..60_i32, 0..4_000_i64, 0..1_000_000_i64), 0..40),
            count in 1..9_000_i64,
        ) {
            let entry = AllowanceEntry { count, ..grounding() };
            let first = day("2026-10-01");
            let used: Vec<DailyUse> = days.iter().map(|(offset, quantity, amount)| DailyUse {
                day: first + offset,
                quantity: Amount::from(*quantity),
                amount: Amount::new(i128::from(*amount), 6).expect("a scale in range"),
                ..used("2026-10-01", "gemini-3-pro", 0, "0")
            }).collect();
            let lines = Account::new(&[entry], &[]).expect("accepted").lines(&used, first, first + 60);
            let mut months: BTreeMap<i32, Amount> = BTreeMap::new();
            for line in &lines {
                let paid = used.iter().filter(|one| one.day == line.day).fold(Amount::ZERO, |sum, one| sum.checked_add(one.amount).expect("fits"));
                prop_assert!(Amount::ZERO.checked_sub(line.amount).expect("fits") <= paid);
                let units = months.entry(first_of_month(line.day)).or_default();
                *units = units.checked_add(line.quantity).expect("fits");
                prop_assert!(*units <= Amount::from(count));
            }
        }
    }
}

//! The bridge from one period's gross margin to the next: every step has a name, and the steps sum to the change to the
//! last digit.
//!
//! First customers that came or went, with all they bring. Then, of those who stayed, what they pay, and the cost of their
//! model calls one cause after the other: more calls at the old cost of a call; another mix of models; more tokens a call
//! at the old cost of a token; another share of the input read from the cache, at old rates; and what is left is the price
//! of a token. Each step takes the steps before it as given, which is what makes them sum up.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::periods::Periods;
use super::receipts::{ModelUsage, Usage, is_input, is_output, whole};
use crate::output::MarginFigures;
use crate::revenue::Amount;
use crate::revenue::time::day_text;

/// Customers that a note names.
const NAMED: usize = 3;

/// What changed between two periods.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// First day of the earlier period.
    pub before_from: String,
    /// Last day of the earlier period.
    pub before_to: String,
    /// First day of the later period.
    pub after_from: String,
    /// Last day of the later period.
    pub after_to: String,
    /// The earlier period.
    pub before: MarginFigures,
    /// The later period.
    pub after: MarginFigures,
    /// From the gross margin before to the one after; they sum to the change. None is zero.
    pub steps: Vec<Step>,
    /// Features whose calls grew longer, the dearest first.
    pub grown: Vec<Growth>,
}

/// One step of the bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Stable for scripts: `new_customers`, `lost_customers`, `revenue`, `fx`, `volume`, `mix`, `tokens_per_call`, `cache`,
    /// `other_cogs`, `price`.
    pub name: &'static str,
    /// What it says, for people.
    pub title: &'static str,
    /// How it moved the gross margin; a cost that rose is negative.
    #[serde(serialize_with = "crate::output::exact")]
    pub amount: Amount,
    /// What moved: `1,240 → 1,530 calls`. Empty where there is nothing to add.
    pub note: String,
}

/// A feature whose calls grew longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Growth {
    /// The feature.
    pub feature: String,
    /// Tokens of a call before.
    pub before: i128,
    /// Tokens of a call after.
    pub after: i128,
    /// What the growth cost in the later period.
    #[serde(serialize_with = "crate::output::exact")]
    pub cost: Amount,
}

/// What both periods are made of.
#[derive(Debug, Clone, Default)]
pub struct Compared {
    /// Margins by customer, before and after.
    pub customers: BTreeMap<String, (MarginFigures, MarginFigures)>,
    /// What the customers that stayed used, before and after.
    pub stayed: (Usage, Usage),
    /// How exchange rates moved the revenue of those who stayed.
    pub fx: Amount,
}

/// Who is in one of two periods only. Rows in brackets stand for many and always stay.
pub(crate) fn came_and_went(
    customers: &BTreeMap<String, (MarginFigures, MarginFigures)>,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let is_there = |figures: &MarginFigures| !is_idle(figures);
    let named = || customers.iter().filter(|(customer, _)| !customer.starts_with('('));
    let of = |is: &dyn Fn(&(MarginFigures, MarginFigures)) -> bool| {
        named()
            .filter(|(_, periods)| is(periods))
            .map(|(customer, _)| customer.clone())
            .collect()
    };
    (
        of(&|(before, after)| !is_there(before) && is_there(after)),
        of(&|(before, after)| is_there(before) && !is_there(after)),
    )
}

/// Neither earns nor calls. A bill is spread over whole months: its part in a period says nothing about who was there.
fn is_idle(figures: &MarginFigures) -> bool {
    figures.revenue.is_zero() && figures.calls == 0
}

/// Builds the bridge.
pub fn compare(periods: Periods, compared: &Compared, grown: Vec<Growth>) -> Change {
    let (new, lost) = came_and_went(&compared.customers);
    let sum = |of: &dyn Fn(&str) -> bool| {
        let mut sums = (MarginFigures::default(), MarginFigures::default());
        for (_, (before, after)) in compared.customers.iter().filter(|(customer, _)| of(customer)) {
            sums.0.add(before);
            sums.1.add(after);
        }
        sums
    };
    let (before, after) = sum(&|_| true);
    let of_new = sum(&|customer| new.contains(customer));
    let of_lost = sum(&|customer| lost.contains(customer));
    let stayed = sum(&|customer| !new.contains(customer) && !lost.contains(customer));
    let gained = |(before, after): &(MarginFigures, MarginFigures)| after.gross_margin() - before.gross_margin();

    let mut steps = vec![
        Step::new("new_customers", "New customers", gained(&of_new), names(&new)),
        Step::new("lost_customers", "Lost customers", gained(&of_lost), names(&lost)),
        Step::new(
            "revenue",
            "What customers pay",
            stayed.1.revenue - stayed.0.revenue - compared.fx,
            String::new(),
        ),
    ];
    // Receipts are in USD: the steps are too, at the rate of the earlier period; what the rate itself did is a step.
    let (used_before, used_after) = &compared.stayed;
    let usd = |usage: &Usage| usage.values().map(|usage| usage.cost).sum::<Amount>();
    let (usd_before, usd_after) = (usd(used_before), usd(used_after));
    let in_report = |amount: Amount| match usd_before > Amount::ZERO {
        true => stayed
            .0
            .model_cost
            .ratio(amount.scaled(), usd_before.scaled())
            .unwrap_or(amount),
        false => amount,
    };
    let cost_fx = match usd_before == stayed.0.model_cost && usd_after == stayed.1.model_cost {
        true => Amount::ZERO,
        false => stayed.1.model_cost - in_report(usd_after),
    };
    steps.push(Step::new("fx", "Exchange rates", compared.fx - cost_fx, String::new()));
    steps.extend(of_calls(used_before, used_after).into_iter().map(|step| Step {
        amount: -in_report(step.amount),
        ..step
    }));
    steps.push(Step::new(
        "other_cogs",
        "Costs other than model calls",
        stayed.0.other_cogs - stayed.1.other_cogs,
        String::new(),
    ));
    let explained: Amount = steps.iter().map(|step| step.amount).sum();
    let change = after.gross_margin() - before.gross_margin();
    steps.push(Step::new("price", "Price of a token", change - explained, String::new()));
    steps.retain(|step| !step.amount.is_zero());
    Change {
        before_from: day_text(periods.before.from),
        before_to: day_text(periods.before.to),
        after_from: day_text(periods.after.from),
        after_to: day_text(periods.after.to),
        before,
        after,
        steps,
        grown,
    }
}

impl Change {
    /// How the margin moved.
    pub fn margin(&self) -> Amount {
        self.after.gross_margin() - self.before.gross_margin()
    }

    /// The steps that are worth showing: at least a thousandth of what the larger period earns or costs.
    pub fn shown_steps(&self) -> impl Iterator<Item = &Step> {
        let largest = [&self.before, &self.after].map(|figures| figures.revenue.max(figures.cogs()));
        let least = largest
            .into_iter()
            .max()
            .and_then(|amount| amount.ratio(1, 1000))
            .unwrap_or_default();
        self.steps
            .iter()
            .filter(move |step| step.amount.scaled().abs() >= least.scaled())
    }

    /// The step that moved it most.
    pub fn main_step(&self) -> Option<&Step> {
        self.steps.iter().max_by_key(|step| step.amount.scaled().abs())
    }
}

impl Step {
    fn new(name: &'static str, title: &'static str, amount: Amount, note: String) -> Step {
        Step {
            name,
            title,
            amount,
            note,
        }
    }
}

fn names(customers: &BTreeSet<String>) -> String {
    let mut note = customers.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if customers.len() > NAMED {
        note.push_str(&format!(" and {} more", customers.len() - NAMED));
    }
    note
}

/// How the cost of model calls moved in USD, but for rates.
fn of_calls(before: &Usage, after: &Usage) -> Vec<Step> {
    let all = |usage: &Usage| {
        let mut all = ModelUsage::default();
        usage.values().for_each(|model| all.add(model));
        all
    };
    let (all_before, all_after) = (all(before), all(after));
    let at_old_mix = scaled(all_before.cost, all_after.calls, all_before.calls).unwrap_or(all_after.cost);
    let (mut at_new_mix, mut at_new_tokens, mut at_new_cache) = (Amount::ZERO, Amount::ZERO, Amount::ZERO);
    // What the notes compare: the same models, as often as they are called now.
    let (mut old_tokens, mut old_read) = (0, 0);
    for (model, new) in after {
        let old = before.get(model).filter(|old| old.calls > 0);
        let Some((old, old_cost)) = old.and_then(|old| Some((old, scaled(old.cost, new.calls, old.calls)?))) else {
            // A model that was not there has no old call to compare with: all of it is the mix.
            at_new_mix += new.cost;
            at_new_tokens += new.cost;
            at_new_cache += new.cost;
            old_tokens += new.quantity(is_token);
            old_read += new.quantity(is_cache_read);
            continue;
        };
        at_new_mix += old_cost;
        old_tokens += part_of(old.quantity(is_token), new.calls.into(), old.calls.into());
        old_read += part_of(old.quantity(is_cache_read), new.quantity(is_input), old.quantity(is_input));
        let tokens = tokens_step(old, new);
        at_new_tokens += old_cost + tokens;
        at_new_cache += old_cost + tokens + cache_step(old, new);
    }
    let per_call = |tokens: i128| grouped(part_of(whole(tokens), 1, all_after.calls.into()));
    let cached = |read: i128| part_of(read, 100, all_after.quantity(is_input));
    vec![
        Step::new(
            "volume",
            "Number of calls",
            at_old_mix - all_before.cost,
            format!(
                "{} → {} calls",
                grouped(all_before.calls.into()),
                grouped(all_after.calls.into())
            ),
        ),
        Step::new("mix", "Mix of models", at_new_mix - at_old_mix, String::new()),
        Step::new(
            "tokens_per_call",
            "Tokens per call",
            at_new_tokens - at_new_mix,
            format!(
                "{} → {} tokens a call, the same models",
                per_call(old_tokens),
                per_call(all_after.quantity(is_token))
            ),
        ),
        Step::new(
            "cache",
            "Caching",
            at_new_cache - at_new_tokens,
            format!(
                "{} % → {} % of input read from cache, the same models",
                cached(old_read),
                cached(all_after.quantity(is_cache_read))
            ),
        ),
    ]
}

/// `value * numerator / denominator`, for a note: 0 where it cannot be told.
fn part_of(value: i128, numerator: i128, denominator: i128) -> i128 {
    Amount::from_scaled(value)
        .ratio(numerator, denominator)
        .unwrap_or_default()
        .scaled()
}

fn is_token(unit: &str) -> bool {
    is_input(unit) || is_output(unit)
}

fn is_cache_read(unit: &str) -> bool {
    unit.starts_with("cache_") && unit.contains("read")
}

fn scaled(amount: Amount, numerator: i64, denominator: i64) -> Option<Amount> {
    amount.ratio(numerator.into(), denominator.into())
}

/// What more tokens a call cost, at the old rates and the old make-up of the input.
fn tokens_step(old: &ModelUsage, new: &ModelUsage) -> Amount {
    let groups: [fn(&str) -> bool; 3] = [is_input, is_output, |unit| !is_input(unit) && !is_output(unit)];
    let step = |is: fn(&str) -> bool| {
        let at_old_length = scaled(old.amount(is), new.calls, old.calls).unwrap_or_default();
        // What was not used before is longer by all of it.
        let at_new_length = old
            .amount(is)
            .ratio(new.quantity(is), old.quantity(is))
            .unwrap_or_else(|| new.amount(is));
        at_new_length - at_old_length
    };
    groups.into_iter().map(step).sum()
}

/// What another make-up of the input cost, at the old rates.
fn cache_step(old: &ModelUsage, new: &ModelUsage) -> Amount {
    let Some(at_old_make_up) = old.amount(is_input).ratio(new.quantity(is_input), old.quantity(is_input)) else {
        return Amount::ZERO;
    };
    let at_old_rates: Amount = new
        .units
        .iter()
        .filter(|(unit, _)| is_input(unit))
        .map(|(unit, (quantity, amount))| {
            let old_line = old.units.get(unit);
            // A part of the input that is new is at its own rate.
            old_line
                .and_then(|(old_quantity, old_amount)| old_amount.ratio(*quantity, *old_quantity))
                .unwrap_or(*amount)
        })
        .sum();
    at_old_rates - at_old_make_up
}

pub(super) fn grouped(count: i128) -> String {
    crate::output::count_text(count)
}

#[cfg(test)]
mod tests;

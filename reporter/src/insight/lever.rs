//! What would help, in dollars a month: exact on the usage that was recorded, silent on what people would then do.
//!
//! A lever is worth what the same calls would have cost otherwise: on a model that is in use already, at the rates paid
//! for it; with the prompt of the period before; with half of the fresh input read from the cache; with half of a cost
//! that is not tokens. Levers of one key overlap, and so do those of a customer and a feature: they are no sum.

use serde::Serialize;

use super::bridge::{Growth, grouped};
use super::quality::Quality;
use super::receipts::{ModelUsage, Usage, is_input};
use crate::output::MarginFigures;
use crate::output::display::{percent_text, unit_money};
use crate::revenue::Amount;

/// A lever is named if it is worth at least one part in so many of the cost.
const WORTH_ONE_IN: i128 = 20;
/// So many points less of resolutions are clearly less.
const CLEARLY_PERCENT: i128 = 5;
/// Another model is suggested if it has at least one in so many of all calls.
const COMMON_ONE_IN: i64 = 50;

/// Something that would help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lever {
    /// `model`, `outcome`, `prompt`, `cache`, `other_cogs`, `price`, `cap`, `attribution`.
    pub kind: &'static str,
    /// `customer` or `feature`.
    pub dimension: &'static str,
    /// Whose.
    pub key: String,
    /// What to do.
    pub action: String,
    /// What it is worth in a month of 30 days.
    #[serde(serialize_with = "crate::output::exact")]
    pub per_month: Amount,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) dimension: &'static str,
    pub(super) key: &'a str,
    pub(super) figures: &'a MarginFigures,
    /// Its own model calls.
    pub(super) usage: &'a Usage,
    /// Everybody's.
    pub(super) all: &'a Usage,
    /// Its costs that are not tokens, by rule, the dearest first.
    pub(super) other: &'a [(String, Amount)],
    /// What outcomes say about its models, for a feature.
    pub(super) quality: &'a [Quality],
    /// How its calls grew, for a feature, and over how many days that cost was counted.
    pub(super) growth: Option<(&'a Growth, i128)>,
    /// Days of the report.
    pub(super) days: i128,
    /// The report's.
    pub(super) currency: &'a str,
}

impl Known<'_> {
    /// Of the report's days, for a month of 30.
    pub(super) fn a_month(&self, amount: Amount) -> Amount {
        amount.ratio(30, self.days).unwrap_or(amount)
    }

    /// The model that costs it most, with its share of the key's cost in percent.
    pub(super) fn driver(&self) -> Option<(&str, Amount)> {
        let (model, usage) = self.usage.iter().max_by_key(|(_, usage)| usage.cost)?;
        let share = crate::output::percent(self.in_report(usage.cost), self.figures.cogs())?;
        Some((model, share))
    }

    /// Receipts are in USD, figures in the report's currency.
    fn in_report(&self, usd: Amount) -> Amount {
        let own: Amount = self.usage.values().map(|usage| usage.cost).sum();
        match own > Amount::ZERO && own != self.figures.model_cost {
            true => self.figures.model_cost.ratio(usd.scaled(), own.scaled()).unwrap_or(usd),
            false => usd,
        }
    }

    /// Levers that are worth naming, the best first.
    pub(super) fn levers(&self) -> Vec<Lever> {
        let least = self.figures.cogs().ratio(1, WORTH_ONE_IN).unwrap_or_default();
        let all = [
            self.other_costs(),
            self.cheaper_model(),
            self.better_model(),
            self.old_prompt(),
            self.more_cache(),
        ];
        let mut levers: Vec<Lever> = all
            .into_iter()
            .flatten()
            .filter(|lever| lever.per_month > Amount::ZERO && lever.per_month >= self.a_month(least))
            .collect();
        levers.sort_by_key(|lever| std::cmp::Reverse(lever.per_month));
        levers
    }

    pub(super) fn lever(&self, kind: &'static str, per_month: Amount, action: String) -> Lever {
        Lever {
            kind,
            dimension: self.dimension,
            key: self.key.to_owned(),
            action,
            per_month,
        }
    }

    fn cheaper_model(&self) -> Option<Lever> {
        let (model, usage) = self.usage.iter().max_by_key(|(_, usage)| usage.cost)?;
        let calls: i64 = self.all.values().map(|usage| usage.calls).sum();
        let common = |usage: &ModelUsage| usage.calls.saturating_mul(COMMON_ONE_IN) >= calls;
        let (cheaper, cost) = self
            .all
            .iter()
            .filter(|(other, rates)| *other != model && common(rates) && !self.resolves_less(other, model))
            .filter_map(|(other, rates)| Some((other, repriced(usage, rates)?)))
            // The nearest step down that is worth the trial, not the cheapest of all.
            .filter(|(_, cost)| cost.scaled().saturating_mul(3) <= usage.cost.scaled().saturating_mul(2))
            .max_by_key(|(other, cost)| (*cost, std::cmp::Reverse((*other).clone())))?;
        let saved = self.a_month(self.in_report(usage.cost - cost));
        Some(self.lever(
            "model",
            saved,
            format!("where it is good enough, answer with {cheaper} instead of {model}"),
        ))
    }

    /// True where outcomes say that `other` resolves clearly less than `model`: what it saves comes back as failures.
    fn resolves_less(&self, other: &str, model: &str) -> bool {
        let of = |wanted: &str| self.quality.iter().find(|quality| quality.model == wanted);
        let clearly = Amount::from_scaled(CLEARLY_PERCENT * 10_i128.pow(12));
        match (of(other), of(model)) {
            (Some(other), Some(model)) => other.success_pct + clearly <= model.success_pct,
            _ => false,
        }
    }

    /// A model that resolves more at a lower cost of a resolution, in place of the one whose resolutions cost most.
    fn better_model(&self) -> Option<Lever> {
        let by_cost = |quality: &&Quality| (quality.cost_per_success, quality.model.clone());
        let worst = self.quality.iter().max_by_key(by_cost)?;
        let best = self
            .quality
            .iter()
            .filter(|other| other.success_pct >= worst.success_pct && other.cost_per_success < worst.cost_per_success)
            .min_by_key(by_cost)?;
        let less = worst.cost_per_success - best.cost_per_success;
        let saved = self.a_month(less.ratio(worst.successes.into(), 1)?);
        let of = |quality: &Quality| {
            let cost = unit_money(quality.cost_per_success, self.currency);
            format!("{} at {cost} each", percent_text(Some(quality.success_pct)))
        };
        Some(self.lever(
            "outcome",
            saved,
            format!(
                "answer with {} instead of {}: it resolves {}, {} {}",
                best.model,
                worst.model,
                of(best),
                worst.model,
                of(worst)
            ),
        ))
    }

    fn old_prompt(&self) -> Option<Lever> {
        let (growth, days) = self.growth?;
        let saved = growth.cost.ratio(30, days)?;
        Some(self.lever(
            "prompt",
            saved,
            format!(
                "cut its calls back from {} to {} tokens, as they were before",
                grouped(growth.after),
                grouped(growth.before)
            ),
        ))
    }

    /// Half of the fresh input at the price of a read, where that price is known.
    fn more_cache(&self) -> Option<Lever> {
        let saved: Amount = self
            .usage
            .iter()
            .filter_map(|(model, usage)| {
                let (quantity, amount) = usage.units.get("input_tokens")?;
                let read = |usage: &ModelUsage| {
                    usage
                        .units
                        .iter()
                        .find(|(unit, _)| unit.starts_with("cache_read"))
                        .map(|(_, line)| *line)
                };
                let (read_quantity, read_amount) = read(usage).or_else(|| read(self.all.get(model)?))?;
                let as_read = read_amount.ratio(*quantity, read_quantity)?;
                (*amount - as_read).ratio(1, 2)
            })
            .sum();
        let saved = self.a_month(self.in_report(saved));
        Some(self.lever(
            "cache",
            saved,
            "read half of its fresh input from the prompt cache: fixed text first, what changes last".to_owned(),
        ))
    }

    fn other_costs(&self) -> Option<Lever> {
        let (rule, cost) = self.other.first()?;
        let share = crate::output::percent(*cost, self.figures.cogs())?;
        let saved = self.a_month(cost.ratio(1, 2)?);
        Some(self.lever(
            "other_cogs",
            saved,
            format!("halve {rule}: it is {} of the cost and no token", percent_text(Some(share))),
        ))
    }
}

/// What the same usage costs at another model's rates; `None` where it has no rate for some of it.
fn repriced(usage: &ModelUsage, rates: &ModelUsage) -> Option<Amount> {
    let rate = |unit: &str| rates.units.get(unit).filter(|(quantity, _)| *quantity > 0);
    let mut cost = Amount::ZERO;
    for (unit, (quantity, _)) in &usage.units {
        // A model without a cache reads all of its input afresh; thoughts are output.
        let instead = match unit.as_str() {
            unit if is_input(unit) => "input_tokens",
            unit if unit.starts_with("output_") => "output_tokens",
            _ => return None,
        };
        let (of, amount) = rate(unit).or_else(|| rate(instead))?;
        cost += amount.ratio(*quantity, *of)?;
    }
    Some(cost)
}

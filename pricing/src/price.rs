//! The exact cost of one call.
//!
//! - find the tariff (`tariff.rs`): provider and model, the rates in force, factors, contract;
//! - split inclusive counts into disjoint leaves, so that nothing is billed twice;
//! - choose the tier by the total input;
//! - multiply, factor by factor; apply the contract; add up, exactly.
//!
//! A unit without a rate is billed inside the nearest whole that has one (reasoning in output); without any it
//! is listed as unpriced and the cost is a lower bound. The same function prices with and without a receipt, so
//! the two can never differ.

use std::sync::Arc;

use crate::amount::Amount;
use crate::catalogue::{Catalogue, Layer, Multiplier};
use crate::identify::Facts;
use crate::instant::Instant;
use crate::leaves::{self, Counts};
use crate::overrides::{Contract, Terms};
use crate::quote::{Cost, Line, Quote, Request, Status};
use crate::tariff::{InForce, Offer, Pick, Tariff};
use crate::unit::{Direction, Family, UnitSet, UsageKey};
use crate::usage::Usage;

impl Catalogue {
    /// The cost of a call with its receipt. Never fails: what cannot be priced says so.
    pub fn price(&self, request: &Request<'_>) -> Quote {
        self.fill(Quote::explained(), request)
    }

    fn fill(&self, mut quote: Quote, request: &Request<'_>) -> Quote {
        let cost = self.evaluate(request, Some(&mut quote));
        Quote {
            status: cost.status,
            cost: cost.cost,
            list_cost: cost.list_cost,
            ..quote
        }
    }

    /// The cost of a call whose emitter may name two models: the one that answered (`request.model`) is looked up
    /// first, then the one that was asked for. Azure answers with a bare model where a deployment was asked for, and
    /// gateways rename: either name may be the known one.
    ///
    /// The quote has its receipt and no more: no provider, model, assumptions, reasons or unpriced usage. This is what every
    /// call goes through, and those are texts for people; [`Catalogue::price`] has them.
    pub fn price_either(&self, request: &Request<'_>, requested_model: Option<&str>) -> Quote {
        let ask = |model| self.tariff_at(&Request { model, ..*request }, None).quote(request.usage);
        let quote = ask(request.model.or(requested_model));
        if quote.status == Status::Unpriced && request.model.is_some() && requested_model.is_some() {
            let other = ask(requested_model);
            if other.status != Status::Unpriced {
                return other;
            }
        }
        quote
    }

    /// The cost of a call without a receipt: nothing is allocated once the model name has been seen.
    pub fn cost(&self, request: &Request<'_>) -> Cost {
        self.evaluate(request, None)
    }

    fn evaluate(&self, request: &Request<'_>, mut receipt: Option<&mut Quote>) -> Cost {
        self.tariff_at(request, receipt.as_deref_mut())
            .evaluate(request.usage, receipt, Some(request))
    }
}

impl Tariff<'_> {
    /// The cost of one call; `noted` is the request where somebody may read notes on it.
    pub(crate) fn evaluate(&self, usage: &Usage, mut receipt: Option<&mut Quote>, noted: Option<&Request<'_>>) -> Cost {
        let Some(offer) = &self.offer else {
            return refused(leaves::contradiction_in(usage).map_or(Status::Unpriced, |_| Status::Invalid));
        };
        let mut refuse = |status: Status, reason: &dyn Fn() -> String| {
            if let Some(quote) = receipt.as_deref_mut() {
                quote.because(reason);
            }
            refused(status)
        };
        if let Some(contradiction) = leaves::negative_in(usage) {
            return refuse(Status::Invalid, &|| contradiction.to_string());
        }
        if usage.is_empty() {
            return refuse(Status::Unpriced, &|| "no usage was reported".to_owned());
        }
        let Some(in_force) = &offer.in_force else {
            return refuse(Status::Unpriced, &|| {
                format!("{}/{} has no price at {}", offer.owner, offer.model.id, offer.moment)
            });
        };
        let mut counts = Counts::new(usage);
        let reads_exclusive = [offer.provider.id(), offer.owner]
            .iter()
            .any(|id| matches!(*id, "anthropic" | "aws"));
        let was_exclusive = reads_exclusive && counts.include_cache();
        if let Some(contradiction) = counts.contradiction() {
            return refuse(Status::Invalid, &|| contradiction.to_string());
        }
        if let Some(quote) = receipt.as_deref_mut() {
            quote.price_id = Some(Arc::clone(&in_force.standard.price_id));
            if let Some(request) = noted.filter(|_| quote.is_explained) {
                note_price(quote, offer, in_force, request);
            }
            if was_exclusive {
                quote.assume(|| "more tokens were cached than sent: the input count was read as excluding the cache".to_owned());
            }
        }
        if in_force.picks.is_empty() && offer.by_model_alone {
            // Open weights are free at one provider and sold by others: a name alone never makes a call free.
            if let Some(quote) = receipt {
                quote.because(|| {
                    format!(
                        "free at {}, but nobody named the provider, and others charge for it",
                        offer.provider.id()
                    )
                });
            }
            return refused(Status::Unpriced);
        }
        if in_force.picks.is_empty() {
            return Cost {
                status: Status::Free,
                cost: Some(Amount::ZERO),
                list_cost: Some(Amount::ZERO),
            };
        }
        offer.bill(in_force, &mut counts, usage, receipt)
    }
}

fn refused(status: Status) -> Cost {
    Cost {
        status,
        cost: None,
        list_cost: None,
    }
}

/// Notes for the receipt that do not change the cost.
fn note_price(quote: &mut Quote, offer: &Offer<'_>, in_force: &InForce<'_>, request: &Request<'_>) {
    let (model, is_fallback) = (offer.model, offer.is_fallback);
    let facts = Facts::new(request, offer.provider.id());
    if let (Some(known_at), Some(retrieved)) = (request.known_at_unix_nano, in_force.standard.retrieved)
        && in_force.standard.known_from.is_none()
        && retrieved > Instant(known_at)
    {
        quote
            .assumptions
            .push(format!("known_from_unknown: the price was retrieved on {retrieved}"));
    }
    let mut names: Vec<&str> = model
        .cards
        .iter()
        .flat_map(|card| &card.when)
        .map(|condition| condition.name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let moment = offer.moment;
        let conditions = model
            .cards
            .iter()
            .filter(|card| card.when.iter().any(|condition| condition.name == name));
        let note = match facts.get(name) {
            None => format!("{name} was not reported: standard rates"),
            Some(value) if is_fallback => {
                format!("{name}={value} is not known at a fallback provider: standard rates")
            }
            Some(value) => {
                let mut holding = conditions
                    .filter(|card| {
                        card.when
                            .iter()
                            .all(|condition| condition.accepts(facts.get(&condition.name)))
                    })
                    .peekable();
                if holding.peek().is_none() {
                    format!("{name}={value} has no rates of its own: standard rates")
                } else if holding.all(|card| card.from > moment) {
                    format!("rates for {name}={value} are known only from a later day: standard rates")
                } else {
                    continue;
                }
            }
        };
        quote.assumptions.push(note);
    }
}

/// One amount before it becomes a line.
struct Billed {
    rate: Amount,
    multiplier: Amount,
    amount: Amount,
    list_amount: Amount,
}

impl Offer<'_> {
    fn bill(&self, in_force: &InForce<'_>, counts: &mut Counts, usage: &Usage, mut receipt: Option<&mut Quote>) -> Cost {
        let (picks, priced) = (&in_force.picks, in_force.priced);
        for (unit, least) in &in_force.minimums {
            counts.raise_to(*unit, *least);
        }
        let leaves = match counts.leaves(priced) {
            Ok(leaves) => leaves,
            Err(contradiction) => {
                if let Some(quote) = receipt {
                    quote.because(|| contradiction.to_string());
                }
                return refused(Status::Invalid);
            }
        };
        let gaps = gaps(counts, priced, usage, receipt.as_deref_mut());
        if gaps.nothing_priced {
            return refused(Status::Unpriced);
        }
        let input_tokens = counts.total_input();
        let (multipliers, contract) = (&self.multipliers, self.contract);
        let status = if gaps.any { Status::Partial } else { Status::Priced };
        if receipt.is_none()
            && contract.is_none()
            && multipliers.is_empty()
            && let Some(cost) = plain_sum(picks, &leaves, input_tokens)
        {
            return Cost {
                status,
                cost: Some(cost),
                list_cost: Some(cost),
            };
        }
        let (mut cost, mut list_cost) = (Amount::ZERO, Amount::ZERO);
        for pick in picks {
            let unit = pick.rate.unit;
            let quantity = leaves.of(unit);
            if quantity.is_zero() {
                continue;
            }
            let Some((list_rate, tier_start)) = pick.rate.at(input_tokens) else {
                continue;
            };
            let billed = self.amount(unit, quantity, list_rate);
            let sums = billed.as_ref().and_then(|billed| {
                // Without a contract the two sums are one.
                let list = match contract {
                    Some(_) => list_cost.checked_add(billed.list_amount)?,
                    None => Amount::ZERO,
                };
                Some((cost.checked_add(billed.amount)?, list))
            });
            let (Some(billed), Some((cost_so_far, list_cost_so_far))) = (billed, sums) else {
                if let Some(quote) = receipt {
                    quote.lines.clear();
                    quote.because(|| format!("the exact amount for {unit} does not fit into 38 digits"));
                }
                return refused(Status::Unpriced);
            };
            (cost, list_cost) = (cost_so_far, list_cost_so_far);
            if let Some(quote) = receipt.as_deref_mut() {
                if quote.lines.is_empty() {
                    quote.lines.reserve_exact(picks.len().min(leaves.len()));
                }
                quote.lines.push(Line {
                    price_key: unit.price_key(),
                    usage_key: unit.as_str(),
                    quantity: quantity.as_quantity(),
                    rate: billed.rate,
                    per: unit.unit().per,
                    multiplier: billed.multiplier,
                    amount: billed.amount,
                    list_amount: billed.list_amount,
                    tier_start,
                    price_id: pick.card.price_id.clone(),
                    source: pick.card.source.clone(),
                    is_override: pick.card.layer == Layer::Override,
                    applied: applied_ids(unit, multipliers, contract),
                });
            }
        }
        if let Some(quote) = receipt.filter(|quote| quote.is_explained) {
            // Nobody shows the others: they are written at a fixed scale.
            for line in &mut quote.lines {
                (line.amount, line.list_amount) = (line.amount.normalised(), line.list_amount.normalised());
            }
        }
        let list_cost = if contract.is_some() { list_cost } else { cost };
        Cost {
            status,
            cost: Some(cost),
            list_cost: Some(list_cost),
        }
    }

    /// `quantity x rate / per x factors`, at list and after the contract. A contract's own rate is final.
    fn amount(&self, unit: UsageKey, quantity: leaves::Leaf, list_rate: Amount) -> Option<Billed> {
        let product_at = |rate: Amount| quantity.amount().checked_mul(rate)?.checked_div_per(unit.unit().per);
        let mut factor = None;
        for multiplier in self.multipliers.iter().filter(|multiplier| multiplier.covers(unit)) {
            factor = Some(factor.unwrap_or(Amount::ONE).checked_mul(multiplier.factor)?.normalised());
        }
        let times = |product: Amount, factor: Option<Amount>| match factor {
            None => Some(product),
            Some(factor) => product.checked_mul(factor),
        };
        let list_amount = times(product_at(list_rate)?, factor)?;
        let (rate, multiplier) = match self.contract.and_then(|contract| contract.terms(unit)) {
            None => {
                let multiplier = factor.unwrap_or(Amount::ONE);
                return Some(Billed {
                    rate: list_rate,
                    multiplier,
                    amount: list_amount,
                    list_amount,
                });
            }
            Some(Terms::Rate(rate)) => (rate, None),
            Some(Terms::Factor(contracted)) => (
                list_rate,
                Some(factor.unwrap_or(Amount::ONE).checked_mul(contracted)?.normalised()),
            ),
        };
        let amount = times(product_at(rate)?, multiplier)?;
        Some(Billed {
            rate,
            multiplier: multiplier.unwrap_or(Amount::ONE),
            amount,
            list_amount,
        })
    }
}

/// What the rates leave open: usage without a price, and sides that were not reported.
fn gaps(counts: &Counts, priced: UnitSet, usage: &Usage, mut receipt: Option<&mut Quote>) -> Gaps {
    let covered = |unit: UsageKey| priced.contains(unit) || priced.intersects(unit.wholes());
    let (mut any, mut some_priced, mut some_used) = (false, false, false);
    for (unit, _) in counts.positive() {
        some_used = true;
        if covered(unit) {
            some_priced = true;
        } else {
            any = true;
            if let Some(quote) = receipt.as_deref_mut() {
                quote.leave_open(unit.as_str());
                quote.because(|| format!("no rate covers {unit}"));
            }
        }
    }
    for (name, _) in usage.unknown().iter().filter(|(_, count)| *count > 0.into()) {
        (some_used, any) = (true, true);
        if let Some(quote) = receipt.as_deref_mut() {
            quote.leave_open(name);
            quote.because(|| format!("{name:?} is no known usage key"));
        }
    }
    for (side, other) in [(Direction::Input, Direction::Output), (Direction::Output, Direction::Input)] {
        let key = match side {
            Direction::Input => UsageKey::INPUT_TOKENS,
            Direction::Output => UsageKey::OUTPUT_TOKENS,
        };
        if priced.contains(key) && !counts.reports_tokens(side) && counts.reports_tokens(other) {
            any = true;
            if let Some(quote) = receipt.as_deref_mut() {
                quote.because(|| format!("{key} was not reported: the cost is a lower bound"));
            }
        }
    }
    let per_request = priced.contains(UsageKey::REQUESTS);
    Gaps {
        any,
        nothing_priced: some_used && !some_priced && !per_request,
    }
}

/// The same total in one multiplication a line, where nothing is multiplied or explained and every rate is exact
/// at 18 decimals. `None` leaves it to the long way.
fn plain_sum(picks: &[Pick<'_>], leaves: &leaves::Leaves, input_tokens: i128) -> Option<Amount> {
    let mut total = 0_i128;
    for pick in picks {
        let count = leaves.whole(pick.rate.unit)?;
        if count != 0 {
            total = total.checked_add(count.checked_mul(pick.rate.per_unit_at(input_tokens)?)?)?;
        }
    }
    Amount::new(total, 18)
}

struct Gaps {
    any: bool,
    nothing_priced: bool,
}

impl Multiplier {
    fn covers(&self, unit: UsageKey) -> bool {
        if self.units.is_empty() {
            unit.unit().family == Family::Tokens
        } else {
            self.units.contains(&unit)
        }
    }
}

fn applied_ids(unit: UsageKey, multipliers: &[&Multiplier], contract: Option<&Contract>) -> Vec<String> {
    let covering = multipliers
        .iter()
        .filter(|multiplier| multiplier.covers(unit))
        .map(|multiplier| multiplier.id.clone());
    let contract = contract
        .filter(|contract| contract.terms(unit).is_some())
        .map(|contract| contract.id.clone());
    covering.chain(contract).collect()
}

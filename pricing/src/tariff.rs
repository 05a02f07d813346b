//! What calls of one kind cost, whatever they use: found once, asked for every call that differs only in its counts.
//!
//! Finding the provider, the model, its rates in force, the factors and the contract takes much longer than multiplying.
//! None of it depends on the counts, and it holds from the moment at which any of it began to the next at which any of it
//! begins or ends.

use smallvec::SmallVec;

use crate::catalogue::{Card, Catalogue, Layer, Model, Multiplier, Provider, Rate};
use crate::identify::{Facts, Identified};
use crate::instant::Instant;
use crate::overrides::Contract;
use crate::quote::{Quote, Request};
use crate::unit::{UnitSet, UsageKey};
use crate::usage::Usage;

/// The prices for all calls that have in common what [`Catalogue::tariff`] was asked about, while it [`Tariff::holds_at`].
#[derive(Debug)]
pub struct Tariff<'c> {
    /// `None` where the provider or the model is not known.
    pub(crate) offer: Option<Offer<'c>>,
    /// Whether plain calls have a short way: only asked of what is remembered.
    pub(crate) is_plain: bool,
    from: Instant,
    until: Instant,
}

/// A model at a provider, with everything that decides its price.
#[derive(Debug)]
pub(crate) struct Offer<'c> {
    pub(crate) provider: &'c Provider,
    pub(crate) model: &'c Model,
    /// The id of the provider whose model it is.
    pub(crate) owner: &'c str,
    pub(crate) moment: Instant,
    /// The provider sells it at the owner's standard rates.
    pub(crate) is_fallback: bool,
    pub(crate) by_model_alone: bool,
    /// `None` where the model has no price at the moment.
    pub(crate) in_force: Option<InForce<'c>>,
    pub(crate) multipliers: SmallVec<[&'c Multiplier; 4]>,
    pub(crate) contract: Option<&'c Contract>,
}

/// A rate in force, with the price it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick<'c> {
    pub(crate) rate: &'c Rate,
    pub(crate) card: &'c Card,
}

type Picks<'c> = SmallVec<[Pick<'c>; 10]>;

/// The rates of a model at a moment, for given facts.
#[derive(Debug)]
pub(crate) struct InForce<'c> {
    pub(crate) standard: &'c Card,
    /// In the order of the registry, which is that of a receipt.
    pub(crate) picks: Picks<'c>,
    pub(crate) priced: UnitSet,
    /// The least that is billed of a unit.
    pub(crate) minimums: SmallVec<[(UsageKey, i64); 2]>,
}

impl Catalogue {
    /// What calls like `request` cost. Its usage is not looked at.
    pub fn tariff(&self, request: &Request<'_>) -> Tariff<'_> {
        let mut tariff = self.tariff_at(request, None);
        let moment = Instant(request.at_unix_nano);
        (tariff.from, tariff.until) = (Instant(i64::MIN), Instant(i64::MAX));
        let Some(offer) = &tariff.offer else { return tariff };
        tariff.is_plain = offer.is_plain();
        let (provider, model) = (offer.provider, offer.model);
        for card in &model.cards {
            tariff.narrow(moment, [card.from, card.until]);
            if !card.windows.is_empty() {
                // Open at some hours: no other moment is certain.
                tariff.narrow(moment, [moment, just_after(moment)]);
            }
        }
        for multiplier in &provider.multipliers {
            tariff.narrow(moment, [multiplier.from, multiplier.until]);
        }
        for contract in &self.contracts {
            tariff.narrow(moment, contract.interval());
        }
        tariff
    }

    /// The tariff of this one moment, with the notes on provider and model.
    pub(crate) fn tariff_at(&self, request: &Request<'_>, receipt: Option<&mut Quote>) -> Tariff<'_> {
        let moment = Instant(request.at_unix_nano);
        let mut tariff = Tariff {
            offer: None,
            is_plain: false,
            from: moment,
            until: just_after(moment),
        };
        let Some(identified) = self.identify(request, receipt) else {
            return tariff;
        };
        let (provider, model) = (self.provider(identified.provider), self.model(identified.model));
        let facts = Facts::new(request, provider.id());
        let is_fallback = model.provider != identified.provider;
        tariff.offer = Some(Offer {
            provider,
            model,
            owner: self.provider(model.provider).id(),
            moment,
            is_fallback,
            by_model_alone: identified.by_model_alone,
            in_force: in_force(model, moment, &facts, request, is_fallback),
            multipliers: multipliers(provider, model, moment, &facts).collect(),
            contract: self.contract(identified, model, moment, &facts, request),
        });
        tariff
    }

    /// The contract that applies: the most narrowly drawn one, the first among equals.
    fn contract(
        &self,
        identified: Identified,
        model: &Model,
        moment: Instant,
        facts: &Facts<'_>,
        request: &Request<'_>,
    ) -> Option<&Contract> {
        let applies = |contract: &&Contract| {
            contract.applies(identified.provider, &model.id, &request.scope, moment)
                && contract
                    .when
                    .iter()
                    .all(|condition| condition.accepts(facts.get(&condition.name)))
        };
        let contracts = self.contracts.iter().filter(applies);
        contracts.fold(None, |best: Option<&Contract>, contract| match best {
            Some(best) if best.specificity() >= contract.specificity() => Some(best),
            _ => Some(contract),
        })
    }
}

impl Tariff<'_> {
    /// Whether it is that of calls at this moment too.
    pub fn holds_at(&self, at_unix_nano: i64) -> bool {
        (self.from..self.until).contains(&Instant(at_unix_nano))
    }

    /// The cost of a call that used so much, with its receipt and no more ([`Catalogue::price_either`]).
    pub fn quote(&self, usage: &Usage) -> Quote {
        if let Some(quote) = self.plain_quote(usage) {
            return quote;
        }
        let mut quote = Quote::receipt_only();
        let cost = self.evaluate(usage, Some(&mut quote), None);
        Quote {
            status: cost.status,
            cost: cost.cost,
            list_cost: cost.list_cost,
            ..quote
        }
    }

    /// Ends it where something begins or ends.
    fn narrow(&mut self, moment: Instant, bounds: [Instant; 2]) {
        for bound in bounds {
            if bound <= moment {
                self.from = self.from.max(bound);
            } else {
                self.until = self.until.min(bound);
            }
        }
    }
}

fn just_after(moment: Instant) -> Instant {
    Instant(moment.0.saturating_add(1))
}

fn multipliers<'c>(
    provider: &'c Provider,
    model: &Model,
    moment: Instant,
    facts: &Facts<'_>,
) -> impl Iterator<Item = &'c Multiplier> {
    provider.multipliers.iter().filter(move |multiplier| {
        multiplier.from <= moment
            && moment < multiplier.until
            && multiplier
                .when
                .iter()
                .all(|condition| condition.accepts(facts.get(&condition.name)))
            && (multiplier.models.is_empty() || multiplier.models.iter().any(|pattern| pattern.matches(&model.id)))
    })
}

/// The rates of a model that are in force. Of the standard prices the last one wins, key by key under the user's
/// own; then, per key, the first variant whose conditions hold. A fallback provider sells at standard rates only.
fn in_force<'c>(
    model: &'c Model,
    moment: Instant,
    facts: &Facts<'_>,
    request: &Request<'_>,
    is_fallback: bool,
) -> Option<InForce<'c>> {
    let known_at = request.known_at_unix_nano.map(Instant);
    let is_active = |card: &&Card| card.is_in_force(moment) && card.is_known_at(known_at);
    let standard_of = |layer: Layer| move |card: &&Card| card.when.is_empty() && card.layer == layer;
    let own = model.cards.iter().rev().filter(standard_of(Layer::Override)).find(is_active);
    let listed = model.cards.iter().rev().filter(standard_of(Layer::Catalogue)).find(is_active);
    let standard = own.or(listed)?;
    let mut picks = Picks::new();
    if let Some(card) = listed.filter(|_| own.is_none_or(|own| !own.free)) {
        picks.extend(card.rates.iter().map(|rate| Pick { rate, card }));
    }
    if let Some(card) = own {
        card.rates.iter().for_each(|rate| replace(&mut picks, Pick { rate, card }));
    }
    // Without a single fact no condition can hold.
    if is_fallback || facts.is_empty() || model.cards.iter().all(|card| card.when.is_empty()) {
        return Some(InForce::new(standard, picks));
    }
    let mut replaced = UnitSet::default();
    for layer in [Layer::Override, Layer::Catalogue] {
        let holds = |card: &&Card| {
            card.layer == layer
                && !card.when.is_empty()
                && card
                    .when
                    .iter()
                    .all(|condition| condition.accepts(facts.get(&condition.name)))
        };
        for card in model.cards.iter().filter(holds).filter(is_active) {
            for rate in &card.rates {
                if !replaced.contains(rate.unit) {
                    replaced.insert(rate.unit);
                    replace(&mut picks, Pick { rate, card });
                }
            }
        }
    }
    Some(InForce::new(standard, picks))
}

fn replace<'c>(picks: &mut Picks<'c>, pick: Pick<'c>) {
    match picks.iter_mut().find(|present| present.rate.unit == pick.rate.unit) {
        Some(present) => *present = pick,
        None => picks.push(pick),
    }
}

impl<'c> InForce<'c> {
    fn new(standard: &'c Card, mut picks: Picks<'c>) -> Self {
        let mut minimums = SmallVec::new();
        for least in picks.iter().flat_map(|pick| &pick.card.minimum) {
            if !minimums.contains(least) {
                minimums.push(*least);
            }
        }
        picks.sort_unstable_by_key(|pick| pick.rate.unit);
        Self {
            standard,
            priced: picks.iter().map(|pick| pick.rate.unit).collect(),
            picks,
            minimums,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::context::Context;

    const DAY: i64 = 86_400_000_000_000;
    /// 2024-01-01T00:00:00Z.
    const START: i64 = 1_704_067_200_000_000_000;

    proptest! {
        /// A tariff that was found at one moment prices at every other at which it holds as one found then.
        #[test]
        fn while_it_holds_it_is_the_tariff(
            call in prop::sample::select(vec![
                ("openai", "gpt-4o"), ("openai", "gpt-5.5"), ("deepseek", "deepseek-chat"), ("deepseek", "deepseek-v4-pro"),
                ("anthropic", "claude-sonnet-4-5-20250929"), ("gcp.gemini", "gemini-2.5-pro"), ("x_ai", "grok-4"),
                ("aws.bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0"), ("openai", "no-such-model"),
            ]),
            tier in prop::option::of(prop::sample::select(vec!["flex", "batch", "priority"])),
            found in 0..1_200 * DAY,
            asked in prop::collection::vec(0..1_200 * DAY, 1..8),
            counts in (0..400_000_i64, 0..4_000_i64, 0..400_000_i64),
        ) {
            let catalogue = Catalogue::embedded();
            let usage: Usage = [("input_tokens", counts.0), ("output_tokens", counts.1), ("cache_read_tokens", counts.2)].into_iter().collect();
            let context: Context = tier.into_iter().map(|tier| ("service_tier", tier)).collect();
            let request = |offset: i64| Request { provider: Some(call.0), model: Some(call.1), ..Request::new(&usage, &context, START + offset) };
            let tariff = catalogue.tariff(&request(found));
            prop_assert!(tariff.holds_at(START + found));
            for offset in asked.into_iter().chain([found]) {
                if tariff.holds_at(START + offset) {
                    prop_assert_eq!(tariff.quote(&usage), catalogue.price_either(&request(offset), None));
                }
            }
        }
    }
}

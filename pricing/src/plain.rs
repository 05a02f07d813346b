//! The price of a plain call in one step: whole tokens in and out, from the cache and into it, at rates and nothing else.
//!
//! Nearly every call is one. What may change its price in another way (factors, contracts, least quantities, prices by the
//! request, other units, counts that contradict each other) is left to the general road of `price.rs`, and a test holds
//! the two together.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::amount::Amount;
use crate::catalogue::Layer;
use crate::quote::{Line, Quote, Status};
use crate::tariff::{Offer, Tariff};
use crate::unit::UsageKey;
use crate::usage::Usage;

/// The units of a plain call. Parts of one whole do not overlap among them.
const PLAIN: [UsageKey; 5] = [
    UsageKey::INPUT_TOKENS,
    UsageKey::OUTPUT_TOKENS,
    UsageKey::CACHE_READ_TOKENS,
    UsageKey::CACHE_WRITE_TOKENS,
    UsageKey::OUTPUT_REASONING_TOKENS,
];

impl Offer<'_> {
    /// Whether plain calls are all that their rates say.
    pub(crate) fn is_plain(&self) -> bool {
        self.contract.is_none()
            && self.multipliers.is_empty()
            && self.in_force.as_ref().is_some_and(|in_force| {
                in_force.minimums.is_empty()
                    && !in_force.priced.contains(UsageKey::REQUESTS)
                    && in_force.priced.contains(UsageKey::INPUT_TOKENS)
                    && in_force.priced.contains(UsageKey::OUTPUT_TOKENS)
            })
    }
}

impl Tariff<'_> {
    /// The quote of a plain call; `None` leaves it to the general road.
    pub(crate) fn plain_quote(&self, usage: &Usage) -> Option<Quote> {
        let in_force = self.offer.as_ref().filter(|_| self.is_plain)?.in_force.as_ref()?;
        let mut counts = plain_counts(usage)?;
        let input = i128::from(counts[0]);
        // Each part with a rate is billed there, and no longer in its whole.
        for (part, whole) in [(2, 0), (3, 0), (4, 1)] {
            if in_force.priced.contains(PLAIN[part]) {
                counts[whole] -= counts[part];
            } else {
                counts[part] = 0;
            }
        }
        let mut lines = SmallVec::<[_; PLAIN.len()]>::new();
        let mut total = 0_i128;
        for pick in &in_force.picks {
            let count = place(pick.rate.unit).map_or(0, |place| counts[place]);
            if count == 0 {
                continue;
            }
            let Some((rate, tier_start)) = pick.rate.at(input) else {
                continue;
            };
            let amount = i128::from(count).checked_mul(pick.rate.per_unit_at(input)?)?;
            total = total.checked_add(amount)?;
            lines.push((pick, count, rate, tier_start, Amount::new(amount, 18)?));
        }
        let cost = Amount::new(total, 18);
        let line = |(pick, count, rate, tier_start, amount): (&crate::tariff::Pick<'_>, i64, _, _, _)| Line {
            price_key: pick.rate.unit.price_key(),
            usage_key: pick.rate.unit.as_str(),
            quantity: count.into(),
            rate,
            per: pick.rate.unit.unit().per,
            multiplier: Amount::ONE,
            amount,
            list_amount: amount,
            tier_start,
            price_id: Arc::clone(&pick.card.price_id),
            source: Arc::clone(&pick.card.source),
            is_override: pick.card.layer == Layer::Override,
            applied: Vec::new(),
        };
        Some(Quote {
            status: Status::Priced,
            cost,
            list_cost: cost,
            price_id: Some(Arc::clone(&in_force.standard.price_id)),
            lines: lines.into_iter().map(line).collect(),
            ..Quote::receipt_only()
        })
    }
}

/// The counts of [`PLAIN`], where both sides were reported, nothing else was, and no part exceeds its whole.
fn plain_counts(usage: &Usage) -> Option<[i64; PLAIN.len()]> {
    let reported = usage.reported();
    if !usage.unknown().is_empty() || !reported.contains(PLAIN[0]) || !reported.contains(PLAIN[1]) {
        return None;
    }
    let mut counts = [0; PLAIN.len()];
    for (unit, count) in usage.known() {
        if count.has_fraction() || count.is_negative() {
            return None;
        }
        counts[place(*unit)?] = count.whole();
    }
    let [input, output, read, written, reasoning] = counts;
    let fits = read.checked_add(written)? <= input && reasoning <= output;
    fits.then_some(counts)
}

#[inline]
fn place(unit: UsageKey) -> Option<usize> {
    PLAIN.iter().position(|plain| *plain == unit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::context::Context;
    use crate::overrides::Scope;
    use crate::quote::Request;

    /// What the one step takes for granted of the units.
    #[test]
    fn plain_units_have_parts_among_them_and_nothing_in_common() {
        let is_part = |part: UsageKey, whole: UsageKey| whole.parts().contains(part);
        for left in PLAIN {
            for right in PLAIN {
                let expected = left == UsageKey::INPUT_TOKENS && [PLAIN[2], PLAIN[3]].contains(&right)
                    || left == UsageKey::OUTPUT_TOKENS && right == PLAIN[4];
                assert_eq!(is_part(right, left), expected, "{right} in {left}");
                assert!(!left.overlapping().contains(right), "{left} and {right}");
                let nested = left == right || is_part(left, right) || is_part(right, left);
                assert!(nested || left.join(right).is_none(), "{left} and {right}");
            }
        }
        for unit in UsageKey::all().filter(|unit| !PLAIN.contains(unit)) {
            assert!(PLAIN.iter().all(|plain| !unit.parts().contains(*plain)), "{unit}");
        }
    }

    fn counts() -> impl Strategy<Value = Vec<(UsageKey, i64)>> {
        let count = prop_oneof![4 => 0_i64..3_000, 2 => 0_i64..400_000, 1 => Just(0), 1 => any::<i64>()];
        let units: Vec<UsageKey> = UsageKey::all().collect();
        let unit = prop_oneof![12 => prop::sample::select(PLAIN.to_vec()), 1 => prop::sample::select(units)];
        let plain =
            (100_000_i64..500_000, 2_000_i64..9_000).prop_map(|(input, output)| vec![(PLAIN[0], input), (PLAIN[1], output)]);
        (
            prop_oneof![3 => plain, 1 => Just(Vec::new())],
            prop::collection::vec((unit, count), 0..4),
        )
            .prop_map(|(plain, more)| [plain, more].concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// Every model of the catalogue, whatever was used: the short way and the long way say the same.
        #[test]
        fn one_step_prices_as_the_general_road(
            model in any::<prop::sample::Index>(),
            counts in counts(),
            day in 0_i64..1_200,
            tier in prop::option::weighted(0.2, prop::sample::select(vec!["flex", "batch", "priority"])),
        ) {
            let catalogue = Catalogue::embedded();
            let model = model.get(&catalogue.models);
            let mut usage = Usage::new();
            for (unit, count) in counts {
                usage.set_key(unit, count);
            }
            let context: Context = tier.into_iter().map(|tier| ("service_tier", tier)).collect();
            let request = Request {
                provider: Some(catalogue.provider(model.provider).id()),
                model: Some(&model.id),
                scope: Scope::default(),
                ..Request::new(&usage, &context, 1_704_067_200_000_000_000 + day * 86_400_000_000_000)
            };
            let tariff = catalogue.tariff(&request);
            prop_assert_eq!(tariff.quote(&usage), catalogue.price_either(&request, None));
        }
    }

    #[test]
    fn most_models_are_plain() {
        let catalogue = Catalogue::embedded();
        let (usage, context) = (Usage::new(), Context::new());
        let plain = catalogue.models.iter().filter(|model| {
            let request = Request {
                provider: Some(catalogue.provider(model.provider).id()),
                model: Some(&model.id),
                ..Request::new(&usage, &context, 1_794_830_400_000_000_000)
            };
            catalogue.tariff(&request).is_plain
        });
        assert!(plain.count() * 2 > catalogue.models.len());
    }
}

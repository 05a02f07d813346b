//! What changed between two catalogues, price by price.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::document::{Document, PriceEntry, TierEntry};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The provider's id.
    pub provider: String,
    /// The model's id; empty where the provider itself differs.
    pub model: String,
    /// Which price and key, or which property.
    pub what: String,
    /// The value in the first catalogue.
    pub before: Option<String>,
    /// The value in the second catalogue.
    pub after: Option<String>,
}

/// Every difference that can change a cost, in order. Notes and display names are left out.
pub fn differences(before: &Document, after: &Document) -> Vec<Difference> {
    let (before, after) = (facts(before), facts(after));
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| Difference {
            provider: key.0.clone(),
            model: key.1.clone(),
            what: key.2.clone(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
        })
        .collect()
}

type Facts = BTreeMap<(String, String, String), String>;

fn facts(document: &Document) -> Facts {
    let mut facts = Facts::new();
    for provider in &document.providers {
        let id = &provider.provider.id;
        let mut add = |model: &str, what: String, value: String| {
            facts.insert((id.clone(), model.to_owned(), what), value);
        };
        add("", "names".to_owned(), provider.provider.names.join(", "));
        add("", "hosts".to_owned(), provider.provider.hosts.join(", "));
        add("", "fallback".to_owned(), provider.provider.fallback.join(", "));
        for multiplier in &provider.multiplier {
            let value = format!("{} for {:?} when {:?}", multiplier.factor, multiplier.models, multiplier.when);
            add("", format!("multiplier {}", multiplier.id), value);
        }
        for model in &provider.model {
            add(&model.id, "match".to_owned(), format!("{:?}", model.patterns));
            for price in &model.price {
                let label = label(price);
                if price.free {
                    add(&model.id, format!("{label} free"), "yes".to_owned());
                }
                for (key, rate) in &price.rates {
                    add(&model.id, format!("{label} {key}"), rate.to_string());
                }
                for tier in &price.tiers {
                    for (key, rate) in &tier.rates {
                        add(
                            &model.id,
                            format!("{label} {key} from {}", TierEntry::first_token(tier)),
                            rate.to_string(),
                        );
                    }
                }
                for (key, least) in &price.minimum {
                    add(&model.id, format!("{label} minimum {key}"), least.to_string());
                }
            }
        }
    }
    facts
}

fn label(price: &PriceEntry) -> String {
    let from = price.from.as_deref().unwrap_or("always");
    let until = price
        .until
        .as_deref()
        .map(|until| format!(" until {until}"))
        .unwrap_or_default();
    let when: String = price.when.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    let windows: String = price
        .windows
        .iter()
        .map(|window| {
            let zone = window.zone.as_deref().unwrap_or("Z");
            format!(" {}{}-{}{zone}", window.days.join(","), window.from, window.to)
        })
        .collect();
    format!("[{from}{until}{when}{windows}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalogue;

    #[test]
    fn only_what_changes_a_cost_is_a_difference() {
        let before = Catalogue::embedded().document();
        let mut after = before.clone();
        after.providers[0].model[0].note = "reworded".to_owned();
        assert_eq!(differences(before, &after), []);
        let id = after.providers[0].model[0].id.clone();
        let rates = &mut after.providers[0].model[0].price[0].rates;
        rates.insert("input_mtok".to_owned(), "123.5".parse().expect("a rate"));
        let found = differences(before, &after);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].model.as_str(), found[0].after.as_deref()),
            (id.as_str(), Some("123.5"))
        );
    }
}

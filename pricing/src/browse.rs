//! Reading the catalogue as a person does: which models there are, and what one of them costs and has cost.
//!
//! The views here carry text and exact amounts, ready for a table or JSON; laying them out is the caller's.

use serde::Serialize;

use crate::amount::Amount;
use crate::catalogue::{Accepted, Card, Catalogue, Layer, Model, ModelIndex, Rate};
use crate::document::ModelEntry;
use crate::instant::Instant;
use crate::matching::Match;

/// Which models to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this provider, by any of its names.
    pub provider: Option<String>,
    /// Only models whose id contains this, ignoring case.
    pub text: Option<String>,
}

/// One model with the standard price in force.
#[derive(Clone, Debug, Serialize)]
pub struct ListedModel {
    /// The catalogue's provider.
    pub provider: String,
    /// The catalogue's model.
    pub model: String,
    /// Withdrawn by the provider.
    pub deprecated: bool,
    /// Free of charge.
    pub free: bool,
    /// The standard price in force.
    pub price_id: Option<String>,
    /// Its rates in USD.
    pub rates: Vec<ShownRate>,
}

/// One rate.
#[derive(Clone, Debug, Serialize)]
pub struct ShownRate {
    /// The price key, for example `input_mtok`.
    pub price_key: &'static str,
    /// USD per `per` units of `usage_key`.
    pub rate: Option<Amount>,
    /// The usage key.
    pub usage_key: &'static str,
    /// How many units the rate is for.
    pub per: i64,
    /// First input token of a tier and its rate.
    pub tiers: Vec<(i64, Amount)>,
}

/// Everything about one model.
#[derive(Clone, Debug, Serialize)]
pub struct ShownModel {
    /// The catalogue's provider.
    pub provider: String,
    /// The catalogue's model.
    pub model: String,
    /// Withdrawn by the provider.
    pub deprecated: bool,
    /// What a reader should know.
    pub note: String,
    /// Other sources that were compared, and what they say.
    pub also: Vec<(String, String)>,
    /// All its prices, past, present and announced, in the order of the file.
    pub prices: Vec<ShownPrice>,
    /// Factors that may apply, with their conditions and sources.
    pub multipliers: Vec<String>,
    /// The sources that its prices name.
    pub sources: Vec<ShownSource>,
}

/// Where prices are from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownSource {
    /// The id that prices name.
    pub id: String,
    /// What it is, with its version.
    pub title: String,
    /// Where it is published.
    pub url: String,
    /// When its content was retrieved.
    pub retrieved: String,
}

/// One price of a model.
#[derive(Clone, Debug, Serialize)]
pub struct ShownPrice {
    /// Its id, as receipts name it.
    pub price_id: String,
    /// Whether it applies at the moment asked for, its conditions aside: of several standard prices the last one.
    pub in_force: bool,
    /// From when; open when absent.
    pub from: Option<String>,
    /// Until when; open when absent.
    pub until: Option<String>,
    /// When it became known, where that is stated.
    pub known_from: Option<String>,
    /// Facts of the request that must hold.
    pub when: Vec<String>,
    /// Whether it holds only within daily windows.
    pub windows: usize,
    /// Those windows in words.
    pub window_texts: Vec<String>,
    /// Free of charge.
    pub free: bool,
    /// Its rates.
    pub rates: Vec<ShownRate>,
    /// Where it is from.
    pub source: String,
    /// What a reader should know.
    pub note: String,
    /// Whether it is the user's own.
    pub is_override: bool,
}

impl Catalogue {
    /// The models that pass the filter, by provider and id, with the standard price at that moment.
    pub fn list(&self, filter: &Filter, at: Instant) -> Vec<ListedModel> {
        let provider = filter.provider.as_deref().map(|name| self.names.by_name(name));
        let text = filter.text.as_deref().unwrap_or_default().to_lowercase();
        let wanted = |model: &&Model| {
            provider.is_none_or(|wanted| wanted == Some(model.provider)) && model.id.to_lowercase().contains(&text)
        };
        let mut listed: Vec<ListedModel> = self
            .models
            .iter()
            .filter(wanted)
            .map(|model| {
                let card = standard(model, at);
                ListedModel {
                    provider: self.provider(model.provider).id.clone(),
                    model: model.id.clone(),
                    deprecated: model.deprecated,
                    free: card.is_some_and(|card| card.free),
                    price_id: card.map(|card| card.price_id.to_string()),
                    rates: card.map(shown_rates).unwrap_or_default(),
                }
            })
            .collect();
        listed.sort_by(|left, right| (&left.provider, &left.model).cmp(&(&right.provider, &right.model)));
        listed
    }

    /// Everything about the models that `name` means: at one provider, or at each that knows it.
    pub fn show(&self, name: &str, provider: Option<&str>, at: Instant) -> Vec<ShownModel> {
        let providers = 0..self.providers.len();
        let wanted = provider.map(|name| self.names.by_name(name));
        let mut found: Vec<ModelIndex> = providers
            .filter_map(|index| u16::try_from(index).ok())
            .filter(|index| wanted.is_none_or(|wanted| wanted == Some(*index)))
            .filter_map(|index| match self.find_model(index, name) {
                Match::Found { model, .. } => Some(model),
                Match::Missing => None,
            })
            .collect();
        found.extend((0..self.models.len()).map(|index| index as ModelIndex).filter(|index| {
            let model = self.model(*index);
            model.id.eq_ignore_ascii_case(name.trim()) && wanted.is_none_or(|wanted| wanted == Some(model.provider))
        }));
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|index| self.shown(index, at)).collect()
    }

    /// An id of [`crate::Line::applied`] for a reader: a contract with its reference, or a factor.
    pub fn describe_applied(&self, id: &str) -> String {
        match self.overrides.contract.iter().find(|contract| contract.id == id) {
            Some(contract) if contract.reference.is_empty() => format!("contract {id}"),
            Some(contract) => format!("contract {id}, {}", contract.reference),
            None => format!("factor {id}"),
        }
    }

    /// Every price of every model, with its provider and model, in the order of the catalogue.
    pub fn all_prices(&self, at: Instant) -> impl Iterator<Item = (&str, &str, ShownPrice)> {
        self.models.iter().flat_map(move |model| {
            let provider = self.provider(model.provider).id.as_str();
            let prices = model.cards.iter().map(move |card| shown_price(card, at));
            prices.map(move |price| (provider, model.id.as_str(), price))
        })
    }

    fn shown(&self, index: ModelIndex, at: Instant) -> ShownModel {
        let model = self.model(index);
        let provider = self.provider(model.provider);
        let entry = self.entry(model);
        let multipliers = provider.multipliers.iter().filter(|multiplier| {
            multiplier.models.is_empty() || multiplier.models.iter().any(|pattern| pattern.matches(&model.id))
        });
        ShownModel {
            provider: provider.id.clone(),
            model: model.id.clone(),
            deprecated: model.deprecated,
            note: entry.map(|entry| entry.note.clone()).unwrap_or_default(),
            also: entry
                .map(|entry| entry.also.clone().into_iter().collect())
                .unwrap_or_default(),
            sources: self.sources_of(model),
            prices: self.prices_of(model, entry, at),
            multipliers: multipliers
                .map(|multiplier| format!("{} when {}", multiplier.factor, conditions(&multiplier.when).join(", ")))
                .collect(),
        }
    }

    fn prices_of(&self, model: &Model, entry: Option<&ModelEntry>, at: Instant) -> Vec<ShownPrice> {
        let applies = standard(model, at).map(|card| &*card.price_id);
        let notes = entry
            .into_iter()
            .flat_map(|entry| &entry.price)
            .map(|price| price.note.as_str());
        let cards = model.cards.iter().zip(notes.chain(std::iter::repeat("")));
        cards
            .map(|(card, note)| {
                let mut shown = shown_price(card, at);
                shown.in_force &= !card.when.is_empty() || applies == Some(&*card.price_id);
                shown.note = note.to_owned();
                shown
            })
            .collect()
    }

    fn sources_of(&self, model: &Model) -> Vec<ShownSource> {
        let mut ids: Vec<&str> = model.cards.iter().map(|card| &*card.source).collect();
        ids.sort_unstable();
        ids.dedup();
        let known = ids.into_iter().filter_map(|id| Some((id, self.document.sources.get(id)?)));
        known
            .map(|(id, source)| ShownSource {
                id: id.to_owned(),
                title: source.title.clone(),
                url: source.url.clone(),
                retrieved: source.retrieved.clone(),
            })
            .collect()
    }

    fn entry(&self, model: &Model) -> Option<&ModelEntry> {
        let provider = &self.provider(model.provider).id;
        let document = self
            .document
            .providers
            .iter()
            .find(|document| document.provider.id == *provider)?;
        document.model.iter().find(|entry| entry.id == model.id)
    }
}

fn standard(model: &Model, at: Instant) -> Option<&Card> {
    let in_force = |layer: Layer| {
        let mut cards = model
            .cards
            .iter()
            .rev()
            .filter(move |card| card.layer == layer && card.when.is_empty());
        cards.find(|card| card.is_in_force(at))
    };
    in_force(Layer::Override).or_else(|| in_force(Layer::Catalogue))
}

fn shown_price(card: &Card, at: Instant) -> ShownPrice {
    let moment = |moment: Instant, open: i64| (moment.0 != open).then(|| moment.to_string());
    ShownPrice {
        price_id: card.price_id.to_string(),
        in_force: card.is_in_force(at),
        from: moment(card.from, i64::MIN),
        until: moment(card.until, i64::MAX),
        known_from: card.known_from.map(|known_from| known_from.to_string()),
        when: conditions(&card.when),
        windows: card.windows.len(),
        free: card.free,
        rates: shown_rates(card),
        window_texts: card.windows.iter().map(ToString::to_string).collect(),
        source: card.source.to_string(),
        note: String::new(),
        is_override: card.layer == Layer::Override,
    }
}

fn conditions(when: &[crate::catalogue::Condition]) -> Vec<String> {
    when.iter()
        .map(|condition| match &condition.accepted {
            Accepted::OneOf(values) => format!("{}={}", condition.name, values.join("|")),
            Accepted::AnythingBut(value) => format!("{}!={value}", condition.name),
        })
        .collect()
}

fn shown_rates(card: &Card) -> Vec<ShownRate> {
    let shown = |rate: &Rate| ShownRate {
        price_key: rate.unit.price_key(),
        rate: rate.base,
        usage_key: rate.unit.as_str(),
        per: rate.unit.unit().per,
        tiers: rate.tiers.clone(),
    };
    card.rates.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).expect("a moment")
    }

    #[test]
    fn a_list_shows_the_price_of_its_day() {
        let filter = Filter {
            provider: Some("openai".to_owned()),
            text: Some("5.6-luna".to_owned()),
        };
        let rate = |day: &str| {
            let listed = Catalogue::embedded().list(&filter, at(day));
            listed[0].rates[0].rate.expect("a base rate").to_string()
        };
        assert_eq!((rate("2026-07-29"), rate("2026-07-30")), ("1".to_owned(), "0.2".to_owned()));
    }

    #[test]
    fn a_model_is_shown_at_every_provider_that_knows_it() {
        let shown = Catalogue::embedded().show("claude-sonnet-4-5", None, at("2026-11-16"));
        let providers: Vec<&str> = shown.iter().map(|model| model.provider.as_str()).collect();
        assert!(
            providers.contains(&"anthropic") && providers.contains(&"google"),
            "{providers:?}"
        );
        assert!(shown[0].prices.iter().any(|price| price.when == ["processing=batch"]));
        assert_eq!(shown[0].sources[0].title, "genai-prices 0.2.3");
    }

    #[test]
    fn of_several_standard_prices_the_one_that_applies_is_marked() {
        let marked = |day: &str| {
            let shown = Catalogue::embedded().show("deepseek-v4-pro", Some("deepseek"), at(day));
            let marked = shown[0].prices.iter().filter(|price| price.in_force);
            marked
                .map(|price| (price.rates[0].rate.expect("a rate").to_string(), price.note.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            marked("2026-11-16T02:00:00Z"),
            [("1.32".to_owned(), "peak, working days of the Beijing calendar".to_owned())]
        );
        assert_eq!(marked("2026-11-15T02:00:00Z"), [("0.66".to_owned(), "off-peak".to_owned())]);
        let shown = Catalogue::embedded().show("deepseek-v4-pro", Some("deepseek"), at("2026-11-16"));
        let windows = &shown[0].prices.last().expect("prices").window_texts;
        assert_eq!(windows[0], "mon-fri 09:00-12:00 +08:00, except 6 dates");
    }
}

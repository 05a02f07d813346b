//! The price of a normalised record: exact, with its receipt, at the moment the call was made.
//!
//! What a call costs depends on who was called for which model under which facts, and then on its counts. The former repeat
//! from call to call: their tariff is found once and remembered.

use std::cell::OnceCell;
use std::sync::{Arc, LazyLock};

use hashbrown::HashMap;
use marginlake_pricing::{self as pricing, Catalogue, Context, Line, Quote, Request, Scope, Status, Tariff, Usage};

use crate::normalise::{Normalised, UsageKey};
use crate::recognise::Recognised;
use crate::recognise::profile::CostKind;

/// Our units in the catalogue's terms, in the catalogue's order.
static UNITS: LazyLock<Vec<(UsageKey, pricing::UsageKey)>> = LazyLock::new(|| {
    let known = |key: &UsageKey| Some((*key, pricing::UsageKey::parse(key.as_str())?));
    let mut units: Vec<_> = UsageKey::ALL.iter().filter_map(known).collect();
    units.sort_unstable_by_key(|(_, priced)| *priced);
    units
});

/// Tariffs that are remembered: names come from outside, and somebody will put a request id into them.
const MOST_TARIFFS: usize = 4_096;

/// What a record costs, as the columns of `spans` say it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Priced {
    /// `price_status`.
    pub(crate) status: Option<&'static str>,
    pub(crate) list_cost: Option<i128>,
    pub(crate) cost: Option<i128>,
    pub(crate) cost_source: Option<&'static str>,
    pub(crate) lines: Vec<Line>,
    pub(crate) price_id: Option<Arc<str>>,
    /// Whether the catalogue was asked at all.
    pub(crate) asked: bool,
}

/// Prices by a catalogue.
#[derive(Debug)]
pub(crate) struct Pricer {
    catalogue: &'static Catalogue,
    tariffs: Vec<Tariffs>,
    /// Where each stands, by everything but the moment and the counts.
    places: HashMap<Box<[u8]>, usize>,
    /// The key that is looked up, and the counts that are priced: one allocation for all calls.
    key: Vec<u8>,
    usage: Usage,
}

/// The tariffs of the two models that a call may name: the one that answered, and the one that was asked for.
#[derive(Debug)]
struct Tariffs {
    first: Tariff<'static>,
    other: OnceCell<Tariff<'static>>,
}

impl Pricer {
    pub(crate) fn new(catalogue: &'static Catalogue) -> Self {
        Self {
            catalogue,
            tariffs: Vec::new(),
            places: HashMap::new(),
            key: Vec::new(),
            usage: Usage::new(),
        }
    }

    pub(crate) fn catalogue_hash(&self) -> &'static str {
        self.catalogue.hash()
    }

    /// Prices every record that carries usage, roll-ups too: settle may find that nothing below them reports.
    pub(crate) fn price(&mut self, normalised: &Normalised<'_>, at_unix_nano: i64, tenant: Option<&str>) -> Priced {
        let record = &normalised.record;
        let mut priced = if normalised.usage.is_empty() {
            Priced {
                status: normalised.usage_status.map(|_| "no_usage"),
                ..Priced::default()
            }
        } else {
            self.call(normalised, at_unix_nano, tenant)
        };
        // A provider's or gateway's charge stands in only where usage cannot be priced (design, "Money").
        if priced.cost.is_none()
            && let Some(reported) = record.reported_cost
            && reported.kind == CostKind::Charge
        {
            priced.cost = Some(reported.usd_e12);
            priced.cost_source = Some("charge");
            priced.status = Some("reported");
        }
        priced
    }

    fn call(&mut self, normalised: &Normalised<'_>, at_unix_nano: i64, tenant: Option<&str>) -> Priced {
        self.usage.clear();
        for (key, priced) in UNITS.iter() {
            if let Some(count) = normalised.usage.get(*key) {
                self.usage.set_key(*priced, count);
            }
        }
        let quote = self.quote(&normalised.record, at_unix_nano, tenant);
        Priced {
            status: Some(quote.status.as_str()),
            list_cost: quote.list_cost.map(|cost| cost.to_scale_12()),
            cost: quote.cost.map(|cost| cost.to_scale_12()),
            cost_source: quote.cost.map(|_| "computed"),
            lines: quote.lines,
            price_id: quote.price_id,
            asked: true,
        }
    }

    /// As [`Catalogue::price_either`], by remembered tariffs.
    fn quote(&mut self, record: &Recognised<'_>, at_unix_nano: i64, tenant: Option<&str>) -> Quote {
        self.write_key(record, tenant);
        let (answered, requested) = (record.response_model.as_deref(), record.request_model.as_deref());
        let catalogue = self.catalogue;
        let find = |model| tariff(catalogue, record, model, at_unix_nano, tenant);
        let new = || Tariffs {
            first: find(answered.or(requested)),
            other: OnceCell::new(),
        };
        let place = match self.places.get(&self.key[..]) {
            Some(&place) => {
                if !self.tariffs[place].hold_at(at_unix_nano) {
                    self.tariffs[place] = new();
                }
                place
            }
            None => {
                if self.tariffs.len() >= MOST_TARIFFS {
                    self.tariffs.clear();
                    self.places.clear();
                }
                self.places.insert(self.key.as_slice().into(), self.tariffs.len());
                self.tariffs.push(new());
                self.tariffs.len() - 1
            }
        };
        let tariffs = &self.tariffs[place];
        let quote = tariffs.first.quote(&self.usage);
        if quote.status == Status::Unpriced && answered.is_some() && requested.is_some() && answered != requested {
            let other = tariffs.other.get_or_init(|| find(requested)).quote(&self.usage);
            if other.status != Status::Unpriced {
                return other;
            }
        }
        quote
    }

    /// Everything that a tariff depends on, each part behind its length.
    fn write_key(&mut self, record: &Recognised<'_>, tenant: Option<&str>) {
        let key = &mut self.key;
        key.clear();
        let mut part = |text: Option<&str>| {
            // A text is never as long as the address space: absence has a length of its own.
            key.extend_from_slice(&text.map_or(usize::MAX, str::len).to_le_bytes());
            key.extend_from_slice(text.unwrap_or_default().as_bytes());
        };
        part(record.provider.as_deref());
        part(record.server_address);
        part(record.response_model.as_deref());
        part(record.request_model.as_deref());
        part(tenant);
        for (name, value) in &record.price_context {
            part(Some(name));
            part(Some(value));
        }
    }
}

impl Tariffs {
    fn hold_at(&self, at_unix_nano: i64) -> bool {
        self.first.holds_at(at_unix_nano) && self.other.get().is_none_or(|other| other.holds_at(at_unix_nano))
    }
}

fn tariff(
    catalogue: &'static Catalogue,
    record: &Recognised<'_>,
    model: Option<&str>,
    at_unix_nano: i64,
    tenant: Option<&str>,
) -> Tariff<'static> {
    let facts = record.price_context.iter();
    let context: Context = facts.map(|(name, value)| (*name, value.as_ref())).collect();
    catalogue.tariff(&Request {
        provider: record.provider.as_deref(),
        server_address: record.server_address,
        model,
        scope: Scope {
            tenant,
            ..Scope::default()
        },
        ..Request::new(&Usage::new(), &context, at_unix_nano)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recognise::{AttributionConfig, Recogniser, ScopeContext};
    use crate::wire::traces::Span;
    use crate::wire::{Attributes, Value};

    #[test]
    fn the_catalogue_knows_every_unit() {
        assert_eq!(UNITS.len(), UsageKey::ALL.len());
    }

    fn span<'a>(call: &Call<'a>, input: i64, output: i64) -> Span<'a> {
        let mut attributes = vec![
            ("gen_ai.operation.name", Value::Text("chat")),
            ("gen_ai.usage.input_tokens", Value::Int(input)),
            ("gen_ai.usage.output_tokens", Value::Int(output)),
        ];
        let texts = [
            ("gen_ai.provider.name", call.provider),
            ("server.address", call.address),
            ("gen_ai.request.model", call.requested),
            ("gen_ai.response.model", call.answered),
            ("openai.response.service_tier", call.tier),
        ];
        attributes.extend(texts.into_iter().filter_map(|(key, text)| Some((key, Value::Text(text?)))));
        Span::with_attributes(attributes)
    }

    #[derive(Debug, Clone)]
    struct Call<'a> {
        provider: Option<&'a str>,
        address: Option<&'a str>,
        requested: Option<&'a str>,
        answered: Option<&'a str>,
        tier: Option<&'a str>,
        tenant: Option<&'a str>,
    }

    fn call() -> impl Strategy<Value = Call<'static>> {
        let one_of = |texts: &[&'static str]| prop::option::of(prop::sample::select(texts.to_vec()));
        let models = ["gpt-4o", "gpt-5.5", "my-deployment", "deepseek-v4-pro", "claude-opus-5", ""];
        (
            one_of(&["openai", "azure.ai.openai", "deepseek", "anthropic", "langchain"]),
            one_of(&["api.openai.com", "eu.api.openai.com", "contoso.openai.azure.com"]),
            one_of(&models),
            one_of(&models),
            one_of(&["flex", "batch", "priority"]),
            one_of(&["acme", "a"]),
        )
            .prop_map(|(provider, address, requested, answered, tier, tenant)| Call {
                provider,
                address,
                requested,
                answered,
                tier,
                tenant,
            })
    }

    proptest! {
        /// What is remembered changes no price, whatever was priced before, at whatever moment.
        #[test]
        fn a_remembered_tariff_prices_as_a_new_one(
            calls in prop::collection::vec((call(), 0..1_200_i64, 0..300_000_i64, 0..5_000_i64), 1..12),
        ) {
            const DAY: i64 = 86_400_000_000_000;
            let recogniser = Recogniser::new(&AttributionConfig::default());
            let scope = ScopeContext::new(&recogniser, Attributes(&[]), "", "");
            let mut pricer = Pricer::new(Catalogue::embedded());
            for (call, day, input, output) in &calls {
                let at = 1_704_067_200_000_000_000 + day * DAY;
                let normalised = scope.span(&span(call, *input, *output));
                let remembered = pricer.price(&normalised, at, call.tenant);
                prop_assert_eq!(remembered, Pricer::new(Catalogue::embedded()).price(&normalised, at, call.tenant));
            }
        }
    }
}

//! The price of a normalised record: exact, with its receipt, at the moment the call was made.

use std::sync::{Arc, LazyLock};

use marginlake_pricing::{self as pricing, Catalogue, Context, Line, Request, Scope, Usage};

use crate::normalise::{Normalised, UsageKey};
use crate::recognise::profile::CostKind;

/// Our units in the catalogue's terms, in the catalogue's order.
static UNITS: LazyLock<Vec<(UsageKey, pricing::UsageKey)>> = LazyLock::new(|| {
    let known = |key: &UsageKey| Some((*key, pricing::UsageKey::parse(key.as_str())?));
    let mut units: Vec<_> = UsageKey::ALL.iter().filter_map(known).collect();
    units.sort_unstable_by_key(|(_, priced)| *priced);
    units
});

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
}

impl Pricer {
    pub(crate) fn new(catalogue: &'static Catalogue) -> Self {
        Self { catalogue }
    }

    pub(crate) fn catalogue_hash(&self) -> &str {
        self.catalogue.hash()
    }

    /// Prices every record that carries usage, roll-ups too: settle may find that nothing below them reports.
    pub(crate) fn price(&self, normalised: &Normalised<'_>, at_unix_nano: i64, tenant: Option<&str>) -> Priced {
        let record = &normalised.record;
        let mut priced = if normalised.usage.is_empty() {
            Priced {
                status: normalised.usage_status.map(|_| "no_usage"),
                ..Priced::default()
            }
        } else {
            self.quote(normalised, at_unix_nano, tenant)
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

    fn quote(&self, normalised: &Normalised<'_>, at_unix_nano: i64, tenant: Option<&str>) -> Priced {
        let record = &normalised.record;
        let mut usage = Usage::new();
        for (key, priced) in UNITS.iter() {
            if let Some(count) = normalised.usage.get(*key) {
                usage.set_key(*priced, count);
            }
        }
        let context: Context = record
            .price_context
            .iter()
            .map(|(name, value)| (*name, value.as_ref()))
            .collect();
        let request = Request {
            provider: record.provider.as_deref(),
            server_address: record.server_address,
            model: record.response_model.as_deref(),
            scope: Scope {
                tenant,
                ..Scope::default()
            },
            ..Request::new(&usage, &context, at_unix_nano)
        };
        let quote = self.catalogue.price_either(&request, record.request_model.as_deref());
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_knows_every_unit() {
        assert_eq!(UNITS.len(), UsageKey::ALL.len());
    }
}

//! The price of a normalised record: exact, with its receipt, at the moment the call was made.

use marginlake_pricing::{Amount, Catalogue, Context, Quantity, Quote, Request, Scope, Status, Usage};

use crate::columns::CostLine;
use crate::normalise::Normalised;
use crate::recognise::profile::CostKind;

/// What a record costs, as the columns of `spans` say it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Priced {
    /// `price_status`.
    pub(crate) status: Option<&'static str>,
    pub(crate) list_cost: Option<i128>,
    pub(crate) cost: Option<i128>,
    pub(crate) cost_source: Option<&'static str>,
    pub(crate) lines: Vec<CostLine>,
    pub(crate) price_id: Option<String>,
    /// Whether the catalogue was asked at all.
    pub(crate) asked: bool,
}

/// A catalogue with buffers that are used again.
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
        let usage: Usage = normalised.usage.iter().collect();
        let context: Context = record
            .price_context
            .iter()
            .map(|(name, value)| (*name, value.as_ref()))
            .collect();
        let model = record.response_model.as_deref().or(record.request_model.as_deref());
        let ask = |model| {
            self.catalogue.price(&Request {
                provider: record.provider.as_deref(),
                server_address: record.server_address,
                url: None,
                model,
                at_unix_nano,
                usage: &usage,
                context: &context,
                scope: Scope {
                    tenant,
                    ..Scope::default()
                },
                known_at_unix_nano: None,
            })
        };
        let mut quote = ask(model);
        // Azure answers with a bare model where the deployment was asked for, and gateways rename: the other name may be known.
        if quote.status == Status::Unpriced && record.response_model.is_some() && record.request_model.is_some() {
            let asked = ask(record.request_model.as_deref());
            if asked.status != Status::Unpriced {
                quote = asked;
            }
        }
        receipt(&quote)
    }
}

fn receipt(quote: &Quote) -> Priced {
    Priced {
        status: Some(quote.status.as_str()),
        list_cost: quote.list_cost.map(|cost| cost.to_scale_12()),
        cost: quote.cost.map(|cost| cost.to_scale_12()),
        cost_source: quote.cost.map(|_| "computed"),
        lines: quote
            .lines
            .iter()
            .map(|line| CostLine {
                unit: line.usage_key.to_owned(),
                quantity_e12: quantity(line.quantity),
                rate_e12: line.rate.to_scale_12(),
                per: line.per,
                multiplier_e12: line.multiplier.to_scale_12(),
                amount_e18: scale_18(line.amount),
                price_id: line.price_id.clone(),
            })
            .collect(),
        price_id: quote.price_id.clone(),
        asked: true,
    }
}

fn quantity(quantity: Quantity) -> i128 {
    // Counts have at most nine decimals: exact.
    quantity
        .to_string()
        .parse::<Amount>()
        .map_or(0, |amount| amount.to_scale_12())
}

fn scale_18(amount: Amount) -> i128 {
    let million = Amount::new(1_000_000, 0).unwrap_or(Amount::ONE);
    amount.checked_mul(million).map_or(i128::MAX, |scaled| scaled.to_scale_12())
}

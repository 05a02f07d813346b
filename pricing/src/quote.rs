//! What goes in and what comes out of pricing: the request, the cost, and the quote with its receipt.

use std::sync::Arc;

use serde::Serialize;

use crate::amount::Amount;
use crate::context::Context;
use crate::overrides::Scope;
use crate::usage::{Quantity, Usage};

/// One call to be priced.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The provider as the emitter names it; see [`crate::normalise_provider`] for what is understood.
    pub provider: Option<&'a str>,
    /// The host that was called.
    pub server_address: Option<&'a str>,
    /// The URL that was called, where it is known.
    pub url: Option<&'a str>,
    /// The model: the response's where known, else the request's.
    pub model: Option<&'a str>,
    /// When the call was made, in nanoseconds since 1970-01-01T00:00:00Z.
    pub at_unix_nano: i64,
    /// What it used.
    pub usage: &'a Usage,
    /// The facts that change rates.
    pub context: &'a Context,
    /// On whose behalf, for contracts.
    pub scope: Scope<'a>,
    /// Prices as they were known at this moment; everything known today when `None`.
    pub known_at_unix_nano: Option<i64>,
}

impl<'a> Request<'a> {
    /// A request that names nothing yet; set the fields that are known.
    pub fn new(usage: &'a Usage, context: &'a Context, at_unix_nano: i64) -> Self {
        Self {
            provider: None,
            server_address: None,
            url: None,
            model: None,
            at_unix_nano,
            usage,
            context,
            scope: Scope::default(),
            known_at_unix_nano: None,
        }
    }
}

/// How complete a cost is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every unit that was reported has a price.
    Priced,
    /// Some unit has no price or a side was not reported: the cost is a lower bound.
    Partial,
    /// The model is free of charge.
    Free,
    /// There is no price to apply: the cost is unknown.
    Unpriced,
    /// The usage contradicts itself: the cost is unknown.
    Invalid,
}

impl Status {
    /// The name in tables and output: `priced`, `partial`, `free`, `unpriced`, `invalid`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Priced => "priced",
            Self::Partial => "partial",
            Self::Free => "free",
            Self::Unpriced => "unpriced",
            Self::Invalid => "invalid",
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The cost alone, without a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// How complete it is.
    pub status: Status,
    /// USD after contract terms; `None` when unknown, which is not zero.
    pub cost: Option<Amount>,
    /// USD at list prices.
    pub list_cost: Option<Amount>,
}

/// A cost with everything that led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// How complete the cost is.
    pub status: Status,
    /// Exact USD after contract terms; `None` when unknown, which is not zero.
    pub cost: Option<Amount>,
    /// Exact USD at list prices.
    pub list_cost: Option<Amount>,
    /// The receipt; the amounts add up to `cost` exactly.
    pub lines: Vec<Line>,
    /// The catalogue's provider id.
    pub provider: Option<String>,
    /// The catalogue's model id.
    pub model: Option<String>,
    /// The standard price that was in force.
    pub price_id: Option<Arc<str>>,
    /// What was taken for granted.
    pub assumptions: Vec<String>,
    /// Why the status is not `priced`.
    pub reasons: Vec<String>,
    /// Usage keys that no rate covers.
    pub unpriced_usage: Vec<String>,
    /// Whether anybody reads more than the receipt: notes are text, and text costs more than the price.
    pub(crate) is_explained: bool,
}

/// One line of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The price key, for example `input_mtok`.
    pub price_key: &'static str,
    /// The usage key, for example `input_tokens`.
    pub usage_key: &'static str,
    /// How many units are billed here, after the parts that have lines of their own are taken off.
    pub quantity: Quantity,
    /// USD per `per` units, after the contract where it names a rate.
    pub rate: Amount,
    /// How many units the rate is for.
    pub per: i64,
    /// The product of all factors on the line, one when there are none.
    pub multiplier: Amount,
    /// Exactly `quantity x rate / per x multiplier`.
    pub amount: Amount,
    /// The same at list prices.
    pub list_amount: Amount,
    /// The first input token of the tier that applied.
    pub tier_start: Option<i64>,
    /// The price that the rate is from.
    pub price_id: Arc<str>,
    /// Where that price is from.
    pub source: Arc<str>,
    /// Whether that price is the user's own.
    pub is_override: bool,
    /// The factors and the contract that applied, by their ids.
    pub applied: Vec<String>,
}

impl Quote {
    /// A quote that will say all it knows.
    pub(crate) fn explained() -> Self {
        Self {
            status: Status::Unpriced,
            cost: None,
            list_cost: None,
            lines: Vec::new(),
            provider: None,
            model: None,
            price_id: None,
            assumptions: Vec::new(),
            reasons: Vec::new(),
            unpriced_usage: Vec::new(),
            is_explained: true,
        }
    }

    /// A quote that will have its receipt and nothing else.
    pub(crate) fn receipt_only() -> Self {
        Self {
            is_explained: false,
            ..Self::explained()
        }
    }

    pub(crate) fn name_provider(&mut self, id: &str) {
        if self.is_explained {
            self.provider = Some(id.to_owned());
        }
    }

    pub(crate) fn name_model(&mut self, id: &str) {
        if self.is_explained {
            self.model = Some(id.to_owned());
        }
    }

    pub(crate) fn assume(&mut self, note: impl FnOnce() -> String) {
        if self.is_explained {
            self.assumptions.push(note());
        }
    }

    pub(crate) fn because(&mut self, reason: impl FnOnce() -> String) {
        if self.is_explained {
            self.reasons.push(reason());
        }
    }

    pub(crate) fn leave_open(&mut self, usage_key: &str) {
        if self.is_explained {
            self.unpriced_usage.push(usage_key.to_owned());
        }
    }

    /// The cost alone.
    pub fn cost_only(&self) -> Cost {
        Cost {
            status: self.status,
            cost: self.cost,
            list_cost: self.list_cost,
        }
    }
}

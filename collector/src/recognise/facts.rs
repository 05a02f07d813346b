//! What recognition finds: the facts of one record, with its counts as the emitter meant them to be read.

use std::borrow::Cow;

use marginlake_lake::schema::{Role, Signal};

use super::attribution::Attribution;
use super::flag::Flags;
use super::profile::{CostKind, Profile};
use super::profiles;
use super::reported::Reported;
use crate::wire::Value;

/// The facts of one record.
#[derive(Debug, Clone)]
pub struct Recognised<'a> {
    /// The signal it came by.
    pub signal: Signal,
    /// What it is.
    pub role: Role,
    /// The emitter.
    pub profile: &'static Profile,
    /// The operation as the emitter names it.
    pub operation: Option<&'a str>,
    /// The provider, in the convention's values where they exist.
    pub provider: Option<Cow<'a, str>>,
    /// The model that was asked for.
    pub request_model: Option<Cow<'a, str>>,
    /// The model that answered; prices are looked up by it first.
    pub response_model: Option<Cow<'a, str>>,
    /// The provider's id of the response, or the request's where the emitter has only that.
    pub response_id: Option<Cow<'a, str>>,
    /// The server that was called.
    pub server_address: Option<&'a str>,
    /// An id shared by the records of one run.
    pub run_id: Option<Cow<'a, str>>,
    /// Logs only: what identifies the event beside trace and span.
    pub event_key: Option<String>,
    /// Whether the response was streamed.
    pub streaming: Option<bool>,
    /// Why the model stopped.
    pub finish_reasons: Vec<Cow<'a, str>>,
    /// Time to the first token, in milliseconds.
    pub time_to_first_token_ms: Option<f64>,
    /// Whether the operation failed.
    pub failed: bool,
    /// The kind of failure.
    pub error_type: Option<Cow<'a, str>>,
    /// Whether a gateway answered from its own cache.
    pub cache_hit: bool,
    /// Whom it was for.
    pub attribution: Attribution<'a>,
    /// Request facts that change rates.
    pub price_context: Vec<(&'static str, Cow<'a, str>)>,
    /// The cost that the emitter claims.
    pub reported_cost: Option<ReportedCost>,
    /// The emitter's usage attributes as sent.
    pub usage_raw: Vec<UsageAttribute<'a>>,
    /// Attributes that the configuration keeps.
    pub tags: Vec<(&'a str, Cow<'a, str>)>,
    /// What was assumed or doubted.
    pub flags: Flags,
    /// The counts that normalisation reads.
    pub(crate) reported: Reported,
}

impl Default for Recognised<'_> {
    /// A record of which nothing is known.
    fn default() -> Self {
        Self {
            signal: Signal::Span,
            role: Role::Other,
            profile: &profiles::GENERIC,
            operation: None,
            provider: None,
            request_model: None,
            response_model: None,
            response_id: None,
            server_address: None,
            run_id: None,
            event_key: None,
            streaming: None,
            finish_reasons: Vec::new(),
            time_to_first_token_ms: None,
            failed: false,
            error_type: None,
            cache_hit: false,
            attribution: Attribution::default(),
            price_context: Vec::new(),
            reported_cost: None,
            usage_raw: Vec::new(),
            tags: Vec::new(),
            flags: Flags::default(),
            reported: Reported::default(),
        }
    }
}

impl Recognised<'_> {
    /// Forgets everything but the room of its lists.
    pub(super) fn clear(&mut self) {
        let mut empty = Self {
            finish_reasons: std::mem::take(&mut self.finish_reasons),
            price_context: std::mem::take(&mut self.price_context),
            usage_raw: std::mem::take(&mut self.usage_raw),
            tags: std::mem::take(&mut self.tags),
            ..Self::default()
        };
        empty.finish_reasons.clear();
        empty.price_context.clear();
        empty.usage_raw.clear();
        empty.tags.clear();
        *self = empty;
    }

    /// The value of column `convention`.
    pub fn convention(&self) -> &'static str {
        self.profile.id
    }
}

/// A cost claimed by an emitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportedCost {
    /// US dollars in units of 10^-12.
    pub usd_e12: i128,
    /// What the figure is worth.
    pub kind: CostKind,
}

/// One usage attribute as sent.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageAttribute<'a> {
    /// The attribute's key.
    pub key: &'a str,
    /// For a number taken out of a text attribute: its name inside.
    pub inner: Option<&'static str>,
    /// The value.
    pub value: Value<'a>,
}

impl UsageAttribute<'_> {
    /// The key of column `usage_raw`.
    pub fn name(&self) -> Cow<'_, str> {
        match self.inner {
            Some(inner) => Cow::Owned(format!("{}#{inner}", self.key)),
            None => Cow::Borrowed(self.key),
        }
    }

    /// The value of column `usage_raw`.
    pub fn text(&self) -> Cow<'_, str> {
        match self.value {
            Value::Text(text) => Cow::Borrowed(text),
            Value::Int(number) => Cow::Owned(number.to_string()),
            Value::Double(number) => Cow::Owned(number.to_string()),
            Value::Bool(bit) => Cow::Owned(bit.to_string()),
            _ => Cow::Borrowed(""),
        }
    }
}

//! One usage record as a line of JSON, and its answer: the contract of `marginlake prices price`.
//!
//! In: `id`, `provider`?, `server_address`?, `url`?, `model`, `timestamp` (RFC 3339) or `time_unix_nano`, `usage`,
//! `context`?; unknown fields are ignored. Out: `id`, `cost_usd` (exact decimal text or null), `status`,
//! `components`, `price_id`, `assumptions`, and what else the quote knows. A line that makes no sense is answered
//! with status `invalid` and the reason; there is always one answer per line.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::amount::Amount;
use crate::catalogue::Catalogue;
use crate::context::Context;
use crate::instant::Instant;
use crate::overrides::Scope;
use crate::quote::{Quote, Request, Status};
use crate::usage::{Quantity, Usage};

/// Facts that records carry beside `context`, as the sample's category `region` does.
const FACTS_BESIDE_CONTEXT: [&str; 7] = [
    "service_tier",
    "processing",
    "speed",
    "search_type",
    "inference_geo",
    "data_residency",
    "vertex_location",
];

/// The answer to one record.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// The record's own id, as it was.
    pub id: Value,
    /// Exact USD, or null when unknown.
    pub cost_usd: Option<Amount>,
    /// How complete the cost is.
    pub status: Status,
    /// The lines of the receipt; their amounts add up to the cost.
    pub components: Vec<Component>,
    /// The standard price that was in force.
    pub price_id: Option<String>,
    /// What was taken for granted.
    pub assumptions: Vec<String>,
    /// Exact USD at list prices.
    pub list_cost_usd: Option<Amount>,
    /// The catalogue's provider.
    pub provider: Option<String>,
    /// The catalogue's model.
    pub model: Option<String>,
    /// Why the status is not `priced`.
    pub reasons: Vec<String>,
    /// Usage keys that no rate covers.
    pub unpriced_usage: Vec<String>,
}

/// One line of a receipt, all numbers as text.
#[derive(Debug, Serialize)]
pub struct Component {
    /// The price key.
    pub price_key: &'static str,
    /// The usage key.
    pub usage_key: &'static str,
    /// How many units are billed here.
    pub quantity: String,
    /// USD per `per` units.
    pub rate: Amount,
    /// How many units the rate is for.
    pub per: i64,
    /// The first input token of the tier that applied.
    pub tier_start: Option<i64>,
    /// The product of all factors.
    pub multiplier: Amount,
    /// Exact USD.
    pub amount: Amount,
    /// The price the rate is from.
    pub price_id: String,
    /// Where that price is from.
    pub source: String,
    /// The factors and the contract that applied.
    pub applied: Vec<String>,
}

/// Answers one line of JSON.
pub fn answer(catalogue: &Catalogue, line: &str) -> Answer {
    let record = match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(record)) => record,
        Ok(_) => return refusal(Value::Null, "the line is not a JSON object".to_owned()),
        Err(error) => return refusal(Value::Null, format!("the line is not JSON: {error}")),
    };
    let id = record.get("id").cloned().unwrap_or(Value::Null);
    let (usage, context, at_unix_nano) = match parts(&record) {
        Ok(parts) => parts,
        Err(reason) => return refusal(id, reason),
    };
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    let request = Request {
        provider: text("provider"),
        server_address: text("server_address"),
        url: text("url"),
        model: text("model"),
        scope: Scope {
            organisation: text("organisation"),
            project: text("project"),
            tenant: text("tenant"),
        },
        ..Request::new(&usage, &context, at_unix_nano)
    };
    from_quote(id, catalogue.price(&request))
}

fn parts(record: &Map<String, Value>) -> Result<(Usage, Context, i64), String> {
    let mut usage = Usage::new();
    match record.get("usage") {
        Some(Value::Object(counts)) => {
            for (key, count) in counts.iter().filter(|(_, count)| !count.is_null()) {
                let count = quantity(count).ok_or_else(|| format!("usage.{key}: {count} is not a count"))?;
                usage.set(key, count);
            }
        }
        None | Some(Value::Null) => {}
        Some(_) => return Err("usage is not an object".to_owned()),
    }
    let mut context = Context::new();
    for name in FACTS_BESIDE_CONTEXT {
        if let Some(value) = record.get(name).and_then(Value::as_str) {
            context.set(name, value);
        }
    }
    match record.get("context") {
        Some(Value::Object(facts)) => {
            for (name, value) in facts {
                match value {
                    Value::String(text) => context.set(name, text),
                    Value::Null => continue,
                    other => context.set(name, &other.to_string()),
                };
            }
        }
        None | Some(Value::Null) => {}
        Some(_) => return Err("context is not an object".to_owned()),
    }
    Ok((usage, context, moment(record)?))
}

/// A count from a JSON number or its text. `serde_json` prints a number in the shortest form that reads back the
/// same, which is the source's own text for every fraction of up to 15 digits.
fn quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::Number(number) => number.to_string().parse().ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn moment(record: &Map<String, Value>) -> Result<i64, String> {
    match record.get("timestamp") {
        Some(Value::String(text)) => Instant::parse(text)
            .map(|moment| moment.0)
            .map_err(|error| format!("timestamp: {error}")),
        None | Some(Value::Null) => match record.get("time_unix_nano") {
            Some(Value::String(text)) => text
                .parse()
                .map_err(|_| format!("time_unix_nano: {text:?} is not an integer")),
            Some(Value::Number(number)) => number
                .as_i64()
                .ok_or_else(|| format!("time_unix_nano: {number} is not a 64-bit integer")),
            _ => Err("timestamp is missing: a price is in force at a moment".to_owned()),
        },
        Some(other) => Err(format!("timestamp: {other} is not RFC 3339 text")),
    }
}

fn refusal(id: Value, reason: String) -> Answer {
    let quote = Quote {
        status: Status::Invalid,
        reasons: vec![reason],
        ..Quote::explained()
    };
    from_quote(id, quote)
}

fn from_quote(id: Value, quote: Quote) -> Answer {
    let component = |line: crate::quote::Line| Component {
        price_key: line.price_key,
        usage_key: line.usage_key,
        quantity: line.quantity.to_string(),
        rate: line.rate,
        per: line.per,
        tier_start: line.tier_start,
        multiplier: line.multiplier,
        amount: line.amount,
        price_id: line.price_id.to_string(),
        source: line.source.to_string(),
        applied: line.applied,
    };
    Answer {
        id,
        cost_usd: quote.cost,
        status: quote.status,
        components: quote.lines.into_iter().map(component).collect(),
        price_id: quote.price_id.map(|id| id.to_string()),
        assumptions: quote.assumptions,
        list_cost_usd: quote.list_cost,
        provider: quote.provider,
        model: quote.model,
        reasons: quote.reasons,
        unpriced_usage: quote.unpriced_usage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_makes_no_sense_is_answered_as_invalid() {
        for line in [
            "",
            "not json",
            "[]",
            r#"{"id":"a"}"#,
            r#"{"id":"a","timestamp":"yesterday","model":"gpt-4o"}"#,
            r#"{"id":"a","timestamp":"2026-11-16T12:00:00Z","usage":[]}"#,
            r#"{"id":"a","timestamp":"2026-11-16T12:00:00Z","usage":{"input_tokens":"many"}}"#,
            r#"{"id":"a","timestamp":"2026-11-16T12:00:00Z","usage":{"input_tokens":1e40}}"#,
            r#"{"id":"a","timestamp":"2026-11-16T12:00:00Z","context":7}"#,
        ] {
            let answer = answer(Catalogue::embedded(), line);
            assert_eq!(answer.status, Status::Invalid, "{line}");
            assert!(answer.cost_usd.is_none() && !answer.reasons.is_empty(), "{line}");
        }
    }
}

//! One row of a bill: its fields, whether a bill takes it, and what it says.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::amount::{parse_amount, parse_moment};
use super::{Bill, CostClass};
use crate::revenue::table::Row;
use crate::revenue::table::header::normalise;
use crate::revenue::time::Period;
use crate::revenue::{Amount, Currency, Refusal};
use crate::settle::rules::{Patterns, compile};

/// How a file writes its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// FinOps Open Cost and Usage Specification, 1.0 to 1.4.
    Focus,
    /// `amount,currency,period_start,period_end` and more.
    Generic,
}

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) service: Option<String>,
    pub(super) customer_id: Option<String>,
    pub(super) feature: Option<String>,
    pub(super) class: CostClass,
    pub(super) amount: Amount,
    pub(super) currency: Currency,
    pub(super) period: Period,
}

/// Which rows a bill takes.
#[derive(Debug, Default)]
pub(super) struct Matcher(Vec<(String, Option<String>, Regex)>);

impl Matcher {
    pub(super) fn new(matches: &BTreeMap<String, Patterns>) -> Result<Matcher, String> {
        let fields = matches.iter().map(|(name, patterns)| {
            let (column, key) = match name.split_once('.') {
                Some((column, key)) => (column, Some(key.to_owned())),
                None => (name.as_str(), None),
            };
            let regex = compile(patterns).map_err(|error| format!("match {name}: {error}"))?;
            Ok((normalise(column), key, regex))
        });
        Ok(Matcher(fields.collect::<Result<_, String>>()?))
    }

    /// The columns that it asks for.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(column, _, _)| column.as_str())
    }

    pub(super) fn takes(&self, row: &Row<'_>) -> bool {
        self.0.iter().all(|(column, key, regex)| {
            let Some(text) = field(row, column) else { return false };
            match key {
                None => regex.is_match(text),
                Some(key) => tag(text, key).is_some_and(|value| regex.is_match(&value)),
            }
        })
    }
}

/// The field; exports write `NULL` where there is none.
pub(super) fn field<'a>(row: &Row<'a>, column: &str) -> Option<&'a str> {
    row.text(column).filter(|text| !text.eq_ignore_ascii_case("null"))
}

/// A value of a JSON object, as text.
fn tag(json: &str, key: &str) -> Option<String> {
    match serde_json::from_str::<Value>(json).ok()?.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

/// Reads a row that `bill` takes.
pub(super) fn read(row: &Row<'_>, shape: Shape, bill: &Bill) -> Result<Line, Refusal> {
    let columns = match shape {
        Shape::Focus => ["billingcurrency", "chargeperiodstart", "chargeperiodend", bill.cost.column()],
        Shape::Generic => ["currency", "period_start", "period_end", "amount"],
    };
    let [currency, start, end, amount] = columns;
    let text = |column: &str| field(row, column).unwrap_or("");
    let moment = |column: &str| parse_moment(text(column)).map_err(|error| row.refuse(column, error));
    let currency = match (field(row, currency), bill.currency) {
        (None, Some(currency)) => currency,
        _ => text(currency)
            .parse()
            .map_err(|error| row.refuse(currency, format!("{error}; or give the bill a currency in [[bill]]")))?,
    };
    let started = moment(start)?;
    let ended = field(row, end).map(|_| moment(end)).transpose()?;
    let class = match field(row, "cost_class").filter(|_| shape == Shape::Generic) {
        None => bill.class,
        Some(text) => CostClass::parse(text)
            .ok_or_else(|| row.refuse("cost_class", "is no class: use model, other_cogs, variable or not_cogs"))?,
    };
    let owned = |column: &str| field(row, column).map(str::to_owned);
    let of_generic = |column: &str| owned(column).filter(|_| shape == Shape::Generic);
    Ok(Line {
        service: match shape {
            Shape::Focus => owned("servicename"),
            Shape::Generic => owned("service").or_else(|| owned("description")),
        },
        customer_id: of_generic("customer_id"),
        feature: of_generic("feature"),
        class,
        amount: parse_amount(text(amount)).map_err(|error| row.refuse(amount, error))?,
        currency,
        period: Period::new(started, ended).map_err(|error| row.refuse(end, error))?,
    })
}

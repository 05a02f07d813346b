//! When a rule of a mapping applies to a row.

use serde::Deserialize;

use super::amount::Decimal;
use super::value::{Columns, RowView, Value};
use crate::revenue::money::Amount;
use crate::revenue::refusal::Refusal;

/// A test of one column. All tests that are given must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConditionDocument {
    column: String,
    /// One of these, whatever the case.
    is: Option<Vec<String>>,
    /// None of these; true where nothing stands.
    not: Option<Vec<String>>,
    /// Starts with one of these, whatever the case.
    starts: Option<Vec<String>>,
    /// Whether something stands there.
    present: Option<bool>,
    /// `negative`, `zero` or `positive`.
    sign: Option<Sign>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sign {
    Negative,
    Zero,
    Positive,
}

/// A condition bound to the columns of a file.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    value: Value,
    test: ConditionDocument,
}

impl Condition {
    /// Binds conditions that must all hold.
    pub(super) fn bind(conditions: &[ConditionDocument], columns: &Columns<'_>) -> Vec<Condition> {
        let bind = |test: &ConditionDocument| Condition {
            value: Value::bind(&test.column, columns),
            test: test.clone(),
        };
        conditions.iter().map(bind).collect()
    }

    fn holds(&self, row: &RowView<'_>, decimal: &Decimal) -> Result<bool, Refusal> {
        let text = self.value.text(row)?;
        let text = text.as_deref();
        let among = |list: &[String]| text.is_some_and(|text| list.iter().any(|one| one.eq_ignore_ascii_case(text)));
        let starts = |list: &[String]| {
            let begins = |text: &str, one: &String| text.get(..one.len()).is_some_and(|start| start.eq_ignore_ascii_case(one));
            text.is_some_and(|text| list.iter().any(|one| begins(text, one)))
        };
        let ConditionDocument {
            is,
            not,
            starts: prefixes,
            present,
            sign,
            ..
        } = &self.test;
        let sign_holds = match (sign, text) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(sign), Some(text)) => {
                let amount = decimal.number(text).map_err(|error| self.value.refuse(row, error))?;
                *sign
                    == match amount.cmp(&Amount::ZERO) {
                        std::cmp::Ordering::Less => Sign::Negative,
                        std::cmp::Ordering::Equal => Sign::Zero,
                        std::cmp::Ordering::Greater => Sign::Positive,
                    }
            }
        };
        Ok(sign_holds
            && is.as_deref().is_none_or(among)
            && !not.as_deref().is_some_and(among)
            && prefixes.as_deref().is_none_or(starts)
            && present.is_none_or(|present| present == text.is_some()))
    }
}

/// True if all of them hold.
pub(super) fn all_hold(conditions: &[Condition], row: &RowView<'_>, decimal: &Decimal) -> Result<bool, Refusal> {
    for condition in conditions {
        if !condition.holds(row, decimal)? {
            return Ok(false);
        }
    }
    Ok(true)
}

//! Amounts of a mapping: columns that are added and taken off, each in its unit, exactly.
//!
//! A term is text, `amount`, `-tax?` (nothing where the column is empty), `-discount_amounts[].amount?` (a sum over a
//! JSON list, `[inclusive=true]` for a part of it), or a table where it needs more than that.

use serde::Deserialize;
use serde_json::Value as Json;

use super::condition::{Condition, all_hold};
use super::document::Conditions;
use super::value::{Columns, RowView, Value, plain};
use crate::revenue::currency::Currency;
use crate::revenue::money::{Amount, AmountError};
use crate::revenue::refusal::Refusal;

const ONE: i128 = 10_i128.pow(12);

/// A term as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum TermDocument {
    Text(String),
    Table(TermTable),
}

/// A term that needs more than a column.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TermTable {
    /// As the text form.
    column: String,
    /// The mapping's when absent.
    #[serde(default)]
    unit: Option<Unit>,
    /// Multiplied by this number.
    #[serde(default)]
    times: Option<String>,
    /// Divided by this number, rounded once together with `times`.
    #[serde(default)]
    over: Option<String>,
    /// Counts only where this holds.
    #[serde(default)]
    when: Option<Conditions>,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    /// Dollars.
    #[default]
    Major,
    /// Cents, by the ISO exponent of the currency: a yen has none.
    Minor,
    /// Cents as Stripe counts them, which differs for a few currencies.
    Stripe,
    /// Millionths of a major unit.
    Micros,
    /// A float of some program: rounded at 12 places, scientific notation taken.
    Float,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Decimal {
    mark: Mark,
    thousands: Option<char>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mark {
    #[default]
    Point,
    Comma,
    /// A comma with one or two digits behind it is a decimal comma.
    Either,
}

/// A term bound to the columns of a file.
#[derive(Debug, Clone)]
pub(super) struct Term {
    negative: bool,
    optional: bool,
    value: Value,
    list: Option<List>,
    unit: Unit,
    times: Option<Value>,
    over: Option<Value>,
    when: Vec<Condition>,
}

/// A sum over a JSON list of objects.
#[derive(Debug, Clone)]
struct List {
    /// Any of these must hold; all elements when empty.
    keep: Vec<(String, String)>,
    field: String,
}

impl TermDocument {
    pub(super) fn check(&self) -> Result<(), String> {
        let text = self.column();
        let balanced = text.matches('[').count() == text.matches(']').count();
        let listed = !text.contains('[') || text.contains("].");
        if text.trim_start_matches(['-', '+']).trim_end_matches('?').is_empty() || !balanced || !listed {
            return Err(format!(
                "amount {text:?}: write a column, -column, column? where it may be empty, or list[].field"
            ));
        }
        Ok(())
    }

    fn column(&self) -> &str {
        match self {
            TermDocument::Text(text) => text,
            TermDocument::Table(table) => &table.column,
        }
    }

    /// Binds a term; `None` if the file has no such column and need not.
    fn bind(&self, unit: Unit, columns: &Columns<'_>) -> Option<Term> {
        let table = match self {
            TermDocument::Text(_) => None,
            TermDocument::Table(table) => Some(table),
        };
        let text = self.column().trim();
        let negative = text.starts_with('-');
        let text = text.trim_start_matches(['-', '+']).trim();
        let optional = text.ends_with('?');
        let text = text.trim_end_matches('?');
        let (column, list) = match text
            .split_once('[')
            .and_then(|(column, rest)| Some((column, rest.split_once("].")?)))
        {
            Some((column, (keep, field))) => {
                let pairs = keep.split(',').filter_map(|pair| pair.split_once('='));
                let keep = pairs
                    .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
                    .collect();
                (
                    column,
                    Some(List {
                        keep,
                        field: field.to_owned(),
                    }),
                )
            }
            None => (text, None),
        };
        let value = Value::bind(column, columns);
        if optional && value.is_absent() {
            return None;
        }
        let bind = |written: &Option<String>| written.as_deref().map(|written| Value::bind(written, columns));
        Some(Term {
            negative,
            optional,
            value,
            list,
            unit: table.and_then(|table| table.unit).unwrap_or(unit),
            times: table.and_then(|table| bind(&table.times)),
            over: table.and_then(|table| bind(&table.over)),
            when: Condition::bind(
                table.and_then(|table| table.when.as_ref()).map_or(&[], Conditions::all),
                columns,
            ),
        })
    }
}

/// Binds the terms of an amount. `unit` is that of terms which do not say their own.
pub(super) fn bind(terms: &[TermDocument], unit: Unit, columns: &Columns<'_>) -> Vec<Term> {
    terms.iter().filter_map(|term| term.bind(unit, columns)).collect()
}

/// The sum of all terms.
pub(super) fn sum(terms: &[Term], row: &RowView<'_>, decimal: &Decimal, currency: Currency) -> Result<Amount, Refusal> {
    let mut sum = Amount::ZERO;
    for term in terms {
        let amount = term.amount(row, decimal, currency)?;
        sum += if term.negative { -amount } else { amount };
    }
    Ok(sum)
}

impl Term {
    fn amount(&self, row: &RowView<'_>, decimal: &Decimal, currency: Currency) -> Result<Amount, Refusal> {
        if !all_hold(&self.when, row, decimal)? {
            return Ok(Amount::ZERO);
        }
        let text = self.value.text(row)?;
        let Some(text) = text else {
            return if self.optional {
                Ok(Amount::ZERO)
            } else {
                Err(self.value.refuse(row, AmountError::Empty))
            };
        };
        let amount = match &self.list {
            Some(list) => self.list_sum(list, &text, row, decimal, currency)?,
            None => self
                .unit
                .read(&text, decimal, currency)
                .map_err(|error| self.value.refuse(row, error))?,
        };
        let Some(times) = self.factor(&self.times, row, decimal)? else {
            return Ok(Amount::ZERO);
        };
        let Some(over) = self.factor(&self.over, row, decimal)? else {
            return Ok(amount);
        };
        if times == ONE && over == ONE {
            return Ok(amount);
        }
        let (times, over) = if over < 0 { (-times, -over) } else { (times, over) };
        amount.ratio(times, over).ok_or_else(|| {
            self.value
                .refuse(row, "is divided by nothing, or makes an amount that is too large")
        })
    }

    /// A factor at scale 12; one where the mapping has none, `None` where nothing stands there.
    fn factor(&self, factor: &Option<Value>, row: &RowView<'_>, decimal: &Decimal) -> Result<Option<i128>, Refusal> {
        let Some(value) = factor else { return Ok(Some(ONE)) };
        let Some(text) = value.text(row)? else { return Ok(None) };
        let number = decimal.float(&text).map_err(|error| value.refuse(row, error))?;
        Ok(Some(number.scaled()))
    }

    fn list_sum(
        &self,
        list: &List,
        text: &str,
        row: &RowView<'_>,
        decimal: &Decimal,
        currency: Currency,
    ) -> Result<Amount, Refusal> {
        let refuse = || {
            let reason = format!("is not a JSON list of objects with {}", list.field);
            self.value.refuse(row, reason)
        };
        let elements: Vec<Json> = serde_json::from_str(text).map_err(|_| refuse())?;
        let is = |element: &Json, key: &str, value: &str| element.get(key).and_then(plain).is_some_and(|found| found == value);
        let kept = |element: &&Json| list.keep.is_empty() || list.keep.iter().any(|(key, value)| is(element, key, value));
        let amounts = elements.iter().filter(kept).map(|element| {
            let text = element.get(&list.field).and_then(plain).ok_or_else(refuse)?;
            self.unit.read(&text, decimal, currency).map_err(|_| refuse())
        });
        amounts.sum()
    }
}

impl Unit {
    fn read(self, text: &str, decimal: &Decimal, currency: Currency) -> Result<Amount, AmountError> {
        match self {
            Unit::Major => decimal.number(text),
            Unit::Minor => Amount::parse_minor(&decimal.plain(text)?, currency.exponent()),
            Unit::Stripe => Amount::parse_minor(&decimal.plain(text)?, currency.stripe_exponent()),
            Unit::Micros => Amount::parse_minor(&decimal.plain(text)?, 6),
            Unit::Float => decimal.float(text),
        }
    }
}

impl Decimal {
    pub(super) fn new(decimal: Option<&str>, thousands: Option<&str>) -> Result<Decimal, String> {
        let mark = match decimal {
            None | Some(".") => Mark::Point,
            Some(",") => Mark::Comma,
            Some("auto") => Mark::Either,
            Some(other) => return Err(format!("format.decimal {other:?}: write \".\", \",\" or \"auto\"")),
        };
        let thousands = match thousands.map(|text| text.chars().collect::<Vec<_>>()) {
            None => None,
            Some(chars) if chars.len() == 1 => chars.first().copied(),
            Some(_) => return Err("format.thousands: write one character".to_owned()),
        };
        match (mark, thousands) {
            (Mark::Point, Some('.')) | (Mark::Comma | Mark::Either, Some(',')) => {
                Err("format.thousands is the decimal separator too".to_owned())
            }
            _ => Ok(Decimal { mark, thousands }),
        }
    }

    /// A number in major units.
    pub(super) fn number(&self, text: &str) -> Result<Amount, AmountError> {
        Amount::parse_major(&self.plain(text)?)
    }

    /// A number that some program wrote as a float.
    pub(super) fn float(&self, text: &str) -> Result<Amount, AmountError> {
        Amount::parse_rounded(&self.plain(text)?)
    }

    /// The number with a point and without separators.
    fn plain(&self, text: &str) -> Result<String, AmountError> {
        let mut text = text.trim().to_owned();
        if let Some(separator) = self.thousands.filter(|separator| text.contains(*separator)) {
            let whole = text.split(['.', ',']).next().unwrap_or("");
            let whole = if separator == '.' || separator == ',' {
                let mark = if self.mark == Mark::Point { '.' } else { ',' };
                text.split(mark).next().unwrap_or("")
            } else {
                whole
            };
            let mut groups = whole.trim_start_matches(['-', '+']).split(separator);
            let first = groups.next().is_some_and(|group| (1..=3).contains(&group.len()));
            if !first || !groups.all(|group| group.len() == 3) {
                return Err(AmountError::Separator);
            }
            text = text.replace(separator, "");
        }
        let comma = match self.mark {
            Mark::Point => false,
            Mark::Comma => {
                if text.contains('.') {
                    return Err(AmountError::Separator);
                }
                true
            }
            Mark::Either => {
                let behind = text.rsplit_once(',').map(|(_, digits)| digits.len());
                !text.contains('.') && text.matches(',').count() == 1 && behind.is_some_and(|digits| (1..=2).contains(&digits))
            }
        };
        Ok(if comma { text.replacen(',', ".", 1) } else { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_are_what_the_mapping_says() {
        let read = |decimal: Option<&str>, thousands: Option<&str>, text: &str| {
            let decimal = Decimal::new(decimal, thousands).unwrap();
            decimal
                .number(text)
                .map(|amount| amount.to_string())
                .map_err(|error| error.to_string())
        };
        for (decimal, thousands, text, expected) in [
            (Some(","), Some("."), "1.234,50", Some("1234.5")),
            (Some(","), Some("."), "-12,5", Some("-12.5")),
            (Some("."), Some(","), "1,234,567.89", Some("1234567.89")),
            (Some("."), Some(" "), "1 234.5", Some("1234.5")),
            (Some("auto"), None, "12,50", Some("12.5")),
            (Some("auto"), None, "12.50", Some("12.5")),
            (Some("auto"), None, "1,234", None),
            (Some("."), Some(","), "12,34", None),
            (Some(","), None, "1.50", None),
            (None, None, "1,50", None),
        ] {
            assert_eq!(read(decimal, thousands, text).ok().as_deref(), expected, "{text}");
        }
        assert!(Decimal::new(Some("."), Some(".")).is_err());
    }
}

//! A few rows of a mart that the outputs show as they are, chosen by a query.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use arrow::error::ArrowError;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};
use serde::Serialize;

use super::display::{self, count, money, percent_text, unit_money};
use crate::revenue::Amount;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A name, an id, a day.
    Text,
    /// An amount in the report's currency.
    Money,
    /// What one unit costs or earns, in the report's currency.
    UnitMoney,
    /// Percent.
    Percent,
    /// A count.
    Count,
    /// A count that is read in millions.
    Tokens,
    /// Milliseconds, shown as seconds.
    Milliseconds,
    /// How many times something else.
    Times,
    /// A number, shown without its fraction.
    Whole,
}

/// A column: its heading, what it holds, and the mart's column that gives it.
pub(super) type Column = (&'static str, Kind, &'static str);

/// One value: its exact text, `None` where nothing is known.
pub(crate) type Value = Option<String>;

/// Rows and what their columns hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// Heading and kind of each column.
    pub columns: Vec<(&'static str, Kind)>,
    /// Exact values.
    pub rows: Vec<Vec<Value>>,
}

impl Listing {
    /// A listing without rows.
    pub(super) fn new(columns: &[Column]) -> Listing {
        Listing {
            columns: columns.iter().map(|(heading, kind, _)| (*heading, *kind)).collect(),
            rows: Vec::new(),
        }
    }

    /// The rows of a mart for which `keep` says so, in its order.
    pub(super) fn of(
        mart: &[RecordBatch],
        columns: &[Column],
        keep: impl Fn(&RecordBatch, usize) -> bool,
    ) -> Result<Listing, ArrowError> {
        let mut listing = Listing::new(columns);
        for batch in mart {
            let mut values = Vec::new();
            for (_, kind, name) in columns {
                let column = batch.column_by_name(name);
                values.push((*kind, column.map(|column| cast(column, &kind.data_type())).transpose()?));
            }
            let value = |(kind, column): &(Kind, Option<ArrayRef>), row: usize| {
                let column = column.as_ref().filter(|column| column.is_valid(row))?;
                Some(kind.exact(column, row))
            };
            let rows = (0..batch.num_rows()).filter(|row| keep(batch, *row));
            listing
                .rows
                .extend(rows.map(|row| values.iter().map(|column| value(column, row)).collect()));
        }
        Ok(listing)
    }

    /// With the largest values of a column first, and at most so many rows.
    pub(super) fn largest(mut self, column: usize, most: usize) -> Listing {
        self.rows.sort_by_key(|row| {
            let amount = row[column].as_deref().and_then(|text| Amount::parse_major(text).ok());
            std::cmp::Reverse(amount)
        });
        self.first(most)
    }

    /// At most so many rows.
    pub(super) fn first(mut self, most: usize) -> Listing {
        self.rows.truncate(most);
        self
    }

    /// The sum of a column.
    pub(super) fn sum(&self, column: usize) -> Amount {
        let values = self.rows.iter().filter_map(|row| row[column].as_deref());
        values.filter_map(|text| Amount::parse_major(text).ok()).sum()
    }

    /// True if there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Without the columns in which nothing is known.
    pub(super) fn known(&self) -> Listing {
        let is_known = |at: usize| self.rows.iter().any(|row| row[at].is_some());
        let kept: Vec<usize> = (0..self.columns.len()).filter(|at| is_known(*at)).collect();
        Listing {
            columns: kept.iter().map(|at| self.columns[*at]).collect(),
            rows: self
                .rows
                .iter()
                .map(|row| kept.iter().map(|at| row[*at].clone()).collect())
                .collect(),
        }
    }
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Kind::Text => DataType::Utf8,
            Kind::Money | Kind::UnitMoney | Kind::Percent | Kind::Times | Kind::Whole => {
                DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE)
            }
            Kind::Count | Kind::Tokens | Kind::Milliseconds => DataType::Int64,
        }
    }

    fn exact(self, column: &ArrayRef, row: usize) -> String {
        match self {
            Kind::Text => column.as_string::<i32>().value(row).to_owned(),
            Kind::Money | Kind::UnitMoney | Kind::Percent | Kind::Times | Kind::Whole => {
                Amount::from_scaled(column.as_primitive::<Decimal128Type>().value(row)).to_string()
            }
            Kind::Count | Kind::Tokens | Kind::Milliseconds => column.as_primitive::<Int64Type>().value(row).to_string(),
        }
    }

    /// True for what stands at the right of its column.
    pub(super) fn is_number(self) -> bool {
        self != Kind::Text
    }

    /// A value for people.
    pub(super) fn shown(self, value: &Value, currency: &str) -> String {
        let Some(text) = value else {
            return display::NOTHING.to_owned();
        };
        let amount = || Amount::parse_major(text).unwrap_or_default();
        let number = || text.parse::<i64>().unwrap_or_default();
        match self {
            Kind::Text => text.clone(),
            Kind::Money => money(amount(), currency),
            Kind::UnitMoney => unit_money(amount(), currency),
            Kind::Percent => percent_text(Some(amount())),
            Kind::Times => format!("{} ×", amount().rounded(1)),
            Kind::Whole => count(amount().rounded(0).parse().unwrap_or_default()),
            Kind::Count => count(number()),
            Kind::Tokens => display::short_count(number()),
            Kind::Milliseconds => format!("{}.{} s", number() / 1000, number() % 1000 / 100),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn values_are_kept_exact_and_shown_rounded() {
        let money = |values: &[i128]| -> ArrayRef {
            let values = Decimal128Array::from_iter_values(values.iter().copied());
            Arc::new(values.with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE).unwrap())
        };
        let mart = RecordBatch::try_from_iter(vec![
            ("name", Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef),
            ("cost", money(&[1_234_567_000_000, 9_000_000_000_000])),
            ("calls", Arc::new(Int64Array::from(vec![12_345, 1]))),
            ("took", Arc::new(Int64Array::from(vec![1990, 0]))),
        ])
        .unwrap();
        let columns: [Column; 5] = [
            ("name", Kind::Text, "name"),
            ("cost", Kind::Money, "cost"),
            ("calls", Kind::Count, "calls"),
            ("took", Kind::Milliseconds, "took"),
            ("nothing", Kind::Money, "nothing"),
        ];
        let listing = Listing::of(std::slice::from_ref(&mart), &columns, |_, _| true).unwrap();
        let exact: Vec<Option<&str>> = listing.rows[0].iter().map(Option::as_deref).collect();
        assert_eq!(exact, [Some("a"), Some("1.234567"), Some("12345"), Some("1990"), None]);
        let shown: Vec<String> = listing
            .columns
            .iter()
            .zip(&listing.rows[0])
            .map(|((_, kind), value)| kind.shown(value, "USD"))
            .collect();
        assert_eq!(shown, ["a", "$1.23", "12,345", "1.9 s", "–"]);
        assert_eq!(listing.known().columns.len(), 4);
        assert_eq!(listing.sum(1), Amount::parse_major("10.234567").unwrap());
        assert_eq!(listing.largest(1, 1).rows[0][0].as_deref(), Some("b"));
    }
}

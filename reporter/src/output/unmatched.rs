//! The largest that stand on one side of the customer join only, as the outputs show them.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int64Type};
use serde::Serialize;

use super::display::{self, count};
use super::margin::exact;
use crate::revenue::Amount;

/// Rows of each side that the outputs show; the mart has more.
const SHOWN: i64 = 5;

/// A customer with money and no calls, or with calls and no money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnmatchedCustomer {
    /// True: it pays and made no call. False: it made calls and earns nothing.
    pub pays: bool,
    /// Customer, `(unmatched)` or `(unattributed)`.
    pub customer_id: String,
    /// Revenue, or cost of goods sold as far as known.
    #[serde(serialize_with = "exact")]
    pub amount: Amount,
    /// Of the amount: the report's.
    pub currency: String,
    /// Calls without a known cost.
    pub unpriced_calls: i64,
}

impl UnmatchedCustomer {
    /// Reads `unmatched_customers`, the largest first, revenue before cost.
    pub(super) fn read(rows: &RecordBatch, currency: &str) -> Vec<UnmatchedCustomer> {
        let text = |name: &str| rows.column_by_name(name).map(|column| column.as_string::<i32>());
        let number = |name: &str| rows.column_by_name(name).map(|column| column.as_primitive::<Int64Type>());
        let amounts = rows
            .column_by_name("amount")
            .map(|column| column.as_primitive::<Decimal128Type>());
        let columns = (text("side"), text("customer_id"), text("currency"));
        let ((Some(sides), Some(customers), Some(currencies)), Some(amounts)) = (columns, amounts) else {
            return Vec::new();
        };
        let (Some(places), Some(unpriced)) = (number("place"), number("unpriced_calls")) else {
            return Vec::new();
        };
        (0..rows.num_rows())
            .filter(|row| currencies.value(*row) == currency && places.value(*row) <= SHOWN)
            .map(|row| UnmatchedCustomer {
                pays: sides.value(row) == "revenue_without_calls",
                customer_id: customers.value(row).to_owned(),
                amount: Amount::from_scaled(amounts.value(row)),
                currency: currency.to_owned(),
                unpriced_calls: unpriced.value(row),
            })
            .collect()
    }

    /// `acme pays $45.00 and made no call`.
    pub fn sentence(&self) -> String {
        let customer = display::shorten(&self.customer_id, 60);
        let amount = display::money(self.amount, &self.currency);
        match (self.pays, self.unpriced_calls) {
            (true, _) => format!("{customer} pays {amount} and made no call"),
            (false, 0) => format!("{customer} costs {amount} and earns nothing"),
            (false, unpriced) => format!(
                "{customer} costs {amount} and {} calls without a price, and earns nothing",
                count(unpriced)
            ),
        }
    }
}

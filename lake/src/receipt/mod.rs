//! The column `cost_lines`, written the same way by whoever prices: the collector, settle, reprice.

pub mod compact;

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Builder, Int64Builder, ListArray, StringBuilder, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, FieldRef, Fields};

use crate::schema::{LINE_AMOUNT_SCALE, MONEY_PRECISION, MONEY_SCALE, cost_lines};

/// One line of a receipt. Decimals are integers at the scale of their column: 12, `amount` 18.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReceiptLine<'a> {
    /// The priced unit.
    pub unit: Option<&'a str>,
    /// How many units.
    pub quantity: Option<i128>,
    /// USD per `per` units.
    pub rate: Option<i128>,
    /// The number of units that the rate is for.
    pub per: Option<i64>,
    /// All factors together.
    pub multiplier: Option<i128>,
    /// USD.
    pub amount: Option<i128>,
    /// The price entry.
    pub price_id: Option<&'a str>,
}

/// Builds `cost_lines`, a receipt per row.
#[derive(Debug)]
pub struct ReceiptBuilder {
    unit: StringBuilder,
    quantity: Decimal128Builder,
    rate: Decimal128Builder,
    per: Int64Builder,
    multiplier: Decimal128Builder,
    amount: Decimal128Builder,
    price_id: StringBuilder,
    lines: i32,
    /// Where each row ends among the lines.
    ends: Vec<i32>,
    present: Vec<bool>,
}

impl Default for ReceiptBuilder {
    fn default() -> Self {
        let decimal = |scale| Decimal128Builder::new().with_data_type(DataType::Decimal128(MONEY_PRECISION, scale));
        Self {
            unit: StringBuilder::new(),
            quantity: decimal(MONEY_SCALE),
            rate: decimal(MONEY_SCALE),
            per: Int64Builder::new(),
            multiplier: decimal(MONEY_SCALE),
            amount: decimal(LINE_AMOUNT_SCALE),
            price_id: StringBuilder::new(),
            lines: 0,
            ends: Vec::new(),
            present: Vec::new(),
        }
    }
}

impl ReceiptBuilder {
    /// Appends a row; `None` is a row without a receipt.
    pub fn append<'a>(&mut self, lines: Option<impl IntoIterator<Item = ReceiptLine<'a>>>) {
        self.present.push(lines.is_some());
        for line in lines.into_iter().flatten() {
            self.unit.append_option(line.unit);
            self.quantity.append_option(line.quantity);
            self.rate.append_option(line.rate);
            self.per.append_option(line.per);
            self.multiplier.append_option(line.multiplier);
            self.amount.append_option(line.amount);
            self.price_id.append_option(line.price_id);
            self.lines += 1;
        }
        self.ends.push(self.lines);
    }

    /// Appends rows without a receipt.
    pub fn append_nulls(&mut self, count: usize) {
        self.present.resize(self.present.len() + count, false);
        self.ends.resize(self.ends.len() + count, self.lines);
    }

    /// Rows so far.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The rows so far; the builder starts anew.
    pub fn finish(&mut self) -> ListArray {
        let (element, fields) = line_type();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.unit.finish()),
            Arc::new(self.quantity.finish()),
            Arc::new(self.rate.finish()),
            Arc::new(self.per.finish()),
            Arc::new(self.multiplier.finish()),
            Arc::new(self.amount.finish()),
            Arc::new(self.price_id.finish()),
        ];
        let lines = StructArray::new(fields, columns, None);
        let offsets: Vec<i32> = std::iter::once(0).chain(self.ends.drain(..)).collect();
        let present = NullBuffer::from(std::mem::take(&mut self.present));
        self.lines = 0;
        ListArray::new(element, OffsetBuffer::new(offsets.into()), Arc::new(lines), Some(present))
    }
}

/// The element of the list and the fields of a line, as the schema has them.
fn line_type() -> (FieldRef, Fields) {
    match cost_lines().data_type() {
        DataType::List(element) => match element.data_type() {
            DataType::Struct(fields) => (Arc::clone(element), fields.clone()),
            _ => unreachable!("cost_lines is a list of structs"),
        },
        _ => unreachable!("cost_lines is a list of structs"),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};

    use super::*;

    #[test]
    fn a_row_without_a_receipt_is_null_and_an_empty_receipt_is_not() {
        let mut builder = ReceiptBuilder::default();
        let line = ReceiptLine {
            unit: Some("input_tokens"),
            quantity: Some(2),
            amount: Some(7),
            ..ReceiptLine::default()
        };
        builder.append(Some([line, line]));
        builder.append_nulls(1);
        builder.append(Some([]));
        assert_eq!(builder.len(), 3);
        let built = builder.finish();
        assert_eq!(built.data_type(), cost_lines().data_type());
        let lengths: Vec<_> = (0..3)
            .map(|row| built.is_valid(row).then(|| built.value_length(row)))
            .collect();
        assert_eq!(lengths, [Some(2), None, Some(0)]);
        assert_eq!(
            built.value(0).as_struct().column(0).as_string::<i32>().value(1),
            "input_tokens"
        );
        assert_eq!(builder.finish().len(), 0, "the builder starts anew");
    }
}

//! A column of a batch as text. What is the same for all rows is looked up once, and bytes go straight to the buffer: marts have
//! millions of rows, and a string for each of their cells takes longer than all the rest of a report.
//!
//! The common types are written here, all others by `cell`; a test shows both equal.

use std::io::Write as _;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, DecimalType, Int64Type};

use super::cell;

/// Decimal places up to which the part behind the point is a `u64`, with a digit to spare.
const MOST_PLACES: i8 = 18;

/// One column on its way to text: the cell of one row after the other.
pub(super) struct Column<'a> {
    array: &'a ArrayRef,
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
    /// The row of the cell.
    row: Option<usize>,
    /// The cell of a row before may be that of this row too: many columns hardly change.
    changed: bool,
    /// Of a number or a day: digits, points and signs, which no format quotes or escapes.
    plain: Vec<u8>,
}

enum Values<'a> {
    Text(&'a StringArray),
    Count(&'a [i64]),
    Decimal { values: &'a [i128], precision: u8, scale: i8 },
    Day(&'a [i32]),
    Other,
}

impl<'a> Column<'a> {
    pub(super) fn new(array: &'a ArrayRef) -> Column<'a> {
        let values = match array.data_type() {
            DataType::Utf8 => Values::Text(array.as_string()),
            DataType::Int64 => Values::Count(array.as_primitive::<Int64Type>().values()),
            DataType::Decimal128(precision, scale) if (1..=MOST_PLACES).contains(scale) => Values::Decimal {
                values: array.as_primitive::<Decimal128Type>().values(),
                precision: *precision,
                scale: *scale,
            },
            DataType::Date32 => Values::Day(array.as_primitive::<Date32Type>().values()),
            _ => Values::Other,
        };
        Column {
            array,
            nulls: array.nulls(),
            values,
            row: None,
            changed: true,
            plain: Vec::new(),
        }
    }

    /// Moves to the cell of a row.
    pub(super) fn go_to(&mut self, row: usize) {
        self.changed = self.row.is_none_or(|before| !self.are_alike(before, row));
        self.row = Some(row);
        if self.changed {
            self.plain.clear();
            match &self.values {
                Values::Count(values) => self
                    .plain
                    .extend_from_slice(itoa::Buffer::new().format(values[row]).as_bytes()),
                Values::Decimal {
                    values,
                    precision,
                    scale,
                } => decimal(values[row], *precision, *scale, &mut self.plain),
                Values::Day(_) => self.plain.extend_from_slice(cell::text(self.array, row).as_bytes()),
                Values::Text(_) | Values::Other => {}
            }
        }
    }

    /// True unless the cell is known to be that of the row before.
    pub(super) fn is_changed(&self) -> bool {
        self.changed
    }

    fn are_alike(&self, left: usize, right: usize) -> bool {
        match (self.is_null(left), self.is_null(right)) {
            (true, true) => return true,
            (false, false) => {}
            _ => return false,
        }
        match &self.values {
            Values::Text(values) => values.value(left) == values.value(right),
            Values::Count(values) => values[left] == values[right],
            Values::Decimal { values, .. } => values[left] == values[right],
            Values::Day(values) => values[left] == values[right],
            Values::Other => false,
        }
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// The row that has a value; `None` where it is NULL.
    fn valued(&self) -> Option<usize> {
        self.row.filter(|row| !self.is_null(*row))
    }

    /// The cell as a field of CSV; NULL is empty.
    pub(super) fn csv(&self, into: &mut Vec<u8>) {
        let Some(row) = self.valued() else { return };
        match &self.values {
            Values::Text(values) => csv_text(values.value(row), into),
            Values::Other => csv_text(&cell::text(self.array, row), into),
            _ => into.extend_from_slice(&self.plain),
        }
    }

    /// The cell as JSON.
    pub(super) fn json(&self, into: &mut Vec<u8>) {
        let Some(row) = self.valued() else {
            return into.extend_from_slice(b"null");
        };
        match &self.values {
            Values::Text(values) => json_text(values.value(row), into),
            Values::Count(_) => into.extend_from_slice(&self.plain),
            Values::Other => write!(into, "{}", cell::json(self.array, row)).expect("a vector takes all"),
            Values::Decimal { .. } | Values::Day(_) => {
                into.push(b'"');
                into.extend_from_slice(&self.plain);
                into.push(b'"');
            }
        }
    }
}

/// As Arrow writes it: every decimal place, zeros too.
fn decimal(value: i128, precision: u8, scale: i8, into: &mut Vec<u8>) {
    let one = 10_u64.pow(scale.unsigned_abs().into());
    let magnitude = value.unsigned_abs();
    let (whole, part) = match u64::try_from(magnitude) {
        Ok(magnitude) => (u128::from(magnitude / one), magnitude % one),
        Err(_) => (magnitude / u128::from(one), (magnitude % u128::from(one)) as u64),
    };
    if magnitude >= 10_u128.pow(u32::from(precision)) {
        // More digits than the type has.
        return into.extend_from_slice(Decimal128Type::format_decimal(value, precision, scale).as_bytes());
    }
    if value < 0 {
        into.push(b'-');
    }
    let mut digits = itoa::Buffer::new();
    match u64::try_from(whole) {
        Ok(whole) => into.extend_from_slice(digits.format(whole).as_bytes()),
        Err(_) => into.extend_from_slice(digits.format(whole).as_bytes()),
    }
    into.push(b'.');
    // A one in front of the places keeps their zeros.
    into.extend_from_slice(&digits.format(one + part).as_bytes()[1..]);
}

/// RFC 4180: quoted where it must be.
pub(super) fn csv_text(text: &str, into: &mut Vec<u8>) {
    if !text.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) {
        return into.extend_from_slice(text.as_bytes());
    }
    into.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            into.push(b'"');
        }
        into.push(byte);
    }
    into.push(b'"');
}

fn json_text(text: &str, into: &mut Vec<u8>) {
    if text.bytes().any(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')) {
        return serde_json::to_writer(into, text).expect("text is JSON");
    }
    into.push(b'"');
    into.extend_from_slice(text.as_bytes());
    into.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, TimestampMicrosecondArray};
    use proptest::prelude::*;

    use super::*;

    /// A text, a count, a decimal and a day.
    type Cells = (Option<String>, Option<i64>, Option<i128>, i32);

    fn columns(rows: &[Cells], scale: i8) -> Vec<ArrayRef> {
        let decimals: Decimal128Array = rows.iter().map(|row| row.2).collect();
        let counts = || rows.iter().map(|row| row.1);
        vec![
            Arc::new(rows.iter().map(|row| row.0.as_deref()).collect::<StringArray>()),
            Arc::new(counts().collect::<Int64Array>()),
            Arc::new(decimals.with_precision_and_scale(38, scale).unwrap()),
            Arc::new(rows.iter().map(|row| row.1.map(|_| row.3)).collect::<Date32Array>()),
            Arc::new(
                counts()
                    .map(|count| count.map(|count| count as f64))
                    .collect::<Float64Array>(),
            ),
            Arc::new(counts().map(|count| count.map(|count| count > 0)).collect::<BooleanArray>()),
            Arc::new(
                rows.iter()
                    .map(|row| Some(i64::from(row.3)))
                    .collect::<TimestampMicrosecondArray>(),
            ),
        ]
    }

    proptest! {
        #[test]
        fn columns_are_written_as_their_cells_are(
            rows in prop::collection::vec((
                prop::option::of("[a-c,\"\\\\\n\r\t\u{1}é ]{0,5}"),
                prop::option::of(any::<i64>()),
                prop::option::of(prop_oneof![-3_i128..3, -10_i128.pow(15)..10_i128.pow(15), -10_i128.pow(38) + 1..10_i128.pow(38)]),
                -800_000_i32..800_000,
            ), 1..6),
            scale in 0_i8..=20,
        ) {
            for array in columns(&rows, scale) {
                let mut column = Column::new(&array);
                for row in 0..array.len() {
                    column.go_to(row);
                    let mut written = Vec::new();
                    column.json(&mut written);
                    prop_assert_eq!(String::from_utf8(written).unwrap(), cell::json(&array, row).to_string());
                    // Two fields, since a record of nothing at all is quoted.
                    let mut written = b"x,".to_vec();
                    column.csv(&mut written);
                    let mut expected = csv::WriterBuilder::new().from_writer(Vec::new());
                    expected.write_record(["x", &cell::text(&array, row)]).unwrap();
                    let mut expected = expected.into_inner().unwrap();
                    prop_assert_eq!(expected.pop(), Some(b'\n'));
                    prop_assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8(expected).unwrap());
                }
            }
        }
    }
}

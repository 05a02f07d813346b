//! The part of a long mart that a spreadsheet has room for: the rows with the largest amounts, and one row `(other)` for
//! the sum of the rest in each currency, so that a sheet still sums to its mart.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::{concat_batches, filter, filter_record_batch};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, Schema};
use arrow::error::ArrowError;
use marginlake_lake::schema::MONEY_SCALE;

use crate::marts::Spool;

/// The key of the row that stands for the others.
pub(super) const OTHER: &str = "(other)";

/// `rows` as they are if they fit; otherwise the `most` with the largest amounts, in their order, and the rest summed up.
pub(super) fn longest(rows: &Spool, most: usize) -> Result<RecordBatch, ArrowError> {
    if rows.rows() <= most {
        return rows.whole();
    }
    let is_kept = largest(rows, most)?;
    let (mut kept, mut rest) = (Vec::new(), Vec::new());
    let mut before = 0;
    for batch in rows.batches()? {
        let batch = batch?;
        let is_kept = &is_kept[before..before + batch.num_rows()];
        before += batch.num_rows();
        kept.push(filter_record_batch(&batch, &BooleanArray::from(is_kept.to_vec()))?);
        rest.extend(sums(&batch, is_kept));
    }
    // Summed columns may be NULL where the mart's are not: a sheet has no such promise.
    let schema = rows.schema();
    let loose = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    let loose = Arc::new(Schema::new(loose.collect::<Vec<_>>()));
    let loosen = |batch: &RecordBatch| RecordBatch::try_new(Arc::clone(&loose), batch.columns().to_vec());
    // What each block leaves over is summed like any rows.
    let rest = concat_batches(&loose, &rest.iter().map(&loosen).collect::<Result<Vec<_>, _>>()?)?;
    let rest = sums(&rest, &vec![false; rest.num_rows()]);
    let parts = kept.iter().chain(&rest).map(loosen);
    concat_batches(&loose, &parts.collect::<Result<Vec<_>, _>>()?)
}

/// Which rows are among the `most` largest; of equals the first.
fn largest(rows: &Spool, most: usize) -> Result<Vec<bool>, ArrowError> {
    let mut weights = Vec::with_capacity(rows.rows());
    for batch in rows.batches()? {
        weights.extend(self::weights(&batch?));
    }
    let mut order: Vec<usize> = (0..weights.len()).collect();
    if (1..order.len()).contains(&most) {
        order.select_nth_unstable_by(most - 1, |left, right| {
            weights[*right].cmp(&weights[*left]).then(left.cmp(right))
        });
    }
    let mut is_kept = vec![false; weights.len()];
    order.iter().take(most).for_each(|row| is_kept[*row] = true);
    Ok(is_kept)
}

fn is_money(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(_, scale) if *scale == MONEY_SCALE)
}

/// The largest amount of each row, whatever its sign.
fn weights(rows: &RecordBatch) -> Vec<u128> {
    let mut weights = vec![0; rows.num_rows()];
    for column in rows.columns().iter().filter(|column| is_money(column.data_type())) {
        let column = column.as_primitive::<Decimal128Type>();
        for (row, weight) in weights.iter_mut().enumerate() {
            if column.is_valid(row) {
                *weight = (*weight).max(column.value(row).unsigned_abs());
            }
        }
    }
    weights
}

/// One row for each currency of the rows that are not kept: amounts and counts summed, the first text `(other)`.
fn sums(rows: &RecordBatch, is_kept: &[bool]) -> Vec<RecordBatch> {
    let currency = rows
        .column_by_name("currency")
        .and_then(|column| column.as_string_opt::<i32>());
    let of = |row: usize| currency.map_or("", |currency| if currency.is_valid(row) { currency.value(row) } else { "" });
    let mut groups: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    for (row, kept) in is_kept.iter().enumerate() {
        if !kept {
            groups.entry(of(row)).or_insert_with(|| vec![false; is_kept.len()])[row] = true;
        }
    }
    groups
        .into_iter()
        .map(|(currency, mask)| summed(rows, currency, &BooleanArray::from(mask)))
        .collect()
}

fn summed(rows: &RecordBatch, currency: &str, mask: &BooleanArray) -> RecordBatch {
    let schema = rows.schema();
    let first_text = schema
        .fields()
        .iter()
        .position(|field| field.data_type() == &DataType::Utf8 && field.name() != "currency");
    let columns: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .zip(rows.columns())
        .enumerate()
        .map(|(at, (field, column))| -> ArrayRef {
            let part = || filter(column, mask).expect("the mask is as long as the column");
            match field.data_type() {
                DataType::Utf8 if field.name() == "currency" => Arc::new(StringArray::from(vec![currency])),
                DataType::Utf8 if first_text == Some(at) => Arc::new(StringArray::from(vec![OTHER])),
                DataType::Int64 => {
                    let sum = arrow::compute::sum(part().as_primitive::<Int64Type>());
                    Arc::new(arrow::array::Int64Array::from(vec![sum]))
                }
                data_type if is_money(data_type) => {
                    let sum = arrow::compute::sum(part().as_primitive::<Decimal128Type>());
                    let column = arrow::array::Decimal128Array::from(vec![sum]);
                    Arc::new(column.with_data_type(data_type.clone()))
                }
                data_type => new_null_array(data_type, 1),
            }
        })
        .collect();
    let loose = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    RecordBatch::try_new(Arc::new(Schema::new(loose.collect::<Vec<_>>())), columns).expect("one value for each column")
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, Decimal128Array, Int64Array};
    use marginlake_lake::schema::MONEY_PRECISION;
    use proptest::prelude::*;

    use super::*;

    fn mart(rows: &[(&str, i128, i64)]) -> RecordBatch {
        let money = Decimal128Array::from_iter_values(rows.iter().map(|(_, amount, _)| *amount))
            .with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)
            .unwrap();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("date", Arc::new(Date32Array::from_iter_values(0..rows.len() as i32))),
            (
                "customer_id",
                Arc::new(StringArray::from_iter_values((0..rows.len()).map(|row| format!("c{row}")))),
            ),
            (
                "currency",
                Arc::new(StringArray::from_iter_values(rows.iter().map(|(currency, ..)| *currency))),
            ),
            ("revenue", Arc::new(money)),
            (
                "calls",
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|(.., calls)| *calls))),
            ),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn texts(rows: &RecordBatch, name: &str) -> Vec<String> {
        let column = rows.column_by_name(name).unwrap();
        (0..rows.num_rows()).map(|row| crate::shell::cell_text(column, row)).collect()
    }

    #[test]
    fn the_largest_rows_stay_in_their_order_and_the_rest_is_one_row_a_currency() {
        let rows = mart(&[("USD", 1, 1), ("USD", -9, 2), ("EUR", 2, 4), ("USD", 5, 8), ("USD", 3, 16)]);
        assert_eq!(longest(&Spool::of_batch(rows.clone()), 5).unwrap(), rows);
        let short = longest(&Spool::of_batch(rows), 2).unwrap();
        assert_eq!(texts(&short, "customer_id"), ["c1", "c3", OTHER, OTHER]);
        assert_eq!(texts(&short, "currency"), ["USD", "USD", "EUR", "USD"]);
        assert_eq!(texts(&short, "calls"), ["2", "8", "4", "17"]);
        assert_eq!(texts(&short, "date"), ["1970-01-02", "1970-01-04", "", ""]);
    }

    proptest! {
        #[test]
        fn a_shortened_mart_sums_to_the_whole(amounts in prop::collection::vec((-1_000_i128..1_000, 0_i64..9, any::<bool>()), 0..40), most in 0_usize..20) {
            let rows: Vec<(&str, i128, i64)> = amounts.iter().map(|(amount, calls, euro)| (if *euro { "EUR" } else { "USD" }, *amount, *calls)).collect();
            let (whole, short) = (mart(&rows), longest(&Spool::of_batch(mart(&rows)), most).unwrap());
            let sums = |rows: &RecordBatch| {
                let mut sums = BTreeMap::new();
                let money = rows.column_by_name("revenue").unwrap().as_primitive::<Decimal128Type>().clone();
                let calls = rows.column_by_name("calls").unwrap().as_primitive::<Int64Type>().clone();
                for (row, currency) in texts(rows, "currency").into_iter().enumerate() {
                    let sum: &mut (i128, i64) = sums.entry(currency).or_default();
                    *sum = (sum.0 + money.value(row), sum.1 + calls.value(row));
                }
                sums
            };
            prop_assert_eq!(sums(&whole), sums(&short));
            prop_assert!(short.num_rows() <= most + 2 || short.num_rows() == whole.num_rows());
        }
    }
}

//! Columns of small tables made from what a report found.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Builder, StringArray};
use arrow::error::ArrowError;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};

use crate::revenue::Amount;
use crate::revenue::money::divide_half_even;
use crate::revenue::time::Day;

/// Decimal places of a percentage in a table.
const PERCENT_SCALE: i8 = 6;

pub(super) fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

pub(super) fn days(day: Day, rows: usize) -> ArrayRef {
    Arc::new(Date32Array::from_value(day, rows))
}

pub(super) fn money(values: impl Iterator<Item = Amount>) -> Result<ArrayRef, ArrowError> {
    let mut builder = Decimal128Builder::new().with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?;
    values.for_each(|value| builder.append_value(value.scaled()));
    Ok(Arc::new(builder.finish()))
}

pub(super) fn percents(values: impl Iterator<Item = Option<Amount>>) -> Result<ArrayRef, ArrowError> {
    let mut builder = Decimal128Builder::new().with_precision_and_scale(MONEY_PRECISION, PERCENT_SCALE)?;
    let step = 10_i128.pow((MONEY_SCALE - PERCENT_SCALE) as u32);
    values.for_each(|value| builder.append_option(value.map(|value| divide_half_even(value.scaled(), step))));
    Ok(Arc::new(builder.finish()))
}

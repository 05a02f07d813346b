//! `percent_of(part, whole)`: an exact percentage, since decimal division in SQL engines truncates or goes by floats.

use std::sync::Arc;

use arrow::array::{AsArray, Decimal128Array, Decimal128Builder};
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};

use crate::revenue::money::multiply_divide_half_even;

/// Decimal places of a percentage.
const SCALE: i8 = 6;

/// The function: 100 * part / whole, rounded half to even at 6 places; NULL unless `whole` is above zero.
pub fn percent_of_udf() -> ScalarUDF {
    let money = DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE);
    let percent = DataType::Decimal128(MONEY_PRECISION, SCALE);
    create_udf(
        "percent_of",
        vec![money.clone(), money],
        percent,
        Volatility::Immutable,
        Arc::new(percent_of),
    )
}

fn percent_of(arguments: &[ColumnarValue]) -> Result<ColumnarValue, DataFusionError> {
    let columns = ColumnarValue::values_to_arrays(arguments)?;
    let (parts, wholes) = (
        columns[0].as_primitive::<Decimal128Type>(),
        columns[1].as_primitive::<Decimal128Type>(),
    );
    let mut percents = Decimal128Builder::with_capacity(parts.len()).with_precision_and_scale(MONEY_PRECISION, SCALE)?;
    parts
        .iter()
        .zip(wholes)
        .for_each(|(part, whole)| percents.append_option(percent(part, whole)));
    let percents: Decimal128Array = percents.finish();
    Ok(ColumnarValue::Array(Arc::new(percents)))
}

fn percent(part: Option<i128>, whole: Option<i128>) -> Option<i128> {
    let whole = whole.filter(|whole| *whole > 0)?;
    multiply_divide_half_even(part?, 100 * 10_i128.pow(SCALE as u32), whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_exact_and_unknown_without_revenue() {
        let units = |text: &str| Some(crate::revenue::Amount::parse_major(text).unwrap().scaled());
        for (part, whole, expected) in [
            (units("1"), units("3"), Some(33_333_333)),
            (units("-1"), units("3"), Some(-33_333_333)),
            (units("90"), units("100"), Some(90_000_000)),
            (units("1"), units("0"), None),
            (units("1"), units("-5"), None),
            (None, units("5"), None),
            (units("999999999999"), units("1000000000000"), Some(100_000_000)),
        ] {
            assert_eq!(percent(part, whole), expected, "{part:?} of {whole:?}");
        }
    }
}

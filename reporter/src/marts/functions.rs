//! What SQL cannot do exactly: quotients. Decimal division in SQL engines truncates or goes by floats.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Decimal128Builder, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};

use super::share_interval::share_udfs;
use crate::revenue::money::multiply_divide_half_even;

/// Decimal places of a percentage.
pub(super) const PERCENT_SCALE: i8 = 6;

/// 100 %.
pub(super) const PERCENT: i128 = 100 * 10_i128.pow(PERCENT_SCALE as u32);

const MONEY: DataType = DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE);

/// Registers `percent_of`, `ratio_of`, `amount_times`, `share_low` and `share_high`.
pub fn register_functions(session: &SessionContext) {
    session.register_udf(percent_of_udf());
    session.register_udf(ratio_of_udf());
    session.register_udf(amount_times_udf());
    share_udfs().into_iter().for_each(|share| session.register_udf(share));
}

/// `percent_of(part, whole)`: 100 * part / whole, rounded half to even at 6 places; NULL unless `whole` is above zero.
pub fn percent_of_udf() -> ScalarUDF {
    quotient("percent_of", PERCENT_SCALE, PERCENT)
}

/// What the SQL function says, for one row; counts may be given as they are.
pub(super) fn percent_of(part: Option<i128>, whole: Option<i128>) -> Option<i128> {
    match part == whole && whole > Some(0) {
        // Most rows of long marts earn and cost nothing.
        true => Some(PERCENT),
        false => divide(part, whole, PERCENT),
    }
}

/// `ratio_of(part, whole)`: part / whole, rounded half to even at 12 places; NULL unless `whole` is above zero.
fn ratio_of_udf() -> ScalarUDF {
    quotient("ratio_of", MONEY_SCALE, 10_i128.pow(MONEY_SCALE as u32))
}

/// `amount_times(amount, n, d)`: amount * n / d, rounded once, half to even at 12 places; NULL unless `d` is above zero.
fn amount_times_udf() -> ScalarUDF {
    let times = |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let (amounts, numerators, denominators) = (amounts(&columns[0]), counts(&columns[1]), counts(&columns[2]));
        let rows = amounts.iter().zip(numerators).zip(denominators);
        decimals(
            MONEY_SCALE,
            rows.map(|((amount, numerator), denominator)| {
                let denominator = denominator.filter(|denominator| *denominator > 0)?;
                multiply_divide_half_even(amount?, i128::from(numerator?), i128::from(denominator))
            }),
        )
    };
    create_udf(
        "amount_times",
        vec![MONEY, DataType::Int64, DataType::Int64],
        MONEY,
        Volatility::Immutable,
        Arc::new(times),
    )
}

fn quotient(name: &str, scale: i8, factor: i128) -> ScalarUDF {
    let divide = move |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let rows = amounts(&columns[0]).iter().zip(amounts(&columns[1]));
        decimals(scale, rows.map(|(part, whole)| divide(part, whole, factor)))
    };
    create_udf(
        name,
        vec![MONEY, MONEY],
        DataType::Decimal128(MONEY_PRECISION, scale),
        Volatility::Immutable,
        Arc::new(divide),
    )
}

fn divide(part: Option<i128>, whole: Option<i128>, factor: i128) -> Option<i128> {
    let whole = whole.filter(|whole| *whole > 0)?;
    multiply_divide_half_even(part?, factor, whole)
}

fn amounts(column: &ArrayRef) -> &Decimal128Array {
    column.as_primitive::<Decimal128Type>()
}

pub(super) fn counts(column: &ArrayRef) -> &Int64Array {
    column.as_primitive::<Int64Type>()
}

pub(super) fn decimals(scale: i8, values: impl Iterator<Item = Option<i128>>) -> Result<ColumnarValue, DataFusionError> {
    let mut builder = Decimal128Builder::new().with_precision_and_scale(MONEY_PRECISION, scale)?;
    values.for_each(|value| builder.append_option(value));
    Ok(ColumnarValue::Array(Arc::new(builder.finish())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revenue::Amount;

    fn units(text: &str) -> Option<i128> {
        Some(Amount::parse_major(text).unwrap().scaled())
    }

    #[test]
    fn a_percentage_is_exact_and_unknown_without_revenue() {
        let percent = percent_of;
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

    #[tokio::test]
    async fn in_sql_counts_and_amounts_need_no_casts() {
        let session = crate::session::empty_session();
        register_functions(&session);
        let sql = "SELECT amount_times(CAST(10 AS DECIMAL(38, 12)), 1, 3) AS a, amount_times(CAST(10 AS DECIMAL(38, 12)), 1, 0) AS b, \
                   ratio_of(CAST(2 AS DECIMAL(38, 12)), CAST(3 AS DECIMAL(38, 12))) AS c";
        let rows = session.sql(sql).await.unwrap().collect().await.unwrap();
        let text = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
        assert!(text.contains("3.333333333333 |   | 0.666666666667"), "{text}");
    }
}

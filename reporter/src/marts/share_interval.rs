//! How sure a share of units is: Wilson's score interval at 95 %, which holds for few units and at 0 and 100 % too.
//!
//! Wilson, "Probable inference, the law of succession, and statistical inference" (1927). All of it is integers: the same
//! counts give the same digits anywhere.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use marginlake_lake::schema::MONEY_PRECISION;

use super::functions::{PERCENT, PERCENT_SCALE, counts, decimals};
use crate::revenue::money::multiply_divide_half_even;

/// What the square of z is counted in.
const UNIT: i128 = 1_000_000_000;
/// The square of 1.959964, z at 97.5 %.
const Z_SQUARED: i128 = 3_841_458_821;

/// An end of the interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Low,
    High,
}

/// `share_low(part, whole)` and `share_high(part, whole)`, of counts: the ends of the interval of 100 * part / whole, at 6
/// places; NULL unless `whole` is above zero.
pub(super) fn share_udfs() -> [ScalarUDF; 2] {
    [("share_low", End::Low), ("share_high", End::High)].map(|(name, end)| {
        let share = move |arguments: &[ColumnarValue]| {
            let columns = ColumnarValue::values_to_arrays(arguments)?;
            let rows = counts(&columns[0]).iter().zip(counts(&columns[1]));
            let limit = |(part, whole): (Option<i64>, Option<i64>)| limit(part?.into(), whole?.into(), end);
            decimals(PERCENT_SCALE, rows.map(limit))
        };
        create_udf(
            name,
            vec![DataType::Int64, DataType::Int64],
            DataType::Decimal128(MONEY_PRECISION, PERCENT_SCALE),
            Volatility::Immutable,
            Arc::new(share),
        )
    })
}

/// (k + z²/2 ∓ z √(k (n - k) / n + z²/4)) / (n + z²), both sides times two units.
fn limit(part: i128, whole: i128, end: End) -> Option<i128> {
    if whole <= 0 || !(0..=whole).contains(&part) {
        return None;
    }
    let spread = (4 * UNIT * Z_SQUARED).checked_mul(part * (whole - part))? / whole;
    let root = (spread + Z_SQUARED * Z_SQUARED).isqrt();
    let middle = 2 * part * UNIT + Z_SQUARED;
    let above = match end {
        End::Low => middle - root,
        End::High => middle + root,
    };
    multiply_divide_half_even(above, PERCENT, 2 * (whole * UNIT + Z_SQUARED))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // 10 of 10 are at least 72.2 %, 0 of 10 at most 27.8 %, 81 of 263 from 25.53 to 36.62 % (Newcombe 1998).
        for (part, whole, low, high) in [
            (10, 10, 72.246, 100.0),
            (0, 10, 0.0, 27.753),
            (81, 263, 25.529, 36.621),
            (1, 1, 20.655, 100.0),
        ] {
            for (end, expected) in [(End::Low, low), (End::High, high)] {
                let found = limit(part, whole, end).unwrap() as f64 / 1e6;
                assert!((found - expected).abs() < 0.001, "{part} of {whole}: {found}, not {expected}");
            }
        }
        assert_eq!(limit(0, 0, End::Low), None);
    }

    proptest! {
        #[test]
        fn it_holds_the_share_and_stays_a_share(whole in 1..1_000_000_000_i128, share in 0..=1_000_i128) {
            let part = whole * share / 1_000;
            let (low, high) = (limit(part, whole, End::Low).unwrap(), limit(part, whole, End::High).unwrap());
            let is = part * PERCENT / whole;
            prop_assert!(0 <= low && low <= is + 1 && is - 1 <= high && high <= PERCENT, "{low} {is} {high}");
        }
    }
}

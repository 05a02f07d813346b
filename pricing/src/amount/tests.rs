use super::*;
use proptest::prelude::*;

fn amount(text: &str) -> Amount {
    text.parse().expect("a decimal")
}

#[test]
fn text_survives_the_round_trip_exactly() {
    for (input, output) in [
        ("0", "0"),
        ("-0.50", "-0.5"),
        ("12.340", "12.34"),
        ("1.25e-06", "0.00000125"),
        ("2e3", "2000"),
        ("0.000000000001", "0.000000000001"),
        ("101532092405402.534375", "101532092405402.534375"),
    ] {
        assert_eq!(amount(input).to_string(), output);
    }
}

#[test]
fn what_is_not_a_decimal_is_refused() {
    for text in [
        "",
        ".5",
        "5.",
        "1,5",
        "NaN",
        "inf",
        "0x10",
        "--1",
        "1e",
        "1e999999",
        &"9".repeat(60),
    ] {
        assert!(text.parse::<Amount>().is_err(), "{text:?}");
    }
}

#[test]
fn seconds_priced_per_hour_are_exact_until_shown() {
    for (rate, seconds, expected) in [
        ("0.111", 10, "0.0003083333333333333333333333333"),
        ("0.04", 10, "0.0001111111111111111111111111111"),
        ("2.04", 86_399, "48.95943333333333333333333333"),
        ("3", 86_399, "71.99916666666666666666666667"),
        ("0.18", 5, "0.00025"),
    ] {
        let cost = amount(rate)
            .checked_mul(Amount::from(seconds))
            .and_then(|value| value.checked_div_per(3_600));
        assert_eq!(cost.expect("fits").to_string(), expected);
    }
}

#[test]
fn scale_12_rounds_once_half_to_even() {
    for (text, units) in [
        ("0.0000000000005", 0),
        ("0.0000000000015", 2),
        ("0.0000000000025", 2),
        ("0.00000000000250001", 3),
        ("-0.0000000000015", -2),
        ("1.5", 1_500_000_000_000),
    ] {
        assert_eq!(amount(text).to_scale_12(), units, "{text}");
    }
    let third = Amount::from(1).checked_div_per(3).expect("a third");
    assert_eq!(third.to_scale_12(), 333_333_333_333);
}

#[test]
fn only_factors_of_two_three_and_five_divide_exactly() {
    assert_eq!(
        Amount::from(1).checked_div_per(60).expect("minutes").to_string(),
        "0.01666666666666666666666666667"
    );
    assert_eq!(Amount::from(1).checked_div_per(8).expect("eighths").to_string(), "0.125");
    assert!(Amount::from(1).checked_div_per(7).is_none());
    assert!(Amount::from(1).checked_div_per(27).is_none());
    assert!(Amount::from(1).checked_div_per(0).is_none());
}

proptest! {
    #[test]
    fn adding_and_taking_away_returns_the_same(a in any::<i64>(), b in any::<i64>(), x in 0u8..12, y in 0u8..12) {
        let (a, b) = (Amount::new(a.into(), x).expect("small"), Amount::new(b.into(), y).expect("small"));
        let sum = a.checked_add(b).expect("fits");
        prop_assert_eq!(sum.checked_sub(b).expect("fits"), a);
        prop_assert_eq!(sum.cmp(&a), b.cmp(&Amount::ZERO));
    }

    #[test]
    fn shown_and_read_again_is_equal(coefficient in any::<i128>(), scale in 0u8..=38) {
        let value = Amount::new(coefficient, scale).expect("in range");
        prop_assert_eq!(value.to_string().parse::<Amount>().expect("own text"), value);
    }

    #[test]
    fn no_operation_panics(a in any::<i128>(), b in any::<i128>(), x in 0u8..=38, y in 0u8..=38, per in any::<i64>()) {
        let (a, b) = (Amount::new(a, x).expect("in range"), Amount::new(b, y).expect("in range"));
        let thirds = a.checked_div_per(3).unwrap_or(a);
        for (left, right) in [(a, b), (thirds, b), (b, thirds), (thirds, thirds)] {
            let _ = (left.checked_add(right), left.checked_sub(right), left.checked_mul(right), left.cmp(&right));
            let _ = (left.checked_div_per(per), left.to_scale_12(), left.to_string());
        }
    }
}

#[test]
fn scale_18_is_exact_where_scale_12_rounds() {
    for (text, expected) in [
        ("0.000000123456789012", 123_456_789_012),
        ("1", 1_000_000_000_000_000_000),
        ("0.0000000000000000005", 0),
        ("0.0000000000000000015", 2),
    ] {
        let amount: Amount = text.parse().expect("an amount");
        assert_eq!(amount.to_scale_18(), expected, "{text}");
    }
    let third = Amount::from(1)
        .checked_div_per(3_600)
        .and_then(|hour| hour.checked_mul(Amount::from(1_200)));
    assert_eq!(third.map(|third| third.to_scale_18()), Some(333_333_333_333_333_333));
}

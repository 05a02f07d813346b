//! Splitting an amount by weights so that the parts sum to it, exactly.
//!
//! Largest remainder (Hamilton): each part is rounded down, and the units left over go to the largest remainders, ties
//! to the earlier part. Days are split cumulatively, so that a month's parts are those of the month's total and each
//! day's parts sum to the day.

use arrow::datatypes::i256;

use crate::revenue::Amount;

/// Splits `total` by `weights`; weights below zero count as zero. `None` if no weight is positive.
///
/// A negative total is split as its opposite is: a refund takes back what its charge gave.
pub fn split(total: Amount, weights: &[i128]) -> Option<Vec<Amount>> {
    let weights: Vec<i128> = weights.iter().map(|weight| (*weight).max(0)).collect();
    let sum: i128 = weights.iter().sum();
    if sum == 0 {
        return None;
    }
    // What one takes all of needs no quotients; most customers use one agent, one prompt, one task.
    if weights.iter().filter(|weight| **weight > 0).count() == 1 {
        let all = |weight: &i128| if *weight > 0 { total } else { Amount::ZERO };
        return Some(weights.iter().map(all).collect());
    }
    let magnitude = total.scaled().abs();
    let (mut parts, rests): (Vec<i128>, Vec<i128>) =
        weights.iter().map(|weight| multiply_divide(magnitude, *weight, sum)).unzip();
    let left_over = magnitude - parts.iter().sum::<i128>();
    // Fewer units are left over than there are remainders above zero, so that no part without weight gets any.
    if left_over > 0 {
        let mut order: Vec<usize> = (0..parts.len()).collect();
        let by_remainder = |left: &usize, right: &usize| rests[*right].cmp(&rests[*left]).then(left.cmp(right));
        order.select_nth_unstable_by(left_over as usize - 1, by_remainder);
        order[..left_over as usize].iter().for_each(|index| parts[*index] += 1);
    }
    let sign = if total.is_negative() { -1 } else { 1 };
    Some(parts.into_iter().map(|part| Amount::from_scaled(sign * part)).collect())
}

/// Splits each of `days` by the same `weights`: one vector of parts a day. The parts of a day sum to the day, and the
/// parts of a weight sum to what [`split`] gives it of the days' total.
pub fn split_days(days: &[Amount], weights: &[i128]) -> Option<Vec<Vec<Amount>>> {
    let mut total = Amount::ZERO;
    let mut before = split(total, weights)?;
    let mut parts = Vec::with_capacity(days.len());
    for day in days {
        total += *day;
        let after = split(total, weights)?;
        parts.push(after.iter().zip(&before).map(|(after, before)| *after - *before).collect());
        before = after;
    }
    Some(parts)
}

/// Quotient and remainder of `value * numerator / denominator`, all non-negative and `numerator <= denominator`.
fn multiply_divide(value: i128, numerator: i128, denominator: i128) -> (i128, i128) {
    if let Some(product) = value.checked_mul(numerator) {
        return (product / denominator, product % denominator);
    }
    let divisor = i256::from_i128(denominator);
    let product = i256::from_i128(value) * i256::from_i128(numerator);
    let narrow = |wide: i256| wide.to_i128().expect("a share of an i128 is an i128");
    (narrow(product / divisor), narrow(product % divisor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(total: i128, weights: &[i128], parts: &[i128]) {
        let split: Vec<i128> = split(Amount::from_scaled(total), weights)
            .unwrap()
            .into_iter()
            .map(Amount::scaled)
            .collect();
        assert_eq!(split, parts, "{total} by {weights:?}");
    }

    #[test]
    fn units_left_over_go_to_the_largest_remainders() {
        check(10, &[1, 2], &[3, 7]);
        check(10, &[1, 1, 1], &[4, 3, 3]);
        check(-10, &[1, 1, 1], &[-4, -3, -3]);
        check(2, &[0, 1, 0, 1], &[0, 1, 0, 1]);
        check(5, &[-3, 1], &[0, 5]);
        check(0, &[1, 1], &[0, 0]);
        check(
            10_i128.pow(30),
            &[10_i128.pow(30), 10_i128.pow(30)],
            &[10_i128.pow(30) / 2, 10_i128.pow(30) / 2],
        );
    }

    #[test]
    fn nothing_is_split_by_no_weight() {
        assert_eq!(split(Amount::from_scaled(5), &[0, 0]), None);
        assert_eq!(split(Amount::from_scaled(5), &[]), None);
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_total_and_keep_to_their_quota(
            total in -10_i128.pow(27)..10_i128.pow(27),
            weights in prop::collection::vec(0_i128..10_i128.pow(20), 1..20),
        ) {
            let Some(parts) = split(Amount::from_scaled(total), &weights) else { return Ok(()) };
            prop_assert_eq!(parts.iter().copied().sum::<Amount>().scaled(), total);
            for (part, weight) in parts.iter().zip(&weights) {
                prop_assert!(*weight > 0 || part.is_zero());
                prop_assert!((part.scaled() >= 0) == (total >= 0) || part.is_zero());
            }
        }

        #[test]
        fn days_and_keys_both_sum(
            days in prop::collection::vec(-10_i128.pow(15)..10_i128.pow(15), 1..31),
            weights in prop::collection::vec(1_i128..10_i128.pow(15), 1..8),
        ) {
            let days: Vec<Amount> = days.into_iter().map(Amount::from_scaled).collect();
            let parts = split_days(&days, &weights).unwrap();
            for (day, parts) in days.iter().zip(&parts) {
                prop_assert_eq!(parts.iter().copied().sum::<Amount>(), *day);
            }
            let of_the_month = split(days.iter().copied().sum(), &weights).unwrap();
            for (key, expected) in of_the_month.iter().enumerate() {
                prop_assert_eq!(parts.iter().map(|day| day[key]).sum::<Amount>(), *expected);
            }
        }
    }
}

//! A receipt in two texts, as `spans` keep it.
//!
//! ```text
//! receipt_rates       a line each: unit SP rate SP per SP multiplier SP price id
//! receipt_quantities  the quantities of the lines, in their order, separated by spaces
//! ```
//! The rates repeat from row to row and the quantities do not, so that a column of each costs a fifth of the list. The
//! amounts are not written: each is `quantity x rate / per x multiplier`, rounded half to even at scale 18. A receipt
//! that this does not give back to the last digit is not written so ([`write`] says so).

use std::fmt::Write;

use super::ReceiptLine;

const UNIT: i128 = 1_000_000_000_000;

/// Writes a receipt; `false`, with both texts empty, where the two texts could not give it back exactly.
pub fn write<'a>(lines: impl IntoIterator<Item = ReceiptLine<'a>>, rates: &mut String, quantities: &mut String) -> bool {
    rates.clear();
    quantities.clear();
    for line in lines {
        if write_line(&line, rates, quantities).is_none() {
            rates.clear();
            quantities.clear();
            return false;
        }
    }
    true
}

fn write_line(line: &ReceiptLine<'_>, rates: &mut String, quantities: &mut String) -> Option<()> {
    let (unit, price_id, per) = (line.unit?, line.price_id?, line.per?);
    let is_plain = !unit.is_empty() && !unit.contains([' ', '\n']) && !price_id.contains('\n');
    if !is_plain || line.amount != Some(amount(line)?) {
        return None;
    }
    if !rates.is_empty() {
        rates.push('\n');
        quantities.push(' ');
    }
    rates.push_str(unit);
    rates.push(' ');
    write_decimal(line.rate?, rates);
    rates.push(' ');
    write_decimal(i128::from(per) * UNIT, rates);
    rates.push(' ');
    write_decimal(line.multiplier?, rates);
    rates.push(' ');
    rates.push_str(price_id);
    write_decimal(line.quantity?, quantities);
    Some(())
}

/// Reads what [`write`] wrote; `None` where the texts are not a receipt.
pub fn read<'a>(rates: &'a str, quantities: &str) -> Option<Vec<ReceiptLine<'a>>> {
    let (mut rates, mut quantities) = (rates.split('\n'), quantities.split(' '));
    let mut lines = Vec::new();
    loop {
        match (rates.next(), quantities.next()) {
            (Some(rate), Some(quantity)) => lines.push(read_line(rate, quantity)?),
            (None, None) => return Some(lines),
            _ => return None,
        }
    }
}

fn read_line<'a>(rate: &'a str, quantity: &str) -> Option<ReceiptLine<'a>> {
    let mut parts = rate.splitn(5, ' ');
    let mut line = ReceiptLine {
        unit: Some(parts.next()?),
        rate: Some(read_decimal(parts.next()?)?),
        per: Some(parts.next()?.parse().ok()?),
        multiplier: Some(read_decimal(parts.next()?)?),
        price_id: Some(parts.next()?),
        quantity: Some(read_decimal(quantity)?),
        amount: None,
    };
    line.amount = Some(amount(&line)?);
    Some(line)
}

/// `quantity x rate / per x multiplier` in units of 10^-18, half to even; `None` where that does not fit.
fn amount(line: &ReceiptLine<'_>) -> Option<i128> {
    let product = line.quantity?.checked_mul(line.rate?)?;
    let (product, unit) = match line.multiplier? {
        UNIT => (product, 1_000_000),
        multiplier => (product.checked_mul(multiplier)?, 1_000_000 * UNIT),
    };
    let divisor = i128::from(line.per.filter(|per| *per > 0)?).checked_mul(unit)?;
    // Nearly all products fit into 64 bits, where division is ten times faster.
    if let (Ok(product), Ok(divisor)) = (u64::try_from(product), u64::try_from(divisor))
        && product % divisor == 0
    {
        return Some(i128::from(product / divisor));
    }
    let (quotient, rest) = (product / divisor, product % divisor);
    let twice = rest.checked_abs()?.checked_mul(2)?;
    let away = twice > divisor || twice == divisor && quotient % 2 != 0;
    Some(quotient + if away { product.signum() } else { 0 })
}

fn write_decimal(units: i128, into: &mut String) {
    let sign = if units < 0 { "-" } else { "" };
    let (whole, fraction) = match u64::try_from(units) {
        Ok(small) => (u128::from(small / UNIT as u64), small % UNIT as u64),
        Err(_) => {
            let magnitude = units.unsigned_abs();
            (magnitude / UNIT as u128, (magnitude % UNIT as u128) as u64)
        }
    };
    // Writing to a string cannot fail.
    let _ = match u64::try_from(whole) {
        Ok(whole) => write!(into, "{sign}{whole}"),
        Err(_) => write!(into, "{sign}{whole}"),
    };
    if fraction != 0 {
        let _ = write!(into, ".{fraction:012}");
        into.truncate(into.trim_end_matches('0').len());
    }
}

fn read_decimal(text: &str) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 12 {
        return None;
    }
    let mut units = whole.parse::<i128>().ok()?.checked_mul(UNIT)?;
    if !fraction.is_empty() {
        let scale = 10_i128.pow(12 - fraction.len() as u32);
        units = units.checked_add(fraction.parse::<i128>().ok()? * scale)?;
    }
    Some(if negative { -units } else { units })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(quantity: i128, rate: i128, per: i64, multiplier: i128) -> ReceiptLine<'static> {
        let mut line = ReceiptLine {
            unit: Some("input_tokens"),
            quantity: Some(quantity),
            rate: Some(rate),
            per: Some(per),
            multiplier: Some(multiplier),
            amount: None,
            price_id: Some("openai/gpt-4.1 from 2025-04-14"),
        };
        line.amount = amount(&line);
        line
    }

    #[test]
    fn a_receipt_is_readable_as_it_stands() {
        let lines = [
            line(1_234 * UNIT, 5 * UNIT / 2, 1_000_000, UNIT),
            line(UNIT / 2, UNIT, 3_600, UNIT / 2),
        ];
        let (mut rates, mut quantities) = (String::new(), String::new());
        assert!(write(lines, &mut rates, &mut quantities));
        assert_eq!(
            rates,
            "input_tokens 2.5 1000000 1 openai/gpt-4.1 from 2025-04-14\ninput_tokens 1 3600 0.5 openai/gpt-4.1 from 2025-04-14"
        );
        assert_eq!(quantities, "1234 0.5");
        assert_eq!(lines[0].amount, Some(3_085_000_000_000_000));
        // 0.5 / 3600 / 2, half to even at 18 places.
        assert_eq!(lines[1].amount, Some(69_444_444_444_444));
        assert_eq!(read(&rates, &quantities), Some(lines.to_vec()));
    }

    #[test]
    fn what_the_texts_cannot_say_is_refused_whole() {
        let good = line(UNIT, UNIT, 1, UNIT);
        let odd = ReceiptLine { amount: Some(1), ..good };
        let spaced = ReceiptLine {
            unit: Some("a b"),
            ..good
        };
        let (mut rates, mut quantities) = (String::new(), String::new());
        for bad in [
            odd,
            spaced,
            ReceiptLine { per: None, ..good },
            ReceiptLine { per: Some(0), ..good },
        ] {
            assert!(!write([good, bad], &mut rates, &mut quantities));
            assert_eq!((rates.as_str(), quantities.as_str()), ("", ""));
        }
        for (rates, quantities) in [
            ("a 1 1 1 p", "1 2"),
            ("a 1 1 1 p", "x"),
            ("a 1 1 1", "1"),
            ("a 1 0 1 p", "1"),
            ("", ""),
        ] {
            assert_eq!(read(rates, quantities), None, "{rates} {quantities}");
        }
    }

    proptest! {
        #[test]
        fn every_receipt_that_is_written_comes_back(
            parts in proptest::collection::vec(
                (0..=i128::from(i64::MAX), 0..1_000_000_000_000_000_i128, prop_oneof![Just(1), Just(1_000), Just(1_000_000), Just(3_600), 1..i64::MAX], 0..2_000_000_000_000_i128),
                1..6,
            ),
        ) {
            let lines: Vec<_> = parts.into_iter().map(|(quantity, rate, per, multiplier)| line(quantity, rate, per, multiplier)).collect();
            let (mut rates, mut quantities) = (String::new(), String::new());
            if write(lines.iter().copied(), &mut rates, &mut quantities) {
                prop_assert_eq!(read(&rates, &quantities), Some(lines));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(rates in ".{0,60}", quantities in ".{0,30}") {
            let _ = read(&rates, &quantities);
        }
    }
}

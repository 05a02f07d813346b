//! A receipt in two texts, as `spans` keep it.
//!
//! ```text
//! receipt_rates       a line each: unit SP rate SP per SP multiplier SP price id
//! receipt_quantities  the quantities of the lines, in their order, separated by spaces
//! ```
//! The rates repeat from row to row and the quantities do not, so that a column of each costs a fifth of the list. The
//! amounts are not written: each is `quantity x rate / per x multiplier`, rounded half to even at scale 18. A receipt
//! that this does not give back to the last digit is not written so ([`Writer::write`] says so).

use std::fmt::Write;

use super::ReceiptLine;

const UNIT: i128 = 1_000_000_000_000;
const UNIT_64: u64 = 1_000_000_000_000;

/// Rates that are remembered: as many as a collector sees models, facts and kinds of usage in a while.
const SLOTS: usize = 512;

/// Writes receipts one after the other. The rates are written once for all receipts that share them.
#[derive(Debug)]
pub struct Writer {
    known: Vec<Option<Rates>>,
    quantities: String,
}

/// The rates of some receipts, and their text.
#[derive(Debug)]
struct Rates {
    lines: Vec<Rate>,
    text: String,
}

#[derive(Debug)]
struct Rate {
    unit: String,
    rate: i128,
    per: i64,
    multiplier: i128,
    price_id: String,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            known: std::iter::repeat_with(|| None).take(SLOTS).collect(),
            quantities: String::new(),
        }
    }
}

impl Writer {
    /// The rates and the quantities of a receipt; `None` where the two texts could not give it back exactly.
    pub fn write(&mut self, lines: &[ReceiptLine<'_>]) -> Option<(&str, &str)> {
        self.quantities.clear();
        let mut slot = 0_usize;
        for line in lines {
            let quantity = line.quantity?;
            if line.amount != Some(amount(line)?) {
                return None;
            }
            if slot != 0 {
                self.quantities.push(' ');
            }
            write_decimal(quantity, &mut self.quantities);
            // A hint where to look, no more: what stands there is compared.
            let seen = (line.rate? as usize) ^ line.price_id?.as_ptr().addr() ^ line.unit?.as_ptr().addr().rotate_left(20);
            slot = (slot.rotate_left(9) ^ seen).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        }
        let known = &mut self.known[(slot >> 20) % SLOTS];
        if !known.as_ref().is_some_and(|known| known.are_of(lines)) {
            *known = Some(Rates::new(lines)?);
        }
        Some((known.as_ref()?.text.as_str(), &self.quantities))
    }
}

impl Rates {
    fn new(lines: &[ReceiptLine<'_>]) -> Option<Self> {
        let mut rates = Self {
            lines: Vec::new(),
            text: String::new(),
        };
        for line in lines {
            let rate = Rate {
                unit: line.unit?.to_owned(),
                rate: line.rate?,
                per: line.per?,
                multiplier: line.multiplier?,
                price_id: line.price_id?.to_owned(),
            };
            rate.write(&mut rates.text)?;
            rates.lines.push(rate);
        }
        Some(rates)
    }

    fn are_of(&self, lines: &[ReceiptLine<'_>]) -> bool {
        self.lines.len() == lines.len() && self.lines.iter().zip(lines).all(|(rate, line)| rate.is_of(line))
    }
}

impl Rate {
    fn is_of(&self, line: &ReceiptLine<'_>) -> bool {
        line.rate == Some(self.rate)
            && line.per == Some(self.per)
            && line.multiplier == Some(self.multiplier)
            && line.unit == Some(&self.unit)
            && line.price_id == Some(&self.price_id)
    }

    fn write(&self, into: &mut String) -> Option<()> {
        let is_plain = !self.unit.is_empty() && !self.unit.contains([' ', '\n']) && !self.price_id.contains('\n');
        if !is_plain {
            return None;
        }
        if !into.is_empty() {
            into.push('\n');
        }
        into.push_str(&self.unit);
        into.push(' ');
        write_decimal(self.rate, into);
        into.push(' ');
        write_decimal(i128::from(self.per) * UNIT, into);
        into.push(' ');
        write_decimal(self.multiplier, into);
        into.push(' ');
        into.push_str(&self.price_id);
        Some(())
    }
}

/// Reads what [`Writer::write`] wrote; `None` where the texts are not a receipt.
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
    if let Some(amount) = plain_amount(line) {
        return Some(amount);
    }
    let product = line.quantity?.checked_mul(line.rate?)?;
    let (product, unit) = match line.multiplier? {
        UNIT => (product, 1_000_000),
        multiplier => (product.checked_mul(multiplier)?, 1_000_000 * UNIT),
    };
    let divisor = i128::from(line.per.filter(|per| *per > 0)?).checked_mul(unit)?;
    let (quotient, rest) = (product / divisor, product % divisor);
    let twice = rest.checked_abs()?.checked_mul(2)?;
    let away = twice > divisor || twice == divisor && quotient % 2 != 0;
    Some(quotient + if away { product.signum() } else { 0 })
}

/// The same for a whole quantity at a rate per million, thousand or one, without a factor: nearly every line, and no
/// division.
fn plain_amount(line: &ReceiptLine<'_>) -> Option<i128> {
    let quantity = u64::try_from(line.quantity?)
        .ok()
        .filter(|quantity| quantity % UNIT_64 == 0)?;
    let scale = match line.per? {
        1_000_000 => 1,
        1_000 => 1_000,
        1 => 1_000_000,
        _ => return None,
    };
    if line.multiplier? != UNIT {
        return None;
    }
    i128::from(quantity / UNIT_64).checked_mul(line.rate?)?.checked_mul(scale)
}

fn write_decimal(units: i128, into: &mut String) {
    if units < 0 {
        into.push('-');
    }
    let (whole, fraction) = match u64::try_from(units) {
        Ok(small) => (u128::from(small / UNIT_64), small % UNIT_64),
        Err(_) => {
            let magnitude = units.unsigned_abs();
            (magnitude / UNIT as u128, (magnitude % UNIT as u128) as u64)
        }
    };
    let mut digits = itoa::Buffer::new();
    into.push_str(match u64::try_from(whole) {
        Ok(whole) => digits.format(whole),
        Err(_) => digits.format(whole),
    });
    if fraction != 0 {
        // Writing to a string cannot fail.
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
        let mut writer = Writer::default();
        let (rates, quantities) = writer.write(&lines).expect("writable");
        assert_eq!(
            rates,
            "input_tokens 2.5 1000000 1 openai/gpt-4.1 from 2025-04-14\ninput_tokens 1 3600 0.5 openai/gpt-4.1 from 2025-04-14"
        );
        assert_eq!(quantities, "1234 0.5");
        assert_eq!(lines[0].amount, Some(3_085_000_000_000_000));
        // 0.5 / 3600 / 2, half to even at 18 places.
        assert_eq!(lines[1].amount, Some(69_444_444_444_444));
        assert_eq!(read(rates, quantities), Some(lines.to_vec()));
    }

    #[test]
    fn what_the_texts_cannot_say_is_refused_whole() {
        let good = line(UNIT, UNIT, 1, UNIT);
        let odd = ReceiptLine { amount: Some(1), ..good };
        let spaced = ReceiptLine {
            unit: Some("a b"),
            ..good
        };
        let mut writer = Writer::default();
        for bad in [
            odd,
            spaced,
            ReceiptLine { per: None, ..good },
            ReceiptLine { per: Some(0), ..good },
        ] {
            assert_eq!(writer.write(&[good, bad]), None);
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
        /// In whatever order: what is remembered of one receipt never shows in another.
        #[test]
        fn every_receipt_that_is_written_comes_back(
            receipts in proptest::collection::vec(proptest::collection::vec(
                (
                    prop_oneof![0..=i128::from(i64::MAX), (0..3_000_i128).prop_map(|whole| whole * UNIT)],
                    prop_oneof![0..1_000_000_000_000_000_i128, Just(5 * UNIT / 2)],
                    prop_oneof![Just(1), Just(1_000), Just(1_000_000), Just(3_600), 1..i64::MAX],
                    prop_oneof![Just(UNIT), 0..2_000_000_000_000_i128],
                ),
                1..6,
            ), 1..6),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 1..12),
        ) {
            let mut writer = Writer::default();
            for receipt in order {
                let parts = receipt.get(&receipts).iter().copied();
                let lines: Vec<_> = parts.map(|(quantity, rate, per, multiplier)| line(quantity, rate, per, multiplier)).collect();
                if let Some((rates, quantities)) = writer.write(&lines) {
                    prop_assert_eq!(read(rates, quantities), Some(lines));
                }
            }
        }

        #[test]
        fn the_short_way_gives_the_same_amount(quantity in 0..20_000_000_i128, rate in 0..1_000_000_000_000_000_i128, per in prop_oneof![Just(1), Just(1_000), Just(1_000_000)]) {
            let whole = line(quantity * UNIT, rate, per, UNIT);
            let product = quantity * UNIT * rate;
            let divisor = i128::from(per) * 1_000_000;
            prop_assert_eq!(product % divisor, 0);
            prop_assert_eq!(plain_amount(&whole).unwrap_or(product / divisor), product / divisor);
            prop_assert_eq!(whole.amount, Some(product / divisor));
        }

        #[test]
        fn any_text_is_read_or_refused(rates in ".{0,60}", quantities in ".{0,30}") {
            let _ = read(&rates, &quantities);
        }
    }
}

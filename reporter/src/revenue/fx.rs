//! Exchange rates from a file in the shape of the ECB's reference rate history: `Date`, then a column a currency,
//! units of that currency per euro.
//!
//! The rate of a day is the one published for it or, on days without publication, the last one before it. Where there
//! is none the amount stays in its own currency: a rate is never assumed, and never inverted from a later day.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::currency::Currency;
use super::money::Amount;
use super::refusal::{Refusal, Refusals, RevenueError};
use super::table::{Header, Row, TextFile, read_bytes};
use super::time::{Day, TimeFormat};

/// Rates by currency and day, per euro. Without a file it knows that one euro is one euro.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates {
    per_euro: HashMap<Currency, BTreeMap<Day, Amount>>,
}

impl Rates {
    /// Reads the file; a currency code that ISO does not know is refused, `N/A` and empty cells are days without rate.
    pub fn read(path: &Path) -> Result<Rates, RevenueError> {
        let name = path
            .file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        Rates::parse(&TextFile::new(&name, &read_bytes(path)?)?)
    }

    fn parse(file: &TextFile) -> Result<Rates, RevenueError> {
        let mut rates = Rates::default();
        let columns = std::cell::RefCell::new(Vec::new());
        let refusals = std::cell::RefCell::new(Refusals::default());
        let on_header = |header: &Header| {
            *columns.borrow_mut() = currencies(&file.name, header)?;
            Ok(())
        };
        let on_row = |row: Row<'_>| {
            if let Err(refusal) = rates.take(&row, &columns.borrow()) {
                refusals.borrow_mut().push(refusal);
            }
        };
        file.visit(on_header, on_row, |refusal| refusals.borrow_mut().push(refusal))?;
        refusals.into_inner().into_result()?;
        Ok(rates)
    }

    fn take(&mut self, row: &Row<'_>, columns: &[(String, Currency)]) -> Result<(), Refusal> {
        let day = row.moment("date", TimeFormat::Iso)?.day();
        for (column, currency) in columns {
            let Some(text) = row.text(column).filter(|text| *text != "N/A") else {
                continue;
            };
            let rate = Amount::parse_major(text).map_err(|error| row.refuse(column, error))?;
            if rate <= Amount::ZERO {
                return Err(row.refuse(column, "is not a rate: units per euro are above zero"));
            }
            if self
                .per_euro
                .entry(*currency)
                .or_default()
                .insert(day, rate)
                .is_some_and(|earlier| earlier != rate)
            {
                return Err(row.refuse(column, "is a second rate for the same day"));
            }
        }
        Ok(())
    }

    /// `amount` in another currency at the rate of `day`, rounded once, half to even, at scale 12.
    /// `None` where either rate is not known.
    pub fn convert(&self, amount: Amount, from: Currency, to: Currency, day: Day) -> Option<Amount> {
        if from == to {
            return Some(amount);
        }
        amount.ratio(self.rate(to, day)?.scaled(), self.rate(from, day)?.scaled())
    }

    /// Units of `currency` per euro on `day`.
    fn rate(&self, currency: Currency, day: Day) -> Option<Amount> {
        if currency == Currency::EUR {
            return Some(Amount::from_scaled(10_i128.pow(12)));
        }
        let (_, rate) = self.per_euro.get(&currency)?.range(..=day).next_back()?;
        Some(*rate)
    }
}

fn currencies(file: &str, header: &Header) -> Result<Vec<(String, Currency)>, Refusal> {
    let refuse = |column: &str, reason: &str| Refusal {
        file: file.to_owned(),
        line: 1,
        column: Some(column.to_owned()),
        value: None,
        reason: reason.to_owned(),
    };
    if !header.has("date") {
        return Err(refuse(
            "Date",
            "is missing: a rate file has Date and then a column a currency, in units per euro",
        ));
    }
    let named = header.names().into_iter().filter(|name| *name != "date");
    named
        .map(|name| {
            Ok((
                name.to_owned(),
                name.parse()
                    .map_err(|_| refuse(&header.written(name), "is not an ISO 4217 currency code"))?,
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::time::Moment;
    use super::*;
    use proptest::prelude::*;

    // The shape of eurofxref-hist.csv: newest first, a comma at the end of each line, N/A where nothing was published.
    const ECB: &str = "Date,USD,JPY,GBP,BGN,\n2026-01-05,1.0820,160.50,0.8300,N/A,\n2026-01-02,1.0800,160.00,0.8200,1.9558,\n";

    fn rates() -> Rates {
        Rates::parse(&TextFile::new("rates.csv", ECB.as_bytes()).unwrap()).unwrap()
    }

    fn convert(amount: &str, from: &str, to: &str, day: &str) -> Option<String> {
        let amount = Amount::parse_major(amount).unwrap();
        let day = Moment::parse(day, TimeFormat::Iso).unwrap().day();
        rates()
            .convert(amount, from.parse().unwrap(), to.parse().unwrap(), day)
            .map(|amount| amount.to_string())
    }

    #[test]
    fn the_rate_of_a_day_is_the_last_one_published() {
        for (amount, from, to, day, expected) in [
            ("100", "EUR", "USD", "2026-01-05", Some("108.2")),
            ("100", "EUR", "USD", "2026-01-04", Some("108")),
            ("100", "EUR", "USD", "2026-01-01", None),
            ("108", "USD", "EUR", "2026-01-02", Some("100")),
            ("16000", "JPY", "USD", "2026-01-02", Some("108")),
            ("1.9558", "BGN", "EUR", "2026-01-05", Some("1")),
            ("100", "CHF", "EUR", "2026-01-05", None),
            ("5", "CHF", "CHF", "1999-01-01", Some("5")),
            ("1", "USD", "EUR", "2026-01-02", Some("0.925925925926")),
        ] {
            assert_eq!(
                convert(amount, from, to, day).as_deref(),
                expected,
                "{amount} {from} in {to} on {day}"
            );
        }
    }

    #[test]
    fn a_rate_that_is_none_is_refused_with_its_place() {
        for (text, message) in [
            (
                "Date,USD\n2026-01-02,0\n",
                "rates.csv:2: column USD: \"0\" is not a rate: units per euro are above zero",
            ),
            (
                "Date,USD\n2026-01-02,x\n",
                "rates.csv:2: column USD: \"x\" is not a decimal number",
            ),
            (
                "Date,DOLLARS\n",
                "rates.csv:1: column DOLLARS: is not an ISO 4217 currency code",
            ),
            (
                "Day,USD\n",
                "rates.csv:1: column Date: is missing: a rate file has Date and then a column a currency, in units per euro",
            ),
            (
                "Date,USD\n2026-01-02,1.1\n2026-01-02,1.2\n",
                "rates.csv:3: column USD: \"1.2\" is a second rate for the same day",
            ),
        ] {
            let error = TextFile::new("rates.csv", text.as_bytes())
                .and_then(|file| Rates::parse(&file))
                .unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn there_and_back_is_off_by_rounding_only(scaled in 0_i128..10_i128.pow(20)) {
            let rates = rates();
            let day = Moment::parse("2026-01-05", TimeFormat::Iso).unwrap().day();
            let amount = Amount::from_scaled(scaled);
            let there = rates.convert(amount, Currency::EUR, Currency::USD, day).unwrap();
            let back = rates.convert(there, Currency::USD, Currency::EUR, day).unwrap();
            prop_assert!((back - amount).scaled().abs() <= 1);
        }
    }
}

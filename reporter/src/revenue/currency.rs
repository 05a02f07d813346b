//! Currencies by their ISO 4217 code, with how many decimals their minor unit has.
//!
//! Holds no rates: see `fx`. An unknown code is refused, since its minor unit cannot be known.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use rustc_hash::FxHashSet;

/// An ISO 4217 code, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// A text that names no currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not an ISO 4217 currency code (three letters, such as USD)")]
pub struct UnknownCurrency;

/// Currencies without a minor unit (ISO 4217, list one).
const ZERO_DECIMALS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
/// Currencies of a thousand minor units.
const THREE_DECIMALS: &str = "BHD IQD JOD KWD LYD OMR TND";
/// Currencies of ten thousand minor units.
const FOUR_DECIMALS: &str = "CLF UYW";
/// Currencies of a hundred minor units.
const TWO_DECIMALS: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY \
    COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS \
    KHR KPW KYD KZT LAK LBP LKR LRD LSL LTL LVL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN \
    PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH \
    USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG ZWL CYP EEK MTL ROL SIT SKK TRL";

/// All of them: asked for every line of an export.
static KNOWN: LazyLock<FxHashSet<[u8; 3]>> = LazyLock::new(|| {
    let lists = [TWO_DECIMALS, ZERO_DECIMALS, THREE_DECIMALS, FOUR_DECIMALS];
    let codes = lists.iter().flat_map(|list| list.split_whitespace());
    codes.map(|code| code.as_bytes().try_into().expect("three letters")).collect()
});

impl Currency {
    /// United States dollar, the currency of every price in the catalogue.
    pub const USD: Currency = Currency(*b"USD");
    /// Euro, the base of the ECB's reference rates.
    pub const EUR: Currency = Currency(*b"EUR");

    /// The code.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is built from three ASCII letters")
    }

    /// Decimals of the minor unit by ISO 4217.
    pub fn exponent(self) -> u32 {
        let code = self.code();
        match () {
            () if ZERO_DECIMALS.contains(code) => 0,
            () if THREE_DECIMALS.contains(code) => 3,
            () if FOUR_DECIMALS.contains(code) => 4,
            () => 2,
        }
    }

    /// Decimals of the integers in Stripe's API, which departs from ISO for three currencies
    /// (docs.stripe.com/currencies, "special cases" and "zero-decimal currencies").
    pub fn stripe_exponent(self) -> u32 {
        match self.code() {
            "ISK" | "UGX" => 2,
            "MGA" => 0,
            _ => self.exponent(),
        }
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Currency, UnknownCurrency> {
        let letters: [u8; 3] = text.trim().as_bytes().try_into().map_err(|_| UnknownCurrency)?;
        let code = letters.map(|letter| letter.to_ascii_uppercase());
        if !code.iter().all(u8::is_ascii_uppercase) {
            return Err(UnknownCurrency);
        }
        if KNOWN.contains(&code) {
            Ok(Currency(code))
        } else {
            Err(UnknownCurrency)
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_those_of_iso_4217_and_of_stripe() {
        for (code, iso, stripe) in [
            ("usd", 2, 2),
            ("JPY", 0, 0),
            ("KWD", 3, 3),
            ("BHD", 3, 3),
            ("KRW", 0, 0),
            ("ISK", 0, 2),
            ("MGA", 2, 0),
            ("CLF", 4, 4),
        ] {
            let currency: Currency = code.parse().unwrap();
            assert_eq!((currency.exponent(), currency.stripe_exponent()), (iso, stripe), "{code}");
        }
    }

    #[test]
    fn unknown_codes_are_refused() {
        for code in ["", "US", "USDT", "XXQ", "12a", "€", "   "] {
            assert_eq!(code.parse::<Currency>(), Err(UnknownCurrency), "{code}");
        }
    }
}

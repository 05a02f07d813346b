//! How revenue is recognised, where accountants may choose: `[revenue]` of the configuration.
//!
//! Each policy is written to `run_manifest.policies`; two runs with other policies are other runs.

use serde::Deserialize;

use super::email::EmailKey;
use super::money::Amount;
use super::refusal::RevenueError;

/// All policies, with their defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policies {
    /// When a refund lowers revenue.
    pub refunds: Refunds,
    /// Whose revenue the share of a store is.
    pub store_fees: StoreFees,
    /// How a bill for use is spread over its period.
    pub usage: Usage,
    /// When credits that nobody uses are earned.
    pub breakage: Breakage,
    /// With `breakage = "proportional"`: the share of credits that is expected never to be used, in percent.
    pub breakage_percent: Percent,
    /// Which day's exchange rate counts.
    pub fx: FxDay,
    /// Whether customers may be matched by e-mail.
    pub match_email: MatchEmail,
}

/// When a refund lowers revenue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refunds {
    /// On the day of the refund.
    #[default]
    RefundDate,
    /// Over the service period that it takes back, where that is known.
    OriginalPeriod,
}

/// Whose revenue the share of a store is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreFees {
    /// The store sells: revenue is what it passes on.
    #[default]
    Agent,
    /// We sell: revenue is what the customer pays, and the store's share is a variable cost.
    Principal,
}

/// How a bill for use is spread over its period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// By the customer's own cost on each day of the period; evenly where there is none.
    #[default]
    Usage,
    /// Evenly.
    Even,
}

/// When credits that nobody uses are earned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breakage {
    /// On the day on which they expire.
    #[default]
    Expiry,
    /// Along with the use of the others, up to the expected share; the rest at expiry.
    Proportional,
}

/// Which day's exchange rate counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FxDay {
    /// The day that earns.
    #[default]
    AccrualDay,
    /// The day on which it was billed; the first day of the period where that is not known.
    BookedDay,
}

/// Whether customers may be matched by e-mail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchEmail {
    /// No: an address is personal data.
    #[default]
    Off,
    /// Calls name customers by their address, in any case.
    Plain,
    /// Calls name customers by the lower-case hex HMAC-SHA-256 of the lower-case address. The key is the value of
    /// `MARGINLAKE_EMAIL_KEY`.
    Hmac,
}

/// A share in percent, written as text so that no float touches money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Percent(pub Amount);

impl TryFrom<String> for Percent {
    type Error = String;

    fn try_from(text: String) -> Result<Percent, String> {
        let hundred = Amount::from_scaled(100 * 10_i128.pow(12));
        match Amount::parse_major(&text) {
            Ok(percent) if percent >= Amount::ZERO && percent < hundred => Ok(Percent(percent)),
            _ => Err(format!("{text:?} is not a percentage from 0 to below 100, such as \"12.5\"")),
        }
    }
}

impl Policies {
    /// How addresses name customers; `None` where e-mail is off. The key of the HMAC comes from the environment, so that
    /// no file holds it.
    pub fn email_key(&self) -> Result<Option<EmailKey>, RevenueError> {
        match (self.match_email, std::env::var("MARGINLAKE_EMAIL_KEY")) {
            (MatchEmail::Off, _) => Ok(None),
            (MatchEmail::Plain, _) => Ok(Some(EmailKey::Plain)),
            (MatchEmail::Hmac, Ok(key)) if !key.is_empty() => Ok(Some(EmailKey::Hmac(key.into_bytes()))),
            (MatchEmail::Hmac, _) => Err(RevenueError::Mapping(
                "revenue.match_email = \"hmac\" needs the key in the environment variable MARGINLAKE_EMAIL_KEY".to_owned(),
            )),
        }
    }

    /// Name and value of each policy, for `run_manifest.policies`.
    pub fn named(&self) -> [(&'static str, String); 7] {
        let text = |value: &dyn std::fmt::Debug| {
            let mut snake = String::new();
            for c in format!("{value:?}").chars() {
                if c.is_uppercase() && !snake.is_empty() {
                    snake.push('_');
                }
                snake.extend(c.to_lowercase());
            }
            snake
        };
        [
            ("revenue.refunds", text(&self.refunds)),
            ("revenue.store_fees", text(&self.store_fees)),
            ("revenue.usage", text(&self.usage)),
            ("revenue.breakage", text(&self.breakage)),
            ("revenue.breakage_percent", self.breakage_percent.0.to_string()),
            ("revenue.fx", text(&self.fx)),
            ("revenue.match_email", text(&self.match_email)),
        ]
    }
}

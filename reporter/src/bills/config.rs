//! `[[bill]]`: a cost that is no call, where it stands, which class it is of, and by what it is spread.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::Bill;
use super::over::condition;
use super::row::Matcher;
use crate::allocate::cost::CostClass;
use crate::allocate::method::SpreadKey;
use crate::marts::Spread;
use crate::revenue::time::{Day, Moment, TimeFormat};
use crate::revenue::{Amount, Currency};
use crate::settle::rules::Patterns;

/// A `[[bill]]` as written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BillConfig {
    /// Its name in `cost_by_key.source`.
    pub id: String,
    /// A FOCUS file or a generic CSV. Without it and without an amount, the bill takes rows of the files of `--bill`.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// Columns of the file and what must stand in them; `Tags.app` is a tag. Every row where there is nothing.
    #[serde(default, rename = "match")]
    pub matches: BTreeMap<String, Patterns>,
    /// Which cost of a FOCUS file.
    #[serde(default)]
    pub cost: FocusCost,
    /// Of amounts that name no currency.
    #[serde(default)]
    pub currency: Option<String>,
    /// A fixed amount in place of a file.
    #[serde(default)]
    pub amount: Option<String>,
    /// How often the amount falls due; once over all of its days when absent.
    #[serde(default)]
    pub every: Option<Every>,
    /// First day of the amount.
    #[serde(default)]
    pub from: Option<String>,
    /// The day after its last.
    #[serde(default)]
    pub until: Option<String>,
    /// Where the cost stands in the profit and loss.
    #[serde(default)]
    pub cost_class: CostClass,
    /// By what it is spread.
    #[serde(default)]
    pub spread: SpreadKey,
    /// Over which calls; all model calls when absent.
    #[serde(default)]
    pub over: Option<Over>,
}

/// How often a fixed amount falls due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// Once a calendar month, over its days.
    Month,
    /// Each day.
    Day,
}

/// A cost column of FOCUS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FocusCost {
    /// `EffectiveCost`: what was used, with purchases spread over what they cover.
    #[default]
    Effective,
    /// `BilledCost`: what is invoiced, when it is.
    Billed,
    /// `ContractedCost`.
    Contracted,
    /// `ListCost`.
    List,
}

impl FocusCost {
    /// The column, spelled as [`super::file`] compares it.
    pub(super) fn column(self) -> &'static str {
        match self {
            FocusCost::Effective => "effectivecost",
            FocusCost::Billed => "billedcost",
            FocusCost::Contracted => "contractedcost",
            FocusCost::List => "listcost",
        }
    }
}

/// Which calls a bill is about; all that is given must match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Over {
    /// `service_name`.
    pub service: Option<Patterns>,
    /// `environment`.
    pub environment: Option<Patterns>,
    /// `role`: llm, retriever, tool…
    pub role: Option<Patterns>,
    /// `provider`.
    pub provider: Option<Patterns>,
    /// The model that answered.
    pub model: Option<Patterns>,
    /// `customer_id`.
    pub customer: Option<Patterns>,
    /// `feature`.
    pub feature: Option<Patterns>,
    /// `agent_name`.
    pub agent: Option<Patterns>,
    /// The customer's plan.
    pub plan: Option<Patterns>,
}

/// A bill that cannot be followed: a mistake in the configuration.
#[derive(Debug, thiserror::Error)]
#[error("[[bill]] {id}: {reason}")]
pub struct BillError {
    id: String,
    reason: String,
}

/// A fixed amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fixed {
    pub(super) amount: Amount,
    pub(super) currency: Currency,
    pub(super) every: Option<Every>,
    pub(super) from: Option<Day>,
    pub(super) until: Option<Day>,
}

impl BillConfig {
    /// A bill of which nothing but the name is known.
    pub(super) fn named(id: &str) -> BillConfig {
        BillConfig {
            id: id.to_owned(),
            ..BillConfig::default()
        }
    }

    /// True if it takes rows of files that it does not name.
    pub(super) fn is_rule(&self) -> bool {
        self.file.is_none() && self.amount.is_none()
    }

    pub(super) fn wrong(&self, reason: impl Into<String>) -> BillError {
        BillError {
            id: self.id.clone(),
            reason: reason.into(),
        }
    }

    pub(super) fn compile(&self) -> Result<Bill, BillError> {
        if self.id.trim().is_empty() {
            return Err(self.wrong("has no id: name it, reports call it so"));
        }
        let currency = self.currency.as_deref().map(str::parse::<Currency>).transpose();
        let currency = currency.map_err(|error| self.wrong(format!("currency {error}")))?;
        let over = self.over.as_ref().map(condition).transpose();
        Ok(Bill {
            id: self.id.clone(),
            class: self.cost_class,
            spread: Spread {
                by: self.spread,
                over: over.map_err(|reason| self.wrong(reason))?,
            },
            cost: self.cost,
            currency,
            matcher: Matcher::new(&self.matches).map_err(|reason| self.wrong(reason))?,
            fixed: self.fixed(currency)?,
        })
    }

    fn fixed(&self, currency: Option<Currency>) -> Result<Option<Fixed>, BillError> {
        let Some(amount) = &self.amount else {
            let only = [
                ("every", self.every.is_some()),
                ("from", self.from.is_some()),
                ("until", self.until.is_some()),
            ];
            return match only.iter().find(|(_, given)| *given) {
                Some((key, _)) => Err(self.wrong(format!("{key} belongs to an amount: give one, or take {key} away"))),
                None => Ok(None),
            };
        };
        if self.file.is_some() || !self.matches.is_empty() {
            return Err(self.wrong("has both an amount and a file or match: make two bills of it"));
        }
        let amount = Amount::parse_major(amount).map_err(|error| self.wrong(format!("amount {amount:?} {error}")))?;
        let day = |name: &str, text: &Option<String>| -> Result<Option<Day>, BillError> {
            let Some(text) = text else { return Ok(None) };
            let moment = Moment::parse(text, TimeFormat::Iso);
            Ok(Some(
                moment.map_err(|error| self.wrong(format!("{name} {text:?} {error}")))?.day(),
            ))
        };
        let (from, until) = (day("from", &self.from)?, day("until", &self.until)?);
        if self.every.is_none() && (from.is_none() || until.is_none()) {
            return Err(self.wrong("an amount needs from and until, or every = \"month\""));
        }
        if from.zip(until).is_some_and(|(from, until)| until <= from) {
            return Err(self.wrong("until is the day after the last one: it must be after from"));
        }
        Ok(Some(Fixed {
            amount,
            currency: currency.unwrap_or(Currency::USD),
            every: self.every,
            from,
            until,
        }))
    }
}

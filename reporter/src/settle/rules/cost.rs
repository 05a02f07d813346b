//! Costs that are not tokens: a search, a tool, a second of a machine, an hour of a person.
//!
//! A rule prices what no catalogue prices. A row whose cost is known keeps it: nothing is charged twice. Arithmetic is
//! in whole numbers, rounded once, half to even. A quantity that is not known makes a cost that is not known.

use marginlake_pricing::{Amount, Instant};
use serde::{Deserialize, Serialize};

use super::RulesError;
use super::predicate::{Matcher, Predicate, tag};
use crate::settle::call::{Call, CostClass, Granularity};
use crate::settle::reason::billed;
use crate::settle::record::{CostLine, Price, Record};
use marginlake_lake::schema::Role;

/// The scale of money and quantities, as a factor.
const E12: i128 = 1_000_000_000_000;
/// From the product of two numbers of scale 12 to the scale of a line's amount.
const E6: i128 = 1_000_000;

/// What a price is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// A record.
    Call,
    /// One of what the attribute `unit` counts.
    Unit,
    /// A second between start and end.
    Second,
    /// An hour of a person's time between start and end.
    Hour,
}

/// `[[cost_rule]]`: the price of the records that match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostRule {
    /// Its name on the receipt.
    pub id: String,
    /// USD, a decimal as text.
    pub price: String,
    /// What the price is for.
    pub per: Per,
    /// The attribute that holds the quantity, for `per = "unit"`; the collector keeps it in `tags` where it runs with the same file.
    pub unit: Option<String>,
    /// The role of its rows: the record's, or `human_review` for a person's time.
    #[serde(rename = "as")]
    pub role_as: Option<String>,
    /// The class of its rows; `other_cogs`.
    pub cost_class: Option<CostClass>,
    /// In force from here on; always when absent.
    pub valid_from: Option<String>,
    /// In force until just before; for ever when absent.
    pub valid_to: Option<String>,
    /// Which records.
    #[serde(rename = "match")]
    pub predicate: Predicate,
}

#[derive(Debug)]
pub(super) struct CompiledCost {
    id: String,
    /// Scale 12.
    price: i128,
    per: Per,
    unit: String,
    role: Option<Role>,
    pub(super) class: CostClass,
    /// Nanoseconds since the epoch, half open.
    valid: std::ops::Range<i64>,
    matcher: Matcher,
}

impl CompiledCost {
    pub(super) fn new(rule: &CostRule) -> Result<CompiledCost, RulesError> {
        let name = format!("[[cost_rule]] {:?}", rule.id);
        let wrong = |reason: String| RulesError::Rule {
            rule: name.clone(),
            reason,
        };
        let price: Amount = rule.price.parse().map_err(|error| wrong(format!("price: {error}")))?;
        if price.is_negative() || price.decimals().is_none_or(|decimals| decimals > 12) {
            return Err(wrong(format!("price {:?} is not a price of at most 12 decimals", rule.price)));
        }
        let unit = match (rule.per, &rule.unit) {
            (Per::Unit, Some(unit)) => unit.clone(),
            (Per::Unit, None) => return Err(wrong("per = \"unit\" needs unit, the attribute that counts".to_owned())),
            (_, Some(_)) => return Err(wrong("unit is for per = \"unit\" only".to_owned())),
            (Per::Call, None) => "call".to_owned(),
            (Per::Second, None) => "second".to_owned(),
            (Per::Hour, None) => "hour".to_owned(),
        };
        let role = match rule.role_as.as_deref() {
            Some(text) => {
                let role = Role::parse(text);
                if role.as_str() != text {
                    return Err(wrong(format!(
                        "as {text:?} is not a role: write tool, retriever, human_review…"
                    )));
                }
                Some(role)
            }
            None => (rule.per == Per::Hour).then_some(Role::HumanReview),
        };
        let moment = |text: &Option<String>, open: i64| match text {
            Some(text) => Instant::parse(text)
                .map(|instant| instant.0)
                .map_err(|error| wrong(error.to_string())),
            None => Ok(open),
        };
        let valid = moment(&rule.valid_from, i64::MIN)?..moment(&rule.valid_to, i64::MAX)?;
        if valid.is_empty() {
            return Err(wrong("valid_to is not after valid_from".to_owned()));
        }
        Ok(CompiledCost {
            id: rule.id.clone(),
            price: price.to_scale_12(),
            per: rule.per,
            unit,
            role,
            class: rule.cost_class.unwrap_or(CostClass::OtherCogs),
            valid,
            matcher: Matcher::new(&name, &rule.predicate)?,
        })
    }

    pub(super) fn applies_to(&self, record: &Record) -> bool {
        self.valid.contains(&record.priced_at_nano.unwrap_or(0)) && self.matcher.matches(record)
    }

    /// A row for a record that is no model call: what it repeats of calls below it is not its own.
    pub(super) fn row(&self, mut record: Record, fingerprint: &str) -> Call {
        record.buckets = [None; 10];
        record.usage = None;
        record.usage_status = None;
        record.reported_cost_usd = None;
        record.reported_cost_kind = None;
        self.price(&mut record, fingerprint);
        Call {
            record,
            granularity: Granularity::Call,
            cost_class: self.class,
            records: 1,
        }
    }

    /// Sets the price of `record`, and its role where the rule names one.
    pub(super) fn price(&self, record: &mut Record, fingerprint: &str) {
        let line = self.line(record);
        let cost = line.as_ref().map(|(_, cost)| *cost);
        record.price = Price {
            status: Some(if cost.is_some() { "priced" } else { "unpriced" }.into()),
            list_cost_usd: cost,
            cost_usd: cost,
            cost_source: cost.map(|_| "computed".into()),
            cost_lines: line.map(|(line, _)| vec![line]),
            price_id: Some(self.id.as_str().into()),
            catalogue_hash: Some(fingerprint.into()),
        };
        record.role = self.role.unwrap_or(record.role);
        record.flags.push(billed::COST_RULE.into());
        record.flags.sort_unstable();
        record.flags.dedup();
    }

    /// The receipt and the cost at scale 12; `None` where the quantity is not known or not possible.
    fn line(&self, record: &Record) -> Option<(CostLine, i128)> {
        // The quantity is `count / whole`.
        let (count, whole) = match self.per {
            Per::Call => (1, 1),
            Per::Unit => {
                let amount: Amount = tag(record, &self.unit)?.trim().parse().ok()?;
                if amount.is_negative() || amount.decimals()? > 12 {
                    return None;
                }
                (amount.to_scale_12(), E12)
            }
            Per::Second => (nanoseconds(record)?, 1_000_000_000),
            Per::Hour => (nanoseconds(record)?, 3_600_000_000_000),
        };
        let product = self.price.checked_mul(count)?;
        let cost = divide_half_even(product, whole);
        let line = CostLine {
            unit: Some(self.unit.as_str().into()),
            quantity: Some(divide_half_even(count.checked_mul(E12)?, whole)),
            rate: Some(self.price),
            per: Some(1),
            multiplier: Some(E12),
            amount: match whole % E6 {
                0 => Some(divide_half_even(product, whole / E6)),
                _ => Some(divide_half_even(product.checked_mul(E6)?, whole)),
            },
            price_id: Some(self.id.as_str().into()),
        };
        Some((line, cost))
    }
}

fn nanoseconds(record: &Record) -> Option<i128> {
    let (start, end) = record.interval()?;
    Some(i128::from(end) - i128::from(start))
}

/// Both are positive or zero.
fn divide_half_even(numerator: i128, denominator: i128) -> i128 {
    let (quotient, rest) = (numerator / denominator, numerator % denominator);
    let up = match (rest * 2).cmp(&denominator) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    quotient + i128::from(up)
}

//! What the user's configuration says about costs: their class, costs that are not tokens, whose user is whose.
//!
//! Rules are compiled once and applied when rows are written. They move no verdict about model calls: what is billed,
//! and at which price, is the same with and without them.

mod class;
mod cost;
mod predicate;
mod users;

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use class::ClassRule;
pub use cost::{CostRule, Per};
pub(crate) use predicate::compile;
pub use predicate::{Patterns, Predicate};

use super::call::Call;
use super::record::Record;
use class::CompiledClass;
use cost::CompiledCost;
use users::Users;

/// A rule that cannot be followed. All of them are mistakes in the configuration or its files.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A rule says something that does not hold together.
    #[error("{rule}: {reason}")]
    Rule {
        /// Which rule: its table and id or number.
        rule: String,
        /// What is wrong and what to write.
        reason: String,
    },
    /// The file of users and customers cannot be read.
    #[error("{file}: {reason}")]
    Users {
        /// The file.
        file: String,
        /// Line and reason.
        reason: String,
    },
}

/// The tables of the configuration that [`Rules`] are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RulesConfig {
    /// `[[cost_class]]`, the first that matches wins.
    pub cost_class: Vec<ClassRule>,
    /// `[[cost_rule]]`, the first that matches wins.
    pub cost_rule: Vec<CostRule>,
}

/// Compiled rules. The default has none of the user's.
#[derive(Debug, Default)]
pub struct Rules {
    classes: Vec<CompiledClass>,
    costs: Vec<CompiledCost>,
    users: Users,
    fingerprint: String,
}

impl Rules {
    /// Compiles the configuration and reads the file `user_id,customer_id,valid_from,valid_to`, if there is one.
    pub fn new(config: &RulesConfig, customer_map: Option<&Path>) -> Result<Rules, RulesError> {
        let classes = config
            .cost_class
            .iter()
            .enumerate()
            .map(|(at, rule)| CompiledClass::new(at, rule));
        let costs = config.cost_rule.iter().map(CompiledCost::new);
        let (users, bytes) = match customer_map {
            Some(path) => Users::read(path)?,
            None => Default::default(),
        };
        let mut rules = Rules {
            classes: classes.collect::<Result<_, _>>()?,
            costs: costs.collect::<Result<_, _>>()?,
            users,
            fingerprint: String::new(),
        };
        if *config != RulesConfig::default() || customer_map.is_some() {
            // Maps are ordered, so the text is the same for the same rules.
            let text = serde_json::to_vec(config).unwrap_or_default();
            let digest = Sha256::new()
                .chain_update(text)
                .chain_update([0])
                .chain_update(bytes)
                .finalize();
            rules.fingerprint = hex::encode(digest);
        }
        Ok(rules)
    }

    /// A number that changes with the rules, 0 without any: never negative, as versions of transactions are.
    pub(super) fn version(&self) -> i64 {
        // 15 digits of 4 bits.
        self.fingerprint
            .get(..15)
            .and_then(|digits| i64::from_str_radix(digits, 16).ok())
            .unwrap_or(0)
    }

    /// Completes a row that other rules have made: its customer, its class, and a cost where none is known.
    pub(super) fn complete(&self, call: &mut Call, is_evaluation: bool) {
        self.users.attribute(&mut call.record);
        if call.record.price.cost_usd.is_none()
            && let Some(rule) = self.cost_of(&call.record)
        {
            rule.price(&mut call.record, &self.fingerprint);
            call.cost_class = rule.class;
        }
        call.cost_class = class::of(&self.classes, call, is_evaluation);
    }

    /// Whether any rule prices records that are no model calls.
    pub(super) fn has_costs(&self) -> bool {
        !self.costs.is_empty()
    }

    /// The row for a record that is no model call and that a rule prices; `None` where no rule matches.
    pub(super) fn indirect(&self, mut record: Record, is_evaluation: bool) -> Option<Call> {
        self.users.attribute(&mut record);
        let rule = self.cost_of(&record)?;
        let mut call = rule.row(record, &self.fingerprint);
        call.cost_class = class::of(&self.classes, &call, is_evaluation);
        Some(call)
    }

    fn cost_of(&self, record: &Record) -> Option<&CompiledCost> {
        self.costs.iter().find(|rule| rule.applies_to(record))
    }
}

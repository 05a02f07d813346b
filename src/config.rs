//! The configuration file: one optional TOML file whose sections belong to the crates that use them.

use std::path::Path;
use std::sync::Arc;

use marginlake_collector::recognise::AttributionConfig;
use marginlake_pricing::{Catalogue, Overrides};
use serde::Deserialize;

use crate::exit::Usage;
use marginlake_pricing::account::{Account, AllowanceEntry, ReservedCapacity};
use marginlake_pricing::document::MultiplierEntry;
use marginlake_pricing::overrides::{ContractEntry, Deployment, PriceOverride};
use marginlake_reporter::bills::BillConfig;
use marginlake_reporter::outcomes::OutcomeLabels;
use marginlake_reporter::revenue::Policies;
use marginlake_reporter::settle::rules::{ClassRule, CostRule, Rules, RulesConfig};

/// What was written in the file. Unknown keys are mistakes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileConfig {
    /// `[collect]`
    pub(crate) collect: crate::collect::CollectSection,
    /// `[attribution]`
    pub(crate) attribution: AttributionConfig,
    /// `[revenue]`
    pub(crate) revenue: Policies,
    /// `[[price]]`
    price: Vec<PriceOverride>,
    /// `[[contract]]`
    contract: Vec<ContractEntry>,
    /// `[[multiplier]]`
    multiplier: Vec<MultiplierEntry>,
    /// `[[deployment]]`
    deployment: Vec<Deployment>,
    /// `[[allowance]]`
    allowance: Vec<AllowanceEntry>,
    /// `[[capacity]]`
    capacity: Vec<ReservedCapacity>,
    /// `[[cost_class]]`
    cost_class: Vec<ClassRule>,
    /// `[[cost_rule]]`
    cost_rule: Vec<CostRule>,
    /// `[[bill]]`
    pub(crate) bill: Vec<BillConfig>,
    /// `[outcomes]`
    pub(crate) outcomes: OutcomeLabels,
    /// `[report]`
    pub(crate) report: crate::report::ReportSection,
}

impl FileConfig {
    /// What the file layers over the built-in prices.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            price: self.price.clone(),
            contract: self.contract.clone(),
            multiplier: self.multiplier.clone(),
            deployment: self.deployment.clone(),
        }
    }

    /// The built-in prices with the file's own layered over them.
    pub(crate) fn catalogue(&self) -> anyhow::Result<&'static Catalogue> {
        let overrides = self.overrides();
        if overrides == Overrides::default() {
            return Ok(Catalogue::embedded());
        }
        let catalogue = Catalogue::embedded()
            .with_overrides(&overrides)
            .map_err(|error| Usage(error.to_string()))?;
        // Lives as long as the process, as the built-in one does.
        Ok(Box::leak(Box::new(catalogue)))
    }
}

impl FileConfig {
    /// Whom calls are for, keeping also what the file's own rules ask for: a rule about an attribute that nobody keeps
    /// would match nothing and say nothing.
    pub(crate) fn attribution(&self) -> AttributionConfig {
        let of_costs = self.cost_rule.iter().map(|rule| &rule.predicate);
        let of_classes = self.cost_class.iter().map(|rule| &rule.predicate);
        let mut asked: Vec<&String> = of_costs
            .chain(of_classes)
            .flat_map(|predicate| predicate.attributes.keys())
            .chain(self.cost_rule.iter().filter_map(|rule| rule.unit.as_ref()))
            .chain(&self.outcomes.attribute)
            .collect();
        asked.sort_unstable();
        asked.dedup();
        let mut attribution = self.attribution.clone();
        for key in asked {
            if !attribution.keep.contains(key) {
                attribution.keep.push(key.clone());
            }
        }
        attribution
    }
}

impl FileConfig {
    /// What the account pays or is let off beside its calls.
    pub(crate) fn account(&self) -> anyhow::Result<Account> {
        Ok(Account::new(&self.allowance, &self.capacity).map_err(|error| Usage(error.to_string()))?)
    }

    /// What the file says about costs, their classes and users' customers.
    pub(crate) fn rules(&self) -> anyhow::Result<Arc<Rules>> {
        let config = RulesConfig {
            cost_class: self.cost_class.clone(),
            cost_rule: self.cost_rule.clone(),
        };
        let rules = Rules::new(&config, self.attribution.customer_map.as_deref());
        Ok(Arc::new(rules.map_err(|error| Usage(error.to_string()))?))
    }
}

/// Reads the file, if one is given.
pub(crate) fn load(path: Option<&Path>) -> anyhow::Result<FileConfig> {
    let Some(path) = path else { return Ok(FileConfig::default()) };
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| Usage(format!("cannot read the configuration {shown}: {error}")))?;
    // The parser's message has the line, the key and what was expected.
    Ok(parse(&text).map_err(|error| Usage(format!("configuration {shown}: {error}")))?)
}

/// Reads the text of the file.
pub(crate) fn parse(text: &str) -> Result<FileConfig, toml::de::Error> {
    toml::from_str(text)
}

/// What the file says beside `[collect]`, as it stands in force for a collector; empty without a file.
pub(crate) fn without_collect(path: Option<&Path>) -> anyhow::Result<String> {
    let Some(path) = path else { return Ok(String::new()) };
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| Usage(format!("cannot read the configuration {shown}: {error}")))?;
    let mut table: toml::Table = toml::from_str(&text).map_err(|error| Usage(format!("configuration {shown}: {error}")))?;
    table.remove("collect");
    if table.is_empty() {
        return Ok(String::new());
    }
    Ok(format!("\n# From {shown}.\n{}", toml::to_string(&table)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/marginlake.toml");
        std::fs::read_to_string(path).expect("the sample")
    }

    #[test]
    fn the_sample_is_a_valid_configuration_and_changes_nothing() {
        let file: FileConfig = toml::from_str(&sample()).expect("valid");
        assert_eq!(file.attribution, AttributionConfig::default());
        assert_eq!(file.revenue, Policies::default());
        assert!(std::ptr::eq(file.catalogue().expect("prices"), Catalogue::embedded()));
    }

    #[test]
    fn every_key_that_the_sample_shows_is_known() {
        let uncommented: String = sample()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let file: FileConfig = toml::from_str(&uncommented).unwrap_or_else(|error| panic!("{error}\n{uncommented}"));
        file.catalogue().expect("the sample's prices");
        assert!(!file.account().expect("the sample's account").is_empty());
        let config = RulesConfig {
            cost_class: file.cost_class.clone(),
            cost_rule: file.cost_rule.clone(),
        };
        assert_eq!((config.cost_class.len(), config.cost_rule.len()), (1, 2));
        Rules::new(&config, None).expect("the sample's rules");
        assert_eq!(file.bill.len(), 2);
    }

    #[test]
    fn what_rules_ask_for_is_kept() {
        let file = parse(
            "[attribution]\nkeep = ['plan', 'n']\n[outcomes]\nattribute = 'solved'\n\
             [[cost_rule]]\nid = 'r'\nprice = '1'\nper = 'unit'\nunit = 'n'\nmatch = { attributes = { vendor = 'x' } }\n\
             [[cost_class]]\nclass = 'not_cogs'\nmatch = { attributes = { vendor = 'y', internal = 'true' } }\n",
        );
        let kept = file.expect("a configuration").attribution().keep;
        assert_eq!(kept, ["plan", "n", "internal", "solved", "vendor"]);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = toml::from_str::<FileConfig>("[colect]\n").expect_err("refused").to_string();
        assert!(error.contains("colect"), "{error}");
    }
}

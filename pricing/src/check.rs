//! Validates a catalogue file or a file of overrides, and says what looks wrong in it, with lines.
//!
//! Errors are what the loader would refuse. Warnings are what it would accept and a reviewer should look at:
//! overlaps, gaps, a price a hundred times another (cents for dollars, per token for per million), a cache read
//! above the input rate, a part priced without its whole.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use crate::amount::Amount;
use crate::catalogue::{Card, Catalogue, Layer};
use crate::compile;
use crate::document::{Document, ModelEntry, PatternEntry, PriceEntry, ProviderDocument};
use crate::instant::Instant;
use crate::overrides::{Overrides, PriceOverride};
use crate::pattern::Pattern;
use crate::unit::{UnitSet, UsageKey};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used; somebody should look.
    Warning,
}

/// Something wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The line of the entry, from 1, where it is known.
    pub line: Option<usize>,
    /// Provider, model and price.
    pub place: String,
    /// What is wrong.
    pub message: String,
}

impl Finding {
    /// An error of a whole file or folder.
    pub fn error(message: String) -> Finding {
        Finding {
            severity: Severity::Error,
            line: None,
            place: String::new(),
            message,
        }
    }

    /// What the parser refused.
    pub fn malformed(text: &str, error: &toml::de::Error) -> Finding {
        Finding {
            line: error.span().map(|span| line_of(text, span.start)),
            ..Finding::error(error.message().to_owned())
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        match self.line {
            Some(line) => write!(f, "{line}: {severity}: ",)?,
            None => write!(f, "{severity}: ")?,
        }
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)
    }
}

/// Where the entries of a file begin, as byte offsets.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Places {
    model: Vec<Spanned<ModelPlaces>>,
    price: Vec<Spanned<IgnoredAny>>,
    contract: Vec<Spanned<IgnoredAny>>,
    multiplier: Vec<Spanned<IgnoredAny>>,
    deployment: Vec<Spanned<IgnoredAny>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ModelPlaces {
    price: Vec<Spanned<IgnoredAny>>,
}

/// Checks the text of one provider's catalogue file.
pub fn check_provider(text: &str) -> Vec<Finding> {
    let mut checker = Checker::new(text);
    match toml::from_str::<ProviderDocument>(text) {
        Ok(document) => checker.provider(&document, Some(&places(text))),
        Err(error) => return vec![Finding::malformed(text, &error)],
    }
    checker.sorted()
}

/// Checks overrides against the catalogue that they change. `text` is the TOML that they were read from, whatever else
/// it says: the findings name its lines.
pub fn check_overrides(text: &str, overrides: &Overrides, catalogue: &Catalogue) -> Vec<Finding> {
    let mut checker = Checker::new(text);
    checker.overrides(overrides, &places(text), catalogue);
    checker.sorted()
}

/// Without places the findings have no lines, which is all that goes wrong.
fn places(text: &str) -> Places {
    toml::from_str(text).unwrap_or_default()
}

/// Checks a whole catalogue. Lines are not known here.
pub fn check_document(document: &Document) -> Vec<Finding> {
    let mut checker = Checker::new("");
    for provider in &document.providers {
        checker.provider(provider, None);
    }
    if let Err(error) = Catalogue::new(document.clone()) {
        let known = checker.findings.iter().any(|finding| finding.severity == Severity::Error);
        if !known {
            checker.add(Severity::Error, None, error.place, error.problem.to_string());
        }
    }
    checker.findings
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

struct Checker<'a> {
    text: &'a str,
    findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    fn new(text: &'a str) -> Self {
        let findings = Vec::new();
        Self { text, findings }
    }

    fn sorted(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|finding| (finding.line, finding.severity));
        self.findings
    }

    fn add(&mut self, severity: Severity, offset: Option<usize>, place: impl Into<String>, message: String) {
        let line = offset.map(|offset| line_of(self.text, offset));
        self.findings.push(Finding {
            severity,
            line,
            place: place.into(),
            message,
        });
    }

    fn provider(&mut self, document: &ProviderDocument, places: Option<&Places>) {
        let provider = &document.provider.id;
        let mut literals: BTreeMap<&str, &str> = BTreeMap::new();
        let mut ids: BTreeMap<&str, ()> = BTreeMap::new();
        for (index, model) in document.model.iter().enumerate() {
            let place = format!("{provider}/{}", model.id);
            let model_place = places.and_then(|places| places.model.get(index));
            let offset = model_place.map(|model| model.span().start);
            if ids.insert(&model.id, ()).is_some() {
                self.add(Severity::Error, offset, &place, "the id is used twice".to_owned());
            }
            for pattern in &model.patterns {
                if let Err(error) = Pattern::validate(pattern) {
                    self.add(Severity::Error, offset, &place, error.to_string());
                }
                if let PatternEntry::Glob(text) = pattern
                    && let Some(other) = literals.insert(text, &model.id).filter(|other| *other != model.id)
                {
                    let message = format!("the name {text:?} is also matched by {other}, which comes first");
                    self.add(Severity::Warning, offset, &place, message);
                }
            }
            let offset_of = |number: usize| {
                let price = model_place.and_then(|model| model.get_ref().price.get(number));
                price.map(|price| price.span().start).or(offset)
            };
            self.prices(provider, model, &place, &offset_of);
        }
    }

    fn prices(&mut self, provider: &str, model: &ModelEntry, place: &str, offset_of: &dyn Fn(usize) -> Option<usize>) {
        let mut standard: Vec<(usize, Card)> = Vec::new();
        for (number, price) in model.price.iter().enumerate() {
            let place = format!("{place}, price {}", number + 1);
            match compile::compile_card(provider, &model.id, price, Layer::Catalogue) {
                Ok(card) => {
                    self.rates(price, &place, offset_of(number));
                    if card.when.is_empty() && card.windows.is_empty() {
                        standard.push((number, card));
                    }
                }
                Err(problem) => self.add(Severity::Error, offset_of(number), place, problem.to_string()),
            }
        }
        if model.price.is_empty() {
            self.add(Severity::Warning, offset_of(0), place, "the model has no price".to_owned());
        }
        self.variants(model, place, offset_of);
        standard.sort_by_key(|(_, card)| card.from);
        if let Some((number, last)) = standard.last().filter(|(_, card)| card.until != Instant(i64::MAX)) {
            let message = format!("no price from {} on", last.until);
            self.add(Severity::Warning, offset_of(*number), &*last.price_id, message);
        }
        for pair in standard.windows(2) {
            let ((_, before), (number, after)) = (&pair[0], &pair[1]);
            let offset = offset_of(*number);
            if before.until > after.from {
                let message = format!("overlaps {}: the later entry wins", before.price_id);
                self.add(Severity::Warning, offset, &*after.price_id, message);
            } else if before.until < after.from {
                let message = format!("no price from {} until {}", before.until, after.from);
                self.add(Severity::Warning, offset, &*after.price_id, message);
            }
            for rate in &after.rates {
                let earlier = before.rates.iter().find(|earlier| earlier.unit == rate.unit);
                if let (Some(new), Some(old)) = (rate.base, earlier.and_then(|earlier| earlier.base)) {
                    self.jump(offset, &after.price_id, rate.unit.price_key(), old, new);
                }
            }
        }
    }

    /// Of prices under the same conditions the first one wins, key by key: a later one for the same time never speaks.
    fn variants(&mut self, model: &ModelEntry, place: &str, offset_of: &dyn Fn(usize) -> Option<usize>) {
        let interval = |price: &PriceEntry| compile::interval(price.from.as_deref(), price.until.as_deref()).ok();
        let conditional = || model.price.iter().enumerate().filter(|(_, price)| !price.when.is_empty());
        for (number, price) in conditional() {
            let hides = |(_, earlier): &(usize, &PriceEntry)| {
                let times = interval(earlier).zip(interval(price));
                let covered = times.is_some_and(|(earlier, later)| earlier.0 <= later.0 && later.1 <= earlier.1);
                covered
                    && earlier.when == price.when
                    && earlier.windows == price.windows
                    && earlier.rates.keys().any(|key| price.rates.contains_key(key))
            };
            if let Some((first, _)) = conditional().take_while(|(index, _)| *index < number).find(hides) {
                let when: Vec<String> = price.when.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let message = format!("price {} under {} comes first and hides it", first + 1, when.join(" and "));
                let place = format!("{place}, price {}", number + 1);
                self.add(Severity::Warning, offset_of(number), place, message);
            }
        }
    }

    /// What looks wrong within one price.
    fn rates(&mut self, price: &PriceEntry, place: &str, offset: Option<usize>) {
        let units: UnitSet = price.rates.keys().filter_map(|key| UsageKey::from_price_key(key)).collect();
        if price.when.is_empty() {
            for unit in units.iter() {
                if let Some(whole) = unit.wholes().iter().find(|whole| !units.contains(*whole)) {
                    let message = format!(
                        "{} has a rate and {}, of which it is a part, has none",
                        unit.price_key(),
                        whole.price_key()
                    );
                    self.add(Severity::Warning, offset, place, message);
                }
            }
        }
        let rate = |key: &str| price.rates.get(key).copied();
        if let (Some(input), Some(cached)) = (rate("input_mtok"), rate("cache_read_mtok"))
            && cached > input
        {
            let message = format!("cache_read_mtok {cached} is above input_mtok {input}");
            self.add(Severity::Warning, offset, place, message);
        }
        for (key, rate) in price.rates.iter().filter(|(key, _)| key.ends_with("_mtok")) {
            if *rate > Amount::from(2_000) {
                let message = format!("{key} {rate} USD per million tokens: was the price per thousand, or in cents?");
                self.add(Severity::Warning, offset, place, message);
            }
        }
    }

    fn jump(&mut self, offset: Option<usize>, place: &str, key: &str, old: Amount, new: Amount) {
        let hundredfold =
            |low: Amount, high: Amount| !low.is_zero() && low.checked_mul(Amount::from(100)).is_some_and(|limit| high >= limit);
        if hundredfold(old, new) || hundredfold(new, old) {
            let message = format!("{key} goes from {old} to {new}: cents for dollars, or per token for per million?");
            self.add(Severity::Warning, offset, place, message);
        }
    }

    fn overrides(&mut self, overrides: &Overrides, places: &Places, catalogue: &Catalogue) {
        let offset = |places: &[Spanned<IgnoredAny>], index: usize| places.get(index).map(|place| place.span().start);
        for (index, price) in overrides.price.iter().enumerate() {
            let one = Overrides {
                price: vec![price.clone()],
                ..Overrides::default()
            };
            let place = format!("{}/{}", price.provider, price.model);
            let offset = offset(&places.price, index);
            if self.one(&one, catalogue, offset) {
                self.rates_against(price, &place, offset, catalogue);
            }
            if price.source.trim().is_empty() {
                self.add(Severity::Warning, offset, &place, "the price states no source".to_owned());
            }
        }
        // What follows may name providers that the prices add.
        let prices = Overrides {
            price: overrides.price.clone(),
            ..Overrides::default()
        };
        let Ok(base) = catalogue.with_overrides(&prices) else {
            return;
        };
        for (index, contract) in overrides.contract.iter().enumerate() {
            let one = Overrides {
                contract: vec![contract.clone()],
                ..prices.clone()
            };
            self.one(&one, catalogue, offset(&places.contract, index));
        }
        for (index, multiplier) in overrides.multiplier.iter().enumerate() {
            let one = Overrides {
                multiplier: vec![multiplier.clone()],
                ..prices.clone()
            };
            self.one(&one, catalogue, offset(&places.multiplier, index));
        }
        for (index, deployment) in overrides.deployment.iter().enumerate() {
            let one = Overrides {
                deployment: vec![deployment.clone()],
                ..prices.clone()
            };
            let offset = offset(&places.deployment, index);
            let place = format!("deployment {}", deployment.name);
            if self.one(&one, catalogue, offset)
                && base
                    .show(&deployment.model, Some(&deployment.provider), Instant(0))
                    .is_empty()
            {
                let message = format!("stands for {:?}, which the catalogue does not know", deployment.model);
                self.add(Severity::Warning, offset, place, message);
            }
        }
    }

    /// Whether the overrides are accepted on their own.
    fn one(&mut self, overrides: &Overrides, catalogue: &Catalogue, offset: Option<usize>) -> bool {
        match catalogue.with_overrides(overrides) {
            Ok(_) => true,
            Err(error) => {
                self.add(Severity::Error, offset, error.place, error.problem.to_string());
                false
            }
        }
    }

    fn rates_against(&mut self, price: &PriceOverride, place: &str, offset: Option<usize>, catalogue: &Catalogue) {
        let at = price
            .from
            .as_deref()
            .and_then(|from| Instant::parse(from).ok())
            .unwrap_or(Instant(i64::MAX - 1));
        for shown in catalogue.show(&price.model, Some(&price.provider), at) {
            let known = shown
                .prices
                .iter()
                .rev()
                .find(|known| known.in_force && known.when.is_empty());
            for known in known.into_iter().flat_map(|known| &known.rates) {
                if let (Some(old), Some(new)) = (known.rate, price.rates.get(known.price_key)) {
                    self.jump(offset, place, known.price_key, old, *new);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let findings = match toml::from_str::<Overrides>(text) {
            _ if text.contains("[provider]") => check_provider(text),
            Ok(overrides) => check_overrides(text, &overrides, Catalogue::embedded()),
            Err(error) => vec![Finding::malformed(text, &error)],
        };
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn mistakes_are_found_with_their_lines() {
        for (text, expected) in [
            (
                "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nrates = { input_mtok = 2.5 }\n",
                "4: error",
            ),
            (
                "\n[[price]]\nprovider = \"openai\"\nmodel = \"m\"\nsource = \"s\"\nrates = { inptu_mtok = \"1\" }\n",
                "2: error",
            ),
            (
                "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nsource = \"s\"\nrates = { input_mtok = \"250\" }\n",
                "cents for dollars",
            ),
            (
                "[[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nsource = \"s\"\nfrom = \"2026-02-30\"\nrates = { input_mtok = \"2\" }\n",
                "not a moment",
            ),
            ("[[contract]]\nid = \"c\"\ndiscount = \"1.5\"\n", "1: error"),
            (
                "[[contract]]\nid = \"c\"\nprovider = \"nobody\"\ndiscount = \"0.1\"\n",
                "unknown provider",
            ),
            (
                "[[deployment]]\nprovider = \"azure\"\nname = \"prod\"\nmodel = \"gpt-9\"\n",
                "does not know",
            ),
        ] {
            let found = found(text);
            assert!(found.iter().any(|finding| finding.contains(expected)), "{text}\n{found:?}");
        }
    }

    #[test]
    fn a_catalogue_file_shows_its_overlaps_gaps_and_jumps() {
        let text = "[provider]\nid = \"p\"\n[[model]]\nid = \"m\"\nmatch = [\"m\"]\n\
                    [[model.price]]\nuntil = \"2026-01-01\"\nrates = { input_mtok = \"1\" }\n\
                    [[model.price]]\nfrom = \"2026-02-01\"\nuntil = \"2026-04-01\"\nrates = { input_mtok = \"200\" }\n\
                    [[model.price]]\nfrom = \"2026-03-01\"\nrates = { input_mtok = \"200\", cache_read_mtok = \"300\" }\n";
        let found = found(text).join("\n");
        for expected in [
            "9: warning: p/m@2026-02-01: no price from",
            "goes from 1 to 200",
            "overlaps",
            "is above",
        ] {
            assert!(found.contains(expected), "{expected}\n{found}");
        }
    }

    #[test]
    fn a_price_that_never_speaks_and_one_that_ends_for_good_are_shown() {
        let text = "[provider]\nid = \"p\"\n[[model]]\nid = \"m\"\nmatch = [\"m\"]\n\
                    [[model.price]]\nuntil = \"2026-01-01\"\nrates = { input_mtok = \"2\" }\n\
                    [[model.price]]\nwhen = { processing = \"batch\" }\nrates = { input_mtok = \"1\" }\n\
                    [[model.price]]\nwhen = { processing = \"batch\" }\nfrom = \"2026-01-01\"\nrates = { input_mtok = \"0.5\" }\n";
        let found = found(text).join("\n");
        for expected in [
            "6: warning: p/m: no price from 2026-01-01 on",
            "12: warning: p/m, price 3: price 2 under processing=batch comes first and hides it",
        ] {
            assert!(found.contains(expected), "{expected}\n{found}");
        }
    }

    #[test]
    fn the_built_in_catalogue_has_no_errors() {
        let findings = check_document(Catalogue::embedded().document());
        let errors: Vec<_> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

//! Why costs moved: which price gave way to which, with every rate that changed.
//!
//! A cause is a pair of prices, not a pair of receipts: calls that used other units of the same price moved for the
//! same cause, and the cause names the rates of all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::figures::plain;
use crate::settle::record::{CostLine, Price};

/// What makes two moves the same cause: the names of what stood before and of what stands now, and where the latter
/// is from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CauseKey {
    before: String,
    after: String,
    /// Contracts and factors that apply now, and the source of the user's own price.
    because: Vec<String>,
}

/// Rates that changed, by unit; several where calls stood in several tiers.
pub(super) type RateChanges = BTreeMap<String, BTreeSet<(String, String)>>;

impl CauseKey {
    pub(super) fn new(before: &Price, after: &Price, because: Vec<String>) -> CauseKey {
        CauseKey {
            before: name(before),
            after: name(after),
            because,
        }
    }

    /// One sentence for a row of `restatements`. The same change gives the same text.
    pub(super) fn reason(&self, changes: &RateChanges) -> String {
        let mut text = match self.before == self.after {
            true => self.after.clone(),
            false => format!("{} -> {}", self.before, self.after),
        };
        if let Some(rates) = shown(changes) {
            text.push_str(": ");
            text.push_str(&rates);
        }
        if !self.because.is_empty() {
            text.push_str(&format!(" ({})", self.because.join("; ")));
        }
        text
    }
}

/// The rates that changed; in a few words where one factor came over all of them.
fn shown(changes: &RateChanges) -> Option<String> {
    let pairs = || changes.values().flatten();
    let factor = |(old, new): &(String, String)| new.strip_prefix(old.as_str()).map(str::to_owned);
    let first = factor(pairs().next()?).filter(|factor| factor.starts_with(" x "));
    if let Some(first) = first
        && changes.len() > 1
        && pairs().all(|pair| factor(pair).as_ref() == Some(&first))
    {
        return Some(format!("every rate{first}"));
    }
    let changed: Vec<String> = changes
        .iter()
        .flat_map(|(unit, pairs)| pairs.iter().map(move |(old, new)| format!("{unit} {old} -> {new}")))
        .collect();
    Some(changed.join(", "))
}

/// Notes the rates that differ between two receipts. Without a receipt on both sides there is nothing to compare.
pub(super) fn note_changes(changes: &mut RateChanges, before: &Price, after: &Price) {
    let (old, new) = (rates(before), rates(after));
    if old.is_empty() || new.is_empty() {
        return;
    }
    let units: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    for unit in units.into_iter().filter(|unit| old.get(unit) != new.get(unit)) {
        let side = |rates: &BTreeMap<&str, Vec<String>>| rates.get(unit).map_or("no rate".to_owned(), |all| all.join(" + "));
        changes.entry(unit.to_owned()).or_default().insert((side(&old), side(&new)));
    }
}

/// The price, or what stands in for one.
fn name(price: &Price) -> String {
    match (
        price.cost_source.as_deref(),
        price.price_id.as_deref(),
        price.status.as_deref(),
    ) {
        (Some("charge"), ..) => "the provider's own charge".to_owned(),
        (_, Some(id), Some("priced" | "free")) => id.to_owned(),
        (_, Some(id), status) => format!("{id} ({})", status.unwrap_or("unknown")),
        (_, None, status) => status.unwrap_or("unknown").to_owned(),
    }
}

fn rates(price: &Price) -> BTreeMap<&str, Vec<String>> {
    let mut rates: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in price.cost_lines.iter().flatten() {
        rates.entry(line.unit.as_deref().unwrap_or("?")).or_default().push(rate(line));
    }
    rates
}

/// `0.25 USD/1M`, `10 USD/1k x 0.85`.
fn rate(line: &CostLine) -> String {
    let decimal = |value: Option<i128>| value.map_or("?".to_owned(), plain);
    let mut text = format!("{} USD", decimal(line.rate));
    match line.per {
        None | Some(1) => {}
        Some(1_000) => text.push_str("/1k"),
        Some(1_000_000) => text.push_str("/1M"),
        Some(3_600) => text.push_str("/h"),
        Some(per) => text.push_str(&format!("/{per}")),
    }
    if line.multiplier.is_some_and(|multiplier| multiplier != ONE) {
        text.push_str(&format!(" x {}", decimal(line.multiplier)));
    }
    text
}

const ONE: i128 = 1_000_000_000_000;

//! Why a cost moved, in one line: which rate of which price stood before, and which stands now.

use std::collections::BTreeMap;

use crate::settle::record::{CostLine, Price};

/// Says which rates differ. Equal changes give equal texts, whatever the calls used of them.
pub(super) fn reason(before: &Price, after: &Price) -> String {
    let (old, new) = (rates(before), rates(after));
    if old.is_empty() || new.is_empty() {
        return format!("{} -> {}", whole(before), whole(after));
    }
    let mut units: Vec<&str> = old.keys().chain(new.keys()).copied().collect();
    units.sort_unstable();
    units.dedup();
    let changed: Vec<String> = units
        .into_iter()
        .filter(|unit| old.get(unit) != new.get(unit))
        .map(|unit| {
            let side = |rates: &BTreeMap<&str, Vec<String>>| rates.get(unit).map_or("no rate".to_owned(), |all| all.join(" + "));
            format!("{unit}: {} -> {}", side(&old), side(&new))
        })
        .collect();
    if changed.is_empty() {
        return format!("{} -> {}", whole(before), whole(after));
    }
    changed.join("; ")
}

/// Status and price id of a price without lines.
fn whole(price: &Price) -> String {
    let status = price.status.as_deref().unwrap_or("unknown");
    match (price.cost_source.as_deref(), price.price_id.as_deref()) {
        (Some("charge"), _) => "the provider's charge".to_owned(),
        (_, Some(id)) => format!("{status} by {id}"),
        (_, None) => status.to_owned(),
    }
}

fn rates(price: &Price) -> BTreeMap<&str, Vec<String>> {
    let mut rates: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in price.cost_lines.iter().flatten() {
        rates.entry(line.unit.as_deref().unwrap_or("?")).or_default().push(rate(line));
    }
    rates
}

fn rate(line: &CostLine) -> String {
    let decimal = |value: Option<i128>| value.map_or("?".to_owned(), plain);
    let mut text = decimal(line.rate);
    if let Some(per) = line.per {
        text.push_str(&format!(" per {per}"));
    }
    if line.multiplier.is_some_and(|multiplier| multiplier != SCALE_12) {
        text.push_str(&format!(" x {}", decimal(line.multiplier)));
    }
    if let Some(id) = &line.price_id {
        text.push_str(&format!(" ({id})"));
    }
    text
}

const SCALE_12: i128 = 1_000_000_000_000;

/// A figure at scale 12 with no more decimals than it has.
pub(super) fn plain(value: i128) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let (whole, part) = (
        value.unsigned_abs() / SCALE_12.unsigned_abs(),
        value.unsigned_abs() % SCALE_12.unsigned_abs(),
    );
    let digits = format!("{part:012}");
    let decimals = digits.trim_end_matches('0');
    match decimals.is_empty() {
        true => format!("{sign}{whole}"),
        false => format!("{sign}{whole}.{decimals}"),
    }
}

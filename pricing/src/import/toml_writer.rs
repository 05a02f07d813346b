//! Writes a provider's file the way a person would: one line a rate table, comments' worth of notes kept.
//!
//! A generic TOML serialiser would spread a price over twenty lines. The result reads back to the same data,
//! which a test holds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::amount::Amount;
use crate::document::{MultiplierEntry, PatternEntry, PriceEntry, ProviderDocument, SourceEntry};
use crate::instant::WindowSpec;
use crate::unit::UsageKey;

pub(crate) fn sources(sources: &BTreeMap<String, SourceEntry>) -> String {
    let mut out = String::from("# Where the prices beside this file come from. Made by `marginlake prices import`.\n");
    for (id, source) in sources {
        let _ = write!(out, "\n[{}]\n", key(id));
        text(&mut out, "title", &source.title);
        text(&mut out, "url", &source.url);
        text(&mut out, "licence", &source.licence);
        text(&mut out, "retrieved", &source.retrieved);
        text(&mut out, "sha256", &source.sha256);
    }
    out
}

pub(crate) fn provider(document: &ProviderDocument) -> String {
    let mut out = String::from("# Made by `marginlake prices import`; corrections belong in corrections.toml. USD.\n\n");
    let entry = &document.provider;
    out.push_str("[provider]\n");
    text(&mut out, "id", &entry.id);
    text(&mut out, "name", &entry.name);
    list(&mut out, "names", &entry.names);
    list(&mut out, "hosts", &entry.hosts);
    patterns(&mut out, "unique_models", &entry.unique_models);
    list(&mut out, "fallback", &entry.fallback);
    list(&mut out, "pricing_urls", &entry.pricing_urls);
    text(&mut out, "note", &entry.note);
    document.multiplier.iter().for_each(|entry| multiplier(&mut out, entry));
    for model in &document.model {
        out.push_str("\n[[model]]\n");
        text(&mut out, "id", &model.id);
        text(&mut out, "name", &model.name);
        patterns(&mut out, "match", &model.patterns);
        flag(&mut out, "deprecated", model.deprecated);
        text(&mut out, "source", &model.source);
        text(&mut out, "note", &model.note);
        map(
            &mut out,
            "also",
            model.also.iter().map(|(source, verdict)| (source.as_str(), quoted(verdict))),
        );
        model.price.iter().for_each(|entry| price(&mut out, entry));
    }
    out
}

fn multiplier(out: &mut String, entry: &MultiplierEntry) {
    out.push_str("\n[[multiplier]]\n");
    text(out, "id", &entry.id);
    text(out, "factor", &entry.factor.to_string());
    list(out, "models", &entry.models);
    map(
        out,
        "when",
        entry.when.iter().map(|(name, value)| (name.as_str(), quoted(value))),
    );
    list(out, "price_keys", &entry.price_keys);
    text(out, "from", entry.from.as_deref().unwrap_or_default());
    text(out, "until", entry.until.as_deref().unwrap_or_default());
    text(out, "source", &entry.source);
    text(out, "note", &entry.note);
}

fn price(out: &mut String, entry: &PriceEntry) {
    out.push_str("\n[[model.price]]\n");
    map(
        out,
        "when",
        entry.when.iter().map(|(name, value)| (name.as_str(), quoted(value))),
    );
    text(out, "from", entry.from.as_deref().unwrap_or_default());
    text(out, "until", entry.until.as_deref().unwrap_or_default());
    text(out, "known_from", entry.known_from.as_deref().unwrap_or_default());
    windows(out, &entry.windows);
    flag(out, "free", entry.free);
    rates(out, "rates", &entry.rates);
    if !entry.tiers.is_empty() {
        out.push_str("tiers = [\n");
        for tier in &entry.tiers {
            let threshold = match (tier.above, tier.at_least) {
                (Some(above), _) => format!("above = {above}"),
                (None, Some(at_least)) => format!("at_least = {at_least}"),
                (None, None) => String::from("above = 0"),
            };
            let _ = writeln!(out, "  {{ {threshold}, rates = {} }},", inline_rates(&tier.rates));
        }
        out.push_str("]\n");
    }
    map(
        out,
        "minimum",
        entry.minimum.iter().map(|(name, count)| (name.as_str(), count.to_string())),
    );
    text(out, "source", &entry.source);
    text(out, "note", &entry.note);
}

fn windows(out: &mut String, windows: &[WindowSpec]) {
    if windows.is_empty() {
        return;
    }
    out.push_str("windows = [\n");
    for window in windows {
        let mut fields = Vec::new();
        if let Some(zone) = &window.zone {
            fields.push(format!("zone = {}", quoted(zone)));
        }
        if !window.days.is_empty() {
            fields.push(format!("days = {}", inline_list(&window.days)));
        }
        fields.push(format!("from = {}, to = {}", quoted(&window.from), quoted(&window.to)));
        if !window.except.is_empty() {
            fields.push(format!("except = {}", inline_list(&window.except)));
        }
        let _ = writeln!(out, "  {{ {} }},", fields.join(", "));
    }
    out.push_str("]\n");
}

fn rates(out: &mut String, name: &str, rates: &BTreeMap<String, Amount>) {
    if !rates.is_empty() {
        let _ = writeln!(out, "{name} = {}", inline_rates(rates));
    }
}

/// In the order of the unit registry: input, output, cache, the rest.
fn inline_rates(rates: &BTreeMap<String, Amount>) -> String {
    let mut sorted: Vec<_> = rates.iter().collect();
    sorted.sort_by_key(|(name, _)| (UsageKey::from_price_key(name).map_or(usize::MAX, UsageKey::index), *name));
    let fields: Vec<String> = sorted
        .iter()
        .map(|(name, rate)| format!("{} = \"{rate}\"", key(name)))
        .collect();
    format!("{{ {} }}", fields.join(", "))
}

fn patterns(out: &mut String, name: &str, patterns: &[PatternEntry]) {
    if patterns.is_empty() {
        return;
    }
    let items: Vec<String> = patterns
        .iter()
        .map(|pattern| match pattern {
            PatternEntry::Glob(glob) => quoted(glob),
            PatternEntry::Compound(compound) => {
                format!(
                    "{{ all = {}, none = {} }}",
                    inline_list(&compound.all),
                    inline_list(&compound.none)
                )
            }
            PatternEntry::Regex(regex) => format!("{{ regex = {} }}", quoted(&regex.regex)),
        })
        .collect();
    items_of(out, name, &items);
}

fn list(out: &mut String, name: &str, values: &[String]) {
    if !values.is_empty() {
        let items: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        items_of(out, name, &items);
    }
}

/// On one line when it fits, else one item a line.
fn items_of(out: &mut String, name: &str, items: &[String]) {
    let line = format!("{name} = [{}]", items.join(", "));
    if line.len() <= 120 {
        out.push_str(&line);
        out.push('\n');
        return;
    }
    let _ = writeln!(out, "{name} = [");
    for item in items {
        let _ = writeln!(out, "  {item},");
    }
    out.push_str("]\n");
}

fn map<'a>(out: &mut String, name: &str, entries: impl Iterator<Item = (&'a str, String)>) {
    let fields: Vec<String> = entries.map(|(name, value)| format!("{} = {value}", key(name))).collect();
    if !fields.is_empty() {
        let _ = writeln!(out, "{name} = {{ {} }}", fields.join(", "));
    }
}

fn flag(out: &mut String, name: &str, value: bool) {
    if value {
        let _ = writeln!(out, "{name} = true");
    }
}

fn text(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        let _ = writeln!(out, "{name} = {}", quoted(value));
    }
}

fn inline_list(values: &[String]) -> String {
    let items: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", items.join(", "))
}

fn key(name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if bare { name.to_owned() } else { quoted(name) }
}

/// A basic TOML string.
fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

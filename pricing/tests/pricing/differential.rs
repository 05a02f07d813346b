//! Side by side with genai-prices' own crate, fed the same seed.
//!
//! Both price the same calls; the results must agree within the float precision of the other side, unless the
//! difference is one that we mean, each of which has a case of its own in `worked.rs`:
//! DeepSeek's peak hours, Anthropic's batch launch, spellings that we understand and it does not, models from a
//! second source, contradictions that it overlooks, and usage without a price that it calls zero.
//! `DIFFERENTIAL_CASES` sets the number of random calls (default 20,000): the longer run is
//! `DIFFERENTIAL_CASES=2000000 cargo test --workspace --test pricing -- random_calls`.
#![allow(clippy::disallowed_types, clippy::float_arithmetic, reason = "the other side is float")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use genai_prices::{Calculator, PriceRequest};
use marginlake_pricing::{Catalogue, Context, Request, Status, Usage};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value};

use crate::fixtures::{litellm, seed};

/// Models whose prices we correct.
const CORRECTED: [&str; 3] = ["deepseek-v4-pro", "deepseek-v4-flash", "deepseek-flash"];

static OTHER: LazyLock<Calculator> = LazyLock::new(|| {
    let mut providers = SEED["providers"].clone();
    as_numbers(&mut providers, false);
    Calculator::from_json(providers.to_string()).expect("the seed is valid for the other side")
});

/// Prices as the numbers that the other side wants.
fn as_numbers(value: &mut Value, in_prices: bool) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                let is_price = in_prices || key == "prices";
                match value {
                    Value::String(text) if in_prices => *value = text.parse::<f64>().expect("a price").into(),
                    other => as_numbers(other, is_price && key != "constraint"),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| as_numbers(item, in_prices)),
        _ => {}
    }
}

/// Every (provider, model name) that somebody wrote down: the seed's literals and ids, and LiteLLM's keys.
static NAMES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let map: Map<String, Value> = serde_json::from_str(&litellm()).expect("JSON");
    let mut names = Vec::new();
    for provider in SEED["providers"].as_array().expect("providers") {
        let id = provider["id"].as_str().expect("an id");
        for model in provider["models"].as_array().expect("models") {
            names.push((id.to_owned(), model["id"].as_str().expect("an id").to_owned()));
            literals(&model["match"], &mut |name| names.push((id.to_owned(), name.to_owned())));
        }
        if ["openai", "anthropic", "azure", "google", "aws"].contains(&id) {
            for key in map.keys() {
                names.push((id.to_owned(), key.rsplit('/').next().unwrap_or(key).to_owned()));
            }
        }
    }
    names.sort();
    names.dedup();
    names
});

/// What a unit counts, as the seed's pairs of dimension and value.
type Dimensions = BTreeSet<(&'static str, &'static str)>;

static SEED: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&seed()).expect("JSON"));

/// Every unit of the seed but the one that each call has once.
static UNITS: LazyLock<Vec<(&'static str, Dimensions)>> = LazyLock::new(|| {
    let units = SEED["units"].as_object().expect("units");
    let dimensions = |unit: &'static Value| {
        let pairs = unit["dimensions"].as_object().into_iter().flatten();
        pairs
            .map(|(name, value)| (name.as_str(), value.as_str().expect("a text")))
            .collect()
    };
    let of_calls = units.iter().filter(|(key, _)| *key != "requests");
    of_calls.map(|(key, unit)| (key.as_str(), dimensions(unit))).collect()
});

/// The units that overlap, and the unit that counts their overlap.
static OVERLAPS: LazyLock<Vec<(usize, usize, usize)>> = LazyLock::new(|| {
    let mut overlaps = Vec::new();
    for (left, (_, one)) in UNITS.iter().enumerate() {
        for (right, (_, other)) in UNITS.iter().enumerate().skip(left + 1) {
            let both: Dimensions = one.union(other).copied().collect();
            let overlap = UNITS.iter().position(|(_, unit)| *unit == both);
            overlaps.extend(overlap.map(|overlap| (left, right, overlap)));
        }
    }
    overlaps
});

/// Every fact of a request that a price of the seed asks for, and some that none does.
static FACTS: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
    let mut facts = BTreeSet::from([
        ("service_tier", "no-such-tier"),
        ("speed", "standard"),
        ("route", "elsewhere"),
    ]);
    conditions(&SEED, &mut facts);
    facts.into_iter().collect()
});

fn conditions(value: &'static Value, found: &mut BTreeSet<(&'static str, &'static str)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if let ("when", Value::Object(when)) = (key.as_str(), value) {
                    found.extend(
                        when.iter()
                            .map(|(name, value)| (name.as_str(), value.as_str().expect("a text"))),
                    );
                }
                conditions(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| conditions(item, found)),
        _ => {}
    }
}

/// The names that both sides know.
static SHARED_NAMES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let is_shared = |(provider, model): &&(String, String)| compare(&plain(provider, model)) == Ok(true);
    NAMES.iter().filter(is_shared).cloned().collect()
});

fn literals(clause: &Value, found: &mut impl FnMut(&str)) {
    for (kind, value) in clause.as_object().into_iter().flatten() {
        match value {
            Value::Array(clauses) => clauses.iter().for_each(|clause| literals(clause, found)),
            Value::String(text) if kind != "regex" => {
                found(text);
                found(&format!("{text}-20260401"));
            }
            _ => {}
        }
    }
}

/// One call, the same for both sides.
#[derive(Debug)]
struct Call {
    provider: String,
    model: String,
    at_seconds: u32,
    usage: BTreeMap<&'static str, i64>,
    context: Vec<(&'static str, &'static str)>,
}

/// `Ok(true)` when both priced it alike, `Ok(false)` for a difference we mean.
fn compare(call: &Call) -> Result<bool, String> {
    let usage: Usage = call.usage.iter().map(|(key, count)| (*key, *count)).collect();
    let context: Context = call.context.iter().copied().collect();
    let at_unix_nano = i64::from(call.at_seconds) * 1_000_000_000;
    let ours = Catalogue::embedded().price(&Request {
        provider: Some(&call.provider),
        model: Some(&call.model),
        ..Request::new(&usage, &context, at_unix_nano)
    });
    let other_usage: genai_prices::Usage = call
        .usage
        .iter()
        .map(|(key, count)| (*key, i32::try_from(*count).map_or(*count as f64, f64::from)))
        .collect();
    let mut request = PriceRequest::new(&call.model, &other_usage)
        .with_provider_id(&call.provider)
        .with_timestamp(UNIX_EPOCH + Duration::from_secs(call.at_seconds.into()));
    for (name, value) in &call.context {
        request = request.with_price_context(name, value);
    }
    let theirs = match OTHER.calculate(&request) {
        Ok(theirs) => theirs,
        // It refuses where we understand one spelling or one contradiction more, or know a second source.
        Err(_) => return Ok(false),
    };
    let model = ours.model.as_deref().unwrap_or_default();
    let batch_launch = call.provider == "anthropic" && call.context.contains(&("processing", "batch"));
    if CORRECTED.contains(&model) || (batch_launch && call.at_seconds < 1_791_936_000) {
        return Ok(false);
    }
    match ours.status {
        Status::Invalid => return Ok(false),
        Status::Unpriced if theirs.total_price == 0.0 => return Ok(false),
        _ => {}
    }
    let Some(cost) = ours.cost else {
        return Err(format!(
            "{call:?}: theirs {} {}, ours {ours:?}",
            theirs.model_id, theirs.total_price
        ));
    };
    let cost: f64 = cost.to_string().parse().expect("a decimal is a float's text too");
    let tolerance = 1e-9 * cost.abs().max(theirs.total_price.abs()) + 1e-15;
    if (cost - theirs.total_price).abs() > tolerance {
        return Err(format!(
            "{call:?}: theirs {} {}, ours {cost} {ours:?}",
            theirs.model_id, theirs.total_price
        ));
    }
    Ok(true)
}

fn plain(provider: &str, model: &str) -> Call {
    Call {
        provider: provider.to_owned(),
        model: model.to_owned(),
        at_seconds: 1_794_830_400,
        usage: [
            ("input_tokens", 300_000),
            ("cache_read_tokens", 1_000),
            ("output_tokens", 7_000),
        ]
        .into(),
        context: Vec::new(),
    }
}

#[test]
fn every_known_name_costs_the_same_on_both_sides() {
    let outcomes: Vec<_> = NAMES
        .iter()
        .map(|(provider, model)| compare(&plain(provider, model)))
        .collect();
    let failures: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    let alike = outcomes.iter().filter(|outcome| matches!(outcome, Ok(true))).count();
    assert!(
        failures.is_empty(),
        "{} of {}:\n{:#?}",
        failures.len(),
        outcomes.len(),
        &failures[..failures.len().min(20)]
    );
    assert!(alike > 5_000, "only {alike} of {} were priced by both", outcomes.len());
}

#[test]
fn random_calls_cost_the_same_on_both_sides() {
    let cases = std::env::var("DIFFERENTIAL_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_000);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(
        Config {
            cases,
            ..Config::default()
        },
        rng,
    );
    let (mut alike, mut failures) = (0, Vec::new());
    for _ in 0..cases {
        match compare(&random_call(&mut runner)) {
            Ok(true) => alike += 1,
            Ok(false) => {}
            Err(failure) => failures.push(failure),
        }
    }
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures[..failures.len().min(20)].join("\n")
    );
    assert!(alike * 2 > cases, "only {alike} of {cases} were priced by both");
}

/// One call of a shared model: usage of any units that can be true, any facts that the seed prices by.
fn random_call(runner: &mut TestRunner) -> Call {
    let mut below = |limit: u64| {
        use proptest::prelude::Rng;
        runner.rng().next_u64() % limit.max(1)
    };
    let (provider, model) = pick(&SHARED_NAMES, &mut below);
    let mut usage = if below(3) == 0 {
        usage_of_any_units(&mut below)
    } else {
        usage_of_text(&mut below)
    };
    // A client that leaves one count out: contradictory, or less is known.
    if below(8) == 0 {
        let nth = below(usage.len() as u64) as usize;
        if let Some(key) = usage.keys().nth(nth).copied() {
            usage.remove(key);
        }
    }
    let facts = below(3);
    let context = (0..facts).map(|_| *pick(&FACTS, &mut below)).collect::<BTreeMap<_, _>>();
    // From 2025 into 2027, so that every dated price is crossed; often just around a change of day.
    let mut at_seconds = 1_735_689_600 + below(70_000_000);
    if below(4) == 0 {
        at_seconds = at_seconds / 86_400 * 86_400 - 1 + below(3);
    }
    Call {
        provider: provider.clone(),
        model: model.clone(),
        at_seconds: u32::try_from(at_seconds).expect("before 2106"),
        usage,
        context: context.into_iter().collect(),
    }
}

fn pick<'a, T>(items: &'a [T], below: &mut dyn FnMut(u64) -> u64) -> &'a T {
    &items[usize::try_from(below(items.len() as u64)).expect("an index")]
}

/// Sizes around tiers and up to where the other side's floats end.
fn size(below: &mut dyn FnMut(u64) -> u64) -> i64 {
    let size = match below(6) {
        0 => below(10),
        1 => 99_990 + below(20),
        2 => 199_990 + below(20),
        3 => 271_990 + below(20),
        4 => below(1 << 40),
        _ => below(200_000),
    };
    i64::try_from(size).expect("below 2^40")
}

/// What nearly every call has: text in and out, caches, reasoning.
fn usage_of_text(below: &mut dyn FnMut(u64) -> u64) -> BTreeMap<&'static str, i64> {
    let part_of = |whole: i64, below: &mut dyn FnMut(u64) -> u64| below(whole as u64 + 1) as i64;
    let (input, output) = (size(below), size(below));
    let read = part_of(input, below);
    let written = part_of(input - read, below);
    let mut usage = BTreeMap::from([("input_tokens", input), ("output_tokens", output)]);
    if below(2) == 0 {
        usage.insert("cache_read_tokens", read);
    }
    if below(3) == 0 {
        usage.insert("cache_write_tokens", written);
        if below(2) == 0 {
            usage.insert("cache_write_1h_tokens", part_of(written, below));
        }
    }
    if below(4) == 0 {
        usage.insert("output_reasoning_tokens", part_of(output, below));
    }
    if below(8) == 0 {
        usage.insert("web_searches", below(20) as i64);
    }
    usage
}

/// Counts of any of the seed's units that can all be true together: what happened is drawn as disjoint amounts,
/// each unit counts those that it covers, and where two reported units overlap, their overlap is reported too.
fn usage_of_any_units(below: &mut dyn FnMut(u64) -> u64) -> BTreeMap<&'static str, i64> {
    let happened: Vec<(&Dimensions, i64)> = (0..1 + below(6)).map(|_| (&pick(&UNITS, below).1, size(below))).collect();
    let covers = |unit: &Dimensions, leaf: &Dimensions| unit.iter().all(|dimension| leaf.contains(dimension));
    let is_reported = |(_, unit): &(&str, Dimensions)| happened.iter().any(|(leaf, _)| covers(unit, leaf));
    let mut reported: BTreeSet<usize> = (0..UNITS.len()).filter(|index| is_reported(&UNITS[*index])).collect();
    loop {
        let overlaps = OVERLAPS
            .iter()
            .filter(|(left, right, _)| reported.contains(left) && reported.contains(right));
        let overlaps: Vec<usize> = overlaps.map(|(_, _, overlap)| *overlap).collect();
        let before = reported.len();
        reported.extend(overlaps);
        if reported.len() == before {
            break;
        }
    }
    let count = |unit: &Dimensions| {
        let covered = happened.iter().filter(|(leaf, _)| covers(unit, leaf));
        covered.map(|(_, count)| count).sum()
    };
    let reported = reported.into_iter().map(|index| &UNITS[index]);
    reported.map(|(key, unit)| (*key, count(unit))).collect()
}

//! Side by side with genai-prices' own crate, fed the same seed.
//!
//! Both price the same calls; the results must agree within the float precision of the other side, unless the
//! difference is one that we mean, each of which has a case of its own in `worked.rs`:
//! DeepSeek's peak hours, Anthropic's batch launch, spellings that we understand and it does not, models from a
//! second source, contradictions that it overlooks, and usage without a price that it calls zero.
//! `DIFFERENTIAL_CASES` sets the number of random calls (default 20,000).
#![allow(clippy::disallowed_types, clippy::float_arithmetic, reason = "the other side is float")]

use std::collections::BTreeMap;
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
    let mut seed: Value = serde_json::from_str(&seed()).expect("JSON");
    let mut providers = seed["providers"].take();
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
    let seed: Value = serde_json::from_str(&seed()).expect("JSON");
    let map: Map<String, Value> = serde_json::from_str(&litellm()).expect("JSON");
    let mut names = Vec::new();
    for provider in seed["providers"].as_array().expect("providers") {
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

fn random_call(runner: &mut TestRunner) -> Call {
    let mut below = |limit: u64| {
        use proptest::prelude::Rng;
        runner.rng().next_u64() % limit.max(1)
    };
    let (provider, model) = &SHARED_NAMES[usize::try_from(below(SHARED_NAMES.len() as u64)).expect("an index")];
    let mut usage = BTreeMap::new();
    // Sizes around tiers and up to 2^53, where the other side's floats end.
    let size = |below: &mut dyn FnMut(u64) -> u64| match below(6) {
        0 => below(10),
        1 => 99_990 + below(20),
        2 => 199_990 + below(20),
        3 => 271_990 + below(20),
        4 => below(1 << 40),
        _ => below(200_000),
    };
    let input = size(&mut below);
    let read = below(input + 1);
    let written = below(input - read + 1);
    usage.insert("input_tokens", input as i64);
    if below(2) == 0 {
        usage.insert("cache_read_tokens", read as i64);
    }
    if below(3) == 0 {
        usage.insert("cache_write_tokens", written as i64);
        if below(2) == 0 {
            usage.insert("cache_write_1h_tokens", below(written + 1) as i64);
        }
    }
    let output = size(&mut below);
    usage.insert("output_tokens", output as i64);
    if below(4) == 0 {
        usage.insert("output_reasoning_tokens", below(output + 1) as i64);
    }
    if below(8) == 0 {
        usage.insert("web_searches", below(20) as i64);
    }
    if below(10) == 0 {
        let seconds = below(4_000) as i64;
        usage.insert("audio_seconds", seconds);
        usage.insert("input_audio_seconds", seconds);
    }
    let facts = [
        ("service_tier", "flex"),
        ("service_tier", "priority"),
        ("service_tier", "default"),
        ("processing", "batch"),
        ("speed", "fast"),
        ("search_type", "fast"),
        ("service_tier", "no-such-tier"),
    ];
    let context = if below(2) == 0 {
        vec![facts[below(facts.len() as u64) as usize]]
    } else {
        Vec::new()
    };
    // From 2025 into 2027, so that every dated price is crossed.
    let at_seconds = u32::try_from(1_735_689_600 + below(70_000_000)).expect("before 2106");
    Call {
        provider: provider.clone(),
        model: model.clone(),
        at_seconds,
        usage,
        context,
    }
}

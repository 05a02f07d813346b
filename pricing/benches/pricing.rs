//! How fast: warm and cold, with and without a receipt, and genai-prices' own crate in the same run.
//!
//! `cargo bench -p marginlake-pricing --profile dist`. The numbers this defends stand in `docs/performance.md`:
//! at least 5 million priced calls a second warm and 150 thousand with distinct names, on one core.
#![allow(clippy::disallowed_types, reason = "the other side counts in floats")]

use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use genai_prices::{Calculator, PriceRequest};
use marginlake_pricing::{Catalogue, Context, Request, Usage};

const NOON: i64 = 1_794_830_400_000_000_000;

const CALLS: [(&str, &str); 8] = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5.5"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("aws.bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0"),
    ("gcp.gemini", "gemini-2.5-pro"),
    ("azure.ai.openai", "gpt-4o"),
    ("openrouter", "openai/gpt-4o"),
    ("deepseek", "deepseek-v4-pro"),
];

fn main() {
    divan::main();
}

fn usage() -> Usage {
    [("input_tokens", 12_345), ("cache_read_tokens", 2_048), ("output_tokens", 678)]
        .into_iter()
        .collect()
}

#[divan::bench]
fn load_the_built_in_catalogue(bencher: Bencher<'_, '_>) {
    let text = include_str!("../catalogue/embedded.json");
    bencher.bench(|| Catalogue::new(serde_json::from_str(text).expect("valid")).expect("valid"));
}

#[divan::bench(args = [0, 1], sample_size = 500)]
fn cost_warm(bencher: Bencher<'_, '_>, facts: usize) {
    let (catalogue, usage) = (Catalogue::embedded(), usage());
    let context: Context = [("service_tier", "default")].into_iter().take(facts).collect();
    bencher.counter(ItemsCount::new(CALLS.len())).bench(|| {
        for (provider, model) in CALLS {
            let request = Request {
                provider: Some(provider),
                model: Some(model),
                ..Request::new(&usage, &context, NOON)
            };
            black_box(catalogue.cost(black_box(&request)));
        }
    });
}

#[divan::bench(sample_size = 500)]
fn quote_warm(bencher: Bencher<'_, '_>) {
    let (catalogue, usage, context) = (Catalogue::embedded(), usage(), Context::new());
    bencher.counter(ItemsCount::new(CALLS.len())).bench(|| {
        for (provider, model) in CALLS {
            let request = Request {
                provider: Some(provider),
                model: Some(model),
                ..Request::new(&usage, &context, NOON)
            };
            black_box(catalogue.price(black_box(&request)));
        }
    });
}

/// A name never seen before in each call: half of them are found, half are not.
#[divan::bench(sample_size = 100)]
fn cost_cold(bencher: Bencher<'_, '_>) {
    let (catalogue, usage, context) = (Catalogue::embedded(), usage(), Context::new());
    let mut number = 0_u64;
    bencher.counter(ItemsCount::new(CALLS.len())).bench_local(|| {
        for (provider, model) in CALLS {
            number += 1;
            let name = match number % 2 {
                0 => format!("claude-sonnet-4-5-v{number}"),
                _ => format!("{model}-{number}"),
            };
            let provider = if number.is_multiple_of(2) { "anthropic" } else { provider };
            let request = Request {
                provider: Some(provider),
                model: Some(&name),
                ..Request::new(&usage, &context, NOON)
            };
            black_box(catalogue.cost(black_box(&request)));
        }
    });
}

#[divan::bench(sample_size = 100)]
fn genai_prices_0_2_1(bencher: Bencher<'_, '_>) {
    const NAMES: [(&str, &str); 8] = [
        ("openai", "gpt-4o"),
        ("openai", "gpt-5"),
        ("anthropic", "claude-sonnet-4-5-20250929"),
        ("aws", "us.anthropic.claude-sonnet-4-20250514-v1:0"),
        ("google", "gemini-2.5-pro"),
        ("azure", "gpt-4o"),
        ("openrouter", "openai/gpt-4o"),
        ("deepseek", "deepseek-chat"),
    ];
    let calculator = Calculator::bundled();
    let mut usage = genai_prices::Usage::default();
    for (key, count) in [
        ("input_tokens", 12_345.0),
        ("cache_read_tokens", 2_048.0),
        ("output_tokens", 678.0),
    ] {
        usage.insert(key, count);
    }
    bencher.counter(ItemsCount::new(NAMES.len())).bench(|| {
        for (provider, model) in NAMES {
            let request = PriceRequest::new(model, &usage)
                .with_provider_id(provider)
                .with_timestamp(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_794_830_400));
            let _ = black_box(calculator.calculate(black_box(&request)));
        }
    });
}

//! Cases worked by hand from published prices, each for one trap.

use marginlake_pricing::{Catalogue, Context, Instant, Quote, Request, Status, Usage};

pub(crate) fn quote(provider: &str, model: &str, at: &str, usage: &[(&str, i64)], context: &[(&str, &str)]) -> Quote {
    let usage: Usage = usage.iter().copied().collect();
    let context: Context = context.iter().copied().collect();
    let at = Instant::parse(at).expect("a moment").0;
    let request = Request {
        provider: Some(provider),
        model: Some(model),
        ..Request::new(&usage, &context, at)
    };
    let quote = Catalogue::embedded().price(&request);
    assert_eq!(
        Catalogue::embedded().cost(&request),
        quote.cost_only(),
        "with and without a receipt"
    );
    quote
}

fn costs(provider: &str, model: &str, at: &str, usage: &[(&str, i64)], context: &[(&str, &str)], expected: &str) {
    let quote = quote(provider, model, at, usage, context);
    let cost = quote.cost.map(|cost| cost.to_string());
    assert_eq!(
        cost.as_deref(),
        Some(expected),
        "{provider} {model} {at} {usage:?} {context:?}: {quote:?}"
    );
}

const NOON: &str = "2026-11-16T12:00:00Z";

#[test]
fn cached_and_written_input_is_charged_once() {
    let usage = [
        ("input_tokens", 100_000),
        ("cache_read_tokens", 10_000),
        ("cache_write_tokens", 50_000),
        ("cache_write_1h_tokens", 30_000),
        ("output_tokens", 1_000),
    ];
    costs("anthropic", "claude-sonnet-4-5", NOON, &usage, &[], "0.393");
}

#[test]
fn a_tier_begins_where_the_vendor_says() {
    let gemini = |input| [("input_tokens", input), ("output_tokens", 100)];
    costs("gcp.gemini", "gemini-2.5-pro", NOON, &gemini(200_000), &[], "0.251");
    costs("gcp.gemini", "gemini-2.5-pro", NOON, &gemini(200_001), &[], "0.5015025");
    let grok = |input| [("input_tokens", input), ("output_tokens", 1_000)];
    costs("x_ai", "grok-4.6", NOON, &grok(199_999), &[], "0.405998");
    costs("x_ai", "grok-4.6", NOON, &grok(200_000), &[], "0.812");
}

#[test]
fn a_tier_goes_by_all_input_cached_or_not() {
    let usage = [
        ("input_tokens", 100_001),
        ("cache_read_tokens", 99_000),
        ("output_tokens", 10),
    ];
    costs("anthropic", "claude-haiku-5-5", NOON, &usage, &[], "0.0054755");
}

#[test]
fn the_service_tier_replaces_long_context_rates_too() {
    let usage = [
        ("input_tokens", 300_000),
        ("cache_read_tokens", 200_000),
        ("output_tokens", 2_000),
    ];
    costs("openai", "gpt-5.5", NOON, &usage, &[], "1.29");
    costs("openai", "gpt-5.5", NOON, &usage, &[("service_tier", "flex")], "0.645");
    costs("openai", "gpt-5.5", NOON, &usage, &[("service_tier", "Flex")], "0.645");
}

#[test]
fn residency_multiplies_tokens_after_everything_else() {
    let usage = [
        ("input_tokens", 100_000),
        ("cache_read_tokens", 40_000),
        ("output_tokens", 5_000),
    ];
    let fast = ("speed", "fast");
    costs("anthropic", "claude-opus-5", NOON, &usage, &[fast], "0.89");
    costs(
        "anthropic",
        "claude-opus-5",
        NOON,
        &usage,
        &[fast, ("inference_geo", "us")],
        "0.979",
    );
    let with_search = [usage[0], usage[1], usage[2], ("web_searches", 1)];
    costs(
        "anthropic",
        "claude-opus-5",
        NOON,
        &with_search,
        &[("inference_geo", "us")],
        "0.4995",
    );
    costs(
        "gcp.vertex_ai",
        "gemini-3.5-flash",
        NOON,
        &[("input_tokens", 1_000_000), ("output_tokens", 0)],
        &[],
        "1.5",
    );
    let region = [("vertex_location", "europe-west1")];
    costs(
        "gcp.vertex_ai",
        "gemini-3.5-flash",
        NOON,
        &[("input_tokens", 1_000_000), ("output_tokens", 0)],
        &region,
        "1.65",
    );
    let global = [("vertex_location", "global")];
    costs(
        "gcp.vertex_ai",
        "gemini-3.5-flash",
        NOON,
        &[("input_tokens", 1_000_000), ("output_tokens", 0)],
        &global,
        "1.5",
    );
}

#[test]
fn a_price_cut_counts_from_its_first_nanosecond() {
    let usage = [("input_tokens", 100_000), ("output_tokens", 10_000)];
    for (at, expected) in [
        ("2026-07-29T23:59:59Z", "0.16"),
        ("2026-07-29T23:59:59.999999999Z", "0.16"),
        ("2026-07-30T00:00:00Z", "0.032"),
        ("2026-07-29T16:00:00-08:00", "0.032"),
    ] {
        costs("openai", "gpt-5.6-luna", at, &usage, &[], expected);
    }
}

#[test]
fn modalities_and_cache_overlap_without_double_counting() {
    let usage = [
        ("input_tokens", 10_000),
        ("input_audio_tokens", 2_500),
        ("cache_read_tokens", 800),
        ("cache_audio_read_tokens", 500),
        ("output_tokens", 3_000),
    ];
    costs("gcp.gemini", "gemini-2.5-flash", NOON, &usage, &[], "0.011719");
}

#[test]
fn peak_hours_follow_the_beijing_working_week() {
    let usage = [
        ("input_tokens", 1_000_000),
        ("cache_read_tokens", 250_000),
        ("output_tokens", 100_000),
    ];
    for (model, at, expected) in [
        ("deepseek-v4-pro", "2026-11-14T02:00:00Z", "0.6985"),
        ("deepseek-v4-pro", "2026-11-16T02:00:00Z", "1.397"),
        ("deepseek-v4-pro", "2026-11-16T00:59:59.999999999Z", "0.6985"),
        ("deepseek-v4-pro", "2026-11-16T04:00:00Z", "0.6985"),
        ("deepseek-v4-pro", "2026-08-10T02:00:00Z", "0.41415625"),
        ("deepseek-v4-pro", "2026-08-22T02:00:00Z", "1.397"),
        ("deepseek-v4-pro", "2026-08-23T02:00:00Z", "0.6985"),
        ("deepseek-v4-pro", "2026-10-01T02:00:00Z", "0.6985"),
        ("deepseek-v4-flash", "2026-08-10T02:00:00Z", "0.1337"),
        ("deepseek-v4-flash", "2026-08-18T02:00:00Z", "0.4655"),
        ("deepseek-v4-flash", "2026-11-15T07:00:00Z", "0.17325"),
        ("deepseek-flash", "2026-11-16T09:59:59Z", "0.3465"),
    ] {
        costs("deepseek", model, at, &usage, &[], expected);
    }
}

#[test]
fn a_batch_discount_counts_from_its_launch() {
    let usage = [
        ("input_tokens", 40_000),
        ("cache_read_tokens", 15_000),
        ("output_tokens", 2_500),
    ];
    for context in [[("processing", "batch")], [("service_tier", "batch")]] {
        costs(
            "anthropic",
            "claude-haiku-4-5",
            "2026-10-13T23:59:59Z",
            &usage,
            &context,
            "0.0195",
        );
    }
    let early = quote(
        "openai",
        "o4-mini",
        "2026-10-13T23:59:59Z",
        &usage,
        &[("processing", "batch")],
    );
    assert!(
        early
            .assumptions
            .iter()
            .any(|text| text.contains("known only from a later day")),
        "{early:?}"
    );
}

#[test]
fn unknown_is_never_zero() {
    for (provider, model, usage, status) in [
        (
            "openai",
            "gpt-9",
            &[("input_tokens", 10), ("output_tokens", 1)][..],
            Status::Unpriced,
        ),
        ("vllm", "llama3.1:8b", &[("input_tokens", 10)], Status::Unpriced),
        ("openai", "gpt-4o", &[], Status::Unpriced),
        (
            "openai",
            "whisper-1",
            &[("input_tokens", 10), ("output_tokens", 1)],
            Status::Unpriced,
        ),
        (
            "openai",
            "gpt-4o",
            &[("input_tokens", 10), ("cache_read_tokens", 11), ("output_tokens", 1)],
            Status::Invalid,
        ),
        (
            "openai",
            "gpt-4o",
            &[("input_tokens", -1), ("output_tokens", 1)],
            Status::Invalid,
        ),
        (
            "openai",
            "gpt-6-sol",
            &[("input_tokens", 10), ("cache_write_tokens", 1), ("cache_write_1h_tokens", 2)],
            Status::Invalid,
        ),
        (
            "anthropic",
            "claude-sonnet-4-5",
            &[("input_tokens", 1000), ("cache_read_tokens", 1001), ("output_tokens", 1)],
            Status::Invalid,
        ),
    ] {
        let quote = quote(provider, model, NOON, usage, &[]);
        assert_eq!((quote.status, quote.cost), (status, None), "{provider} {model} {usage:?}");
        assert!(!quote.reasons.is_empty(), "{provider} {model}");
    }
}

#[test]
fn a_lower_bound_says_what_it_lacks() {
    let searched = quote(
        "openai",
        "gpt-4-turbo",
        NOON,
        &[("input_tokens", 10), ("output_tokens", 1), ("code_executions", 2)],
        &[],
    );
    assert_eq!(
        (searched.status, searched.unpriced_usage),
        (Status::Partial, vec!["code_executions".to_owned()])
    );
    let one_sided = quote("openai", "gpt-4o", NOON, &[("input_tokens", 10)], &[]);
    assert_eq!(one_sided.status, Status::Partial);
    assert!(one_sided.reasons[0].contains("output_tokens"), "{one_sided:?}");
}

#[test]
fn exclusive_counts_of_bedrock_are_read_as_what_they_are() {
    let usage = [
        ("input_tokens", 5),
        ("cache_read_tokens", 0),
        ("cache_write_tokens", 4_735),
        ("output_tokens", 255),
    ];
    let quote = quote("aws.bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0", NOON, &usage, &[]);
    assert_eq!(quote.cost.expect("priced").to_string(), "0.02159625");
    assert!(quote.assumptions.iter().any(|text| text.contains("excluding the cache")));
}

#[test]
fn the_least_billed_audio_is_ten_seconds_at_groq() {
    costs(
        "groq",
        "whisper-large-v3",
        NOON,
        &[("input_audio_seconds", 5)],
        &[],
        "0.0003083333333333333333333333333",
    );
    costs(
        "groq",
        "whisper-large-v3",
        NOON,
        &[("audio_seconds", 5)],
        &[],
        "0.0003083333333333333333333333333",
    );
    costs(
        "groq",
        "whisper-large-v3",
        NOON,
        &[("audio_seconds", 36), ("input_audio_seconds", 36)],
        &[],
        "0.00111",
    );
}

#[test]
fn the_host_decides_where_the_name_cannot() {
    let usage: Usage = [("input_tokens", 1_000_000), ("output_tokens", 0)].into_iter().collect();
    let context = Context::new();
    let at = Instant::parse(NOON).expect("a moment").0;
    for (provider, host, url, model, expected) in [
        (None, Some("api.openai.com"), None, "gpt-4o", Some(("openai", "2.5"))),
        (Some("openai"), Some("api.x.ai"), None, "grok-4.6", Some(("x-ai", "4"))),
        (
            Some("openai"),
            Some("contoso.openai.azure.com"),
            None,
            "gpt-4o",
            Some(("azure", "2.5")),
        ),
        (Some("openai"), Some("10.0.0.7"), None, "gpt-4o", Some(("openai", "2.5"))),
        (
            Some("litellm"),
            None,
            None,
            "anthropic/claude-opus-5",
            Some(("anthropic", "5")),
        ),
        (
            Some("openai"),
            Some("eu.api.openai.com"),
            None,
            "gpt-5.5",
            Some(("openai", "11")),
        ),
        (None, None, Some("https://api.openai.com.evil.example/v1"), "gpt-4o", None),
        (Some("acme-proxy"), None, None, "gpt-4o", None),
        (None, Some("localhost"), None, "gpt-4o", None),
    ] {
        let request = Request {
            provider,
            server_address: host,
            url,
            model: Some(model),
            ..Request::new(&usage, &context, at)
        };
        let quote = Catalogue::embedded().price(&request);
        let got = quote
            .cost
            .map(|cost| (quote.provider.clone().unwrap_or_default(), cost.to_string()));
        assert_eq!(
            got,
            expected.map(|(id, cost)| (id.to_owned(), cost.to_owned())),
            "{provider:?} {host:?} {model}"
        );
    }
}

#[test]
fn the_model_that_was_asked_for_stands_in_where_the_answered_one_is_unknown() {
    let usage: Usage = [("input_tokens", 1_000), ("output_tokens", 10)].into_iter().collect();
    let context = Context::default();
    let at = Instant::parse(NOON).expect("a moment").0;
    let either = |answered, asked| {
        let request = Request {
            provider: Some("openai"),
            model: answered,
            ..Request::new(&usage, &context, at)
        };
        Catalogue::embedded()
            .price_either(&request, asked)
            .cost
            .map(|cost| cost.to_string())
    };
    let known = either(Some("gpt-4.1"), None);
    assert_eq!(known.as_deref(), Some("0.00208"));
    assert_eq!(either(None, Some("gpt-4.1")), known);
    assert_eq!(either(Some("my-own-name"), Some("gpt-4.1")), known);
    assert_eq!(either(Some("gpt-4.1"), Some("my-own-name")), known);
    assert_eq!(either(Some("my-own-name"), Some("another")), None);
}

#[test]
fn a_receipt_keeps_fractions_of_seconds() {
    let quantity: marginlake_pricing::Quantity = "12.345678901".parse().expect("a count");
    assert_eq!(quantity.to_scale_12(), 12_345_678_901_000);
}

//! What holds for every call.

use marginlake_pricing::{Amount, Catalogue, Context, Quantity, Quote, Request, Status, Usage, UsageKey, loader};
use proptest::prelude::*;

use crate::fixtures::crate_folder;

/// Models with tiers, variants, audio, windows and free ones.
const MODELS: [(&str, &str); 12] = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5.5"),
    ("openai", "gpt-realtime"),
    ("openai", "gpt-6-sol"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-5-5"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"),
    ("x-ai", "grok-4.6"),
    ("deepseek", "deepseek-v4-pro"),
    ("perplexity", "sonar-pro"),
    ("groq", "whisper-large-v3"),
];

fn price(model: (&str, &str), at: i64, usage: &Usage, context: &Context) -> Quote {
    Catalogue::embedded().price(&Request {
        provider: Some(model.0),
        model: Some(model.1),
        ..Request::new(usage, context, at)
    })
}

fn tokens(input: i64, read: i64, output: i64) -> Usage {
    [
        ("input_tokens", input),
        ("cache_read_tokens", read),
        ("output_tokens", output),
    ]
    .into_iter()
    .collect()
}

fn model() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(MODELS.as_slice())
}

const NOON: i64 = 1_794_830_400_000_000_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn parts_add_up_to_the_total_exactly(model in model(), input in 0..i64::MAX, share in 0..=100_i64, output in 0..i64::MAX) {
        let quote = price(model, NOON, &tokens(input, input / 100 * share, output), &Context::new());
        let sum = quote.lines.iter().try_fold(Amount::ZERO, |sum, line| sum.checked_add(line.amount));
        if let Some(cost) = quote.cost {
            prop_assert_eq!(sum, Some(cost));
        } else {
            prop_assert!(quote.lines.is_empty());
        }
    }

    #[test]
    fn more_tokens_never_cost_less(model in model(), input in 0..1_000_000_i64, more in 0..1_000_000_i64, output in 0..1_000_000_i64) {
        let cost = |input, output| price(model, NOON, &tokens(input, 0, output), &Context::new()).cost;
        prop_assert!(cost(input, output) <= cost(input + more, output));
        prop_assert!(cost(input, output) <= cost(input, output + more));
    }

    #[test]
    fn more_cached_input_never_costs_more(model in model(), input in 0..1_000_000_i64, read in 0..1_000_000_i64) {
        let cost = |read: i64| price(model, NOON, &tokens(input, read, 1), &Context::new()).cost;
        prop_assert!(cost(read.min(input)) <= cost(0));
    }

    #[test]
    fn splitting_a_call_never_lowers_an_untiered_total(input in 0..1_000_000_i64, read in 0..1_000_000_i64, output in 0..1_000_000_i64, parts in 1..9_i64) {
        let model = ("anthropic", "claude-opus-5");
        let cost = |input, read, output| price(model, NOON, &tokens(input, read, output), &Context::new()).cost.expect("priced");
        let read = read.min(input);
        let (first, second) = (cost(input / parts, read / parts, output / parts), cost(input - input / parts, read - read / parts, output - output / parts));
        prop_assert_eq!(first.checked_add(second).expect("fits"), cost(input, read, output));
    }

    #[test]
    fn a_price_change_does_not_reach_back(before in 1..1_000_000_000_i64) {
        let cut = 1_785_369_600_000_000_000;
        let cost = |at| price(("openai", "gpt-5.6-luna"), at, &tokens(100_000, 0, 0), &Context::new()).cost.map(|cost| cost.to_string());
        prop_assert_eq!(cost(cut - before), Some("0.1".to_owned()));
        prop_assert_eq!(cost(cut + before), Some("0.02".to_owned()));
    }

    #[test]
    fn no_input_panics(
        provider in prop_oneof![Just("openai".to_owned()), Just("aws".to_owned()), Just("openrouter".to_owned()), ".{0,20}"],
        host in prop::option::of(".{0,30}"),
        model in prop_oneof![".{0,40}", "[a-z./:@#*-]{0,30}[0-9]{0,9}", Just("gpt-4o".to_owned())],
        counts in prop::collection::vec((0..67_usize, any::<i64>(), any::<u8>()), 0..12),
        facts in prop::collection::vec((".{0,12}", ".{0,12}"), 0..3),
        at in any::<i64>(),
        known_at in prop::option::of(any::<i64>()),
    ) {
        let mut usage = Usage::new();
        for (unit, count, fraction) in counts {
            let key = UsageKey::all().nth(unit).expect("a unit");
            // Counts near each other make more of them consistent than independent ones would.
            let count = if fraction % 2 == 0 { count.rem_euclid(1_000) } else { count };
            let text = if fraction % 7 == 0 { format!("{count}.{fraction}") } else { count.to_string() };
            usage.set_key(key, text.parse::<Quantity>().unwrap_or_default());
        }
        let context: Context = facts.into_iter().collect();
        let request = Request {
            provider: Some(&provider),
            server_address: host.as_deref(),
            url: host.as_deref(),
            model: Some(&model),
            known_at_unix_nano: known_at,
            ..Request::new(&usage, &context, at)
        };
        let quote = Catalogue::embedded().price(&request);
        prop_assert_eq!(Catalogue::embedded().cost(&request), quote.cost_only());
        // What every call goes through differs in its notes and in nothing else.
        let receipt = Catalogue::embedded().price_either(&request, None);
        prop_assert_eq!(receipt.cost_only(), quote.cost_only());
        prop_assert_eq!((&receipt.lines, &receipt.price_id), (&quote.lines, &quote.price_id));
        prop_assert!(receipt.reasons.is_empty() && receipt.assumptions.is_empty());
        prop_assert_eq!(quote.cost.is_none(), matches!(quote.status, Status::Unpriced | Status::Invalid));
        prop_assert!(quote.cost.is_none_or(|cost| !cost.is_negative()));
        prop_assert!(quote.cost.is_some() || !quote.reasons.is_empty());
    }

    #[test]
    fn no_damaged_catalogue_file_panics(at in 0..20_000_usize, junk in ".{0,6}", length in 0..40_usize) {
        let text = loader::read_text(&crate_folder().join("catalogue/anthropic.toml")).expect("the file");
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).expect("zero is one");
        let end = (at..text.len()).find(|end| *end >= at + length && text.is_char_boundary(*end)).unwrap_or(text.len());
        let damaged = format!("{}{junk}{}", &text[..at], &text[end..]);
        let _ = marginlake_pricing::check::check_provider(&damaged);
    }
}

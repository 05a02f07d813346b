//! A warm cost without a receipt allocates nothing. A binary of its own, because it has an allocator of its own.

use marginlake_pricing::{Catalogue, Context, Request, Usage};

const NOON: i64 = 1_794_830_400_000_000_000;

const CALLS: [(&str, &str); 10] = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5.5"),
    ("openai", "no-such-model"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("aws.bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0"),
    ("gcp.gemini", "models/gemini-2.5-pro"),
    ("azure.ai.openai", "GPT-4o"),
    ("openrouter", "openai/gpt-4o"),
    ("deepseek", "deepseek-v4-pro"),
    ("groq", "whisper-large-v3"),
];

#[test]
fn a_warm_cost_without_a_receipt_allocates_nothing() {
    let catalogue = Catalogue::embedded();
    let tokens: Usage = [
        ("input_tokens", 300_000),
        ("cache_read_tokens", 2_048),
        ("output_tokens", 678),
    ]
    .into_iter()
    .collect();
    let audio: Usage = [("audio_seconds", 5), ("input_audio_seconds", 5)].into_iter().collect();
    let contexts: [Context; 3] = [
        Context::new(),
        [("service_tier", "flex")].into_iter().collect(),
        [("inference_geo", "us"), ("speed", "fast")].into_iter().collect(),
    ];
    let run = |known: &mut usize| {
        for ((provider, model), context) in CALLS
            .iter()
            .flat_map(|call| contexts.iter().map(move |context| (call, context)))
        {
            let usage = if *provider == "groq" { &audio } else { &tokens };
            let request = Request {
                provider: Some(provider),
                model: Some(model),
                ..Request::new(usage, context, NOON)
            };
            *known += usize::from(catalogue.cost(&request).cost.is_some());
        }
    };
    let mut known = 0;
    run(&mut known);
    let warm = allocation_counter::measure(|| run(&mut known));
    assert_eq!(warm.count_total, 0, "allocations of {} calls", CALLS.len() * contexts.len());
    assert_eq!(known, 2 * (CALLS.len() - 1) * contexts.len());
}

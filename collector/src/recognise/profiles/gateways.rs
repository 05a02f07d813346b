//! Gateways, routers and inference servers: records that stand beside or above the caller's own.
//! Facts: conventions 3A, 6 [ll1] [ll2] [orx] [cf] [envoy] [kong] [vllm] [dynamo].

use marginlake_lake::schema::Role;

use super::super::field::Field;
use super::super::profile::Pattern::{Is, Starts};
use super::super::profile::{BASE, CacheSplit, CostKind, Habits, InputMode, Marker, OutputMode, Profile};

const ENVOY: Profile = Profile {
    id: "envoy_ai_gateway",
    emitter: "Envoy AI Gateway, GenAI attributes",
    scopes: &[
        Is("envoyproxy/ai-gateway"),
        Starts("envoyproxy/ai-gateway"),
        Starts("github.com/envoyproxy/ai-gateway"),
    ],
    services: &[Is("ai-gateway"), Is("envoy-ai-gateway"), Is("ai-gateway-extproc")],
    input: InputMode::ExclusiveForAnthropic,
    output: OutputMode::Raw,
    split: CacheSplit::Reported,
    cannot: "Cache writes by lifetime",
    fix: "Nothing to do",
    ..BASE
};

static ENVOY_OPENINFERENCE: Profile = Profile {
    id: "envoy_openinference",
    emitter: "Envoy AI Gateway, OpenInference attributes (default)",
    input: InputMode::Inclusive,
    ..ENVOY
};

pub(super) static VARIANTS: &[&Profile] = &[&ENVOY_OPENINFERENCE];

pub(super) const PROFILES: &[Profile] = &[
    Profile {
        id: "litellm",
        emitter: "LiteLLM (SDK and proxy, both generations)",
        scopes: &[Is("litellm"), Starts("litellm.")],
        markers: &[Marker::Has(Field::LitellmCallId), Marker::Has(Field::RoutedModel)],
        names: &[
            (Is("Received Proxy Server Request"), Role::Other),
            (Is("litellm_request"), Role::Llm),
        ],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        cost: CostKind::Charge,
        habits: Habits {
            raw_provider_keys: true,
            ..Habits::NONE
        },
        cannot: "Mocked responses, which look like calls; usage of a stream without `include_usage`, sent as zeros; the provider's response id for Anthropic",
        fix: "Ask for `include_usage`; keep mocks out of production",
        ..BASE
    },
    Profile {
        id: "openrouter",
        emitter: "OpenRouter broadcast",
        scopes: &[Is("openrouter"), Starts("openrouter")],
        services: &[Is("openrouter")],
        names: &[
            (Is("LLM Generation"), Role::Llm),
            (Is("generation"), Role::Step),
            (Starts("provider attempt"), Role::Step),
        ],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        cost: CostKind::Charge,
        cannot: "Nothing that is billed",
        fix: "Nothing to do",
        ..BASE
    },
    Profile {
        id: "cloudflare",
        emitter: "Cloudflare AI Gateway",
        services: &[Is("cloudflare-ai-gateway"), Is("ai-gateway-cloudflare")],
        scopes: &[Is("cloudflare-ai-gateway"), Is("cf-ai-gateway")],
        markers: &[Marker::Has(Field::CloudflareProvider), Marker::Has(Field::CloudflarePrompt)],
        input: InputMode::ExclusiveForAnthropic,
        output: OutputMode::Raw,
        split: CacheSplit::Never,
        cannot: "Cached tokens and reasoning",
        fix: "Instrument the caller as well",
        ..BASE
    },
    Profile {
        variants: &[(Marker::Has(Field::OpenInferenceKind), &ENVOY_OPENINFERENCE)],
        ..ENVOY
    },
    Profile {
        id: "kong",
        emitter: "Kong AI Gateway",
        markers: &[Marker::Name(Is("kong.gen_ai"))],
        scopes: &[Starts("kong")],
        services: &[Is("kong")],
        names: &[(Is("kong.gen_ai"), Role::Llm), (Is("kong.a2a"), Role::Other)],
        split: CacheSplit::Never,
        cannot: "Cached tokens and reasoning",
        fix: "Instrument the caller as well",
        ..BASE
    },
    Profile {
        id: "vllm",
        emitter: "vLLM server",
        scopes: &[Starts("vllm")],
        services: &[Starts("vllm")],
        markers: &[Marker::Has(Field::VllmLatency)],
        names: &[(Is("llm_request"), Role::Llm)],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        // Prefix caching saves the engine's time; nothing is billed by it.
        split: CacheSplit::Reported,
        cannot: "A price: none until one is configured for your hardware",
        fix: "Configure a price for the deployment",
        ..BASE
    },
    Profile {
        id: "nvidia_dynamo",
        emitter: "NVIDIA Dynamo",
        scopes: &[Starts("dynamo")],
        services: &[Starts("dynamo")],
        names: &[(Is("http-request"), Role::Other), (Is("handle_payload"), Role::Other)],
        cannot: "Usage: its spans have none",
        fix: "Instrument the caller",
        ..BASE
    },
];

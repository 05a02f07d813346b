//! Vercel AI SDK: versions 4 to 6 share the scope `ai` without a version and are told apart by what a span carries;
//! version 7 has the scope `gen_ai`.
//! Facts: conventions 3A, 3B, 3C [ai4] to [ai7]; captures `vercel-ai-sdk*`.

use super::super::field::Field;
use super::super::profile::Pattern::{Is, Starts};
use super::super::profile::{BASE, CacheSplit, InputMode, Marker, OutputMode, Profile};

const VERCEL: Profile = Profile {
    id: "vercel_ai",
    emitter: "Vercel AI SDK 4 and 5",
    scopes: &[Is("ai")],
    // Version 6 states the uncached part, which decides before this does.
    input: InputMode::ExclusiveForAnthropic,
    output: OutputMode::Raw,
    // Anthropic's stand in its provider metadata, of Bedrock's only the writes; others' come with streams alone.
    split: CacheSplit::Never,
    cannot: "Cached tokens and reasoning of `generateText`, but for Anthropic and Google; an aggregate span of a tool loop holds the last step only",
    fix: "Update to AI SDK 6 or newer",
    ..BASE
};

static VERCEL_6: Profile = Profile {
    id: "vercel_ai_6",
    emitter: "Vercel AI SDK 6",
    input: InputMode::Inclusive,
    split: CacheSplit::Reported,
    cannot: "Cache writes by lifetime, but for Anthropic's provider metadata",
    fix: "Nothing to do",
    ..VERCEL
};

const VERCEL_7: Profile = Profile {
    id: "vercel_ai_7",
    emitter: "Vercel AI SDK 7 (OpenTelemetry integration)",
    input: InputMode::Inclusive,
    output: OutputMode::Inside,
    split: CacheSplit::Reported,
    cannot: "Reasoning; user and conversation, unless `runtimeContext` is switched on",
    fix: "Switch `runtimeContext` on",
    ..VERCEL
};

/// `generateObject` and `streamObject` drop the cache writes that `generateText` reports.
static VERCEL_7_OBJECT: Profile = Profile {
    id: "vercel_ai_7_object",
    emitter: "Vercel AI SDK 7, `generateObject` and `streamObject`",
    split: CacheSplit::ReadsOnly,
    cannot: "Cache writes with Anthropic and Bedrock: they stand in the input; reasoning",
    fix: "Use `generateText` with `output: Output.object(…)`",
    ..VERCEL_7
};

/// The scope of `@ai-sdk/otel`.
const VERCEL_7_SCOPE: Profile = Profile {
    scopes: &[Is("gen_ai"), Is("@ai-sdk/otel")],
    variants: &[(Marker::Is(Field::OutputType, "json"), &VERCEL_7_OBJECT)],
    ..VERCEL_7
};

pub(super) const PROFILES: &[Profile] = &[
    VERCEL_7_SCOPE,
    Profile {
        markers: &[Marker::Has(Field::AiOperationId)],
        variants: &[
            (Marker::Has(Field::Uncached), &VERCEL_6),
            (Marker::KeyStarts("ai.usage.inputTokenDetails."), &VERCEL_6),
            (Marker::Has(Field::OperationName), &VERCEL_7_SCOPE),
        ],
        scopes: &[Is("ai"), Starts("@ai-sdk/")],
        ..VERCEL
    },
];

/// The profiles that only a span's own attributes tell apart.
pub(super) static VARIANTS: &[&Profile] = &[&VERCEL_6, &VERCEL_7_OBJECT];

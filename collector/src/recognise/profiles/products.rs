//! Coding agents and editors that report their own usage, mostly by logs.
//! Facts: conventions 4 [cc] [codex] [gcli] [cop-vs]; captures `claude-code`.

use marginlake_lake::schema::Role;

use super::super::profile::Pattern::{Is, Starts};
use super::super::profile::{BASE, CacheSplit, Habits, InputMode, OutputMode, Profile};

const BARE: Habits = Habits {
    bare_keys: true,
    session_is_run: true,
    prompts_are_ids: true,
    ..Habits::NONE
};

pub(super) const PROFILES: &[Profile] = &[
    Profile {
        id: "claude_code",
        emitter: "Claude Code (logs; spans are their duplicates)",
        scopes: &[Starts("com.anthropic.claude_code")],
        names: &[
            (Is("claude_code.llm_request"), Role::Llm),
            (Is("claude_code.tool"), Role::Tool),
        ],
        input: InputMode::Exclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        habits: BARE,
        cannot: "Cache writes by lifetime, before 2.1.330: they are priced as five-minute writes",
        fix: "Update; export logs (`OTEL_LOGS_EXPORTER=otlp`): they are the complete record",
        ..BASE
    },
    Profile {
        id: "codex",
        emitter: "OpenAI Codex CLI",
        scopes: &[Starts("codex")],
        services: &[Is("codex"), Starts("codex_")],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        habits: Habits {
            tool_count_is_total: true,
            ..BARE
        },
        cannot: "A cost per call: its own is per turn",
        fix: "Nothing to do",
        ..BASE
    },
    Profile {
        id: "gemini_cli",
        emitter: "Gemini CLI (logs)",
        scopes: &[Is("gemini-cli"), Starts("gemini-cli")],
        services: &[Is("gemini-cli")],
        input: InputMode::Inclusive,
        output: OutputMode::Beside,
        split: CacheSplit::Reported,
        habits: BARE,
        cannot: "Cached and thinking tokens on its spans and on its `gen_ai` logs",
        fix: "Export logs: `gemini_cli.api_response` is the complete record",
        ..BASE
    },
    Profile {
        id: "copilot",
        emitter: "GitHub Copilot (VS Code, CLI)",
        scopes: &[Starts("copilot"), Starts("github-copilot"), Starts("github.copilot")],
        services: &[Is("copilot-chat"), Is("github-copilot")],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        cannot: "US dollars: its units are credits",
        fix: "Price by the models it names",
        ..BASE
    },
];

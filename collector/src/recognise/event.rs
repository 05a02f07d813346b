//! Whether a record failed, and how; when its first token came.

use std::borrow::Cow;

use super::field::Field;
use super::gather::Gathered;
use super::profile::Profile;
use crate::wire::Value;
use crate::wire::traces::Span;

/// The failure of a span: whether, and of which kind.
pub(super) fn failure<'a>(gathered: &Gathered<'_, 'a>, span: &Span<'a>, has_usage: bool) -> (bool, Option<Cow<'a, str>>) {
    const STATUS_ERROR: i32 = 2;
    let stated = gathered.words(Field::ErrorType);
    let failed = span.status_code == STATUS_ERROR
        || stated.is_some()
        || gathered.text(Field::StatusLevel) == Some("ERROR")
        || matches!(
            gathered.value(Field::Success),
            Some(Value::Bool(false) | Value::Text("false"))
        );
    if stated.is_some() {
        return (failed, stated);
    }
    // An exception that was recorded and handled is no failure, unless the call came to nothing by it.
    if !failed && (has_usage || span.status_code != 0) {
        return (false, None);
    }
    let exception = span
        .events()
        .filter(|event| event.name == "exception")
        .find_map(|event| event.attributes().text("exception.type"));
    match exception {
        Some(kind) => (true, Some(Cow::Borrowed(kind))),
        // The convention's word for a failure of unknown kind.
        None if failed => (true, Some(Cow::Borrowed("_OTHER"))),
        None => (false, None),
    }
}

/// Time to the first token in milliseconds, from whatever unit the emitter uses.
pub(super) fn first_token_ms(gathered: &Gathered<'_, '_>, profile: &Profile, start_unix_nano: u64) -> Option<f64> {
    let number = |field| match gathered.value(field)? {
        Value::Int(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    let seconds = |seconds: f64| seconds * 1000.0;
    let found = number(Field::TtftSeconds)
        .map(seconds)
        .or_else(|| number(Field::TtftMillis))
        .or_else(|| {
            let server = number(Field::TtftServer)?;
            Some(if profile.habits.server_ttft_in_ms {
                server
            } else {
                seconds(server)
            })
        })
        .or_else(|| completion_start(gathered.words(Field::CompletionStart)?.as_ref(), start_unix_nano));
    found.filter(|millis| millis.is_finite() && *millis >= 0.0)
}

fn completion_start(instant: &str, start_unix_nano: u64) -> Option<f64> {
    let instant = chrono::DateTime::parse_from_rfc3339(instant).ok()?.timestamp_nanos_opt()?;
    let start = i64::try_from(start_unix_nano).ok().filter(|start| *start > 0)?;
    Some(instant.checked_sub(start)? as f64 / 1e6)
}

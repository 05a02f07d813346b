//! OTLP JSON as it is really sent: what a strict reader refuses although the meaning is plain.
//!
//! The mapping (OTLP specification, "JSON Protobuf Encoding") is lowerCamelCase keys, ids in hex, enums as integers and
//! 64-bit integers as strings. Protobuf's own JSON mapping adds that `null` is the default, and other receivers read the
//! names of enums: a client that works with them works here. Only bodies that the strict reader refused come this way.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::Failure;

/// Reads a request; `group` is its only key (`resourceSpans`, `resourceLogs`, `resourceMetrics`).
pub(super) fn read<T: DeserializeOwned>(body: &[u8], group: &str) -> Result<T, Failure> {
    let refuse = |error: &dyn std::fmt::Display| Failure::bad_data(format!("the body is not OTLP JSON: {error}"));
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(refuse(&"it is not an object"));
    }
    // The whole body, and not only what the reader keeps: it passes over the bytes of keys that nobody knows.
    let text = std::str::from_utf8(body).map_err(|error| refuse(&error))?;
    let error = match serde_json::from_str(text) {
        Ok(request) if !misses_its_group(text, group) => return Ok(request),
        Ok(_) => return Err(refuse(&format!("it has no {group:?}; keys are lowerCamelCase"))),
        Err(error) => error,
    };
    let mut value: Value = serde_json::from_str(text).map_err(|error| refuse(&error))?;
    repair(&mut value);
    serde_json::from_value(value).map_err(|_| refuse(&error))
}

/// Unknown keys are ignored, as the specification wants; but a body of another signal or in snake case would be
/// acknowledged and lost.
fn misses_its_group(text: &str, group: &str) -> bool {
    let contains = |key: &str| text.contains(&format!("\"{key}\""));
    let others = [
        "resource_spans",
        "resource_logs",
        "resource_metrics",
        "resourceSpans",
        "resourceLogs",
        "resourceMetrics",
    ];
    !contains(group) && others.into_iter().any(contains)
}

/// Rewrites what can be read in only one way; serde_json bounds the depth.
fn repair(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            for (key, member) in members.iter_mut() {
                repair_member(key, member);
                repair(member);
            }
            members.retain(|_, member| !member.is_null());
        }
        Value::Array(elements) => {
            elements.retain(|element| !element.is_null());
            elements.iter_mut().for_each(repair);
        }
        _ => {}
    }
}

fn repair_member(key: &str, member: &mut Value) {
    match (key, &*member) {
        // An id that is no hex is an id of the wrong length: its span is rejected, not its neighbours.
        ("traceId" | "spanId" | "parentSpanId", Value::String(id))
            if id.len() % 2 == 1 || !id.bytes().all(|b| b.is_ascii_hexdigit()) =>
        {
            *member = Value::from("00");
        }
        ("kind", Value::String(name)) => {
            *member = Value::from(number_of(
                name,
                "SPAN_KIND_",
                &["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"],
            ));
        }
        ("code", Value::String(name)) => *member = Value::from(number_of(name, "STATUS_CODE_", &["UNSET", "OK", "ERROR"])),
        ("severityNumber", Value::String(_)) => *member = Value::Null,
        // NaN and the infinities are strings in JSON; no count and no price is one.
        ("doubleValue", Value::String(text)) => {
            *member = text
                .parse::<f64>()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map_or(Value::Null, Value::Number);
        }
        (key, Value::Number(number)) if (key == "intValue" || key.ends_with("UnixNano")) && number.is_f64() => {
            let whole = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1.8e19);
            *member = whole.map_or(Value::Null, |float| Value::from(format!("{float:.0}")));
        }
        _ => {}
    }
}

fn number_of(name: &str, prefix: &str, names: &[&str]) -> usize {
    let name = name.strip_prefix(prefix).unwrap_or(name);
    names.iter().position(|known| *known == name).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

    use super::*;

    fn spans(span: &str) -> Result<Vec<opentelemetry_proto::tonic::trace::v1::Span>, String> {
        let body = format!(r#"{{"resourceSpans":[{{"resource":null,"scopeSpans":[{{"scope":null,"spans":[{span}]}}]}}]}}"#);
        let request: ExportTraceServiceRequest = read(body.as_bytes(), "resourceSpans").map_err(|failure| failure.message)?;
        Ok(request
            .resource_spans
            .into_iter()
            .flat_map(|r| r.scope_spans)
            .flat_map(|s| s.spans)
            .collect())
    }

    #[test]
    fn nulls_are_defaults_and_enum_names_are_read() {
        let found = spans(r#"{"name":"x","kind":"SPAN_KIND_CLIENT","attributes":null,"status":{"code":"STATUS_CODE_ERROR"}}"#);
        let found = found.expect("read");
        assert_eq!(
            (found[0].kind, found[0].status.as_ref().map(|status| status.code)),
            (3, Some(2))
        );
    }

    #[test]
    fn one_id_that_is_no_hex_costs_only_its_span() {
        let good = r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}"#;
        let found = spans(&format!(r#"{{"traceId":"zz","spanId":"eee19b7ec3c1b174"}},{good}"#)).expect("read");
        assert_eq!(found.iter().map(|span| span.trace_id.len()).collect::<Vec<_>>(), [1, 16]);
    }

    #[test]
    fn whole_floats_are_times_and_nan_is_no_value() {
        let found = spans(r#"{"startTimeUnixNano":1.79e18,"attributes":[{"key":"d","value":{"doubleValue":"NaN"}}]}"#);
        assert_eq!(found.expect("read")[0].start_time_unix_nano, 1_790_000_000_000_000_000);
    }

    #[test]
    fn what_would_be_acknowledged_and_lost_is_refused() {
        for body in [
            "[]",
            "3",
            "",
            r#"{"resource_spans":[]}"#,
            r#"{"resourceLogs":[]}"#,
            r#"{"resourceSpans":[}"#,
        ] {
            assert!(
                read::<ExportTraceServiceRequest>(body.as_bytes(), "resourceSpans").is_err(),
                "{body}"
            );
        }
        for body in ["{}", r#" {"unknown":1}"#, r#"{"resourceSpans":[]}"#] {
            assert!(
                read::<ExportTraceServiceRequest>(body.as_bytes(), "resourceSpans").is_ok(),
                "{body}"
            );
        }
    }
}

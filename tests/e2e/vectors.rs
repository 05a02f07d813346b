//! The vectors of the conventions through the real wire and the real lake: `tests/vectors/vectors.toml` says how to add one.

use std::collections::BTreeMap;

use marginlake_lake::schema::BUCKETS;
use serde_json::{Value, json};
use toml::{Table, Value as Toml};

use crate::support::{Collector, JSON, rows, run};

/// 2026-09-21T14:13:20Z, in milliseconds.
const BEGINNING: u64 = 1_790_000_000_000;

fn list<'t>(table: &'t Table, key: &str) -> Vec<&'t Table> {
    table
        .get(key)
        .and_then(Toml::as_array)
        .map(|array| array.iter().filter_map(Toml::as_table).collect())
        .unwrap_or_default()
}

fn text<'t>(table: &'t Table, key: &str) -> Option<&'t str> {
    table.get(key).and_then(Toml::as_str)
}

fn number(table: &Table, key: &str, default: u64) -> u64 {
    table
        .get(key)
        .and_then(Toml::as_integer)
        .and_then(|number| u64::try_from(number).ok())
        .unwrap_or(default)
}

fn nanos(table: &Table, key: &str, default: u64) -> String {
    ((BEGINNING + number(table, key, default)) * 1_000_000).to_string()
}

/// Names as ids: the bytes of the name, so that a failure can be read.
fn hex_id(name: &str, bytes: usize) -> String {
    let mut hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(bytes * 2);
    format!("{hex:0<width$}", width = bytes * 2)
}

fn any_value(value: &Toml) -> Value {
    match value {
        Toml::String(text) => json!({ "stringValue": text }),
        Toml::Integer(number) => json!({ "intValue": number.to_string() }),
        Toml::Float(number) => json!({ "doubleValue": number }),
        Toml::Boolean(bit) => json!({ "boolValue": bit }),
        Toml::Array(values) => json!({ "arrayValue": { "values": values.iter().map(any_value).collect::<Vec<_>>() } }),
        other => json!({ "stringValue": other.to_string() }),
    }
}

fn attributes(table: &Table) -> Vec<Value> {
    let attributes = table.get("attributes").and_then(Toml::as_table);
    attributes
        .map(|attributes| {
            attributes
                .iter()
                .map(|(key, value)| json!({ "key": key, "value": any_value(value) }))
                .collect()
        })
        .unwrap_or_default()
}

fn resource(record: &Table) -> Value {
    let service = text(record, "service").unwrap_or("app");
    json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] })
}

fn scope(record: &Table) -> Value {
    json!({ "name": text(record, "scope").unwrap_or(""), "version": text(record, "version").unwrap_or("") })
}

fn span(span: &Table) -> Value {
    let id = text(span, "id").expect("a span has an id");
    let kinds = ["internal", "server", "client", "producer", "consumer"];
    let kind = text(span, "kind").unwrap_or("client");
    let status = ["unset", "ok", "error"]
        .iter()
        .position(|name| *name == text(span, "status").unwrap_or("unset"));
    let events: Vec<Value> = list(span, "events")
        .iter()
        .map(|event| json!({ "name": text(event, "name").unwrap_or(""), "attributes": attributes(event) }))
        .collect();
    json!({ "resourceSpans": [{ "resource": resource(span), "scopeSpans": [{ "scope": scope(span), "spans": [{
        "traceId": hex_id(text(span, "trace").unwrap_or("t1"), 16),
        "spanId": hex_id(id, 8),
        "parentSpanId": text(span, "parent").map(|parent| hex_id(parent, 8)).unwrap_or_default(),
        "name": text(span, "name").unwrap_or(id),
        "kind": kinds.iter().position(|name| *name == kind).map(|at| at + 1),
        "startTimeUnixNano": nanos(span, "start", 0),
        "endTimeUnixNano": nanos(span, "end", 1000),
        "status": { "code": status },
        "attributes": attributes(span),
        "events": events,
    }] }] }] })
}

fn log(log: &Table) -> Value {
    let mut record = json!({ "timeUnixNano": nanos(log, "time", 0), "attributes": attributes(log) });
    // A record that names its span is in that span's trace.
    if let Some(trace) = text(log, "trace").or(log.get("span").map(|_| "t1")) {
        record["traceId"] = hex_id(trace, 16).into();
    }
    if let Some(span) = text(log, "span") {
        record["spanId"] = hex_id(span, 8).into();
    }
    if let Some(event) = text(log, "event") {
        record["eventName"] = event.into();
    }
    if let Some(body) = text(log, "body") {
        record["body"] = json!({ "stringValue": body });
    }
    json!({ "resourceLogs": [{ "resource": resource(log), "scopeLogs": [{ "scope": scope(log), "logRecords": [record] }] }] })
}

/// What keeps a row from being what was expected; empty where it is.
fn differences(expected: &Table, row: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for bucket in BUCKETS {
        let (wanted, got) = (number(expected, bucket, 0), row[bucket].as_i64().unwrap_or(0));
        if i64::try_from(wanted) != Ok(got) {
            found.push(format!("{bucket} {got} instead of {wanted}"));
        }
    }
    for (key, wanted) in expected {
        let same = match key.as_str() {
            // A column of `spans` only: what the figure is worth has done its work when the call is settled.
            "of" | "reported_cost_kind" => true,
            bucket if BUCKETS.contains(&bucket) => true,
            "flags" => wanted.as_array().is_some_and(|flags| {
                flags.iter().all(|flag| {
                    row["flags"]
                        .as_array()
                        .is_some_and(|all| all.iter().any(|one| one.as_str() == flag.as_str()))
                })
            }),
            "reported_cost" => {
                let got = row["reported_cost_usd"]
                    .as_str()
                    .map(|cost| cost.trim_end_matches('0').trim_end_matches('.').to_owned());
                got.as_deref() == wanted.as_str()
            }
            column => match wanted {
                Toml::String(text) if text == "NULL" => row[column].is_null(),
                Toml::String(text) => row[column].as_str() == Some(text),
                Toml::Integer(number) => row[column].as_i64() == Some(*number),
                Toml::Boolean(bit) => row[column].as_bool() == Some(*bit),
                Toml::Table(map) => serde_json::to_value(map).is_ok_and(|map| row[column] == map),
                Toml::Array(texts) => row[column]
                    .as_array()
                    .is_some_and(|all| all.iter().map(Value::as_str).eq(texts.iter().map(Toml::as_str))),
                _ => false,
            },
        };
        if !same {
            let column = if key == "reported_cost" { "reported_cost_usd" } else { key };
            found.push(format!("{key} {} instead of {wanted}", row[column]));
        }
    }
    found
}

fn is_record(row: &Value, name: &str, logs: &BTreeMap<&str, &Table>) -> bool {
    match logs.get(name) {
        Some(_) => row["signal"] == "log",
        None => row["signal"] == "span" && row["span_id"] == hex_id(name, 8),
    }
}

fn judge(vector: &Table) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let post =
        |path: &str, body: Value| assert_eq!(collector.post(path, JSON, body.to_string().as_bytes()).status, 200, "{body}");
    for record in list(vector, "span") {
        for _ in 0..number(record, "times", 1) {
            post("/v1/traces", span(record));
        }
    }
    for record in list(vector, "log") {
        post("/v1/logs", log(record));
    }
    if vector.contains_key("metric") {
        post("/v1/metrics", json!({}));
    }
    collector.stop();
    run(&["settle", "--lake", lake.to_str().expect("a path")]);
    let logs: BTreeMap<&str, &Table> = list(vector, "log")
        .into_iter()
        .filter_map(|log| Some((text(log, "id")?, log)))
        .collect();
    let mut wrong = Vec::new();

    let mut calls = rows(&lake, "SELECT * FROM calls");
    for expected in list(vector, "call") {
        let of = text(expected, "of").expect("a call names its record");
        let best = calls
            .iter()
            .enumerate()
            .filter(|(_, row)| is_record(row, of, &logs))
            .map(|(at, row)| (at, differences(expected, row)))
            .min_by_key(|(_, differences)| differences.len());
        match best {
            Some((at, differences)) => {
                wrong.extend(differences.into_iter().map(|difference| format!("call {of}: {difference}")));
                calls.remove(at);
            }
            None => wrong.push(format!("call {of} is missing")),
        }
    }
    wrong.extend(
        calls
            .iter()
            .map(|row| format!("a call too many: {} {} {}", row["signal"], row["name"], row["span_id"])),
    );

    let excluded = rows(&lake, "SELECT * FROM calls_excluded");
    for expected in list(vector, "excluded") {
        let of = text(expected, "of").expect("an exclusion names its record");
        let found: Vec<&Value> = excluded.iter().filter(|row| is_record(row, of, &logs)).collect();
        if found.is_empty() {
            wrong.push(format!("{of} is not excluded"));
        } else if let Some(reason) = text(expected, "reason")
            && !found.iter().any(|row| row["reason"] == reason)
        {
            wrong.push(format!("{of} is excluded as {} instead of {reason}", found[0]["reason"]));
        }
        if let Some(by) = text(expected, "by").filter(|by| !logs.contains_key(by))
            && !found.is_empty()
            && !found.iter().any(|row| row["stands_span_id"] == hex_id(by, 8))
        {
            wrong.push(format!("{of} is stood for by {} instead of {by}", found[0]["stands_span_id"]));
        }
    }
    wrong
}

#[test]
fn every_vector_settles_as_the_conventions_say() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/vectors.toml");
    let table: Table = std::fs::read_to_string(file).expect("the vectors").parse().expect("TOML");
    let vectors = list(&table, "vector");
    assert!(vectors.len() >= 80, "only {} vectors", vectors.len());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failures = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(vector) = vectors.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let wrong = judge(vector);
                    if !wrong.is_empty() {
                        let number = number(vector, "number", 0);
                        let claim = text(vector, "claim").unwrap_or("");
                        let told = format!("{number:3} {claim}\n      {}", wrong.join("\n      "));
                        failures.lock().expect("no panic").push(told);
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no panic");
    failures.sort();
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        vectors.len(),
        failures.join("\n")
    );
}

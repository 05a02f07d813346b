//! Bodies as no SDK writes them and every protobuf library must read them: fields in any order, scalars that are repeated,
//! messages that come in pieces, fields and groups that nobody knows; and bodies that were damaged on the way. Each is compared
//! with prost.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::field::{Fields, Raw};
use super::oracle::{compare_logs, compare_traces};
use super::shape::{Kind, LOG_RECORD, LOGS, SPAN, Shape, TRACES};
use crate::dice::Dice;

fn varint(mut value: u64, into: &mut Vec<u8>) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

fn key(number: u32, wire_type: u32, into: &mut Vec<u8>) {
    varint(u64::from(number << 3 | wire_type), into);
}

fn bytes(number: u32, value: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    key(number, 2, &mut field);
    varint(value.len() as u64, &mut field);
    field.extend(value);
    field
}

fn message_of(kind: Kind) -> Option<&'static Shape> {
    match kind {
        Kind::Message(shape) => Some(shape),
        Kind::Span => Some(&SPAN),
        Kind::LogRecord => Some(&LOG_RECORD),
        _ => None,
    }
}

/// The fields of a message, each with its key, changed at random.
fn fields(message: &[u8], shape: &'static Shape, dice: &mut Dice) -> Vec<Vec<u8>> {
    let mut fields = Vec::new();
    for field in Fields::new(message) {
        let Ok((number, raw)) = field else { break };
        let mut one = Vec::new();
        match raw {
            Raw::Varint(value) => {
                key(number, 0, &mut one);
                varint(value, &mut one);
                if dice.one_in(8) {
                    // Another value first: the last one counts.
                    let mut other = Vec::new();
                    key(number, 0, &mut other);
                    varint(dice.below(1000) as u64, &mut other);
                    fields.push(other);
                }
            }
            Raw::Fixed64(value) => {
                key(number, 1, &mut one);
                one.extend(value.to_le_bytes());
            }
            Raw::Fixed32(value) => {
                key(number, 5, &mut one);
                one.extend(value.to_le_bytes());
            }
            Raw::Bytes(value) => match message_of(shape.kind(number)) {
                Some(inner) => {
                    let parts = self::fields(value, inner, dice);
                    let cut = if dice.one_in(6) { dice.below(parts.len() + 1) } else { 0 };
                    if cut > 0 {
                        fields.push(bytes(number, &parts[..cut].concat()));
                    }
                    one = bytes(number, &parts[cut..].concat());
                }
                _ => {
                    if dice.one_in(8) {
                        fields.push(bytes(number, b"another"));
                    }
                    one = bytes(number, value);
                }
            },
            Raw::Group(_) => {}
        }
        fields.push(one);
    }
    if dice.one_in(10) {
        fields.push(bytes(100 + dice.below(9) as u32, b"nobody knows"));
    }
    if dice.one_in(20) {
        let mut group = Vec::new();
        for depth in 0..1 + dice.below(4) as u32 {
            key(200 + depth, 3, &mut group);
            group.extend(bytes(1, b"old"));
        }
        for depth in (0..(group.iter().filter(|byte| **byte == b'o').count() as u32)).rev() {
            key(200 + depth, 4, &mut group);
        }
        fields.push(group);
    }
    if dice.one_in(2) {
        for at in (1..fields.len()).rev() {
            fields.swap(at, dice.below(at + 1));
        }
    }
    fields
}

/// A body with everything in it that a request may hold, also what the corpus does not.
fn rich() -> Vec<u8> {
    let text = |number, value: &str| bytes(number, value.as_bytes());
    let attribute = |name: &str, value: Vec<u8>| [text(1, name), bytes(2, &value)].concat();
    let number = |number: u32, value: u64| {
        let mut field = Vec::new();
        key(number, 0, &mut field);
        varint(value, &mut field);
        field
    };
    let array = bytes(5, &[bytes(1, &text(1, "one")), bytes(1, &number(3, 2))].concat());
    let map = bytes(6, &bytes(1, &attribute("inner", array.clone())));
    let attributes = |field: u32| {
        [
            bytes(field, &attribute("text", text(1, "é"))),
            bytes(field, &attribute("int", number(3, u64::MAX))),
            bytes(field, &attribute("bool", number(2, 7))),
            bytes(field, &attribute("bytes", bytes(7, &[0, 255]))),
            bytes(field, &attribute("array", array.clone())),
            bytes(field, &attribute("map", map.clone())),
            bytes(field, &attribute("strindex", number(8, 3))),
        ]
        .concat()
    };
    let mut fixed = Vec::new();
    key(7, 1, &mut fixed);
    fixed.extend(1_790_000_000_000_000_000u64.to_le_bytes());
    let event = [text(2, "event"), attributes(3)].concat();
    let link = [bytes(1, &[1; 16]), bytes(2, &[2; 8]), text(3, "state"), attributes(4)].concat();
    let span = [
        bytes(1, &[1; 16]),
        bytes(2, &[2; 8]),
        text(3, "state"),
        text(5, "name"),
        number(6, 3),
        fixed,
        attributes(9),
        bytes(11, &event),
        bytes(13, &link),
        bytes(15, &[text(2, "message"), number(3, 2)].concat()),
    ]
    .concat();
    let scope = [text(1, "scope"), text(2, "1.0"), attributes(3)].concat();
    let spans = [bytes(1, &scope), bytes(2, &span), bytes(2, &span), text(3, "schema")].concat();
    bytes(1, &[bytes(1, &attributes(1)), bytes(2, &spans), text(3, "schema")].concat())
}

/// The recorded bodies, spans and logs.
fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    fn walk(folder: &Path, into: &mut Vec<(PathBuf, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).expect("the corpus") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "binpb")
                && !path.to_string_lossy().contains("metrics")
            {
                let body = std::fs::read(&path).expect("a body");
                into.push((path, body));
            }
        }
    }
    let mut bodies = vec![(PathBuf::from("traces of this test"), rich())];
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/corpus"),
        &mut bodies,
    );
    bodies.sort();
    bodies
}

fn is_traces(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("traces"))
}

fn compare(path: &Path, body: &[u8]) -> Result<(), String> {
    match is_traces(path) {
        true => compare_traces(body),
        false => compare_logs(body),
    }
}

#[test]
fn every_recorded_body_and_every_permutation_of_it_is_read_as_prost_reads_it() {
    let bodies = corpus();
    assert!(bodies.len() > 60, "only {} bodies", bodies.len());
    for (at, (path, body)) in bodies.iter().enumerate() {
        compare(path, body).unwrap_or_else(|wrong| panic!("{}: {wrong}", path.display()));
        let shape = if is_traces(path) { &TRACES } else { &LOGS };
        for round in 0..6 {
            let mut dice = Dice((at * 100 + round) as u64);
            let permuted = fields(body, shape, &mut dice).concat();
            compare(path, &permuted).unwrap_or_else(|wrong| panic!("{}, round {round}: {wrong}", path.display()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bodies_are_accepted_and_refused_as_by_prost(
        seed: u64,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut body = fields(&rich(), &TRACES, &mut Dice(seed)).concat();
        for (at, byte) in flips {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        compare_traces(&body).map_err(TestCaseError::fail)?;
        // Spans are no log records, but both are messages: whatever one makes of it the other does.
        compare_logs(&body).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_bytes_are_accepted_and_refused_as_by_prost(body in prop::collection::vec(any::<u8>(), 0..60)) {
        compare_traces(&body).map_err(TestCaseError::fail)?;
        compare_logs(&body).map_err(TestCaseError::fail)?;
    }
}

/// Values in values, and groups in groups, up to the depth that prost reads and one more.
#[test]
fn depth_is_counted_as_prost_counts_it() {
    for depth in 40..60 {
        let mut value = bytes(1, b"x");
        for _ in 0..depth {
            value = bytes(5, &bytes(1, &value));
        }
        let attribute = bytes(9, &[bytes(1, b"k"), bytes(2, &value)].concat());
        let body = bytes(1, &bytes(2, &bytes(2, &attribute)));
        compare_traces(&body).unwrap_or_else(|wrong| panic!("values {depth}: {wrong}"));
    }
    for depth in 90..110 {
        for filled in [false, true] {
            let mut group = Vec::new();
            (0..depth).for_each(|_| key(200, 3, &mut group));
            if filled {
                group.extend(bytes(1, b"x"));
            }
            (0..depth).for_each(|_| key(200, 4, &mut group));
            compare_traces(&group).unwrap_or_else(|wrong| panic!("groups {depth}: {wrong}"));
            compare_traces(&bytes(1, &bytes(2, &bytes(2, &group))))
                .unwrap_or_else(|wrong| panic!("groups {depth} in a span: {wrong}"));
        }
    }
}

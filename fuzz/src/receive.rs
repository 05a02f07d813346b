//! As `collector/src/receive/mod.rs`, without the sockets.

#[path = "../../collector/src/receive/answer.rs"]
pub(crate) mod answer;
#[path = "../../collector/src/receive/inflate.rs"]
pub(crate) mod inflate;
#[path = "../../collector/src/receive/inspect.rs"]
pub(crate) mod inspect;
#[path = "../../collector/src/receive/json.rs"]
pub(crate) mod json;

use crate::wal::{Encoding, Signal};

/// The signals that are received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Traces,
    Logs,
    Metrics,
}

/// Whatever is accepted as JSON is accepted as the protobuf that it becomes, with the same outcome.
pub(crate) fn json_says_the_same(signal: Signal, body: &[u8]) {
    let Ok(protobuf) = inspect::as_protobuf(signal, Encoding::Json, body) else {
        return;
    };
    let as_json = inspect::inspect(signal, Encoding::Json, body).expect("what became protobuf is accepted");
    let as_protobuf = inspect::inspect(signal, Encoding::Protobuf, &protobuf).expect("we write protobuf");
    assert_eq!(as_json.outcome, as_protobuf.outcome);
    assert!(as_json.whole.is_none() && as_protobuf.whole.is_none(), "we write values in one piece");
}

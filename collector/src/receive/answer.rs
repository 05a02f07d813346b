//! The answers of OTLP: success with what was rejected, or a `google.rpc.Status` that tells a client whether to retry.
//!
//! Codes follow the OTLP specification, "OTLP/gRPC throttling" and "OTLP/HTTP response": bad data is never retryable
//! (400, INVALID_ARGUMENT), overload always is (503 with Retry-After, UNAVAILABLE).

use std::collections::BTreeMap;

use prost::Message;

use super::Service;
use crate::messages::{Any, Delay, ExportResponse, PartialSuccess, RetryInfo, RpcStatus};
use crate::wal::Encoding;
use crate::wire::MOST_ATTRIBUTES;

/// What became of an accepted request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Records that are now durable.
    pub(crate) accepted: u64,
    /// Records that were refused for good.
    pub(crate) rejected: u64,
    /// How many of them for which reason.
    pub(crate) reasons: BTreeMap<&'static str, u64>,
    /// Attributes that are not read, since their records have too many.
    pub(crate) dropped_attributes: u64,
    /// The same, for people; a warning where nothing was rejected.
    pub(crate) message: String,
}

impl Outcome {
    /// One record is refused for good; `first` names it where it is the first.
    pub(crate) fn reject(&mut self, reason: &'static str, first: impl FnOnce() -> String) {
        if self.rejected == 0 {
            self.message = first();
        }
        self.rejected += 1;
        *self.reasons.entry(reason).or_default() += 1;
    }

    /// Counts and reasons in one sentence; `noun` is what the signal's records are called.
    pub(crate) fn describe(&mut self, noun: &str) {
        let first = std::mem::take(&mut self.message);
        let mut parts = Vec::new();
        if self.rejected > 0 {
            let reasons: Vec<String> = self
                .reasons
                .iter()
                .map(|(reason, count)| format!("{reason} ({count})"))
                .collect();
            let (rejected, all) = (self.rejected, self.rejected + self.accepted);
            parts.push(format!(
                "{rejected} of {all} {noun} rejected: {}; the first is {first}",
                reasons.join(", ")
            ));
        }
        if self.dropped_attributes > 0 {
            let (dropped, most) = (self.dropped_attributes, MOST_ATTRIBUTES);
            parts.push(format!("{dropped} attributes beyond the {most} of one record are not read"));
        }
        self.message = parts.join("; ");
    }
}

/// Why a request was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BadData,
    TooLarge,
    UnsupportedMediaType,
    UnknownPath,
    WrongMethod,
    Unauthenticated,
    Overloaded,
    Internal,
}

impl Kind {
    /// The reason under which refusals are counted.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::BadData => "bad_data",
            Kind::TooLarge => "too_large",
            Kind::UnsupportedMediaType => "unsupported_media_type",
            Kind::UnknownPath => "unknown_path",
            Kind::WrongMethod => "wrong_method",
            Kind::Unauthenticated => "unauthenticated",
            Kind::Overloaded => "overloaded",
            Kind::Internal => "internal",
        }
    }
}

/// A refused request: what the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    /// When to try again, where trying again can help.
    pub(crate) retry_after_seconds: Option<u16>,
}

/// Room among the requests in flight comes back quickly, room in the log when the lake does.
const RETRY_SOON: u16 = 1;
const RETRY_LATER: u16 = 10;

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after_seconds: matches!(kind, Kind::Overloaded | Kind::Internal).then_some(RETRY_SOON),
        }
    }

    /// As [`Failure::overloaded`], for what takes longer to end.
    pub(crate) fn out_of_room(message: impl Into<String>) -> Self {
        Self {
            retry_after_seconds: Some(RETRY_LATER),
            ..Self::overloaded(message)
        }
    }

    pub(crate) fn bad_data(message: impl Into<String>) -> Self {
        Self::new(Kind::BadData, message)
    }

    pub(crate) fn overloaded(message: impl Into<String>) -> Self {
        Self::new(Kind::Overloaded, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    pub(crate) fn http_status(&self) -> u16 {
        match self.kind {
            Kind::BadData => 400,
            Kind::Unauthenticated => 401,
            Kind::UnknownPath => 404,
            Kind::WrongMethod => 405,
            Kind::TooLarge => 413,
            Kind::UnsupportedMediaType => 415,
            // Never 500 or 400 for what a retry can mend: clients would drop the data.
            Kind::Overloaded | Kind::Internal => 503,
        }
    }

    /// `google.rpc.Code`.
    pub(crate) fn grpc_code(&self) -> i32 {
        match self.kind {
            Kind::BadData | Kind::TooLarge | Kind::UnsupportedMediaType => 3,
            Kind::UnknownPath | Kind::WrongMethod => 12,
            Kind::Unauthenticated => 16,
            Kind::Overloaded | Kind::Internal => 14,
        }
    }
}

/// The body of a successful answer.
pub(crate) fn success(outcome: &Outcome, service: Service, encoding: Encoding) -> Vec<u8> {
    // The specification lets a server warn this way although it took everything.
    let partial = outcome.rejected > 0 || !outcome.message.is_empty();
    match encoding {
        Encoding::Protobuf => {
            let rejected = i64::try_from(outcome.rejected).unwrap_or(i64::MAX);
            let partial_success = partial.then(|| PartialSuccess {
                rejected,
                error_message: outcome.message.clone(),
            });
            ExportResponse { partial_success }.encode_to_vec()
        }
        Encoding::Json if partial => {
            let rejected = match service {
                Service::Traces => "rejectedSpans",
                Service::Logs => "rejectedLogRecords",
                Service::Metrics => "rejectedDataPoints",
            };
            // 64-bit integers are strings in the JSON mapping.
            let answer = serde_json::json!({
                "partialSuccess": { rejected: outcome.rejected.to_string(), "errorMessage": outcome.message }
            });
            answer.to_string().into_bytes()
        }
        Encoding::Json => b"{}".to_vec(),
    }
}

/// The refusal with its `RetryInfo`, where it has one: how gRPC says when to try again.
pub(crate) fn status_with_retry_info(failure: &Failure) -> Option<Vec<u8>> {
    let seconds = i64::from(failure.retry_after_seconds?);
    let retry = RetryInfo {
        retry_delay: Some(Delay { seconds, nanos: 0 }),
    };
    let details = vec![Any {
        type_url: RetryInfo::TYPE_URL.into(),
        value: retry.encode_to_vec(),
    }];
    let (code, message) = (failure.grpc_code(), failure.message.clone());
    Some(RpcStatus { code, message, details }.encode_to_vec())
}

/// The body of a refusal.
pub(crate) fn status(failure: &Failure, encoding: Encoding) -> Vec<u8> {
    let (code, message) = (failure.grpc_code(), failure.message.clone());
    match encoding {
        Encoding::Protobuf => {
            let details = Vec::new();
            RpcStatus { code, message, details }.encode_to_vec()
        }
        Encoding::Json => serde_json::json!({ "code": code, "message": message })
            .to_string()
            .into_bytes(),
    }
}

//! Settled calls for tests: rows of `calls` with what a margin depends on, everything else NULL.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray, new_null_array};
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE, calls};

use crate::revenue::Amount;
use crate::revenue::time::{Day, Moment, TimeFormat};

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) day: Day,
    pub(super) customer: Option<String>,
    pub(super) feature: Option<String>,
    pub(super) model: Option<String>,
    pub(super) user: Option<String>,
    pub(super) conversation: Option<String>,
    pub(super) trace: Option<String>,
    pub(super) class: &'static str,
    pub(super) cost: Option<Amount>,
    pub(super) input: Option<i64>,
    pub(super) cached: Option<i64>,
    pub(super) output: Option<i64>,
}

pub(super) fn day(text: &str) -> Day {
    Moment::parse(text, TimeFormat::Iso).unwrap().day()
}

/// A model call on `date` of 100 tokens in and 10 out; `-` is no key, an empty cost is unknown.
pub(super) fn call(date: &str, customer: &str, feature: &str, model: &str, cost: &str) -> Call {
    let key = |text: &str| (text != "-").then(|| text.to_owned());
    Call {
        day: day(date),
        customer: key(customer),
        feature: key(feature),
        model: key(model),
        user: None,
        conversation: None,
        trace: None,
        class: "model",
        cost: (!cost.is_empty()).then(|| Amount::parse_major(cost).unwrap()),
        input: Some(100),
        cached: None,
        output: Some(10),
    }
}

pub(super) fn batch(rows: &[Call]) -> RecordBatch {
    let texts = |of: &dyn Fn(&Call) -> Option<String>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<StringArray>()) };
    let counts = |of: fn(&Call) -> Option<i64>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<Int64Array>()) };
    let costs = || -> ArrayRef {
        let costs = rows
            .iter()
            .map(|row| row.cost.map(Amount::scaled))
            .collect::<Decimal128Array>();
        Arc::new(costs.with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE).unwrap())
    };
    let schema = calls();
    let columns = schema.fields().iter().map(|field| match field.name().as_str() {
        "date" => Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| row.day))) as ArrayRef,
        "signal" => texts(&|_| Some("span".to_owned())),
        "role" => texts(&|_| Some("llm".to_owned())),
        "granularity" => texts(&|_| Some("call".to_owned())),
        "cost_class" => texts(&|row| Some(row.class.to_owned())),
        "customer_id" => texts(&|row| row.customer.clone()),
        "feature" => texts(&|row| row.feature.clone()),
        "response_model" => texts(&|row| row.model.clone()),
        "conversation_id" => texts(&|row| row.conversation.clone()),
        "trace_id" => texts(&|row| row.trace.clone()),
        "user_id" => texts(&|row| row.user.clone()),
        "input_uncached" => counts(|row| row.input),
        "cache_read" => counts(|row| row.cached),
        "output_text" => counts(|row| row.output),
        "cost_usd" => costs(),
        _ => new_null_array(field.data_type(), rows.len()),
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

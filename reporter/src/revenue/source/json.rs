//! Cells that hold JSON: metadata objects and lists of discounts, as data pipelines write them.

use serde_json::Value;

use super::super::refusal::Refusal;
use super::super::rows::Row;

/// Keys under which sellers keep their own customer's id in a billing system's metadata, best first.
const CUSTOMER_KEYS: [&str; 4] = ["external_id", "customer_id", "external_customer_id", "tenant_id"];

/// A `metadata` object; absent and empty cells have none.
pub(super) fn metadata(row: &Row<'_>, column: &str) -> Result<Value, Refusal> {
    let Some(text) = row.text(column) else {
        return Ok(Value::Null);
    };
    serde_json::from_str(text).map_err(|_| row.refuse(column, "is not JSON: a metadata object is expected"))
}

/// A text under `key`; numbers are taken as they are written.
pub(super) fn text_at(object: &Value, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The seller's own id of the customer, from a metadata object or from columns made of one.
pub(super) fn external_customer(row: &Row<'_>, metadata: &Value) -> Option<String> {
    CUSTOMER_KEYS.iter().find_map(|key| {
        let flattened = [format!("{key}_metadata"), format!("metadata_{key}")];
        text_at(metadata, key).or_else(|| flattened.iter().find_map(|column| row.text(column).map(str::to_owned)))
    })
}

/// The sum of `amount` over a list of objects that `keep` chooses, in minor units.
pub(super) fn sum_amounts(row: &Row<'_>, column: &str, keep: fn(&Value) -> bool) -> Result<i128, Refusal> {
    let Some(text) = row.text(column) else { return Ok(0) };
    let refuse = || row.refuse(column, "is not a JSON list of objects with an integer amount");
    let list: Vec<Value> = serde_json::from_str(text).map_err(|_| refuse())?;
    let amounts = list
        .iter()
        .filter(|entry| keep(entry))
        .map(|entry| entry.get("amount").and_then(Value::as_i64).map(i128::from));
    amounts.sum::<Option<i128>>().ok_or_else(refuse)
}

//! New prices in rows of `calls`: the price columns are written anew, all others are taken over as they are.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use marginlake_lake::Table;

use crate::settle::encode;
use crate::settle::record::Price;

/// `batch` with the columns of `prices`, one for each row.
pub(super) fn prices(batch: &RecordBatch, prices: &[Price]) -> Result<RecordBatch, ArrowError> {
    let schema = Table::Calls.schema();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let rows = || prices.iter();
        columns.push(match field.name().as_str() {
            "price_status" => encode::strings(rows().map(|price| price.status.as_deref())),
            "list_cost_usd" => encode::money(rows().map(|price| price.list_cost_usd))?,
            "cost_usd" => encode::money(rows().map(|price| price.cost_usd))?,
            "cost_source" => encode::strings(rows().map(|price| price.cost_source.as_deref())),
            "cost_lines" => encode::cost_lines(rows().map(|price| price.cost_lines.as_deref())),
            "price_id" => encode::strings(rows().map(|price| price.price_id.as_deref())),
            "catalogue_hash" => encode::strings(rows().map(|price| price.catalogue_hash.as_deref())),
            name => {
                let missing = || ArrowError::SchemaError(format!("calls has no column {name}"));
                arrow::compute::cast(batch.column_by_name(name).ok_or_else(missing)?, field.data_type())?
            }
        });
    }
    RecordBatch::try_new(schema, columns)
}

//! `run_manifest`: one row per report run, written last; readers read the table versions that it names.

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::{map, schema, text, timestamp};

/// Columns of `run_manifest`.
pub fn run_manifest() -> SchemaRef {
    schema(vec![
        // Hash of everything below: the same inputs are the same run.
        Field::new("run_id", DataType::Utf8, false),
        Field::new("as_of", timestamp(), true),
        Field::new("from_date", DataType::Date32, true),
        Field::new("to_date", DataType::Date32, true),
        text("report_currency"),
        // Input file name -> sha256 of its bytes.
        map("inputs", DataType::Utf8),
        // Table -> version that this run wrote or read.
        map("table_versions", DataType::Int64),
        text("catalogue_hash"),
        text("config_hash"),
        // Policy -> choice (recognition, allocation, fx...).
        map("policies", DataType::Utf8),
        // Measure -> exact value (totals and coverage).
        map("totals", DataType::Utf8),
        text("version"),
    ])
}

//! `restatements`: what a later run changed in a figure that an earlier run had published.

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::{money, schema, text};

/// Columns of `restatements`: one row per run, day, customer and model whose cost moved.
pub fn restatements() -> SchemaRef {
    schema(vec![
        Field::new("run_id", DataType::Utf8, false),
        Field::new("date", DataType::Date32, false),
        text("customer_id"),
        text("model"),
        Field::new("before", money(), true),
        Field::new("after", money(), true),
        Field::new("reason", DataType::Utf8, false),
    ])
}

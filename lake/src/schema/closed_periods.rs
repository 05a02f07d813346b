//! `closed_periods`: which months the books are closed for, each closing and reopening a row of its own.

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::{bigint, money, schema, text, timestamp};

/// Columns of `closed_periods`. The last row of a period, by `sequence`, says how it stands.
pub fn closed_periods() -> SchemaRef {
    schema(vec![
        // 2026-10
        Field::new("period", DataType::Utf8, false),
        Field::new("from_date", DataType::Date32, false),
        // Inclusive.
        Field::new("to_date", DataType::Date32, false),
        // Counts closings and reopenings of the period, from 1.
        Field::new("sequence", DataType::Int64, false),
        // closed, reopened.
        Field::new("state", DataType::Utf8, false),
        // Counts exports of the period, from 1.
        bigint("revision"),
        // Folder of the exported files, below the lake's root.
        text("folder"),
        // SHA-256 of the folder's manifest.json, which has the SHA-256 of every file.
        text("sha256"),
        bigint("calls"),
        bigint("calls_without_cost"),
        Field::new("cost_usd", money(), true),
        text("reason"),
        Field::new("recorded_at", timestamp(), true),
    ])
}

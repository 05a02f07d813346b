//! OTLP in, recognised, normalised and priced spans in the lake.

#![allow(dead_code)]
mod receive;
mod telemetry;
mod wal;
pub mod wire;

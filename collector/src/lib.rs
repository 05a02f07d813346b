//! OTLP in, recognised, normalised and priced spans in the lake.

#![allow(dead_code)]
pub mod normalise;
mod receive;
pub mod recognise;
mod telemetry;
mod wal;
pub mod wire;

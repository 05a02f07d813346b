//! OTLP in, recognised, normalised and priced spans in the lake.

#![allow(dead_code)]
pub mod wire;

//! `marginlake demo`: the whole product on one month of generated traffic.
//!
//! A real collector on free ports, real OTLP from the OpenTelemetry SDK, a real lake. Only the month is invented: see
//! `demo/traffic.rs` for what happens in it and `demo/shapes.rs` for the public traces that it is shaped on.

mod cast;
mod dialect;
mod ids;
mod ledger;
mod month;
mod send;
mod shapes;
mod traffic;
mod work;

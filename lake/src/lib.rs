//! The tables of the lake: schemas, names, open, append once, compact, vacuum.
//!
//! The contract between collector and reporter. Knows Arrow, Parquet, Delta and object stores; knows nothing of OTLP,
//! prices or revenue.

pub mod schema;

pub use schema::Table;

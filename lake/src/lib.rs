//! The tables of the lake: schemas, names, open, append once, compact, vacuum.
//!
//! The contract between collector and reporter. Knows Arrow, Parquet, Delta and object stores; knows nothing of OTLP,
//! prices or revenue.

mod append;
mod claim;
mod data_file;
mod durable;
mod error;
pub mod failpoint;
mod file_writer;
mod files;
mod lease;
mod local_store;
mod location;
mod maintain;
mod open;
mod pages;
#[cfg(test)]
mod power_loss;
pub mod receipt;
pub mod schema;

pub use append::{AppTransaction, Staged};
pub use claim::Claim;
pub use data_file::{days_since_epoch, next_day};
pub use error::LakeError;
pub use file_writer::FileWriter;
pub use lease::Lease;
pub use maintain::{MaintainOptions, Maintained, MaintainedTable, is_maintenance_due, maintain};
pub use open::{DataFile, Lake, LakeTable};
pub use pages::ParquetWriter;
pub use receipt::{ReceiptBuilder, ReceiptLine};
pub use schema::Table;

//! What people and their tools get: a table in the terminal, one page, CSV, JSON, Markdown and Parquet.
//!
//! Everything is made from one `ReportModel`; no format computes. Money is exact until a format rounds it for display.
//! The bytes depend on nothing but the model: no clock, no hash order, no machine.

mod alerts;
mod columns;
mod coverage;
pub(crate) mod display;
mod findings;
mod listing;
mod long_file;
mod longest;
mod margin;
mod markdown;
mod model;
mod page;
mod publish;
mod summary;
mod sums;
mod terminal;
mod unit_cost;
mod unmatched;
mod workbook;
mod writers;

use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::marts::Spool;

pub use alerts::Alert;
pub use coverage::{Coverage, Share};
pub(crate) use display::count128 as count_text;
pub use findings::{Interval, Rows, Waste};
pub use listing::{Kind, Listing};
pub use margin::{CostStatus, MarginFigures, MarginLine};
pub(crate) use margin::{exact, percent, visit};
pub use model::{Losers, Made, MovedDay, ReportModel};
pub use publish::Publication;
pub(crate) use publish::check_ours;
pub(crate) use sums::{Sums, Top, measured};
pub use terminal::{TerminalStyle, terminal};
pub use unit_cost::UnitCost;
pub use unmatched::UnmatchedCustomer;

/// The rows of one mart.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// Name of the mart.
    pub name: &'static str,
    /// Its rows, sorted.
    pub(crate) rows: Arc<Spool>,
}

impl Sheet {
    /// A mart of few rows.
    pub(crate) fn of(name: &'static str, rows: RecordBatch) -> Sheet {
        Sheet {
            name,
            rows: Arc::new(Spool::of_batch(rows)),
        }
    }
}

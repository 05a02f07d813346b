//! What people and their tools get: a table in the terminal, one page, CSV, JSON, Markdown and Parquet.
//!
//! Everything is made from one `ReportModel`; no format computes. Money is exact until a format rounds it for display.
//! The bytes depend on nothing but the model: no clock, no hash order, no machine.

mod alerts;
mod change;
mod columns;
mod coverage;
mod display;
mod html;
mod longest;
mod loss;
mod margin;
mod markdown;
mod model;
mod publish;
mod svg;
mod terminal;
mod unit_cost;
mod workbook;

use arrow::array::RecordBatch;

pub use alerts::Alert;
pub use change::Change;
pub use coverage::{Coverage, Share};
pub use loss::Loss;
pub use margin::{CostStatus, MarginFigures, MarginLine};
pub use model::ReportModel;
pub(crate) use publish::check_ours;
pub use publish::publish;
pub use terminal::{TerminalStyle, terminal};
pub use unit_cost::UnitCost;
pub(crate) use unit_cost::rows as unit_cost_rows;

/// The rows of one mart.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// Name of the mart.
    pub name: &'static str,
    /// Its rows, sorted.
    pub rows: RecordBatch,
}

//! What a report is asked for.

use std::path::PathBuf;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};

use super::ReportError;
use crate::allocate::RevenueKey;
use crate::bills::{BillConfig, BillFile};
use crate::outcomes::OutcomeLabels;
use crate::revenue::{Amount, Currency, RevenueInputs};

/// A report's inputs, days and outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportOptions {
    /// Revenue files and their second files.
    pub revenue: RevenueInputs,
    /// `--customer-map`.
    pub customer_map: Option<PathBuf>,
    /// `--fx`.
    pub fx: Option<PathBuf>,
    /// First day; `None` is the first day that has calls or revenue.
    pub from: Option<NaiveDate>,
    /// Last day, inclusive; `None` is the last day that has calls or revenue.
    pub to: Option<NaiveDate>,
    /// Folder of the files; `None` writes none.
    pub out: Option<PathBuf>,
    /// Which files beside the Parquet ones.
    pub formats: Vec<OutputFormat>,
    /// Currency of the report.
    pub currency: Currency,
    /// The only clock: what the outputs name as their time. It selects nothing.
    pub as_of: Option<DateTime<Utc>>,
    /// `[[bill]]`.
    pub bills: Vec<BillConfig>,
    /// `--bill`.
    pub bill_files: Vec<BillFile>,
    /// `--outcomes`.
    pub outcomes: Vec<PathBuf>,
    /// `[outcomes]`.
    pub outcome_labels: OutcomeLabels,
    /// `[report]`: what the user decides about allocation and targets.
    pub policy: ReportPolicy,
    /// `--config`, for its hash: what it says stands in the other fields.
    pub config: Option<PathBuf>,
    /// Of the prices that calls were settled with before this run.
    pub catalogue_hash: Option<String>,
}

/// Decisions of the user that no file of a run makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPolicy {
    /// By what revenue is shared out where nobody says what it was for.
    pub allocation: RevenueKey,
    /// The table of weights, where revenue is shared out by weights.
    pub allocation_weights: Option<PathBuf>,
    /// The gross margin aimed at, in percent, below 100: break-even prices and who is short of them are measured by it.
    pub target_margin_pct: Amount,
}

impl Default for ReportPolicy {
    fn default() -> ReportPolicy {
        ReportPolicy {
            allocation: RevenueKey::Cost,
            allocation_weights: None,
            // What software sells at between products built on models, at about 65 %, and classic SaaS, at 80 to 90 %.
            target_margin_pct: Amount::from_scaled(70 * 10_i128.pow(12)),
        }
    }
}

impl ReportPolicy {
    fn check(&self) -> Result<(), ReportError> {
        let wrong = |key, reason: &str| {
            Err(ReportError::Policy {
                key,
                reason: reason.to_owned(),
            })
        };
        let hundred = Amount::from_scaled(100 * 10_i128.pow(12));
        match (self.allocation, &self.allocation_weights) {
            (RevenueKey::Weights, None) => wrong("allocation_weights", "is missing: name the file dimension,key,weight"),
            (_, Some(_)) if self.allocation != RevenueKey::Weights => {
                wrong("allocation_weights", "has no effect: set allocation = \"weights\"")
            }
            _ if self.target_margin_pct.is_negative() || self.target_margin_pct >= hundred => {
                wrong("target_margin_pct", "is a percentage from 0 to below 100")
            }
            _ => Ok(()),
        }
    }
}

impl Default for ReportOptions {
    fn default() -> ReportOptions {
        ReportOptions {
            revenue: RevenueInputs::default(),
            customer_map: None,
            fx: None,
            from: None,
            to: None,
            out: None,
            formats: OutputFormat::DEFAULT.to_vec(),
            currency: Currency::USD,
            as_of: None,
            bills: Vec::new(),
            bill_files: Vec::new(),
            outcomes: Vec::new(),
            outcome_labels: OutcomeLabels::default(),
            policy: ReportPolicy::default(),
            config: None,
            catalogue_hash: None,
        }
    }
}

impl ReportOptions {
    pub(super) fn check(&self) -> Result<(), ReportError> {
        self.policy.check()?;
        match (self.from, self.to) {
            (Some(from), Some(to)) if to < from => Err(ReportError::ReversedDays { from, to }),
            _ => self.out.as_deref().map_or(Ok(()), crate::output::check_ours),
        }
    }
}

/// A kind of file under `--out`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutputFormat {
    /// `report.html`, one self-contained page.
    Html,
    /// `<mart>.csv`, one file a mart.
    Csv,
    /// `report.json`, what the page says, and `<mart>.json`.
    Json,
    /// `report.md`, for a pull request or a wiki, and `summary.txt`, for a chat.
    Md,
    /// `report.xlsx`, a workbook with one sheet a mart.
    Xlsx,
}

impl OutputFormat {
    /// What is written when nothing is said.
    pub const DEFAULT: [OutputFormat; 5] = [
        OutputFormat::Html,
        OutputFormat::Csv,
        OutputFormat::Json,
        OutputFormat::Md,
        OutputFormat::Xlsx,
    ];
}

/// A text that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a report format: use html, csv, json, md or xlsx, separated by commas")]
pub struct UnknownFormat(String);

impl FromStr for OutputFormat {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<OutputFormat, UnknownFormat> {
        match text.trim() {
            "html" => Ok(OutputFormat::Html),
            "csv" => Ok(OutputFormat::Csv),
            "json" => Ok(OutputFormat::Json),
            "md" | "markdown" => Ok(OutputFormat::Md),
            "xlsx" => Ok(OutputFormat::Xlsx),
            other => Err(UnknownFormat(other.to_owned())),
        }
    }
}

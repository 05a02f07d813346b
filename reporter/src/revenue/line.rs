//! The canonical revenue line: what every billing system's export is turned into.

use std::sync::Arc;

use super::currency::Currency;
use super::money::Amount;
use super::time::{Moment, Period};

/// One line of revenue, net of tax, signed, with the period in which it is earned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevenueLine {
    /// Source that read it.
    pub source: &'static str,
    /// File it stands in.
    pub source_file: Arc<str>,
    /// Line in that file, from 1.
    pub source_row: u64,
    /// Unique within the source.
    pub line_id: String,
    /// The customer as the billing system names it.
    pub source_customer_id: Option<String>,
    /// The customer's id of the selling system, where the billing system keeps it (`metadata.external_id`).
    pub external_customer_id: Option<String>,
    /// User, where revenue is known by user.
    pub user_id: Option<String>,
    /// Feature, where revenue is known by feature.
    pub feature: Option<String>,
    /// Plan or price.
    pub plan: Option<String>,
    /// `subscription`, `usage`, `refund`... as the source says.
    pub kind: Option<String>,
    /// Status of the document that the line belongs to.
    pub status: Option<String>,
    /// Free text of the biller.
    pub description: Option<String>,
    /// In major units of `currency`.
    pub amount: Amount,
    /// The line's own currency.
    pub currency: Currency,
    /// When it is earned.
    pub period: Period,
    /// When it was billed.
    pub booked_at: Option<Moment>,
    /// When it was paid.
    pub settled_at: Option<Moment>,
}

/// Why a row of a file is no revenue. Counted in the load report, by this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exclusion {
    /// The document was voided.
    Void,
    /// The document is not issued yet.
    Draft,
    /// The document will not be paid.
    Uncollectible,
    /// The document was deleted.
    Deleted,
    /// Made in the billing system's test mode.
    TestMode,
    /// Tax is collected for the state.
    Tax,
    /// The same line stands in an earlier file.
    Repeated,
}

impl Exclusion {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Exclusion::Void => "void",
            Exclusion::Draft => "draft",
            Exclusion::Uncollectible => "uncollectible",
            Exclusion::Deleted => "deleted",
            Exclusion::TestMode => "test_mode",
            Exclusion::Tax => "tax",
            Exclusion::Repeated => "repeated",
        }
    }
}

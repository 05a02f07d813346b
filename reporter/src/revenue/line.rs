//! The canonical revenue line: what every billing system's export is turned into.

use std::fmt;
use std::sync::Arc;

use super::currency::Currency;
use super::money::Amount;
use super::time::{Moment, Period};

/// A text that many lines share.
pub type Text = Arc<str>;

/// One line of revenue, net of tax, signed, with the period in which it is earned; or, by its kind, a cost of selling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevenueLine {
    /// Preset or mapping that read it.
    pub source: Text,
    /// File it stands in.
    pub source_file: Text,
    /// Line in that file, from 1.
    pub source_row: u64,
    /// Unique within the source.
    pub line_id: Text,
    /// Of two lines with one id the later version counts.
    pub version: Option<Text>,
    /// The customer as the billing system names it.
    pub source_customer_id: Option<Text>,
    /// The customer's id of the selling system, where the billing system keeps it (`metadata.external_id`).
    pub external_customer_id: Option<Text>,
    /// Further ids under which the customer may be known.
    pub aliases: Vec<Text>,
    /// Lower case; used only where the user asked for it.
    pub email: Option<Text>,
    /// User, where revenue is known by user.
    pub user_id: Option<Text>,
    /// Feature, where revenue is known by feature.
    pub feature: Option<Text>,
    /// Plan or price.
    pub plan: Option<Text>,
    /// Subscription, where there is one.
    pub subscription_id: Option<Text>,
    /// Invoice or order that the line belongs to.
    pub document: Option<Text>,
    /// Seats that the line pays for.
    pub seats: Option<i64>,
    /// See [`Kind`]; any text is allowed.
    pub kind: Option<Text>,
    /// Status of the document that the line belongs to.
    pub status: Option<Text>,
    /// Free text of the biller.
    pub description: Option<Text>,
    /// In major units of `currency`.
    pub amount: Amount,
    /// The line's own currency.
    pub currency: Currency,
    /// When it is earned.
    pub period: Period,
    /// The service period that a refund takes back, where it is known.
    pub original_period: Option<Period>,
    /// When it was billed.
    pub booked_at: Option<Moment>,
    /// When it was paid.
    pub settled_at: Option<Moment>,
}

/// What a line's kind means for its recognition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Earned evenly over its period: subscriptions, seats, commitments, discounts, one-off sales and all else.
    Ratable,
    /// Used in the period, billed afterwards: `usage`, `overage`.
    Usage,
    /// What is due at least for its period: `minimum_commitment`. Earns what use in the period leaves of it.
    Minimum,
    /// Paid for later use: `credit_purchase`. Earned by drawing it down, and at its expiry.
    CreditPurchase,
    /// Use of what was paid before: `credit_drawdown`.
    CreditDrawdown,
    /// Money given back: `refund`, `credit_note`.
    Refund,
    /// The share of a store or merchant of record: `store_fee`. Less revenue, or a cost, as the policy says.
    StoreFee,
    /// Costs of being paid, outside of cost of goods: `payment_fee`, `dispute_fee`, `bad_debt`. Positive is a cost.
    Cost,
}

impl RevenueLine {
    /// What the line's kind means.
    pub fn meaning(&self) -> Kind {
        match self.kind.as_deref() {
            Some("usage" | "overage") => Kind::Usage,
            Some("minimum_commitment") => Kind::Minimum,
            Some("credit_purchase") => Kind::CreditPurchase,
            Some("credit_drawdown") => Kind::CreditDrawdown,
            Some("refund" | "credit_note") => Kind::Refund,
            Some("store_fee") => Kind::StoreFee,
            Some("payment_fee" | "dispute_fee" | "bad_debt") => Kind::Cost,
            _ => Kind::Ratable,
        }
    }

    /// The ids under which the customer may be known to us, best first. E-mail is not among them.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let own = [self.external_customer_id.as_deref(), self.source_customer_id.as_deref()];
        own.into_iter().flatten().chain(self.aliases.iter().map(|alias| &**alias))
    }
}

/// Why a row of a file is no revenue. Counted in the load report, by this name; mappings bring their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exclusion(Text);

impl Exclusion {
    /// The same line stands in an earlier file.
    pub const REPEATED: &str = "repeated";
    /// A newer version of the line was read.
    pub const SUPERSEDED: &str = "superseded";
    /// A finer export of the same billing system has it.
    pub const COUNTED_BY_LINES: &str = "counted_by_finer_export";

    /// A reason by its name.
    pub fn new(name: impl Into<Text>) -> Exclusion {
        Exclusion(name.into())
    }

    /// The name in reports.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

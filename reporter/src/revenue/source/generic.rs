//! The generic CSV, for any billing system and for a spreadsheet: amounts in major units, signed, net of tax.
//!
//! Columns: `customer_id,amount,currency,period_start,period_end` and optionally
//! `kind,description,line_id,user_id,feature,plan`. Other columns are ignored unless they could change the meaning.

use super::super::line::{Exclusion, RevenueLine};
use super::super::refusal::Refusal;
use super::super::rows::Row;
use super::super::time::{Period, TimeFormat};
use super::{Joins, Reading, Source};

pub(super) const SOURCE: Source = Source {
    name: "generic",
    title: "generic revenue CSV (customer_id,amount,currency,period_start,period_end)",
    required: &[
        &["customer_id"],
        &["amount"],
        &["currency"],
        &["period_start"],
        &["period_end"],
    ],
    // Names that billing systems use: where one stands beside `amount`, the amount may be gross, in cents or unpaid.
    foreign: &[
        "invoice_id",
        "invoice",
        "amount_due",
        "amount_paid",
        "amount_remaining",
        "amount_refunded",
        "amount_in_cents",
        "amount_cents",
        "unit_amount",
        "subtotal",
        "total",
        "tax",
        "tax_amount",
        "discount",
        "discount_amount",
        "refunded_amount",
        "fee",
        "net",
        "gross",
        "status",
        "livemode",
        "is_deleted",
    ],
    read,
};

fn read(row: &Row<'_>, _: &Joins) -> Result<Reading, Refusal> {
    let owned = |column: &str| row.text(column).map(str::to_owned);
    let start = row.moment("period_start", TimeFormat::Iso)?;
    let end = row.optional_moment("period_end", TimeFormat::Iso)?;
    let period = Period::new(start, end).map_err(|error| row.refuse("period_end", error))?;
    let kind = owned("kind").map(|kind| kind.to_lowercase());
    let line = RevenueLine {
        source: SOURCE.name,
        source_file: row.file.into(),
        source_row: row.line,
        line_id: owned("line_id").unwrap_or_else(|| format!("{}:{}", row.file, row.line)),
        source_customer_id: owned("customer_id"),
        external_customer_id: None,
        user_id: owned("user_id"),
        feature: owned("feature"),
        plan: owned("plan"),
        status: None,
        description: owned("description"),
        amount: row.major("amount")?,
        currency: row.currency("currency")?,
        period,
        booked_at: None,
        settled_at: None,
        kind,
    };
    if line.kind.as_deref() == Some("tax") {
        return Ok(Reading::Excluded(Exclusion::Tax));
    }
    Ok(Reading::Line(line))
}

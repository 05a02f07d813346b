//! The second files of Stripe's line items: invoices say who pays and whether the invoice stands, customers say who
//! that is to us. As Sigma, Data Pipeline, Fivetran and the dashboard export them.

use std::collections::HashMap;

use super::super::header::Header;
use super::super::line::Exclusion;
use super::super::refusal::{Refusal, Refusals, RevenueError};
use super::super::rows::{Row, TextFile};
use super::super::time::{Moment, TimeFormat};
use super::json;

/// Keys of `--revenue-join` that some source reads.
pub(crate) const JOIN_KEYS: [&str; 2] = ["invoices", "customers"];

/// Second files, by the id that lines name.
#[derive(Debug, Default)]
pub(crate) struct Joins {
    pub(super) invoices: Option<HashMap<String, Invoice>>,
    pub(super) customers: Option<HashMap<String, Customer>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invoice {
    pub(super) customer_id: Option<String>,
    pub(super) external_customer_id: Option<String>,
    pub(super) status: Option<String>,
    pub(super) excluded: Option<Exclusion>,
    pub(super) booked_at: Option<Moment>,
    pub(super) settled_at: Option<Moment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Customer {
    pub(super) external_customer_id: Option<String>,
}

impl Joins {
    /// Reads the file for one key of [`JOIN_KEYS`].
    pub(crate) fn add(&mut self, key: &str, file: &TextFile) -> Result<(), RevenueError> {
        match key {
            "invoices" => self.invoices = Some(by_id(file, &[&["id"], &["customer_id", "customer"], &["status"]], invoice)?),
            "customers" => self.customers = Some(by_id(file, &[&["id"]], customer)?),
            _ => {
                return Err(RevenueError::UnknownJoin {
                    key: key.to_owned(),
                    known: JOIN_KEYS.join(", "),
                });
            }
        }
        Ok(())
    }
}

fn invoice(row: &Row<'_>) -> Result<Invoice, Refusal> {
    let metadata = json::metadata(row, "metadata")?;
    let customer = row.any(&["customer_id", "customer"]);
    let status = row.text("status").map(str::to_lowercase);
    let excluded = match status.as_deref() {
        Some("void" | "voided") => Some(Exclusion::Void),
        Some("draft") => Some(Exclusion::Draft),
        Some("uncollectible") => Some(Exclusion::Uncollectible),
        Some("deleted") => Some(Exclusion::Deleted),
        Some("open" | "paid") | None => None,
        Some(_) => {
            return Err(row.refuse(
                "status",
                "is not a status of an invoice (draft, open, paid, uncollectible, void)",
            ));
        }
    };
    let deleted = row.flag("is_deleted")? == Some(true);
    let booked = row.any(&["finalized_at", "status_transitions_finalized_at", "created", "date"]);
    let settled = row.any(&["paid_at", "status_transitions_paid_at"]);
    Ok(Invoice {
        customer_id: row.text(customer).map(str::to_owned),
        external_customer_id: json::external_customer(row, &metadata),
        status,
        excluded: if deleted { Some(Exclusion::Deleted) } else { excluded },
        booked_at: row.optional_moment(booked, TimeFormat::IsoOrEpochSeconds)?,
        settled_at: row.optional_moment(settled, TimeFormat::IsoOrEpochSeconds)?,
    })
}

fn customer(row: &Row<'_>) -> Result<Customer, Refusal> {
    let metadata = json::metadata(row, "metadata")?;
    Ok(Customer {
        external_customer_id: json::external_customer(row, &metadata),
    })
}

/// Reads a file into a map. An id that stands twice with two meanings is refused.
fn by_id<T: PartialEq>(
    file: &TextFile,
    required: &[&[&str]],
    read: fn(&Row<'_>) -> Result<T, Refusal>,
) -> Result<HashMap<String, T>, RevenueError> {
    let mut entries = HashMap::new();
    let refusals = std::cell::RefCell::new(Refusals::default());
    let check = |header: &Header| -> Result<(), RevenueError> {
        let Some(missing) = required
            .iter()
            .find(|spellings| !spellings.iter().any(|column| header.has(column)))
        else {
            return Ok(());
        };
        let reason = format!(
            "is missing from the header of a file given by --revenue-join; it has {}",
            header.names().join(", ")
        );
        Err(Refusal {
            file: file.name.clone(),
            line: 1,
            column: Some(missing[0].to_owned()),
            value: None,
            reason,
        }
        .into())
    };
    let mut take = |row: &Row<'_>| -> Result<(), Refusal> {
        let id = row
            .text("id")
            .ok_or_else(|| row.refuse("id", "is empty: an id is required"))?;
        let entry = read(row)?;
        match entries.get(id) {
            Some(earlier) if *earlier != entry => Err(row.refuse("id", "stands twice with different content")),
            _ => {
                entries.insert(id.to_owned(), entry);
                Ok(())
            }
        }
    };
    let on_row = |row: Row<'_>| {
        if let Err(refusal) = take(&row) {
            refusals.borrow_mut().push(refusal);
        }
    };
    file.visit(check, on_row, |refusal| refusals.borrow_mut().push(refusal))?;
    refusals.into_inner().into_result()?;
    Ok(entries)
}

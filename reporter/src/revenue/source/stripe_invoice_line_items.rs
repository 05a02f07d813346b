//! Stripe's invoice line items, as Sigma, Data Pipeline and Fivetran export them, and flattened from the API.
//!
//! Amounts are integers in the currency's minor unit. A line names its invoice, the invoice names the customer and
//! whether it stands: pass both files by `--revenue-join invoices=FILE,customers=FILE`.
//! Exclusive tax is not in a line; discounts and inclusive tax are taken off where the file has them.

use serde_json::Value;

use super::super::line::{Exclusion, RevenueLine};
use super::super::money::Amount;
use super::super::refusal::Refusal;
use super::super::rows::Row;
use super::super::time::{Period, TimeFormat};
use super::{Joins, Reading, Source, json};

pub(super) const SOURCE: Source = Source {
    name: "stripe_invoice_line_items",
    title: "Stripe invoice line items (id,invoice_id,amount,currency,period_start,period_end,proration)",
    required: &[
        &["id"],
        &["invoice_id", "invoice"],
        &["amount"],
        &["currency"],
        &["period_start"],
        &["period_end"],
        &["proration", "discountable", "subscription_item_id", "subscription_item"],
    ],
    // An invoice, not a line of one: its period is the arrears window and its amount has tax in it.
    foreign: &["amount_due", "amount_paid", "amount_remaining", "subtotal", "total"],
    read,
};

fn read(row: &Row<'_>, joins: &Joins) -> Result<Reading, Refusal> {
    let owned = |column: &str| row.text(column).map(str::to_owned);
    let id = row
        .text("id")
        .ok_or_else(|| row.refuse("id", "is empty: an id is required"))?;
    let currency = row.currency("currency")?;
    let start = row.moment("period_start", TimeFormat::IsoOrEpochSeconds)?;
    let end = row.optional_moment("period_end", TimeFormat::IsoOrEpochSeconds)?;
    let period = Period::new(start, end).map_err(|error| row.refuse("period_end", error))?;
    let amount = net_amount(row, currency.stripe_exponent())?;
    let metadata = json::metadata(row, "metadata")?;

    let invoice_column = row.any(&["invoice_id", "invoice"]);
    let invoice = row.text(invoice_column).and_then(|id| joins.invoices.as_ref()?.get(id));
    let source_customer_id = owned(row.any(&["customer_id", "customer"])).or_else(|| invoice?.customer_id.clone());
    let customer = source_customer_id.as_ref().and_then(|id| joins.customers.as_ref()?.get(id));
    let external_customer_id = json::external_customer(row, &metadata)
        .or_else(|| invoice?.external_customer_id.clone())
        .or_else(|| customer?.external_customer_id.clone());

    if row.flag("livemode")? == Some(false) {
        return Ok(Reading::Excluded(Exclusion::TestMode));
    }
    if let Some(reason) = invoice.and_then(|invoice| invoice.excluded) {
        return Ok(Reading::Excluded(reason));
    }
    let subscription = row.text(row.any(&["subscription_id", "subscription"])).is_some();
    let kind = match (subscription, amount.is_negative()) {
        (true, _) => "subscription",
        (false, true) => "refund",
        (false, false) => "one_off",
    };
    Ok(Reading::Line(RevenueLine {
        source: SOURCE.name,
        source_file: row.file.into(),
        source_row: row.line,
        line_id: id.to_owned(),
        source_customer_id,
        external_customer_id,
        user_id: json::text_at(&metadata, "user_id"),
        feature: json::text_at(&metadata, "feature"),
        plan: owned(row.any(&["plan_id", "price_id", "plan", "price"])),
        kind: Some(kind.to_owned()),
        status: invoice.and_then(|invoice| invoice.status.clone()),
        description: owned("description"),
        amount,
        currency,
        period,
        booked_at: invoice.and_then(|invoice| invoice.booked_at),
        settled_at: invoice.and_then(|invoice| invoice.settled_at),
    }))
}

fn net_amount(row: &Row<'_>, exponent: u32) -> Result<Amount, Refusal> {
    let gross = Amount::parse_minor(row.text("amount").unwrap_or(""), exponent).map_err(|error| row.refuse("amount", error))?;
    let discounts = json::sum_amounts(row, "discount_amounts", |_| true)?;
    let inclusive = |tax: &Value| {
        tax.get("inclusive") == Some(&Value::Bool(true)) || tax.get("tax_behavior") == Some(&Value::from("inclusive"))
    };
    let taxes = json::sum_amounts(row, row.any(&["taxes", "tax_amounts"]), inclusive)?;
    let minor_unit = Amount::parse_minor("1", exponent).map_err(|error| row.refuse("amount", error))?;
    Ok(gross - Amount::from_scaled((discounts + taxes) * minor_unit.scaled()))
}

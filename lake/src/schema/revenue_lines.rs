//! `revenue_lines`: normalised revenue lines, each with the file and line it came from.

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::{bigint, money, schema, text, timestamp};

/// Columns of `revenue_lines`. Amounts are signed, net of tax, in major units of `currency`.
pub fn revenue_lines() -> SchemaRef {
    schema(vec![
        // Preset or mapping that read the file (`generic`, `stripe_invoice_line_items`...).
        Field::new("source", DataType::Utf8, false),
        text("source_file"),
        bigint("source_row"),
        // Unique within the source; newest version wins.
        Field::new("line_id", DataType::Utf8, false),
        text("customer_id"),
        // The customer as the billing system names it, before the join.
        text("source_customer_id"),
        text("user_id"),
        text("feature"),
        text("plan"),
        // subscription, usage, seat, one_off, refund, ... (`reporting.md` 1.2).
        text("kind"),
        text("status"),
        text("description"),
        Field::new("amount", money(), false),
        Field::new("currency", DataType::Utf8, false),
        // Service period, half open.
        Field::new("period_start", timestamp(), false),
        Field::new("period_end", timestamp(), false),
        Field::new("booked_at", timestamp(), true),
        Field::new("settled_at", timestamp(), true),
        text("subscription_id"),
        // Invoice or order.
        text("document_id"),
        bigint("seats"),
        // Service period that a refund takes back.
        Field::new("original_period_start", timestamp(), true),
        Field::new("original_period_end", timestamp(), true),
    ])
}

//! `revenue_daily`: what each revenue line earns on each day of its service period.

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::{money, schema, text};

/// Columns of `revenue_daily`. The days of a line sum to the line, to the last digit.
pub fn revenue_daily() -> SchemaRef {
    schema(vec![
        Field::new("date", DataType::Date32, false),
        text("customer_id"),
        text("user_id"),
        text("feature"),
        text("plan"),
        text("kind"),
        Field::new("currency", DataType::Utf8, false),
        // In the line's own currency.
        Field::new("amount", money(), false),
        Field::new("report_currency", DataType::Utf8, false),
        // NULL where no exchange rate is known: a rate is never assumed.
        Field::new("report_amount", money(), true),
        Field::new("line_id", DataType::Utf8, false),
        Field::new("source", DataType::Utf8, false),
        // In the report's currency: what the rate of this day makes of the amount beyond the rate of the day it was billed.
        Field::new("fx_effect", money(), true),
    ])
}

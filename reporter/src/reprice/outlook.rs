//! How many settled calls would cost something else under a catalogue: what settle tells, and moves nothing.
//!
//! Calls whose receipt names this very catalogue cannot move and are not read: the filter is on one column, which
//! reads skip by row groups. The others are priced without a receipt.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use datafusion::prelude::{SessionConfig, SessionContext, col, lit};
use futures::TryStreamExt;
use marginlake_lake::{Lake, Table};
use marginlake_pricing::Catalogue;

use super::driver::RepriceError;
use super::figures::{count, plain};
use super::verdict;
use crate::settle::CataloguePricer;
use crate::settle::decode::Decoder;

/// What pricing needs of a call.
const COLUMNS: [&str; 18] = [
    "date",
    "signal",
    "tenant",
    "role",
    "provider",
    "server_address",
    "request_model",
    "response_model",
    "usage",
    "price_context",
    "priced_at_unix_nano",
    "price_status",
    "list_cost_usd",
    "cost_usd",
    "cost_source",
    "price_id",
    "catalogue_hash",
    "flags",
];

/// Settled calls that would cost something else. Money at scale 12, USD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// How many.
    pub calls: usize,
    /// Of those, how many whose cost is unknown before or after.
    pub unknown: usize,
    /// The first and the last of their days.
    pub days: Option<(NaiveDate, NaiveDate)>,
    /// What those cost that are known before and after.
    pub before: i128,
    /// What they would cost.
    pub after: i128,
}

impl Outlook {
    /// One sentence with what to do; `None` where nothing would move.
    pub fn sentence(&self) -> Option<String> {
        let (first, last) = self.days?;
        let unknown = match self.unknown {
            0 => String::new(),
            some => format!(", {} of them with a cost unknown before or after", count(some)),
        };
        Some(format!(
            "{} settled calls keep their price and would cost {} -> {} USD under today's prices and contracts{unknown}: \
             `marginlake reprice --from {first} --to {last} --dry-run` shows which",
            count(self.calls),
            plain(self.before),
            plain(self.after),
        ))
    }
}

/// Looks through the settled calls of `lake`. Writes nothing.
pub async fn outlook(lake: &Lake, catalogue: &Catalogue) -> Result<Outlook, RepriceError> {
    let mut outlook = Outlook::default();
    let Some(calls) = lake.table(Table::Calls.name()).await? else {
        return Ok(outlook);
    };
    let config = SessionConfig::new()
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false)
        .set_bool("datafusion.execution.parquet.pushdown_filters", true);
    let mut batches = SessionContext::new_with_config(config)
        .read_table(calls.provider().await?)?
        .filter(
            col("catalogue_hash")
                .not_eq(lit(catalogue.hash()))
                .or(col("catalogue_hash").is_null()),
        )?
        .select_columns(&COLUMNS)?
        .execute_stream()
        .await?;
    let pricer = CataloguePricer::new(catalogue);
    let mut decoder = Decoder::default();
    let mut days: BTreeSet<i32> = BTreeSet::new();
    while let Some(batch) = batches.try_next().await? {
        for record in decoder.decode(&batch)? {
            let Some(now) = verdict::moved(&record, &pricer) else {
                continue;
            };
            outlook.calls += 1;
            days.insert(record.date);
            match (record.price.cost_usd, now.cost_usd) {
                (Some(before), Some(after)) => {
                    outlook.before += before;
                    outlook.after += after;
                }
                _ => outlook.unknown += 1,
            }
        }
    }
    let date = |day: Option<&i32>| NaiveDate::from_epoch_days(*day?);
    outlook.days = date(days.first()).zip(date(days.last()));
    Ok(outlook)
}

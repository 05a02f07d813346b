//! What one settled call costs now, and whether that is different.

use crate::settle::CataloguePricer;
use crate::settle::reason::billed;
use crate::settle::record::{Price, Record};

/// The new price of a call, where it moved; `None` where the row stays as it is.
///
/// A call without usage has nothing to price. A provider's or gateway's charge stays until usage can be priced.
pub(super) fn moved(record: &Record, pricer: &CataloguePricer<'_>) -> Option<Price> {
    // A rule of the configuration made this cost, not the catalogue: settle keeps it.
    if record.has_flag(billed::COST_RULE) {
        return None;
    }
    if record.usage.as_ref().is_none_or(Vec::is_empty) || record.price.status.as_deref() == Some("no_usage") {
        return None;
    }
    let now = pricer.price(record);
    let is_charge = record.price.cost_source.as_deref() == Some("charge");
    if is_charge && now.cost_usd.is_none() {
        return None;
    }
    (figures(&now) != figures(&record.price)).then_some(now)
}

/// What a reader of the table adds up or filters by. A new receipt for the same figures is no change: the call was
/// settled with the old one.
fn figures(price: &Price) -> (Option<i128>, Option<i128>, Option<&str>, Option<&str>) {
    (
        price.cost_usd,
        price.list_cost_usd,
        price.status.as_deref(),
        price.cost_source.as_deref(),
    )
}

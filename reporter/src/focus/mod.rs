//! What calls cost as rows of a FOCUS cost and usage dataset (1.2, with the provider columns of 1.3): for the tools of FinOps.
//!
//! One row for each day, customer, feature, service, model and unit of the receipts, in USD. `EffectiveCost` is our cost and
//! `ListCost` the public price; both sum to `calls` to the last digit, whatever receipts round. `BilledCost` is 0, since who does
//! not invoice must not say that something was invoiced; `billed` puts our cost there for tools that read nothing else.
//! A cost that is not known is no row: those calls are counted, never zero.

mod columns;

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use chrono::NaiveDate;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use marginlake_lake::Lake;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};

use crate::allocate::largest_remainder::split;
use crate::revenue::Amount;
use crate::revenue::time::Day;
use crate::session::{SessionError, open_session, query};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct FocusOptions {
    /// First day.
    pub from: NaiveDate,
    /// Last day, inclusive.
    pub to: NaiveDate,
    /// `BillingAccountId`: FOCUS wants one on every row.
    pub billing_account: String,
    /// Our cost in `BilledCost` too.
    pub billed: bool,
}

/// The rows, and what is not among them.
#[derive(Debug, Clone)]
pub struct FocusExport {
    /// In the order of day and keys; one batch.
    pub rows: RecordBatch,
    /// Calls of these days whose cost is not known.
    pub unpriced_calls: i64,
}

/// Tenant, customer, feature, service, provider, model, environment, cost class and cost source of a group of calls.
type Keys = [Option<String>; 9];

const KEYS: &str = "tenant AS key_1, nullif(customer_id, '') AS key_2, nullif(feature, '') AS key_3, nullif(service_name, '') AS key_4, \
     nullif(provider, '') AS key_5, coalesce(nullif(response_model, ''), nullif(request_model, '')) AS key_6, \
     nullif(environment, '') AS key_7, cost_class AS key_8, cost_source AS key_9";

/// Calls with equal keys on one day.
#[derive(Debug, Clone, Default)]
struct Group {
    cost: Amount,
    list_cost: Amount,
    calls: i64,
    units: Vec<UnitUse>,
}

/// What receipts say of one unit at one price.
#[derive(Debug, Clone)]
struct UnitUse {
    unit: String,
    price_id: Option<String>,
    quantity: Amount,
    amount: Amount,
}

/// One row before it is FOCUS.
#[derive(Debug, Clone)]
struct Charge {
    day: Day,
    keys: Keys,
    calls: i64,
    /// `None` where the cost came without a receipt: a provider's own charge.
    used: Option<UnitUse>,
    cost: Amount,
    list_cost: Amount,
}

/// Reads the calls of some days.
pub async fn focus_rows(lake: &Lake, options: &FocusOptions) -> Result<FocusExport, SessionError> {
    let session = open_session(lake).await?;
    let empty = |unpriced_calls| -> Result<FocusExport, SessionError> {
        Ok(FocusExport {
            rows: columns::batch(&[], options).map_err(DataFusionError::from)?,
            unpriced_calls,
        })
    };
    if !session.table_exist("calls")? {
        return empty(0);
    }
    let days = format!("date BETWEEN DATE '{}' AND DATE '{}'", options.from, options.to);
    let groups = groups(&session, &days).await?;
    let charges: Vec<Charge> = groups
        .into_iter()
        .flat_map(|((day, keys), group)| charges(day, &keys, &group))
        .collect();
    let unpriced = format!("SELECT count(*) FROM calls WHERE {days} AND cost_usd IS NULL");
    let unpriced = query(&session, &unpriced).await?;
    let unpriced = unpriced
        .first()
        .map_or(0, |batch| batch.column(0).as_primitive::<Int64Type>().value(0));
    Ok(FocusExport {
        rows: columns::batch(&charges, options).map_err(DataFusionError::from)?,
        unpriced_calls: unpriced,
    })
}

async fn groups(session: &SessionContext, days: &str) -> Result<BTreeMap<(Day, Keys), Group>, SessionError> {
    let names = "key_1, key_2, key_3, key_4, key_5, key_6, key_7, key_8, key_9";
    let mut groups: BTreeMap<(Day, Keys), Group> = BTreeMap::new();
    let sums = format!(
        "SELECT date, {names}, sum(cost_usd), sum(list_cost_usd), count(*) FROM (SELECT date, {KEYS}, cost_usd, \
         coalesce(list_cost_usd, cost_usd) AS list_cost_usd FROM calls WHERE {days} AND cost_usd IS NOT NULL) GROUP BY date, {names}"
    );
    for batch in query(session, &sums).await? {
        let (costs, lists) = (money(&batch, 10)?, money(&batch, 11)?);
        let calls = batch.column(12).as_primitive::<Int64Type>();
        for (row, key) in keys(&batch)?.into_iter().enumerate() {
            let group = groups.entry(key).or_default();
            (group.cost, group.list_cost, group.calls) = (costs[row], lists[row], calls.value(row));
        }
    }
    let units = format!(
        "SELECT date, {names}, line['unit'], line['price_id'], sum(line['quantity']), sum(line['amount']) \
         FROM (SELECT date, {KEYS}, unnest(cost_lines) AS line FROM calls WHERE {days} AND cost_usd IS NOT NULL) \
         WHERE line['unit'] IS NOT NULL GROUP BY date, {names}, line['unit'], line['price_id'] ORDER BY line['unit'], line['price_id']"
    );
    for batch in query(session, &units).await? {
        let (units, prices) = (texts(&batch, 10)?, texts(&batch, 11)?);
        let (quantities, amounts) = (money(&batch, 12)?, money(&batch, 13)?);
        for (row, key) in keys(&batch)?.into_iter().enumerate() {
            groups.entry(key).or_default().units.push(UnitUse {
                unit: units.value(row).to_owned(),
                price_id: prices.is_valid(row).then(|| prices.value(row).to_owned()),
                quantity: quantities[row],
                amount: amounts[row],
            });
        }
    }
    Ok(groups)
}

/// The group's cost on its units, by what each cost: receipts round by themselves, and rows must sum to the calls.
fn charges(day: Day, keys: &Keys, group: &Group) -> Vec<Charge> {
    let charge = |used: Option<&UnitUse>, cost, list_cost| Charge {
        day,
        keys: keys.clone(),
        calls: group.calls,
        used: used.cloned(),
        cost,
        list_cost,
    };
    let weights: Vec<i128> = group.units.iter().map(|used| used.amount.scaled()).collect();
    match split(group.cost, &weights).zip(split(group.list_cost, &weights)) {
        Some((costs, lists)) => {
            let parts = group.units.iter().zip(costs.into_iter().zip(lists));
            parts.map(|(used, (cost, list))| charge(Some(used), cost, list)).collect()
        }
        // Nothing on the receipts cost anything: free, or charged by somebody else.
        None if group.cost.is_zero() && group.list_cost.is_zero() && !group.units.is_empty() => group
            .units
            .iter()
            .map(|used| charge(Some(used), Amount::ZERO, Amount::ZERO))
            .collect(),
        None => vec![charge(None, group.cost, group.list_cost)],
    }
}

fn keys(batch: &RecordBatch) -> Result<Vec<(Day, Keys)>, DataFusionError> {
    let days = batch.column(0).as_primitive::<Date32Type>();
    let columns: Vec<StringArray> = (1..10).map(|column| texts(batch, column)).collect::<Result<_, _>>()?;
    let of_row = |row: usize| {
        let key = std::array::from_fn(|at| columns[at].is_valid(row).then(|| columns[at].value(row).to_owned()));
        (days.value(row), key)
    };
    Ok((0..batch.num_rows()).map(of_row).collect())
}

fn texts(batch: &RecordBatch, column: usize) -> Result<StringArray, DataFusionError> {
    Ok(arrow::compute::cast(batch.column(column), &DataType::Utf8)?
        .as_string::<i32>()
        .clone())
}

/// NULL is nothing.
fn money(batch: &RecordBatch, column: usize) -> Result<Vec<Amount>, DataFusionError> {
    let exact = arrow::compute::cast(batch.column(column), &DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE))?;
    let exact = exact.as_primitive::<Decimal128Type>();
    Ok(exact.iter().map(|value| Amount::from_scaled(value.unwrap_or(0))).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn used(unit: &str, amount: i128) -> UnitUse {
        UnitUse {
            unit: unit.to_owned(),
            price_id: Some("p".to_owned()),
            quantity: Amount::from_scaled(10_i128.pow(12)),
            amount: Amount::from_scaled(amount),
        }
    }

    #[test]
    fn a_charge_without_a_receipt_is_one_row_and_free_units_keep_theirs() {
        let charged = Group {
            cost: Amount::from_scaled(7),
            list_cost: Amount::from_scaled(7),
            calls: 1,
            units: Vec::new(),
        };
        let rows = charges(20_454, &Keys::default(), &charged);
        assert_eq!((rows.len(), rows[0].cost.scaled(), rows[0].used.is_none()), (1, 7, true));
        let free = Group {
            units: vec![used("input_tokens", 0), used("output_tokens", 0)],
            ..Group::default()
        };
        assert_eq!(charges(20_454, &Keys::default(), &free).len(), 2);
    }

    proptest! {
        #[test]
        fn rows_sum_to_the_calls(cost in 0_i128..10_i128.pow(20), list in 0_i128..10_i128.pow(20), units in prop::collection::vec(0_i128..10_i128.pow(18), 0..8)) {
            let group = Group {
                cost: Amount::from_scaled(cost),
                list_cost: Amount::from_scaled(list),
                calls: 3,
                units: units.iter().map(|amount| used("input_tokens", *amount)).collect(),
            };
            let rows = charges(20_454, &Keys::default(), &group);
            prop_assert_eq!(rows.iter().map(|row| row.cost).sum::<Amount>().scaled(), cost);
            prop_assert_eq!(rows.iter().map(|row| row.list_cost).sum::<Amount>().scaled(), list);
        }
    }
}

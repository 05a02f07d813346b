//! What we computed beside what providers ask for, by day, provider and model: the difference, and how much of it is traffic that
//! the lake has not seen, prices, or neither.
//!
//! The bill is the finer of what both sides know: a model of ours counts under the bill's name for it, `gpt-4o-2024-08-06` under
//! `gpt-4o` where the bill has no such version. Every row is on one side at least; the rows sum to both sides to the last digit,
//! and so do the parts of each difference.

mod bill;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use chrono::NaiveDate;
use datafusion::error::DataFusionError;
use marginlake_lake::Lake;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};

pub use bill::{Billed, read_bill};
pub use rows::rows_batch;

use crate::revenue::time::{Day, day_number};
use crate::revenue::{Amount, RevenueError};
use crate::session::{SessionError, open_session, query};

/// Row of calls and of bill lines that name no model.
const NO_MODEL: &str = "(no model)";

/// What is asked for.
#[derive(Debug, Clone)]
pub struct ReconcileOptions {
    /// Bills of providers.
    pub bills: Vec<PathBuf>,
    /// Provider of bills that name none.
    pub provider: Option<String>,
    /// First day; the first of the bills without it.
    pub from: Option<NaiveDate>,
    /// Last day, inclusive; the last of the bills without it.
    pub to: Option<NaiveDate>,
}

/// Reconciling failed.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// A bill could not be read.
    #[error(transparent)]
    Bill(#[from] RevenueError),
    /// The lake could not be read.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// No line of the bills lies within the days.
    #[error("the bills have no line in these days")]
    Nothing,
}

/// One day of one model, on both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// What our calls cost, as far as known, in USD.
    pub lake_cost: Amount,
    /// What the provider asks for, in USD.
    pub billed_cost: Amount,
    /// Tokens of our calls.
    pub lake_tokens: i64,
    /// Tokens on the bill, where it has any.
    pub billed_tokens: Option<i64>,
    /// Our calls.
    pub calls: i64,
    /// Those of them whose cost is not known.
    pub unpriced_calls: i64,
}

/// Key of a row: day, provider, model.
pub type Key = (Day, String, String);

/// Why both sides differ, most of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// They do not, but for a cent or half a percent.
    Agrees,
    /// The bill has it, the lake does not.
    NotSeen,
    /// The lake has it, the bill does not: late, free, or of another account.
    NotBilled,
    /// Calls without a price.
    Unpriced,
    /// The bill counts more tokens.
    MissingTraffic,
    /// The lake counts more tokens: a late bill, or calls counted twice.
    ExcessTraffic,
    /// The same tokens at other prices: tiers, discounts, fees.
    Price,
    /// The bill has no tokens to tell by.
    Unexplained,
}

impl Reason {
    /// The text in the output.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Agrees => "agrees",
            Reason::NotSeen => "not_seen",
            Reason::NotBilled => "not_billed",
            Reason::Unpriced => "unpriced_calls",
            Reason::MissingTraffic => "missing_traffic",
            Reason::ExcessTraffic => "excess_traffic",
            Reason::Price => "price",
            Reason::Unexplained => "unexplained",
        }
    }
}

impl Compared {
    /// Billed less computed.
    pub fn difference(&self) -> Amount {
        self.billed_cost - self.lake_cost
    }

    /// Of the difference: tokens that only one side has, at the bill's price; `None` where the bill counts none.
    pub fn traffic_part(&self) -> Option<Amount> {
        let billed = self.billed_tokens.filter(|tokens| *tokens > 0)?;
        self.billed_cost
            .ratio(i128::from(billed - self.lake_tokens), i128::from(billed))
    }

    /// Of the difference: the same tokens at other prices.
    pub fn price_part(&self) -> Option<Amount> {
        Some(self.difference() - self.traffic_part()?)
    }

    /// What to multiply our cost by to get the bill; `None` without any.
    pub fn price_factor(&self) -> Option<Amount> {
        let one = 10_i128.pow(MONEY_SCALE as u32);
        (self.lake_cost > Amount::ZERO).then(|| self.billed_cost.ratio(one, self.lake_cost.scaled()))?
    }

    /// Why, most of all.
    pub fn reason(&self) -> Reason {
        let size = |amount: Amount| if amount.is_negative() { -amount } else { amount };
        let within = |amount: Amount| {
            let half_a_percent = size(self.billed_cost).ratio(5, 1000).unwrap_or_default();
            size(amount) <= half_a_percent.max(Amount::from_scaled(10_i128.pow(10)))
        };
        match (self.traffic_part(), self.price_part()) {
            _ if within(self.difference()) => Reason::Agrees,
            _ if self.calls == 0 => Reason::NotSeen,
            _ if self.unpriced_calls > 0 => Reason::Unpriced,
            _ if self.billed_cost.is_zero() => Reason::NotBilled,
            (Some(traffic), Some(price)) if size(traffic) < size(price) => Reason::Price,
            (Some(traffic), _) if traffic.is_negative() => Reason::ExcessTraffic,
            (Some(_), _) => Reason::MissingTraffic,
            _ => Reason::Unexplained,
        }
    }

    fn add(&mut self, other: &Compared) {
        self.lake_cost += other.lake_cost;
        self.billed_cost += other.billed_cost;
        self.lake_tokens += other.lake_tokens;
        self.calls += other.calls;
        self.unpriced_calls += other.unpriced_calls;
        if let Some(tokens) = other.billed_tokens {
            *self.billed_tokens.get_or_insert(0) += tokens;
        }
    }
}

/// All rows together. Tokens of the bill are those that it has.
pub fn total(rows: &BTreeMap<Key, Compared>) -> Compared {
    let mut total = Compared::default();
    rows.values().for_each(|row| total.add(row));
    total
}

/// Reads the bills and lays the lake beside them.
pub async fn reconcile(lake: &Lake, options: &ReconcileOptions) -> Result<BTreeMap<Key, Compared>, ReconcileError> {
    let mut billed = Vec::new();
    for path in &options.bills {
        billed.extend(read_bill(path, options.provider.as_deref())?);
    }
    let asked_for =
        |day: Day| options.from.is_none_or(|from| day_number(from) <= day) && options.to.is_none_or(|to| day <= day_number(to));
    billed.retain(|line| asked_for(line.day));
    let (Some(first), Some(last)) = (
        billed.iter().map(|line| line.day).min(),
        billed.iter().map(|line| line.day).max(),
    ) else {
        return Err(ReconcileError::Nothing);
    };
    let first = options.from.map_or(first, day_number);
    let last = options.to.map_or(last, day_number);
    let ours = lake_days(lake, first, last).await?;
    Ok(compare(billed, ours))
}

/// Both sides by the bill's names for models; only providers that sent a bill.
fn compare(billed: Vec<Billed>, ours: Vec<(Key, Compared)>) -> BTreeMap<Key, Compared> {
    let mut rows: BTreeMap<Key, Compared> = BTreeMap::new();
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in billed {
        names.entry(line.provider.clone()).or_default().insert(line.model.clone());
        let key = (line.day, line.provider, line.model);
        rows.entry(key).or_default().add(&Compared {
            billed_cost: line.amount,
            billed_tokens: line.tokens,
            ..Compared::default()
        });
    }
    for ((day, provider, model), compared) in ours {
        let Some(names) = names.get(&provider) else { continue };
        let model = names_of(&model, names).unwrap_or(model);
        rows.entry((day, provider, model)).or_default().add(&compared);
    }
    rows
}

/// The bill's name for a model: the same, or the longest that it is a version of.
fn names_of(model: &str, names: &BTreeSet<String>) -> Option<String> {
    let is_version = |name: &&String| {
        let rest = model.strip_prefix(name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '@', ':', '.', '/']))
    };
    names.iter().filter(is_version).max_by_key(|name| name.len()).cloned()
}

async fn lake_days(lake: &Lake, first: Day, last: Day) -> Result<Vec<(Key, Compared)>, SessionError> {
    let session = open_session(lake).await?;
    if !session.table_exist("calls")? {
        return Ok(Vec::new());
    }
    let day = crate::revenue::time::day_text;
    let sql = format!(
        "SELECT date, lower(coalesce(provider, '')), lower(coalesce(nullif(response_model, ''), nullif(request_model, ''), '{NO_MODEL}')), \
         coalesce(sum(cost_usd), 0), \
         sum(coalesce(input_uncached, 0) + coalesce(cache_read, 0) + coalesce(cache_write_5m, 0) + coalesce(cache_write_1h, 0) \
             + coalesce(input_audio, 0) + coalesce(input_image, 0) + coalesce(output_text, 0) + coalesce(output_reasoning, 0) \
             + coalesce(output_audio, 0) + coalesce(output_image, 0)), \
         count(*), count(*) - count(cost_usd) \
         FROM calls WHERE date BETWEEN DATE '{}' AND DATE '{}' AND provider IS NOT NULL GROUP BY 1, 2, 3",
        day(first),
        day(last)
    );
    let mut found = Vec::new();
    for batch in query(&session, &sql).await? {
        let cast = |column: usize, to: &DataType| arrow::compute::cast(batch.column(column), to).map_err(DataFusionError::from);
        let days = batch.column(0).as_primitive::<Date32Type>();
        let (providers, models) = (cast(1, &DataType::Utf8)?, cast(2, &DataType::Utf8)?);
        let costs = cast(3, &DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE))?;
        let counts = [
            cast(4, &DataType::Int64)?,
            cast(5, &DataType::Int64)?,
            cast(6, &DataType::Int64)?,
        ];
        let count = |at: usize, row: usize| counts[at].as_primitive::<Int64Type>().value(row);
        for row in 0..batch.num_rows() {
            let text = |column: &arrow::array::ArrayRef| column.as_string::<i32>().value(row).to_owned();
            let compared = Compared {
                lake_cost: Amount::from_scaled(costs.as_primitive::<Decimal128Type>().value(row)),
                lake_tokens: count(0, row),
                calls: count(1, row),
                unpriced_calls: count(2, row),
                ..Compared::default()
            };
            found.push(((days.value(row), text(&providers), text(&models)), compared));
        }
    }
    found.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(found)
}

#[cfg(test)]
mod tests;

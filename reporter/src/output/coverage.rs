//! Can the report be trusted: which share of calls, cost and revenue is priced, attributed and matched.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type};
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use serde::Serialize;

use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE, data_quality};

use super::columns::{days, money, percents, texts};
use super::display::{self, count, short_count};
use super::margin::{MarginFigures, exact};
use super::sums::Sums;
use crate::allocate::{NO_RATE, UNALLOCATED, UNATTRIBUTED, UNMATCHED};
use crate::marts::{Window, counts};
use crate::revenue::Amount;

/// One measure of coverage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Short name, stable for scripts.
    pub name: &'static str,
    /// What it says, for people.
    pub title: &'static str,
    /// The covered part, in `unit`.
    #[serde(serialize_with = "exact")]
    pub part: Amount,
    /// The whole, in `unit`.
    #[serde(serialize_with = "exact")]
    pub whole: Amount,
    /// `calls`, `tokens`, `conversations`, `tasks`, or a currency.
    pub unit: String,
    /// What to do where it is not complete.
    pub advice: &'static str,
}

/// All measures, in the order of the first screen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The measures.
    pub shares: Vec<Share>,
}

impl Share {
    /// Percent covered, at scale 12; `None` where there is nothing to cover.
    pub fn percent(&self) -> Option<Amount> {
        super::margin::percent(self.part, self.whole)
    }

    /// What is missing, for people: `12 calls`, `$45.00`.
    pub(super) fn missing_text(&self) -> String {
        let missing = self.whole - self.part;
        match self.unit.as_str() {
            unit @ ("calls" | "conversations" | "tasks") => {
                format!("{} {unit}", count((missing.scaled() / 10_i128.pow(12)) as i64))
            }
            "tokens" => format!("{} tokens", short_count((missing.scaled() / 10_i128.pow(12)) as i64)),
            currency => display::money(missing, currency),
        }
    }

    /// True if nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.part == self.whole
    }
}

impl Coverage {
    /// The measures as rows of `data_quality`.
    pub(crate) fn rows(&self, window: Window) -> Result<RecordBatch, ArrowError> {
        let shares = || self.shares.iter();
        let count = self.shares.len();
        let columns = vec![
            days(window.to, count),
            days(window.from, count),
            texts(shares().map(|share| share.name)),
            texts(shares().map(|share| share.unit.as_str())),
            money(shares().map(|share| share.part))?,
            money(shares().map(|share| share.whole))?,
            percents(shares().map(Share::percent))?,
        ];
        RecordBatch::try_new(data_quality(), columns)
    }

    pub(super) async fn measure(
        session: &SessionContext,
        customers: &Sums,
        features: &Sums,
        currency: &str,
    ) -> Result<Coverage, DataFusionError> {
        let counts = counts(
            session,
            "SELECT sum(calls), sum(calls - unpriced_calls), \
             sum(CASE WHEN customer_id NOT IN ('(unattributed)') THEN calls ELSE 0 END), \
             sum(CASE WHEN feature NOT IN ('(unattributed)') THEN calls ELSE 0 END), \
             sum(calls_with_usage), \
             sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)), \
             sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0) - unpriced_tokens) FROM call_cells",
        )
        .await?;
        let count = |at: usize| Amount::from_scaled(i128::from(counts.get(at).copied().unwrap_or(0)) * 10_i128.pow(12));
        let counted = |name, title, unit: &str, (part, whole), advice| Share {
            name,
            title,
            part: count(part),
            whole: count(whole),
            unit: unit.to_owned(),
            advice,
        };
        let money = |name, title, part, whole, advice| Share {
            name,
            title,
            part,
            whole,
            unit: currency.to_owned(),
            advice,
        };
        let revenue_of = |sums: &Sums, key| sums.own.get(key).map_or(Amount::ZERO, |row| row.revenue);
        let cost_of = |key| customers.own.get(key).map_or(Amount::ZERO, MarginFigures::cogs);
        let (all, idle) = (&customers.all, &customers.idle);
        let unmatched = revenue_of(customers, UNMATCHED);
        let mut shares = vec![
            counted(
                "calls_priced",
                "Calls with a known cost",
                "calls",
                (1, 0),
                "add the missing prices: `[[price]]` in the configuration, then `marginlake reprice`",
            ),
            counted(
                "tokens_priced",
                "Tokens with a known cost",
                "tokens",
                (6, 5),
                "the same missing prices, weighed by tokens",
            ),
            counted(
                "calls_with_usage",
                "Calls that report tokens",
                "calls",
                (4, 0),
                "turn on usage in streaming responses of the apps concerned",
            ),
            counted(
                "calls_with_customer",
                "Calls with a customer",
                "calls",
                (2, 0),
                "set the customer id on the root span, as baggage or as a resource attribute",
            ),
            money(
                "cost_attributed",
                "Cost with a customer",
                all.cogs() - cost_of(UNATTRIBUTED) - cost_of(UNALLOCATED),
                all.cogs(),
                "the same missing customer ids, weighed by cost",
            ),
            counted(
                "calls_with_feature",
                "Calls with a feature",
                "calls",
                (3, 0),
                "set the feature on the root span or the service",
            ),
            money(
                "revenue_matched",
                "Revenue matched to a customer",
                all.revenue - unmatched,
                all.revenue,
                "name the customers in --customer-map",
            ),
            money(
                "revenue_with_usage",
                "Revenue of customers that used it",
                all.revenue - idle.revenue - unmatched,
                all.revenue,
                "check that billing and telemetry name customers alike",
            ),
            money(
                "cost_with_revenue",
                "Cost of customers that pay",
                customers.paying.cogs(),
                all.cogs(),
                "free users belong here; who pays under another name belongs in --customer-map",
            ),
            money(
                "revenue_allocated",
                "Revenue that a feature earned",
                all.revenue - revenue_of(features, UNALLOCATED) - revenue_of(features, UNMATCHED),
                all.revenue,
                "revenue of months without usage stays (unallocated)",
            ),
        ];
        for line in &customers.foreign {
            if line.key == NO_RATE {
                shares.push(Share {
                    name: "revenue_with_rate",
                    title: "Amounts with an exchange rate",
                    part: Amount::ZERO,
                    whole: line.figures.revenue.max(line.figures.cogs()),
                    unit: line.currency.clone(),
                    advice: "give rates for this currency by --fx",
                });
            }
        }
        shares.push(bills_allocated(session, currency).await?);
        shares.extend(outcomes_known(session, currency).await?);
        shares.retain(|share| !share.whole.is_zero());
        Ok(Coverage { shares })
    }
}

/// How much of the bills, and of the costs of being paid, a customer carries.
async fn bills_allocated(session: &SessionContext, currency: &str) -> Result<Share, DataFusionError> {
    let sums = amounts(
        session,
        &format!(
            "SELECT sum(CASE WHEN key NOT LIKE '(%' THEN cost END) AS part, sum(cost) AS whole \
             FROM cost_by_key WHERE dimension = 'customer' AND currency = '{currency}'"
        ),
    )
    .await?;
    Ok(Share {
        name: "bills_allocated",
        title: "Bills and fees that a customer carries",
        part: sums[0],
        whole: sums[1],
        unit: currency.to_owned(),
        advice: "bills of months without the calls that they are about stay (unallocated)",
    })
}

/// Of how many conversations and tasks somebody said what became of them; nothing where nobody said anything.
async fn outcomes_known(session: &SessionContext, currency: &str) -> Result<Vec<Share>, DataFusionError> {
    let mut shares = Vec::new();
    for (unit, name, title) in [
        (
            "conversation",
            "conversations_with_outcome",
            "Conversations with a known outcome",
        ),
        ("task", "tasks_with_outcome", "Tasks with a known outcome"),
    ] {
        let sums = amounts(
            session,
            &format!(
                "SELECT sum(units - unknown) AS part, sum(units) AS whole FROM outcome_costs \
                 WHERE unit = '{unit}' AND currency = '{currency}'"
            ),
        )
        .await?;
        if sums[0].is_zero() {
            continue;
        }
        shares.push(Share {
            name,
            title,
            part: sums[0],
            whole: sums[1],
            unit: format!("{unit}s"),
            advice: "tell the others by --outcomes, or by the attribute of [outcomes]",
        });
    }
    Ok(shares)
}

/// Part and whole of a query with one row; NULL is nothing.
async fn amounts(session: &SessionContext, sql: &str) -> Result<[Amount; 2], DataFusionError> {
    let batches = session.sql(sql).await?.collect().await?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
        return Ok([Amount::ZERO; 2]);
    };
    let amount = |column: usize| -> Result<Amount, DataFusionError> {
        let exact = arrow::compute::cast(batch.column(column), &DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE))?;
        let exact = exact.as_primitive::<Decimal128Type>();
        Ok(if exact.is_valid(0) {
            Amount::from_scaled(exact.value(0))
        } else {
            Amount::ZERO
        })
    };
    Ok([amount(0)?, amount(1)?])
}

//! Can the report be trusted: which share of calls, cost and revenue is priced, attributed and matched.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type};
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use serde::Serialize;

use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE, data_quality};

use super::columns::{days, money, percents, texts};
use super::display::{self, count};
use super::margin::{MarginLine, exact};
use crate::allocate::{NO_RATE, UNALLOCATED, UNMATCHED};
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
    /// `calls`, `conversations`, `tasks`, or a currency.
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
        by_customer: &[MarginLine],
        by_feature: &[MarginLine],
        currency: &str,
    ) -> Result<Coverage, DataFusionError> {
        let counts = counts(
            session,
            "SELECT sum(calls), sum(calls - unpriced_calls), \
             sum(CASE WHEN customer_id NOT IN ('(unattributed)') THEN calls ELSE 0 END), \
             sum(CASE WHEN feature NOT IN ('(unattributed)') THEN calls ELSE 0 END), \
             sum(calls_with_usage) FROM call_cells",
        )
        .await?;
        let count = |at: usize| Amount::from_scaled(i128::from(counts.get(at).copied().unwrap_or(0)) * 10_i128.pow(12));
        let calls = |name, title, at, advice| Share {
            name,
            title,
            part: count(at),
            whole: count(0),
            unit: "calls".to_owned(),
            advice,
        };
        let ours = |line: &&MarginLine| line.currency == currency;
        let revenue: Amount = by_customer.iter().filter(ours).map(|line| line.figures.revenue).sum();
        let of = |lines: &[MarginLine], key: &str| -> Amount {
            lines
                .iter()
                .filter(ours)
                .filter(|line| line.key == key)
                .map(|line| line.figures.revenue)
                .sum()
        };
        let money = |name, title, part, advice| Share {
            name,
            title,
            part,
            whole: revenue,
            unit: currency.to_owned(),
            advice,
        };
        let idle: Amount = by_customer
            .iter()
            .filter(ours)
            .filter(|line| line.figures.calls == 0 && !line.key.starts_with('('))
            .map(|line| line.figures.revenue)
            .sum();
        let cost: Amount = by_customer.iter().filter(ours).map(|line| line.figures.cogs()).sum();
        let paid_for = by_customer
            .iter()
            .filter(ours)
            .filter(|line| !line.key.starts_with('(') && !line.figures.revenue.is_zero());
        let mut shares = vec![
            calls(
                "calls_priced",
                "Calls with a known cost",
                1,
                "add the missing prices: `marginlake prices list`, `marginlake reprice`",
            ),
            calls(
                "calls_with_usage",
                "Calls that report tokens",
                4,
                "turn on usage in streaming responses of the apps concerned",
            ),
            calls(
                "calls_with_customer",
                "Calls with a customer",
                2,
                "set the customer id on the root span, as baggage or as a resource attribute",
            ),
            calls(
                "calls_with_feature",
                "Calls with a feature",
                3,
                "set the feature on the root span or the service",
            ),
            money(
                "revenue_matched",
                "Revenue matched to a customer",
                revenue - of(by_customer, UNMATCHED),
                "name the customers in --customer-map",
            ),
            money(
                "revenue_with_usage",
                "Revenue of customers that used it",
                revenue - idle - of(by_customer, UNMATCHED),
                "check that both sides name customers alike",
            ),
            Share {
                name: "cost_with_revenue",
                title: "Cost of customers that pay",
                part: paid_for.map(|line| line.figures.cogs()).sum(),
                whole: cost,
                unit: currency.to_owned(),
                advice: "free users belong here; who pays under another name belongs in --customer-map",
            },
            money(
                "revenue_allocated",
                "Revenue that a feature earned",
                revenue - of(by_feature, UNALLOCATED) - of(by_feature, UNMATCHED),
                "revenue of months without usage stays (unallocated)",
            ),
        ];
        for line in by_customer
            .iter()
            .filter(|line| line.key == NO_RATE && line.currency != currency)
        {
            shares.push(Share {
                name: "revenue_with_rate",
                title: "Amounts with an exchange rate",
                part: Amount::ZERO,
                whole: line.figures.revenue.max(line.figures.cogs()),
                unit: line.currency.clone(),
                advice: "give rates for this currency by --fx",
            });
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

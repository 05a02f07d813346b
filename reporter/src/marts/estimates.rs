//! `estimates`: how sure ratios are, and how far margins can be off.
//!
//! A ratio of sums over customers (margin of revenue, cost per call, cached share of input) has the interval of the delta
//! method at 95 %, the customer being the unit of sampling: calls of one customer are alike, and an interval over calls would
//! be far too narrow. Small groups go by Student's t and say that they are small. All of it is integers: the same rows give the
//! same digits anywhere. The gross margin has bounds instead: what unpriced calls could cost, and unmatched revenue left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use marginlake_lake::schema::{self, MONEY_PRECISION, MONEY_SCALE};

use super::{Window, texts};
use crate::revenue::money::multiply_divide_half_even;

/// Customers below which a group is small.
const SMALL: usize = 30;
const ONE: i128 = 10_i128.pow(MONEY_SCALE as u32);

/// Student's t at 97.5 % by degrees of freedom from 1, in thousandths; from 31 on in steps.
const T: [i128; 30] = [
    12706, 4303, 3182, 2776, 2571, 2447, 2365, 2306, 2262, 2228, 2201, 2179, 2160, 2145, 2131, 2120, 2110, 2101, 2093, 2086,
    2080, 2074, 2069, 2064, 2060, 2056, 2052, 2048, 2045, 2042,
];

/// Part and whole of each customer, both at scale 12.
const RATIOS: &str = "
    SELECT 'gross_margin_pct' AS metric, 'all' AS dimension, '' AS segment, currency, customer_id,
           sum(gross_margin) AS part, sum(revenue) AS whole
    FROM margin_by_customer WHERE customer_id NOT LIKE '(%' GROUP BY currency, customer_id
    UNION ALL
    SELECT 'cost_per_call', 'all', '', currency, customer_id, sum(model_cost), CAST(sum(calls - unpriced_calls) AS DECIMAL(38, 12))
    FROM call_cells WHERE customer_id NOT LIKE '(%' GROUP BY currency, customer_id
    UNION ALL
    SELECT 'cost_per_call', 'feature', feature, currency, customer_id, sum(model_cost), CAST(sum(calls - unpriced_calls) AS DECIMAL(38, 12))
    FROM call_cells WHERE customer_id NOT LIKE '(%' GROUP BY feature, currency, customer_id
    UNION ALL
    SELECT 'cost_per_call', 'model', model, currency, customer_id, sum(model_cost), CAST(sum(calls - unpriced_calls) AS DECIMAL(38, 12))
    FROM call_cells WHERE customer_id NOT LIKE '(%' GROUP BY model, currency, customer_id
    UNION ALL
    SELECT 'cache_read_pct', 'model', model, currency, customer_id,
           CAST(sum(cache_read_tokens) AS DECIMAL(38, 12)), CAST(sum(input_tokens) AS DECIMAL(38, 12))
    FROM call_cells WHERE customer_id NOT LIKE '(%' GROUP BY model, currency, customer_id
    UNION ALL
    SELECT 'gross_margin_pct', 'plan', coalesce(plan, '(no plan)'), currency, margins.customer_id, sum(gross_margin), sum(revenue)
    FROM margin_by_customer AS margins
    LEFT JOIN last_plans ON last_plans.customer_id = margins.customer_id
    WHERE margins.customer_id NOT LIKE '(%' GROUP BY plan, currency, margins.customer_id";

const BOUNDS: &str = "
    SELECT currency, sum(gross_margin) AS high,
           CASE WHEN count(*) = count(gross_margin_low) THEN sum(gross_margin_low) - max(unmatched) END AS low,
           max(customers) AS customers
    FROM (
        SELECT margin_daily.*, coalesce(unmatched, 0) AS unmatched, coalesce(customers, 0) AS customers
        FROM margin_daily
        LEFT JOIN (
            SELECT currency, sum(CASE WHEN customer_id = '(unmatched)' AND revenue > 0 THEN revenue ELSE 0 END) AS unmatched,
                   count(DISTINCT CASE WHEN customer_id NOT LIKE '(%' THEN customer_id END) AS customers
            FROM margin_by_customer GROUP BY currency
        ) AS sums ON sums.currency = margin_daily.currency
    ) AS days
    GROUP BY currency ORDER BY currency";

/// A row of the mart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Estimate {
    metric: String,
    by: String,
    segment: String,
    currency: String,
    value: Option<i128>,
    low: Option<i128>,
    high: Option<i128>,
    customers: usize,
    method: &'static str,
    note: Option<String>,
}

/// Builds the mart. The session must have the margin marts and `call_cells`.
pub async fn estimates(session: &SessionContext, window: Window) -> Result<RecordBatch, DataFusionError> {
    let mut rows = bounds(session).await?;
    let mut groups: BTreeMap<[String; 4], Vec<(i128, i128)>> = BTreeMap::new();
    let sql = format!(
        "SELECT metric, dimension, segment, currency, part, whole FROM ({RATIOS}) AS ratios WHERE part IS NOT NULL AND whole IS NOT NULL"
    );
    for batch in session.sql(&sql).await?.collect().await? {
        let keys = [texts(&batch, 0)?, texts(&batch, 1)?, texts(&batch, 2)?, texts(&batch, 3)?];
        let (parts, wholes) = (money(&batch, 4)?, money(&batch, 5)?);
        for row in 0..batch.num_rows() {
            let key = [0, 1, 2, 3].map(|column: usize| keys[column].value(row).to_owned());
            groups.entry(key).or_default().push((parts.value(row), wholes.value(row)));
        }
    }
    for ([metric, by, segment, currency], pairs) in groups {
        let factor = if metric.ends_with("_pct") { 100 } else { 1 };
        let Some((value, half)) = ratio(&pairs, factor) else {
            continue;
        };
        let customers = pairs.len();
        rows.push(Estimate {
            metric,
            by,
            segment,
            currency,
            value: Some(value),
            low: half.map(|half| value - half),
            high: half.map(|half| value + half),
            customers,
            method: "delta_method_95_pct_by_customer",
            note: match customers {
                0 | 1 => Some("one customer: nothing to compare with".to_owned()),
                2..SMALL => Some(format!("small group: {customers} customers")),
                _ => None,
            },
        });
    }
    batch(&rows, window)
}

async fn bounds(session: &SessionContext) -> Result<Vec<Estimate>, DataFusionError> {
    let mut rows = Vec::new();
    for batch in session.sql(BOUNDS).await?.collect().await? {
        let currencies = texts(&batch, 0)?;
        let (highs, lows) = (money(&batch, 1)?, money(&batch, 2)?);
        let customers = arrow::compute::cast(batch.column(3), &DataType::Int64)?;
        for row in 0..batch.num_rows() {
            let low = lows.is_valid(row).then(|| lows.value(row));
            rows.push(Estimate {
                metric: "gross_margin".to_owned(),
                by: "all".to_owned(),
                segment: String::new(),
                currency: currencies.value(row).to_owned(),
                value: Some(highs.value(row)),
                low,
                high: Some(highs.value(row)),
                customers: usize::try_from(customers.as_primitive::<arrow::datatypes::Int64Type>().value(row)).unwrap_or(0),
                method: "bounds_unpriced_at_dearest_rate_unmatched_left_out",
                note: low
                    .is_none()
                    .then(|| "some calls have neither price nor tokens: nothing bounds their cost".to_owned()),
            });
        }
    }
    Ok(rows)
}

/// `factor` times the ratio of sums, and half of its interval; no interval of one customer. `None` where the whole is not
/// above zero, or figures are beyond what an amount can be.
fn ratio(pairs: &[(i128, i128)], factor: i128) -> Option<(i128, Option<i128>)> {
    let (part, whole) = pairs.iter().try_fold((0_i128, 0_i128), |sums, pair| {
        Some((sums.0.checked_add(pair.0)?, sums.1.checked_add(pair.1)?))
    })?;
    if whole <= 0 {
        return None;
    }
    let value = multiply_divide_half_even(part, factor * ONE, whole)?;
    Some((value, half_interval(pairs, part, whole, factor)))
}

fn half_interval(pairs: &[(i128, i128)], part: i128, whole: i128, factor: i128) -> Option<i128> {
    let count = pairs.len() as i128;
    if count < 2 {
        return None;
    }
    // Deviations from the common ratio; squares must fit, so the largest amounts are measured less finely.
    let deviations = pairs
        .iter()
        .map(|(y, x)| Some(y - multiply_divide_half_even(*x, part, whole)?));
    let deviations: Vec<i128> = deviations.collect::<Option<_>>()?;
    [3_u32, 6, 9].into_iter().find_map(|dropped| {
        let coarser = 10_i128.pow(dropped);
        let squares = deviations.iter().try_fold(0_i128, |sum, deviation| {
            let deviation = deviation / coarser;
            sum.checked_add(deviation.checked_mul(deviation)?)
        })?;
        let root = squares.checked_mul(count)?.checked_div(count - 1)?.isqrt();
        let t = T.get(pairs.len() - 2).copied().unwrap_or(match count {
            ..=61 => 2042,
            62..=121 => 2000,
            _ => 1980,
        });
        multiply_divide_half_even(
            root.checked_mul(coarser)?,
            t.checked_mul(factor)?.checked_mul(ONE / 1000)?,
            whole,
        )
    })
}

fn money(batch: &RecordBatch, column: usize) -> Result<Decimal128Array, DataFusionError> {
    let cast = arrow::compute::cast(batch.column(column), &DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE))?;
    Ok(cast.as_primitive::<Decimal128Type>().clone())
}

fn batch(rows: &[Estimate], window: Window) -> Result<RecordBatch, DataFusionError> {
    let texts = |of: fn(&Estimate) -> Option<&str>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<StringArray>()) };
    let amounts = |of: fn(&Estimate) -> Option<i128>| -> Result<ArrayRef, DataFusionError> {
        let column = rows.iter().map(of).collect::<Decimal128Array>();
        Ok(Arc::new(column.with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from_value(window.to, rows.len())),
        Arc::new(Date32Array::from_value(window.from, rows.len())),
        texts(|row| Some(&row.metric)),
        texts(|row| Some(&row.by)),
        texts(|row| Some(row.segment.as_str()).filter(|segment| !segment.is_empty())),
        texts(|row| Some(&row.currency)),
        amounts(|row| row.value)?,
        amounts(|row| row.low)?,
        amounts(|row| row.high)?,
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.customers as i64))),
        texts(|row| Some(row.method)),
        texts(|row| row.note.as_deref()),
    ];
    Ok(RecordBatch::try_new(schema::estimates(), columns)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_interval_is_that_of_the_delta_method() {
        // y/x = 10/10; deviations 1, -1, 2, -2: their squares sum to 10; sqrt(10 * 4 / 3) / 10 = 0.365148...; t(3) = 3.182.
        let pairs = [(3, 2), (1, 2), (5, 3), (1, 3)].map(|(y, x): (i128, i128)| (y * ONE, x * ONE));
        let (value, half) = ratio(&pairs, 1).unwrap();
        assert_eq!(value, ONE);
        assert_eq!(half.unwrap() / 10_i128.pow(6), 1_161_902);
        assert_eq!(ratio(&pairs, 100).unwrap().1.unwrap() / 10_i128.pow(6), 116_190_211);
    }

    #[test]
    fn one_customer_has_no_interval_and_no_revenue_no_margin() {
        assert_eq!(ratio(&[(ONE, 2 * ONE)], 100), Some((50 * ONE, None)));
        assert_eq!(ratio(&[(ONE, 0), (ONE, 0)], 100), None);
        assert_eq!(ratio(&[], 1), None);
    }

    #[test]
    fn the_interval_holds_the_truth_about_nineteen_times_in_twenty() {
        // Each customer makes 1 to 10 calls at a price of its own around 5: the true cost per call is 5.
        let mut state = 7_u64;
        let mut dice = move |sides: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            i128::from((state >> 33) % sides)
        };
        let held = (0..1000).filter(|_| {
            let pairs: Vec<(i128, i128)> = (0..40)
                .map(|_| {
                    let calls = 1 + dice(10);
                    (calls * (1 + dice(9)) * ONE, calls * ONE)
                })
                .collect();
            let (value, half) = ratio(&pairs, 1).unwrap();
            (value - 5 * ONE).abs() <= half.unwrap()
        });
        let held = held.count();
        assert!((920..=980).contains(&held), "{held} of 1000");
    }

    proptest! {
        #[test]
        fn nothing_overflows(pairs in prop::collection::vec((-10_i128.pow(27)..10_i128.pow(27), 0..10_i128.pow(27)), 0..50)) {
            if let Some((_, Some(half))) = ratio(&pairs, 100) {
                prop_assert!(half >= 0);
            }
        }
    }
}

//! A margin mart added up over its days: what findings and outputs ask of a mart of many rows.
//!
//! They sum a key's amounts and look at which cost statuses it has. So its days are one row for each status, under the names of the
//! mart's own columns, and the same SQL finds the same. The first of a key's rows carries its sums. Where keys are too many to be
//! in memory together a key has some more rows, each with a part of its sums.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{Date32Type, Decimal128Type, Field, Int64Type, Schema};
use datafusion::error::DataFusionError;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};
use rustc_hash::FxHashMap;

use super::spool::{Purpose, Spool, SpoolWriter};

/// Keys that are in memory at a time.
const KEYS_IN_MEMORY: usize = 500_000;
/// Rows of one batch.
const BATCH_ROWS: usize = 32_768;

const AMOUNTS: [&str; 7] = [
    "revenue",
    "revenue_allocated",
    "model_cost",
    "other_cogs",
    "gross_margin",
    "variable_cost",
    "not_cogs_cost",
];
const COUNTS: [&str; 4] = ["calls", "unpriced_calls", "input_tokens", "output_tokens"];
const STATUSES: [&str; 4] = ["no_usage", "known", "lower_bound", "unknown"];

/// Keys on their way.
pub(crate) struct KeySums {
    key_column: &'static str,
    limit: usize,
    /// By currency: the place of each key.
    places: Vec<(String, FxHashMap<Arc<str>, usize>)>,
    sums: Vec<KeySum>,
    /// The place of the key of the row before.
    last: usize,
    rows: SpoolWriter,
}

struct KeySum {
    key: Arc<str>,
    /// Place of its currency.
    currency: usize,
    /// The last day with calls; the last day at all where there are none.
    day: i32,
    amounts: [i128; AMOUNTS.len()],
    counts: [Option<i64>; COUNTS.len()],
    /// A bit for each of the statuses.
    statuses: u8,
}

impl KeySums {
    /// For the rows of a mart with this key column and schema.
    pub(crate) fn new(key_column: &'static str, mart: &Schema) -> Result<KeySums, DataFusionError> {
        KeySums::with_limit(key_column, mart, KEYS_IN_MEMORY)
    }

    fn with_limit(key_column: &'static str, mart: &Schema, limit: usize) -> Result<KeySums, DataFusionError> {
        let names = ["date", key_column, "currency"].into_iter().chain(AMOUNTS).chain(COUNTS);
        let fields = names
            .chain(["cost_status"])
            .map(|name| mart.field_with_name(name).cloned().map(|field| field.with_nullable(true)));
        let fields: Vec<Field> = fields.collect::<Result<_, _>>()?;
        Ok(KeySums {
            key_column,
            limit,
            places: Vec::new(),
            sums: Vec::new(),
            last: 0,
            rows: SpoolWriter::new(Arc::new(Schema::new(fields)), Purpose::Scratch),
        })
    }

    /// Adds rows of the mart up.
    pub(crate) fn add(&mut self, rows: &RecordBatch) -> Result<(), DataFusionError> {
        let column = |name: &str| rows.column(rows.schema_ref().index_of(name).expect("a column of the mart"));
        let dates = column("date").as_primitive::<Date32Type>();
        let (keys, currencies) = (
            column(self.key_column).as_string::<i32>(),
            column("currency").as_string::<i32>(),
        );
        let amounts = AMOUNTS.map(|name| column(name).as_primitive::<Decimal128Type>());
        let counts = COUNTS.map(|name| column(name).as_primitive::<Int64Type>());
        let statuses = column("cost_status").as_string::<i32>();
        for row in 0..rows.num_rows() {
            let sum = self.of(keys.value(row), currencies.value(row));
            let has_calls = counts[0].value(row) > 0;
            if has_calls || sum.counts[0].is_none_or(|calls| calls == 0) {
                sum.day = dates.value(row);
            }
            sum.amounts
                .iter_mut()
                .zip(amounts)
                .for_each(|(sum, column)| *sum += column.value(row));
            for (sum, column) in sum.counts.iter_mut().zip(counts) {
                if column.is_valid(row) {
                    *sum = Some(sum.unwrap_or(0) + column.value(row));
                }
            }
            let status = STATUSES.iter().position(|status| *status == statuses.value(row));
            sum.statuses |= 1 << status.expect("a cost has one of the statuses");
        }
        if self.sums.len() >= self.limit { self.spill() } else { Ok(()) }
    }

    fn of(&mut self, key: &str, currency: &str) -> &mut KeySum {
        let at = match self.places.iter().position(|(of, _)| of == currency) {
            Some(at) => at,
            None => {
                self.places.push((currency.to_owned(), FxHashMap::default()));
                self.places.len() - 1
            }
        };
        // Days have mostly the same keys in the same order.
        let next = self.last + 1;
        let next = if next < self.sums.len() { next } else { 0 };
        let follows = |sum: &KeySum| sum.currency == at && *sum.key == *key;
        if self.sums.get(next).is_some_and(follows) {
            self.last = next;
            return &mut self.sums[next];
        }
        let places = &mut self.places[at].1;
        let place = match places.get(key) {
            Some(place) => *place,
            None => {
                let key: Arc<str> = key.into();
                self.sums.push(KeySum {
                    key: Arc::clone(&key),
                    currency: at,
                    day: 0,
                    amounts: [0; AMOUNTS.len()],
                    counts: [None; COUNTS.len()],
                    statuses: 0,
                });
                places.insert(key, self.sums.len() - 1);
                self.sums.len() - 1
            }
        };
        self.last = place;
        &mut self.sums[place]
    }

    /// Moves what is in memory to the rows.
    fn spill(&mut self) -> Result<(), DataFusionError> {
        let sums = std::mem::take(&mut self.sums);
        for part in sums.chunks(BATCH_ROWS) {
            let rows = self.batch(part)?;
            self.rows.push(rows)?;
        }
        self.places.iter_mut().for_each(|(_, places)| places.clear());
        Ok(())
    }

    fn batch(&self, sums: &[KeySum]) -> Result<RecordBatch, DataFusionError> {
        // Each sum with its statuses; true for the row that carries it.
        let rows: Vec<(&KeySum, &str, bool)> = sums.iter().flat_map(rows_of).collect();
        let mut keys = StringBuilder::new();
        rows.iter().for_each(|(sum, ..)| keys.append_value(&sum.key));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Date32Array::from_iter_values(rows.iter().map(|(sum, ..)| sum.day))),
            Arc::new(keys.finish()),
            Arc::new(StringArray::from_iter_values(
                rows.iter().map(|(sum, ..)| &self.places[sum.currency].0),
            )),
        ];
        for at in 0..AMOUNTS.len() {
            let amounts = rows
                .iter()
                .map(|(sum, _, carries)| if *carries { sum.amounts[at] } else { 0 });
            let amounts = Decimal128Array::from_iter_values(amounts);
            columns.push(Arc::new(amounts.with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?));
        }
        for at in 0..COUNTS.len() {
            // Of a row that carries nothing no count is known: unknown and nothing are unknown.
            let counts = rows.iter().map(|(sum, _, carries)| sum.counts[at].filter(|_| *carries));
            columns.push(Arc::new(counts.collect::<Int64Array>()));
        }
        columns.push(Arc::new(StringArray::from_iter_values(
            rows.iter().map(|(_, status, _)| *status),
        )));
        Ok(RecordBatch::try_new(self.rows.schema(), columns)?)
    }

    /// All rows.
    pub(crate) fn finish(mut self) -> Result<Spool, DataFusionError> {
        self.spill()?;
        self.rows.finish()
    }
}

fn rows_of(sum: &KeySum) -> impl Iterator<Item = (&KeySum, &'static str, bool)> {
    let statuses = STATUSES.iter().enumerate().filter(|(at, _)| sum.statuses & (1 << at) != 0);
    statuses.enumerate().map(move |(nth, (_, status))| (sum, *status, nth == 0))
}

/// Adds up rows that are kept.
pub(crate) fn key_sums(key_column: &'static str, rows: &Spool) -> Result<Spool, DataFusionError> {
    let mut sums = KeySums::new(key_column, &rows.schema())?;
    for batch in rows.batches()? {
        sums.add(&batch?)?;
    }
    sums.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marts::MARGIN_MARTS;
    use crate::session::empty_session;
    use arrow::array::new_null_array;
    use arrow::datatypes::{DataType, SchemaRef};
    use proptest::prelude::*;

    /// What one key has on a day: place of its key, currency and status, an amount, calls, tokens where they are known.
    type Line = (u8, bool, u8, i128, i64, Option<i64>);

    fn mart(lines: &[Line]) -> RecordBatch {
        let schema: SchemaRef = MARGIN_MARTS[0].schema();
        let text = |of: &dyn Fn(&Line) -> String| -> ArrayRef {
            Arc::new(lines.iter().map(|line| Some(of(line))).collect::<StringArray>())
        };
        let columns = schema
            .fields()
            .iter()
            .map(|field| match (field.name().as_str(), field.data_type()) {
                ("date", _) => Arc::new(Date32Array::from_iter_values(0..lines.len() as i32)) as ArrayRef,
                ("customer_id", _) => text(&|line| format!("c{}", line.0)),
                ("currency", _) => text(&|line| if line.1 { "EUR" } else { "USD" }.to_owned()),
                ("cost_status", _) => text(&|line| STATUSES[usize::from(line.2)].to_owned()),
                ("input_tokens" | "output_tokens", _) => Arc::new(lines.iter().map(|line| line.5).collect::<Int64Array>()),
                (_, DataType::Int64) => Arc::new(Int64Array::from_iter_values(lines.iter().map(|line| line.4))),
                (_, DataType::Decimal128(precision, scale)) => Arc::new(
                    Decimal128Array::from_iter_values(lines.iter().map(|line| line.3))
                        .with_precision_and_scale(*precision, *scale)
                        .unwrap(),
                ),
                (_, other) => new_null_array(other, lines.len()),
            });
        RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
    }

    /// What the findings' SQL asks in one way or another.
    async fn asked(rows: Spool) -> String {
        let session = empty_session();
        session.register_table("mart", rows.table(&session).await.unwrap()).unwrap();
        let sql = "SELECT customer_id, currency, sum(revenue), sum(gross_margin), sum(model_cost + other_cogs), sum(calls), sum(input_tokens), \
                   max(CASE WHEN calls > 0 THEN date END), max(CASE WHEN cost_status IN ('known', 'lower_bound') THEN 1 ELSE 0 END), \
                   min(nullif(cost_status, 'no_usage')), max(nullif(cost_status, 'no_usage')) \
                   FROM mart GROUP BY customer_id, currency ORDER BY customer_id, currency";
        let rows = session.sql(sql).await.unwrap().collect().await.unwrap();
        arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn sums_answer_as_the_mart_does(
            lines in prop::collection::vec((0_u8..4, any::<bool>(), 0_u8..4, -50_i128..50, 0_i64..3, prop::option::of(0_i64..9)), 1..40),
            limit in prop_oneof![Just(1_usize), Just(3), Just(KEYS_IN_MEMORY)],
        ) {
            let mart = mart(&lines);
            let mut sums = KeySums::with_limit("customer_id", &mart.schema(), limit).unwrap();
            for row in 0..mart.num_rows() {
                sums.add(&mart.slice(row, 1)).unwrap();
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (of_mart, of_sums) = runtime.block_on(async {
                (asked(Spool::of_batch(mart)).await, asked(sums.finish().unwrap()).await)
            });
            prop_assert_eq!(of_sums, of_mart);
        }
    }
}

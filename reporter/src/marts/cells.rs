//! The calls of some days added up by their keys, and their receipts: what `month_cells.sql` and `receipt_cells.sql` say, in one pass.
//!
//! The engine reads the calls and spells them out (`call_rows.sql`). Here they are added up: their keys are sixteen texts of which
//! most are those of the call before, and their receipts are lists that need not be unfolded. The SQL stays what the cells mean:
//! a test holds both against each other.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array, PrimitiveArray, RecordBatch, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, Int64Type, Schema};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};

use super::groups::{Groups, NO_NAME, Names, Sums};
use super::spool::{Purpose, SpoolWriter};

/// Texts by which calls are told apart.
const TEXTS: [&str; 14] = [
    "customer_id",
    "feature",
    "model",
    "user_id",
    "conversation_id",
    "task_id",
    "agent_name",
    "prompt",
    "service_name",
    "environment",
    "provider",
    "role",
    "cost_class",
    "currency",
];
const CUSTOMER: usize = 0;
const FEATURE: usize = 1;
const MODEL: usize = 2;
const COST_CLASS: usize = 12;
/// The texts, the day, and whether a rate is missing.
const KEYS: usize = TEXTS.len() + 2;
const DAY: usize = TEXTS.len();
const HAS_NO_RATE: usize = TEXTS.len() + 1;

const AMOUNTS: [&str; 7] = [
    "model_cost",
    "other_cogs",
    "variable_cost",
    "not_cogs_cost",
    "error_cost",
    "cogs_usd",
    "model_cost_usd",
];
const COUNTS: [&str; 13] = [
    "calls",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "calls_with_usage",
    "unpriced_calls",
    "unpriced_tokens",
    "unbounded_calls",
    "known_costs",
    "error_calls",
    "every_call",
    "every_token",
    "duration_us",
];

/// The texts of a receipt's cell: the first three and the class of its call, and what was used.
const RECEIPT_KEYS: usize = 7;

const MONEY: DataType = DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE);

/// Both kinds of cells, part after part.
pub(super) struct Cells {
    pub(super) calls: SpoolWriter,
    pub(super) receipts: SpoolWriter,
}

impl Cells {
    pub(super) fn new() -> Cells {
        Cells {
            calls: SpoolWriter::new(Arc::new(call_schema()), Purpose::Scratch),
            receipts: SpoolWriter::new(Arc::new(receipt_schema()), Purpose::Scratch),
        }
    }

    /// Adds up the calls that the session has as `call_rows`: whole days, each once.
    pub(super) async fn add(&mut self, session: &SessionContext) -> Result<(), DataFusionError> {
        let columns: Vec<&str> = TEXTS.into_iter().chain(AMOUNTS).chain(COUNTS).collect();
        let sql = format!("SELECT {}, date, no_rate, cost_lines FROM call_rows", columns.join(", "));
        let mut rows = session.sql(&sql).await?.execute_stream().await?;
        let mut adder = Adder::default();
        while let Some(batch) = rows.next().await {
            adder.add(&batch?)?;
        }
        self.calls.push(adder.calls()?)?;
        self.receipts.push(adder.receipts()?)
    }
}

fn call_schema() -> Schema {
    let mut fields = vec![Field::new("date", DataType::Date32, true)];
    fields.extend(TEXTS.map(|name| Field::new(name, DataType::Utf8, true)));
    fields.push(Field::new("no_rate", DataType::Boolean, true));
    fields.extend(AMOUNTS.map(|name| Field::new(name, MONEY, true)));
    fields.extend(COUNTS.map(|name| Field::new(name, DataType::Int64, true)));
    Schema::new(fields)
}

fn receipt_schema() -> Schema {
    let texts = ["customer_id", "feature", "model", "cost_class"].map(|name| Field::new(name, DataType::Utf8, true));
    let mut fields = vec![Field::new("date", DataType::Date32, true)];
    fields.extend(texts);
    fields.extend([
        Field::new("no_rate", DataType::Boolean, true),
        Field::new("item", DataType::Utf8, true),
        Field::new("quantity", MONEY, true),
        Field::new("amount", MONEY, true),
    ]);
    Schema::new(fields)
}

/// The sums of a part.
#[derive(Default)]
struct Adder {
    texts: [Names; TEXTS.len()],
    items: Names,
    calls: Groups<KEYS>,
    amounts: [Sums<i128>; AMOUNTS.len()],
    counts: [Sums<i64>; COUNTS.len()],
    receipts: Groups<RECEIPT_KEYS>,
    quantities: Sums<i128>,
    charged: Sums<i128>,
    /// Of what is charged: lines are finer than amounts.
    charged_type: Option<DataType>,
}

impl Adder {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), DataFusionError> {
        let mut keys = vec![[0; KEYS]; batch.num_rows()];
        for at in 0..TEXTS.len() {
            let numbers = self.texts[at].numbers(&views(batch.column(at))?);
            keys.iter_mut().zip(numbers).for_each(|(key, number)| key[at] = number);
        }
        let first = TEXTS.len() + AMOUNTS.len() + COUNTS.len();
        let days = cast(batch.column(first), &DataType::Date32)?;
        let no_rate = batch.column(first + 1).as_boolean();
        let days = days.as_primitive::<Date32Type>().values();
        for (row, key) in keys.iter_mut().enumerate() {
            key[DAY] = days[row].cast_unsigned();
            key[HAS_NO_RATE] = u32::from(no_rate.value(row));
        }
        let places: Vec<u32> = keys.iter().map(|key| self.calls.place(*key)).collect();
        let groups = self.calls.keys().len();
        for (at, sums) in self.amounts.iter_mut().enumerate() {
            let column = cast(batch.column(TEXTS.len() + at), &MONEY)?;
            sums.add(column.as_primitive::<Decimal128Type>(), &places, groups);
        }
        for (at, sums) in self.counts.iter_mut().enumerate() {
            let column = cast(batch.column(TEXTS.len() + AMOUNTS.len() + at), &DataType::Int64)?;
            sums.add(column.as_primitive::<Int64Type>(), &places, groups);
        }
        let usd = TEXTS.len() + AMOUNTS.len() - 1;
        self.add_receipts(&keys, batch.column(usd), batch.column(first + 2))
    }

    /// The receipts of model calls with a known cost, and of other costs of goods.
    fn add_receipts(
        &mut self,
        keys: &[[u32; KEYS]],
        model_cost_usd: &ArrayRef,
        receipts: &ArrayRef,
    ) -> Result<(), DataFusionError> {
        let (model, other) = (
            self.texts[COST_CLASS].number("model"),
            self.texts[COST_CLASS].number("other_cogs"),
        );
        let receipts = receipts.as_list::<i32>();
        let lines = receipts.values().as_struct();
        let column = |name: &str| lines.column_by_name(name).expect("a column of a receipt");
        let (units, prices) = (views(column("unit"))?, views(column("price_id"))?);
        let quantities = cast(column("quantity"), &MONEY)?;
        let quantities = quantities.as_primitive::<Decimal128Type>();
        let amounts = column("amount").as_primitive::<Decimal128Type>();
        self.charged_type.get_or_insert_with(|| amounts.data_type().clone());
        let ends = receipts.value_offsets();
        for (row, key) in keys.iter().enumerate().filter(|(row, _)| receipts.is_valid(*row)) {
            let is_model = key[COST_CLASS] == model;
            if !(is_model && model_cost_usd.is_valid(row) || key[COST_CLASS] == other) {
                continue;
            }
            let items = if is_model { &units } else { &prices };
            for line in ends[row] as usize..ends[row + 1] as usize {
                let is_there = lines.is_valid(line);
                let item = match is_there && items.is_valid(line) {
                    true => self.items.number(items.value(line)),
                    false => NO_NAME,
                };
                let of = [CUSTOMER, FEATURE, MODEL, COST_CLASS, DAY, HAS_NO_RATE].map(|at| key[at]);
                let place = self.receipts.place([of[0], of[1], of[2], of[3], of[4], of[5], item]);
                let value =
                    |column: &PrimitiveArray<Decimal128Type>| (is_there && column.is_valid(line)).then(|| column.value(line));
                self.quantities.add_one(place, value(quantities));
                self.charged.add_one(place, value(amounts));
            }
        }
        Ok(())
    }

    /// The cells of calls.
    fn calls(&mut self) -> Result<RecordBatch, DataFusionError> {
        let keys = self.calls.keys();
        let mut columns = vec![days(keys.iter().map(|key| key[DAY]))];
        columns.extend((0..TEXTS.len()).map(|at| self.texts[at].column(keys.iter().map(|key| key[at]))));
        columns.push(truths(keys.iter().map(|key| key[HAS_NO_RATE])));
        for sums in &mut self.amounts {
            let sums = sums.take::<Decimal128Type>();
            columns.push(Arc::new(sums.with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?));
        }
        for sums in &mut self.counts {
            columns.push(Arc::new(sums.take::<Int64Type>()));
        }
        Ok(RecordBatch::try_new(Arc::new(call_schema()), columns)?)
    }

    fn receipts(&mut self) -> Result<RecordBatch, DataFusionError> {
        let keys = self.receipts.keys();
        let name = |at: usize, names: &Names| names.column(keys.iter().map(|key| key[at]));
        let quantities = self.quantities.take::<Decimal128Type>();
        let charged = self.charged.take::<Decimal128Type>();
        let charged = charged.with_data_type(self.charged_type.clone().unwrap_or(MONEY));
        let columns: Vec<ArrayRef> = vec![
            days(keys.iter().map(|key| key[4])),
            name(0, &self.texts[CUSTOMER]),
            name(1, &self.texts[FEATURE]),
            name(2, &self.texts[MODEL]),
            name(3, &self.texts[COST_CLASS]),
            truths(keys.iter().map(|key| key[5])),
            name(6, &self.items),
            Arc::new(quantities.with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?),
            cast(&charged, &MONEY)?,
        ];
        Ok(RecordBatch::try_new(Arc::new(receipt_schema()), columns)?)
    }
}

fn views(column: &ArrayRef) -> Result<StringViewArray, DataFusionError> {
    Ok(cast(column, &DataType::Utf8View)?.as_string_view().clone())
}

fn days(numbers: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(Date32Array::from_iter_values(numbers.map(u32::cast_signed)))
}

fn truths(numbers: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(BooleanArray::from_iter(numbers.map(|number| Some(number == 1))))
}

#[cfg(test)]
mod tests;

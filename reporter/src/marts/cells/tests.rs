//! The cells beside the SQL that says what they are, over calls of every kind.

use arrow::array::{Decimal128Builder, ListBuilder, StringArray, StringBuilder, StructBuilder, new_null_array};
use arrow::datatypes::DataType;
use arrow::util::pretty::pretty_format_batches;
use proptest::prelude::*;

use super::super::{ReportCalls, Window, register_calls, replace_table};
use super::*;
use crate::revenue::fx::Rates;
use crate::revenue::time::Day;
use crate::revenue::{Amount, Currency};
use crate::session::empty_session;

const MONTH_CELLS: &str = include_str!("../month_cells.sql");
const RECEIPT_CELLS: &str = include_str!("../receipt_cells.sql");
const MAY_1: Day = 20_574;

/// Day, customer, model, class, cost, input tokens, whether it failed, and the lines of its receipt: unit or price, and amount.
type One = (
    i32,
    Option<u8>,
    u8,
    usize,
    Option<i64>,
    Option<i64>,
    bool,
    Option<Vec<(u8, Option<i64>)>>,
);

fn one() -> impl Strategy<Value = One> {
    let line = (0_u8..3, prop::option::of(-5_i64..1_000_000_000));
    (
        0_i32..40,
        prop::option::of(0_u8..3),
        0_u8..3,
        0_usize..4,
        prop::option::of(0_i64..10_i64.pow(13)),
        prop::option::of(0_i64..1_000),
        any::<bool>(),
        prop::option::of(prop::collection::vec(line, 0..4)),
    )
}

fn calls(rows: &[One]) -> RecordBatch {
    let schema = marginlake_lake::schema::calls();
    let text = |of: &dyn Fn(&One) -> Option<String>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<StringArray>()) };
    let columns = schema.fields().iter().map(|field| match field.name().as_str() {
        "date" => Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| MAY_1 + row.0))) as ArrayRef,
        "signal" => text(&|_| Some("span".to_owned())),
        "role" => text(&|row| Some(format!("role-{}", row.2 % 2))),
        "granularity" => text(&|_| Some("call".to_owned())),
        "cost_class" => text(&|row| Some(["model", "other_cogs", "variable", "not_cogs"][row.3].to_owned())),
        // An empty name is none.
        "customer_id" => text(&|row| row.1.map(|customer| "x".repeat(usize::from(customer)))),
        "response_model" => text(&|row| (row.2 > 0).then(|| format!("a model with a long name, number {}", row.2))),
        "user_id" => text(&|row| row.5.map(|tokens| format!("u{}", tokens % 2))),
        "prompt_name" => text(&|row| (row.2 == 1).then(|| "prompt".to_owned())),
        "prompt_version" => text(&|row| row.6.then(|| "2".to_owned())),
        "error_type" => text(&|row| row.6.then(|| "timeout".to_owned())),
        "input_uncached" => Arc::new(rows.iter().map(|row| row.5).collect::<arrow::array::Int64Array>()),
        "duration_ms" => Arc::new(
            rows.iter()
                .map(|row| row.5.map(|tokens| tokens as f64 * 1.5))
                .collect::<arrow::array::Float64Array>(),
        ),
        "cost_usd" => {
            let costs = rows
                .iter()
                .map(|row| row.4.map(i128::from))
                .collect::<arrow::array::Decimal128Array>();
            Arc::new(costs.with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE).unwrap())
        }
        "cost_lines" => receipts(field.data_type(), rows),
        _ => new_null_array(field.data_type(), rows.len()),
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

fn receipts(of: &DataType, rows: &[One]) -> ArrayRef {
    let DataType::List(element) = of else {
        panic!("receipts are lists")
    };
    let DataType::Struct(fields) = element.data_type() else {
        panic!("of lines")
    };
    let mut lists = ListBuilder::new(StructBuilder::from_fields(fields.clone(), 0)).with_field(Arc::clone(element));
    for row in rows {
        for (item, amount) in row.7.iter().flatten() {
            let line = lists.values();
            for (at, field) in fields.iter().enumerate() {
                match (field.name().as_str(), field.data_type()) {
                    ("unit" | "price_id", _) => {
                        let named = (*item > 0).then(|| format!("{}-{item}", field.name()));
                        line.field_builder::<StringBuilder>(at).unwrap().append_option(named);
                    }
                    ("quantity" | "amount", _) => {
                        line.field_builder::<Decimal128Builder>(at)
                            .unwrap()
                            .append_option(amount.map(i128::from));
                    }
                    (_, DataType::Decimal128(..)) => line.field_builder::<Decimal128Builder>(at).unwrap().append_null(),
                    _ => line.field_builder::<arrow::array::Int64Builder>(at).unwrap().append_null(),
                }
            }
            line.append(true);
        }
        lists.append(row.7.is_some());
    }
    Arc::new(lists.finish())
}

/// The rows of a query in the order of all its columns.
async fn rows(session: &SessionContext, query: &str, columns: &[&str]) -> String {
    let columns = columns.join(", ");
    let sql = format!("SELECT {columns} FROM ({query}) AS rows ORDER BY {columns}");
    let batches = session.sql(&sql).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn cells_are_what_their_sql_says(rows_of_calls in prop::collection::vec(one(), 1..30), euros in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("rates.csv");
        std::fs::write(&path, "Date,USD\n2026-05-05,1.25\n").unwrap();
        let rates = Rates::read(&path).unwrap();
        let report = ReportCalls {
            window: Window { from: MAY_1, to: MAY_1 + 35 },
            currency: if euros { Currency::EUR } else { Currency::USD },
            rates: &rates,
            customer_plans: vec![("x", MAY_1, "pro"), ("xx", MAY_1 + 31, "team")],
            target_margin_pct: Amount::ZERO,
        };
        let (ours, theirs) = runtime.block_on(async {
            let session = empty_session();
            let batch = calls(&rows_of_calls);
            replace_table(&session, "calls", vec![batch.clone()], batch.schema()).unwrap();
            let facts = register_calls(&session, &report).await.unwrap();
            let both = [call_schema(), receipt_schema()];
            let mut names = both.each_ref().map(|schema| schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>());
            names[0].push("plan");
            let mut ours = Vec::new();
            let mut theirs = Vec::new();
            for (table, sql, names) in [("month_cells", MONTH_CELLS, &names[0]), ("month_receipts", RECEIPT_CELLS, &names[1])] {
                ours.push(rows(&session, &format!("SELECT * FROM {table}"), names).await);
                theirs.push(rows(&session, sql, names).await);
            }
            drop(facts);
            (ours, theirs)
        });
        prop_assert_eq!(ours, theirs);
    }
}

//! `spans` as people read them: collectors write nothing that follows from other columns; here it stands again.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Schema};
use datafusion::error::DataFusionError;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarUDF, Volatility, cast, col, create_udf, lit};
use marginlake_lake::receipt::compact;
use marginlake_lake::{ReceiptBuilder, Table};

/// The whole value of a column of `spans`; `None` for columns that are whole as they are, which in a table of an older release
/// are those that it has nothing beside to put together from.
pub(crate) fn whole(column: &str, table: &Schema) -> Option<Expr> {
    let nanos = |time: &str, below: &str| {
        let is_there = [time, below].iter().all(|name| table.index_of(name).is_ok());
        is_there.then(|| cast(col(time), DataType::Int64) * lit(1_000_i64) + col(below))
    };
    let stored = |name: &str| table.index_of(name).is_ok().then(|| col(name));
    let start = || nanos("start_time", "start_nano");
    let rest = match column {
        "start_time_unix_nano" => vec![start()],
        "end_time_unix_nano" => vec![nanos("end_time", "end_nano")],
        "priced_at_unix_nano" => vec![stored("start_time_unix_nano"), start()],
        "cost_lines" => {
            let texts = stored("receipt_rates").zip(stored("receipt_quantities"));
            vec![texts.map(|(rates, quantities)| receipt().call(vec![rates, quantities]))]
        }
        _ => return None,
    };
    let rest: Vec<Expr> = rest.into_iter().flatten().collect();
    if rest.is_empty() {
        return None;
    }
    let alternatives = std::iter::once(col(column)).chain(rest).collect();
    Some(coalesce(alternatives).alias(column))
}

/// `(receipt_rates, receipt_quantities)` as `cost_lines`.
fn receipt() -> ScalarUDF {
    let schema = Table::Spans.schema();
    let lines = schema
        .field_with_name("cost_lines")
        .map_or(DataType::Null, |field| field.data_type().clone());
    create_udf(
        "marginlake_receipt",
        vec![DataType::Utf8, DataType::Utf8],
        lines,
        Volatility::Immutable,
        Arc::new(receipts),
    )
}

fn receipts(arguments: &[ColumnarValue]) -> Result<ColumnarValue, DataFusionError> {
    let arrays = ColumnarValue::values_to_arrays(arguments)?;
    let [rates, quantities] = arrays.as_slice() else {
        return Err(DataFusionError::Execution("a receipt has rates and quantities".into()));
    };
    let (rates, quantities) = (rates.as_string::<i32>(), quantities.as_string::<i32>());
    let mut builder = ReceiptBuilder::default();
    for row in 0..rates.len() {
        let is_there = rates.is_valid(row) && quantities.is_valid(row);
        builder.append(
            is_there
                .then(|| compact::read(rates.value(row), quantities.value(row)))
                .flatten(),
        );
    }
    Ok(ColumnarValue::Array(Arc::new(builder.finish())))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
    use arrow::util::display::array_value_to_string;

    use super::*;

    /// One row of `spans` with what a collector writes, or with what older ones wrote.
    async fn read(columns: &[(&str, Arc<dyn Array>)]) -> Vec<String> {
        let schema = Table::Spans.schema();
        let fields: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true))
            .collect();
        let arrays = fields
            .iter()
            .map(|field| match columns.iter().find(|(name, _)| name == field.name()) {
                Some((_, array)) => Arc::clone(array),
                None => new_null_array(field.data_type(), 1),
            })
            .collect();
        let batch = RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), arrays).unwrap();
        let names = [
            "start_time_unix_nano",
            "end_time_unix_nano",
            "priced_at_unix_nano",
            "cost_lines",
        ];
        let frame = crate::session::empty_session().read_batch(batch).unwrap();
        let whole = frame
            .select(
                names
                    .iter()
                    .filter_map(|name| whole(name, &Table::Spans.schema()))
                    .collect::<Vec<_>>(),
            )
            .unwrap();
        let rows = whole.collect().await.unwrap();
        rows[0]
            .columns()
            .iter()
            .map(|column| array_value_to_string(column, 0).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn times_and_receipts_are_whole_again() {
        let time = |micros: i64| Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC")) as Arc<dyn Array>;
        let count = |count: i64| Arc::new(Int64Array::from(vec![count])) as Arc<dyn Array>;
        let text = |text: &str| Arc::new(StringArray::from(vec![text])) as Arc<dyn Array>;
        let now = [
            ("start_time", time(1_790_000_000_000_001)),
            ("start_nano", count(7)),
            ("end_time", time(1_790_000_000_000_002)),
            ("end_nano", count(999)),
            ("receipt_rates", text("input_tokens 2.5 1000000 1 p")),
            ("receipt_quantities", text("1234")),
        ];
        let rows = read(&now).await;
        assert_eq!(
            rows[..3],
            ["1790000000000001007", "1790000000000002999", "1790000000000001007"].map(str::to_owned)
        );
        assert!(rows[3].contains("amount: 0.003085000000000000"), "{}", rows[3]);
        let older = [
            ("start_time", time(1_790_000_000_000_001)),
            ("start_time_unix_nano", count(1_790_000_000_000_001_500)),
            ("priced_at_unix_nano", count(1_790_000_000_000_009_000)),
        ];
        let rows = read(&older).await;
        assert_eq!(
            (rows[0].as_str(), rows[2].as_str()),
            ("1790000000000001500", "1790000000000009000")
        );
    }
}

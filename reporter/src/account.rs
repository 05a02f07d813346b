//! What calls used and cost by day, unit, provider and model: what lines of an account are made from.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type};
use chrono::NaiveDate;
use marginlake_lake::Lake;
use marginlake_pricing::Amount;
use marginlake_pricing::account::DailyUse;

use crate::session::{SessionError, open_session, query};

/// The receipts of the calls of some days, inclusive, added up.
pub async fn daily_use(lake: &Lake, first: NaiveDate, last: NaiveDate) -> Result<Vec<DailyUse>, SessionError> {
    let session = open_session(lake).await?;
    if !session.table_exist("calls")? {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT date, coalesce(provider, ''), coalesce(model, ''), line['unit'], \
         CAST(sum(line['quantity']) AS DECIMAL(38, 12)), CAST(sum(line['amount']) AS DECIMAL(38, 18)) \
         FROM (SELECT date, provider, coalesce(response_model, request_model) AS model, unnest(cost_lines) AS line FROM calls \
         WHERE date BETWEEN DATE '{first}' AND DATE '{last}') WHERE line['unit'] IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    );
    let mut used = Vec::new();
    for batch in query(&session, &sql).await? {
        let texts = |index: usize| arrow::compute::cast(batch.column(index), &DataType::Utf8);
        let columns = [texts(1), texts(2), texts(3)].into_iter().collect::<Result<Vec<_>, _>>();
        let columns = columns.map_err(datafusion::error::DataFusionError::from)?;
        let text = |index: usize, row: usize| columns[index].as_string::<i32>().value(row).to_owned();
        let days = batch.column(0).as_primitive::<Date32Type>();
        let (quantities, amounts) = (
            batch.column(4).as_primitive::<Decimal128Type>(),
            batch.column(5).as_primitive::<Decimal128Type>(),
        );
        for row in (0..batch.num_rows()).filter(|row| amounts.is_valid(*row) && quantities.is_valid(*row)) {
            used.push(DailyUse {
                day: days.value(row),
                provider: text(0, row),
                model: text(1, row),
                usage_key: text(2, row),
                quantity: Amount::from_scale_12(quantities.value(row)).normalised(),
                amount: Amount::new(amounts.value(row), 18).unwrap_or_default().normalised(),
            });
        }
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    use marginlake_lake::Table;
    use marginlake_pricing::Catalogue;

    use super::*;
    use crate::settle::call::{Call, CostClass, Granularity};
    use crate::settle::record::{Record, Signal};
    use crate::settle::{CataloguePricer, Reprice, encode};
    use marginlake_lake::schema::Role;

    /// 2026-11-16T12:00:00Z.
    const NOON: i64 = 1_794_830_400_000_000_000;

    fn call(id: u8, input: i64) -> Call {
        let mut record = Record::empty(Signal::Span, Role::Llm);
        record.trace_id = Some([id; 16]);
        record.provider = Some("openai".into());
        record.request_model = Some("gpt-4.1".into());
        record.priced_at_nano = Some(NOON);
        record.date = i32::try_from(NOON / 86_400_000_000_000).unwrap();
        record.usage = Some(vec![("input_tokens".into(), Some(input)), ("output_tokens".into(), Some(40))]);
        CataloguePricer::new(Catalogue::embedded()).reprice(&mut record);
        Call {
            record,
            granularity: Granularity::Call,
            cost_class: CostClass::Model,
            records: 1,
        }
    }

    #[tokio::test]
    async fn receipts_add_up_by_day_and_unit() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap()).unwrap();
        let mut calls = lake.ensure(Table::Calls).await.unwrap();
        calls
            .append(&[encode::calls(&[call(1, 250), call(2, 750)]).unwrap()])
            .await
            .unwrap();
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let used = daily_use(&lake, day("2026-11-01"), day("2026-11-30")).await.unwrap();
        let shown: Vec<String> = used
            .iter()
            .map(|one| format!("{} {} {} {}", one.model, one.usage_key, one.quantity, one.amount))
            .collect();
        assert_eq!(shown, ["gpt-4.1 input_tokens 1000 0.002", "gpt-4.1 output_tokens 80 0.00064"]);
        assert!(
            daily_use(&lake, day("2026-12-01"), day("2026-12-31"))
                .await
                .unwrap()
                .is_empty()
        );
    }
}

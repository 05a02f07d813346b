//! The table `prices`: one row per rate, with the time it holds and where it is from.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Decimal128Builder, Int64Builder, RecordBatch, StringBuilder, TimestampNanosecondBuilder,
};
use arrow::datatypes::{Field, Schema};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};
use marginlake_pricing::browse::{ShownPrice, ShownRate};
use marginlake_pricing::{Amount, Catalogue, Instant};

/// The table's name.
pub(super) const NAME: &str = "prices";

/// Its rows over `catalogue`. A free model has one row without price key and rate; an open end of time is NULL.
pub(super) fn table(catalogue: &Catalogue) -> Result<MemTable, DataFusionError> {
    let mut rows = Rows::new()?;
    // Which price is in force is the reader's question: `valid_from <= t and (valid_to is null or t < valid_to)`.
    for (provider, model, price) in catalogue.all_prices(Instant(0)) {
        if price.free || price.rates.is_empty() {
            rows.push(provider, model, &price, None, None, None);
        }
        for rate in &price.rates {
            if rate.rate.is_some() {
                rows.push(provider, model, &price, Some(rate), rate.rate, None);
            }
            for (first, amount) in &rate.tiers {
                rows.push(provider, model, &price, Some(rate), Some(*amount), Some(*first));
            }
        }
    }
    let batch = rows.finish()?;
    MemTable::try_new(batch.schema(), vec![vec![batch]])
}

struct Rows {
    provider: StringBuilder,
    model: StringBuilder,
    price_key: StringBuilder,
    usage_key: StringBuilder,
    per: Int64Builder,
    rate: Decimal128Builder,
    tier_start: Int64Builder,
    condition: StringBuilder,
    windows: Int64Builder,
    free: BooleanBuilder,
    times: [TimestampNanosecondBuilder; 3],
    is_override: BooleanBuilder,
    price_id: StringBuilder,
    source: StringBuilder,
}

impl Rows {
    fn new() -> Result<Rows, DataFusionError> {
        let time = || TimestampNanosecondBuilder::new().with_timezone("UTC");
        Ok(Rows {
            provider: StringBuilder::new(),
            model: StringBuilder::new(),
            price_key: StringBuilder::new(),
            usage_key: StringBuilder::new(),
            per: Int64Builder::new(),
            rate: Decimal128Builder::new().with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?,
            tier_start: Int64Builder::new(),
            condition: StringBuilder::new(),
            windows: Int64Builder::new(),
            free: BooleanBuilder::new(),
            times: [time(), time(), time()],
            is_override: BooleanBuilder::new(),
            price_id: StringBuilder::new(),
            source: StringBuilder::new(),
        })
    }

    fn push(
        &mut self,
        provider: &str,
        model: &str,
        price: &ShownPrice,
        rate: Option<&ShownRate>,
        amount: Option<Amount>,
        tier_start: Option<i64>,
    ) {
        self.provider.append_value(provider);
        self.model.append_value(model);
        self.price_key.append_option(rate.map(|rate| rate.price_key));
        self.usage_key.append_option(rate.map(|rate| rate.usage_key));
        self.per.append_option(rate.map(|rate| rate.per));
        self.rate.append_option(amount.map(|amount| amount.to_scale_12()));
        self.tier_start.append_option(tier_start);
        self.condition
            .append_option((!price.when.is_empty()).then(|| price.when.join(", ")));
        self.windows.append_value(i64::try_from(price.windows).unwrap_or(i64::MAX));
        self.free.append_value(price.free);
        for (times, text) in self.times.iter_mut().zip([&price.from, &price.until, &price.known_from]) {
            let moment = text.as_deref().and_then(|text| Instant::parse(text).ok());
            times.append_option(moment.map(|moment| moment.0));
        }
        self.is_override.append_value(price.is_override);
        self.price_id.append_value(&price.price_id);
        self.source.append_value(&price.source);
    }

    fn finish(mut self) -> Result<RecordBatch, DataFusionError> {
        let [from, to, known] = &mut self.times;
        let columns: Vec<(&str, ArrayRef, bool)> = vec![
            ("provider", Arc::new(self.provider.finish()), false),
            ("model", Arc::new(self.model.finish()), false),
            ("price_key", Arc::new(self.price_key.finish()), true),
            ("usage_key", Arc::new(self.usage_key.finish()), true),
            ("per", Arc::new(self.per.finish()), true),
            ("rate", Arc::new(self.rate.finish()), true),
            ("tier_start", Arc::new(self.tier_start.finish()), true),
            ("condition", Arc::new(self.condition.finish()), true),
            ("windows", Arc::new(self.windows.finish()), false),
            ("free", Arc::new(self.free.finish()), false),
            ("valid_from", Arc::new(from.finish()), true),
            ("valid_to", Arc::new(to.finish()), true),
            ("known_from", Arc::new(known.finish()), true),
            ("is_override", Arc::new(self.is_override.finish()), false),
            ("price_id", Arc::new(self.price_id.finish()), false),
            ("source", Arc::new(self.source.finish()), false),
        ];
        let field = |(name, column, nullable): &(&str, ArrayRef, bool)| Field::new(*name, column.data_type().clone(), *nullable);
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let arrays = columns.into_iter().map(|(_, column, _)| column).collect();
        Ok(RecordBatch::try_new(schema, arrays)?)
    }
}

//! The row of `run_manifest`: what a run read, decided and found. Written last.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Int64Builder, MapBuilder, MapFieldNames, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field};
use marginlake_lake::schema::run_manifest;
use marginlake_lake::{Lake, Table};
use sha2::{Digest, Sha256};

use super::{ReportError, ReportOptions};
use crate::allocate::AllocationMethod;
use crate::marts::Window;
use crate::output::{Made, ReportModel};
use crate::revenue::Loaded;
use crate::revenue::policy::FxDay;
use crate::session::empty_session;

/// Role of the configuration among the inputs of a run; `config_hash` is its hash.
const CONFIG: &str = "config:";

/// One run.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) run_id: String,
    as_of: Option<i64>,
    window: Window,
    currency: String,
    inputs: BTreeMap<String, String>,
    versions: BTreeMap<String, i64>,
    catalogue_hash: Option<String>,
    config_hash: Option<String>,
    policies: BTreeMap<String, String>,
    totals: BTreeMap<String, String>,
}

impl Manifest {
    pub(super) fn new(
        options: &ReportOptions,
        window: Window,
        loaded: &Loaded,
        model: &ReportModel,
        versions: &BTreeMap<String, i64>,
    ) -> Manifest {
        let text = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let mut manifest = Manifest {
            run_id: String::new(),
            as_of: options.as_of.map(|time| time.timestamp_micros()),
            window,
            currency: options.currency.to_string(),
            inputs: loaded.inputs.iter().map(|input| text(&input.name, &input.sha256)).collect(),
            versions: versions.clone(),
            catalogue_hash: options.catalogue_hash.clone(),
            config_hash: loaded.inputs.iter().find_map(|input| {
                let hash = &input.sha256;
                input.name.starts_with(CONFIG).then(|| hash.clone())
            }),
            policies: BTreeMap::from([
                text("recognition", "daily_accrual"),
                text(
                    "allocation",
                    AllocationMethod::CustomerMonth(options.policy.allocation).name(),
                ),
                text(
                    "fx",
                    match loaded.policies.fx {
                        FxDay::AccrualDay => "rate_of_accrual_day_or_last_published_before",
                        FxDay::BookedDay => "rate_of_booked_day_or_last_published_before",
                    },
                ),
                text("rounding", "half_even_at_scale_12"),
                text("report.target_margin_pct", &options.policy.target_margin_pct.to_string()),
            ]),
            totals: model.totals(),
        };
        let recognition = loaded.policies.named().into_iter();
        manifest
            .policies
            .extend(recognition.map(|(name, value)| (name.to_owned(), value)));
        manifest.run_id = manifest.identity();
        manifest
    }

    /// What the outputs tell of it.
    pub(super) fn made(&self) -> Made {
        Made {
            inputs: self.inputs.clone(),
            policies: self.policies.clone(),
        }
    }

    /// The same inputs, days and figures are the same run, whatever versions its tables got.
    fn identity(&self) -> String {
        let parts = (
            &self.as_of,
            self.window.from,
            self.window.to,
            &self.currency,
            &self.inputs,
            &self.catalogue_hash,
            &self.policies,
            &self.totals,
        );
        let text = serde_json::to_string(&parts).expect("maps of text are JSON");
        hex::encode(Sha256::digest(text.as_bytes()))
    }

    fn row(&self) -> Result<RecordBatch, ReportError> {
        let text = |value: Option<&str>| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
        let columns: Vec<ArrayRef> = vec![
            text(Some(&self.run_id)),
            Arc::new(TimestampMicrosecondArray::from(vec![self.as_of]).with_timezone("UTC")),
            Arc::new(Date32Array::from(vec![self.window.from])),
            Arc::new(Date32Array::from(vec![self.window.to])),
            text(Some(&self.currency)),
            texts(&self.inputs)?,
            numbers(&self.versions)?,
            text(self.catalogue_hash.as_deref()),
            text(self.config_hash.as_deref()),
            texts(&self.policies)?,
            texts(&self.totals)?,
            text(Some(env!("CARGO_PKG_VERSION"))),
        ];
        Ok(RecordBatch::try_new(run_manifest(), columns)?)
    }
}

/// Adds the run's row; an earlier run of the same identity is replaced by it.
pub(super) async fn write(lake: &Lake, manifest: &Manifest) -> Result<(), ReportError> {
    let mut table = lake.ensure(Table::RunManifest).await?;
    let session = empty_session();
    session.register_table("runs", table.provider().await?)?;
    let earlier = session
        .sql(&format!("SELECT * FROM runs WHERE run_id <> '{}'", manifest.run_id))
        .await?
        .collect()
        .await?;
    let schema = run_manifest();
    let mut rows = Vec::new();
    for batch in earlier {
        let columns = batch
            .columns()
            .iter()
            .zip(schema.fields())
            .map(|(column, field)| arrow::compute::cast(column, field.data_type()));
        rows.push(RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_, _>>()?)?);
    }
    rows.push(manifest.row()?);
    table.replace_all(&rows, &[]).await?;
    Ok(())
}

fn names() -> MapFieldNames {
    MapFieldNames {
        entry: "key_value".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    }
}

fn texts(entries: &BTreeMap<String, String>) -> Result<ArrayRef, ReportError> {
    let mut builder = MapBuilder::new(Some(names()), StringBuilder::new(), StringBuilder::new())
        .with_keys_field(Field::new("key", DataType::Utf8, false))
        .with_values_field(Field::new("value", DataType::Utf8, true));
    for (key, value) in entries {
        builder.keys().append_value(key);
        builder.values().append_value(value);
    }
    builder.append(true)?;
    Ok(Arc::new(builder.finish()))
}

fn numbers(entries: &BTreeMap<String, i64>) -> Result<ArrayRef, ReportError> {
    let mut builder = MapBuilder::new(Some(names()), StringBuilder::new(), Int64Builder::new())
        .with_keys_field(Field::new("key", DataType::Utf8, false))
        .with_values_field(Field::new("value", DataType::Int64, true));
    for (key, value) in entries {
        builder.keys().append_value(key);
        builder.values().append_value(*value);
    }
    builder.append(true)?;
    Ok(Arc::new(builder.finish()))
}

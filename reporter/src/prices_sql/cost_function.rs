//! `llm_cost`: what usage would cost, as decimal(38, 12) USD; NULL where that is not known.
//!
//! `llm_cost(provider, model, at, usage [, price_context])` with maps as in `calls`, or
//! `llm_cost(provider, model, at, input_tokens, output_tokens [, cache_read_tokens [, cache_write_tokens]])`.
//! `at` is a timestamp, or nanoseconds since the epoch as in `priced_at_unix_nano`.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Builder};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::common::plan_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};
use marginlake_pricing::{Catalogue, Context, Request, Usage};

/// The usage keys of the form without maps, in the order of its arguments.
const TOKENS: [&str; 4] = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"];

/// The function over one catalogue.
#[derive(Debug)]
pub(super) struct CostFunction {
    catalogue: &'static Catalogue,
    signature: Signature,
}

impl CostFunction {
    pub(super) fn new(catalogue: &'static Catalogue) -> CostFunction {
        CostFunction {
            catalogue,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl PartialEq for CostFunction {
    fn eq(&self, other: &Self) -> bool {
        self.catalogue.hash() == other.catalogue.hash()
    }
}
impl Eq for CostFunction {}
impl Hash for CostFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.catalogue.hash().hash(state);
    }
}

impl ScalarUDFImpl for CostFunction {
    fn name(&self) -> &str {
        "llm_cost"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let at = match given.get(2) {
            Some(nanoseconds) if nanoseconds.is_integer() => DataType::Int64,
            _ => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        };
        let mut wanted = vec![DataType::Utf8, DataType::Utf8, at];
        match given.get(3..) {
            Some([usage @ DataType::Map(..)]) => wanted.push(usage.clone()),
            Some([usage @ DataType::Map(..), context @ DataType::Map(..)]) => wanted.extend([usage.clone(), context.clone()]),
            Some(tokens)
                if (2..=TOKENS.len()).contains(&tokens.len())
                    && tokens.iter().all(|kind| kind.is_integer() || kind.is_null()) =>
            {
                wanted.extend(tokens.iter().map(|_| DataType::Int64));
            }
            _ => {
                return plan_err!(
                    "llm_cost takes (provider, model, at, usage [, price_context]) with maps, or (provider, model, at, \
                     input_tokens, output_tokens [, cache_read_tokens [, cache_write_tokens]]) with whole numbers"
                );
            }
        }
        Ok(wanted)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let [provider, model, at, rest @ ..] = columns.as_slice() else {
            return plan_err!("llm_cost needs a provider, a model and a moment");
        };
        let (provider, model) = (provider.as_string::<i32>(), model.as_string::<i32>());
        let at = arrow::compute::cast(at, &DataType::Int64)?;
        let at = at.as_primitive::<Int64Type>();
        let used = Used::new(rest)?;
        let mut costs = Decimal128Builder::with_capacity(at.len()).with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?;
        for row in 0..at.len() {
            if at.is_null(row) {
                costs.append_null();
                continue;
            }
            let (usage, context) = used.row(row)?;
            let cost = self.catalogue.cost(&Request {
                provider: provider.is_valid(row).then(|| provider.value(row)),
                model: model.is_valid(row).then(|| model.value(row)),
                ..Request::new(&usage, &context, at.value(row))
            });
            costs.append_option(cost.cost.map(|cost| cost.to_scale_12()));
        }
        Ok(ColumnarValue::Array(Arc::new(costs.finish())))
    }
}

/// The arguments that say what was used.
enum Used<'a> {
    Maps(&'a ArrayRef, Option<&'a ArrayRef>),
    Tokens(&'a [ArrayRef]),
}

impl<'a> Used<'a> {
    fn new(columns: &'a [ArrayRef]) -> Result<Used<'a>> {
        match columns {
            [usage, rest @ ..] if matches!(usage.data_type(), DataType::Map(..)) => Ok(Used::Maps(usage, rest.first())),
            tokens if !tokens.is_empty() => Ok(Used::Tokens(tokens)),
            _ => plan_err!("llm_cost needs usage"),
        }
    }

    /// What is NULL was not reported.
    fn row(&self, row: usize) -> Result<(Usage, Context), DataFusionError> {
        let (mut usage, mut context) = (Usage::new(), Context::new());
        match self {
            Used::Tokens(columns) => {
                for (key, counts) in TOKENS.into_iter().zip(*columns) {
                    let counts = counts.as_primitive::<Int64Type>();
                    if counts.is_valid(row) {
                        usage.set(key, counts.value(row));
                    }
                }
            }
            Used::Maps(counts, facts) => {
                if let Some((keys, values)) = entries(counts, row, &DataType::Int64)? {
                    let values = values.as_primitive::<Int64Type>();
                    let keys = keys.as_string::<i32>();
                    for entry in (0..keys.len()).filter(|entry| values.is_valid(*entry)) {
                        usage.set(keys.value(entry), values.value(entry));
                    }
                }
                let facts = facts.map(|facts| entries(facts, row, &DataType::Utf8)).transpose()?.flatten();
                if let Some((keys, values)) = facts {
                    let (keys, values) = (keys.as_string::<i32>(), values.as_string::<i32>());
                    for entry in (0..keys.len()).filter(|entry| values.is_valid(*entry)) {
                        context.set(keys.value(entry), values.value(entry));
                    }
                }
            }
        }
        Ok((usage, context))
    }
}

/// Keys and values of one map.
fn entries(maps: &ArrayRef, row: usize, value: &DataType) -> Result<Option<(ArrayRef, ArrayRef)>> {
    let Some(maps) = maps.as_map_opt().filter(|maps| maps.is_valid(row)) else {
        return Ok(None);
    };
    let entries = maps.value(row);
    let keys = arrow::compute::cast(entries.column(0), &DataType::Utf8)?;
    Ok(Some((keys, arrow::compute::cast(entries.column(1), value)?)))
}

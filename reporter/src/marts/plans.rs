//! Of which plan a call is: the one that earned most from its customer in its month.
//!
//! Calls are added up before plans are known, so cells have no plan of their own; views and key days look it up.

use std::sync::Arc;

use arrow::array::{Array, AsArray, StringArray, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type};
use arrow::error::ArrowError;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use rustc_hash::FxHashMap;

use crate::allocate::{NO_PLAN, UNATTRIBUTED};
use crate::revenue::time::{Day, month_of};

/// By customer the plan of each month, by the month's first day.
#[derive(Debug, Clone, Default)]
pub(super) struct Plans(Arc<FxHashMap<String, Vec<(Day, String)>>>);

impl Plans {
    /// Customer, the month's first day, plan.
    pub(super) fn new(rows: &[(&str, Day, &str)]) -> Plans {
        let mut plans: FxHashMap<String, Vec<(Day, String)>> = FxHashMap::default();
        for (customer, month, plan) in rows {
            let months = match plans.get_mut(*customer) {
                Some(months) => months,
                None => plans.entry((*customer).to_owned()).or_default(),
            };
            months.push((*month, (*plan).to_owned()));
        }
        Plans(Arc::new(plans))
    }

    /// The plan of a customer's call on a day.
    pub(super) fn of(&self, customer: &str, day: Day) -> &str {
        if customer == UNATTRIBUTED {
            return UNATTRIBUTED;
        }
        let Some(months) = self.0.get(customer) else {
            return NO_PLAN;
        };
        let month = month_of(day);
        let of_month = months.iter().find(|(of, _)| *of == month);
        of_month.map_or(NO_PLAN, |(_, plan)| plan)
    }

    /// The plans of columns of customers and days.
    pub(super) fn column(&self, customers: &dyn Array, days: &dyn Array) -> Result<StringArray, ArrowError> {
        let (customers, days) = (cast(customers, &DataType::Utf8View)?, cast(days, &DataType::Date32)?);
        let customers: &StringViewArray = customers.as_string_view();
        let rows = customers.iter().zip(days.as_primitive::<Date32Type>());
        Ok(rows
            .map(|(customer, day)| Some(self.of(customer.unwrap_or(UNATTRIBUTED), day?)))
            .collect())
    }

    /// `plan_of(customer_id, date)`.
    pub(super) fn udf(&self) -> ScalarUDF {
        let plans = self.clone();
        let plan_of = move |arguments: &[ColumnarValue]| {
            let columns = ColumnarValue::values_to_arrays(arguments)?;
            Ok(ColumnarValue::Array(Arc::new(plans.column(&columns[0], &columns[1])?)))
        };
        create_udf(
            "plan_of",
            vec![DataType::Utf8, DataType::Date32],
            DataType::Utf8,
            Volatility::Immutable,
            Arc::new(plan_of),
        )
    }
}

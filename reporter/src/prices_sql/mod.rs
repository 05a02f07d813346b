//! Prices in SQL: the table `prices` and the function `llm_cost`, so that a what-if is a query.
//!
//! Both ask the catalogue; neither knows how a price is found.

mod cost_function;
mod prices_table;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;
use marginlake_pricing::Catalogue;

/// Registers both over the built-in catalogue.
pub fn register(session: &SessionContext) -> Result<(), DataFusionError> {
    register_catalogue(session, Catalogue::embedded())
}

/// Registers both over `catalogue`, in place of any that were there.
pub fn register_catalogue(session: &SessionContext, catalogue: &'static Catalogue) -> Result<(), DataFusionError> {
    session.register_udf(ScalarUDF::from(cost_function::CostFunction::new(catalogue)));
    session.deregister_table(prices_table::NAME)?;
    session.register_table(prices_table::NAME, Arc::new(prices_table::table(catalogue)?))?;
    Ok(())
}

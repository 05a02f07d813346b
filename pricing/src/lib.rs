//! Exact, dated and explained prices of LLM usage. Pure: no async, no network, no clock.
//!
//! Given usage, provider, model, the moment and the facts of a request, a [`Catalogue`] returns the exact cost
//! with a receipt, or says why it cannot. An unknown price is `None`, never zero; nothing is a float.
//!
//! ```
//! use marginlake_pricing::{Catalogue, Context, Request, Status, Usage};
//!
//! let usage: Usage = [("input_tokens", 100_000), ("cache_read_tokens", 40_000), ("output_tokens", 5_000)]
//!     .into_iter()
//!     .collect();
//! let context: Context = [("speed", "fast")].into_iter().collect();
//! let quote = Catalogue::embedded().price(&Request {
//!     provider: Some("anthropic"),
//!     model: Some("claude-opus-5"),
//!     ..Request::new(&usage, &context, 1_794_830_400_000_000_000)
//! });
//! assert_eq!(quote.status, Status::Priced);
//! assert_eq!(quote.cost.expect("priced").to_string(), "0.89");
//! ```

#![forbid(unsafe_code)]
#![deny(clippy::float_arithmetic, clippy::disallowed_types)]

pub mod account;
mod amount;
pub mod browse;
mod cache;
mod catalogue;
pub mod check;
mod compile;
mod context;
pub mod diff;
pub mod document;
mod host;
mod identify;
pub mod import;
mod instant;
mod leaves;
pub mod loader;
mod matching;
pub mod overrides;
mod pattern;
mod plain;
mod price;
mod provider;
mod quote;
pub mod record;
mod tariff;
mod unit;
mod usage;

pub use amount::{Amount, ParseAmountError};
pub use catalogue::Catalogue;
pub use compile::{CatalogueError, Problem};
pub use context::Context;
pub use instant::{Instant, ParseInstantError, WindowSpec};
pub use overrides::{Overrides, Scope};
pub use pattern::PatternError;
pub use provider::normalise_provider;
pub use quote::{Cost, Line, Quote, Request, Status};
pub use tariff::Tariff;
pub use unit::{Direction, Family, Unit, UsageKey};
pub use usage::{ParseQuantityError, Quantity, Usage};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

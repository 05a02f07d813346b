//! OTLP in, recognised, normalised and priced spans in the lake.
//!
//! ```text
//! bytes -> receive -> wal --(acknowledge)--> decode -> recognise -> normalise -> price -> columns -> spans
//! ```

mod clock;
mod collector;
mod columns;
mod config;
mod decode;
#[cfg(test)]
mod dice;
mod forward;
mod messages;
pub mod normalise;
mod pipeline;
mod price;
mod receive;
pub mod recognise;
mod record;
mod state;
mod telemetry;
mod wal;
pub mod wire;

pub use collector::{Collector, CollectorError, Stopped};
pub use config::Config;
#[doc(hidden)]
pub use decode::DecodeBench;
pub use forward::{Forward, ForwardError, ForwardFiles};
pub use pipeline::PipelineError;
pub use receive::{Keys, KeysError, Limits, Security, SecurityError, TlsFiles, key_line, new_key};
pub use telemetry::SelfTelemetry;
pub use wal::Durability;

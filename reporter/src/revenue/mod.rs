//! Revenue in: exports of billing systems -> canonical lines -> what each UTC day earns -> one currency -> our customers.
//!
//! `load` reads and checks every file before anybody writes a row; `accrue`, `fx` and `join` are plain functions over
//! what it returns. Nothing here knows costs or reports. A new billing system is one mapping file in `presets/`.

pub mod accrue;
pub mod cash;
pub mod currency;
pub mod customer_map;
pub mod daily;
mod detect;
pub mod email;
pub mod fx;
pub mod line;
pub mod load;
pub mod load_report;
mod mapping;
pub mod matching;
pub mod money;
pub mod policy;
pub mod presets;
pub mod recognise;
pub mod refusal;
pub mod subscribers;
pub(crate) mod table;
pub mod tables;
pub mod time;

pub use currency::Currency;
pub use line::{Exclusion, Kind, RevenueLine, Text};
pub use load::{InputFile, Loaded, RevenueInputs, load};
pub use load_report::LoadReport;
pub use money::Amount;
pub use policy::Policies;
pub use refusal::{Refusal, RevenueError};

//! Revenue in: exports of billing systems -> canonical lines -> what each UTC day earns -> one currency -> our customers.
//!
//! `load` reads and checks every file before anybody writes a row; `accrue`, `fx` and `join` are plain functions over
//! what it returns. Nothing here knows costs or reports. A new billing system is one file in `source/`.

pub mod accrue;
pub mod currency;
pub mod customer_map;
pub mod daily;
pub mod fx;
mod header;
pub mod line;
pub mod load;
pub mod load_report;
pub mod money;
pub mod refusal;
mod rows;
mod source;
pub mod tables;
pub mod time;

pub use currency::Currency;
pub use line::{Exclusion, RevenueLine};
pub use load::{InputFile, Loaded, RevenueInputs, load};
pub use load_report::LoadReport;
pub use money::Amount;
pub use refusal::{Refusal, RevenueError};

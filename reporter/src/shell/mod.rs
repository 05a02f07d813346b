//! `marginlake sql`: one query, or a prompt with history and completion.

mod cell;
mod column;
mod complete;
mod prompt;
mod write;

pub(crate) use cell::text as cell_text;
pub use prompt::prompt;
pub use write::{Format, write_rows};
pub(crate) use write::{LongWriter, write_batch};

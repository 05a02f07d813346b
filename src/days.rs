//! The days that a command is about.

use chrono::NaiveDate;
use clap::Args;

use crate::exit::Usage;

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Days {
    /// First day (YYYY-MM-DD)
    #[arg(long)]
    pub(crate) from: NaiveDate,
    /// Last day, inclusive (YYYY-MM-DD)
    #[arg(long)]
    pub(crate) to: NaiveDate,
}

impl Days {
    /// Days that follow each other the wrong way round are a mistake.
    pub(crate) fn check(self) -> Result<(), Usage> {
        match self.from > self.to {
            true => Err(Usage(format!("--from {} is after --to {}", self.from, self.to))),
            false => Ok(()),
        }
    }
}

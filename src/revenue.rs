//! `marginlake revenue check`: what is in a revenue file, before anything is written.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use marginlake_reporter::report::revenue_check;

use crate::exit::Usage;
use crate::report::RevenueArgs;

#[derive(Debug, Args)]
pub(crate) struct RevenueCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read revenue files and say what is in them; writes nothing
    Check(CheckArgs),
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// The revenue file
    file: PathBuf,
    #[command(flatten)]
    revenue: RevenueArgs,
}

pub(crate) fn run(command: RevenueCommand) -> anyhow::Result<()> {
    let Command::Check(args) = command.command;
    let inputs = args.revenue.inputs(Some(args.file))?;
    let report = revenue_check(&inputs).map_err(|error| Usage(error.to_string()))?;
    write!(std::io::stdout(), "{report}")?;
    Ok(())
}

//! `marginlake revenue check`: what is in a revenue file, before anything is written.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use marginlake_reporter::report::{revenue_check, revenue_matches};
use marginlake_reporter::revenue::presets;

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
    /// The exports that are known, or the mapping of one of them, to copy and change
    Presets {
        /// Name of a preset
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// The revenue file
    file: PathBuf,
    #[command(flatten)]
    revenue: RevenueArgs,
    /// Lake whose customers are to be matched
    #[arg(long, env = "MARGINLAKE_LAKE")]
    lake: Option<String>,
    /// Our customer for each customer of a billing system, as of `report`
    #[arg(long, value_name = "FILE")]
    customer_map: Option<PathBuf>,
    /// Configuration file (TOML): its section [revenue]
    #[arg(long, env = "MARGINLAKE_CONFIG")]
    config: Option<PathBuf>,
}

pub(crate) fn run(command: RevenueCommand) -> anyhow::Result<()> {
    let args = match command.command {
        Command::Check(args) => args,
        Command::Presets { name } => return show_presets(name.as_deref()),
    };
    let policies = crate::config::load(args.config.as_deref())?.revenue;
    let inputs = args.revenue.inputs(Some(args.file), &policies)?;
    let report = revenue_check(&inputs).map_err(|error| Usage(error.to_string()))?;
    write!(std::io::stdout(), "{report}")?;
    if let Some(lake) = &args.lake {
        let lake = crate::lake::open_for_reading(lake)?;
        let matches = crate::runtime()?.block_on(revenue_matches(&lake, &inputs, args.customer_map.as_deref()))?;
        write!(std::io::stdout(), "{matches}")?;
    }
    Ok(())
}

fn show_presets(name: Option<&str>) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let Some(name) = name else {
        for (name, title) in presets::names() {
            writeln!(out, "{name:34}{title}")?;
        }
        return Ok(());
    };
    let text = presets::text(name)
        .ok_or_else(|| Usage(format!("there is no preset {name}; `marginlake revenue presets` lists them")))?;
    out.write_all(text.as_bytes())?;
    Ok(())
}

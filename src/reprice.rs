//! `marginlake reprice`: settled calls at other prices, as a restatement.

use std::io::Write;
use std::path::PathBuf;

use chrono::NaiveDate;
use clap::Args;
use marginlake_pricing::Instant;
use marginlake_reporter::reprice::{self, Mode, RepriceOptions};

use crate::config;
use crate::exit::Usage;

/// Columns of the restatement: ids of prices are long, and a finance person reads it once.
const WIDTH: u16 = 160;

#[derive(Debug, Args)]
pub(crate) struct RepriceArgs {
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE")]
    lake: String,
    /// Configuration file (TOML)
    #[arg(long, env = "MARGINLAKE_CONFIG")]
    config: Option<PathBuf>,
    /// First day (YYYY-MM-DD)
    #[arg(long)]
    from: NaiveDate,
    /// Last day, inclusive (YYYY-MM-DD)
    #[arg(long)]
    to: NaiveDate,
    /// Prices as they were known at this moment (RFC 3339 or a day); today's knowledge when absent
    #[arg(long)]
    prices_as_of: Option<String>,
    /// Show what would move and write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: RepriceArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=info,marginlake_reporter=info");
    if args.from > args.to {
        return Err(Usage(format!("--from {} is after --to {}", args.from, args.to)).into());
    }
    let as_of = args.prices_as_of.as_deref().map(Instant::parse).transpose();
    let as_of = as_of.map_err(|error| Usage(format!("--prices-as-of: {error}")))?;
    let catalogue = config::load(args.config.as_deref())?.catalogue()?;
    let options = RepriceOptions {
        from: args.from,
        to: args.to,
        prices_as_of_unix_nano: as_of.map(|moment| moment.0),
        mode: if args.dry_run { Mode::DryRun } else { Mode::Write },
    };
    let outcome = crate::runtime()?.block_on(async {
        let lake = crate::lake::open_for_reading(&args.lake)?;
        anyhow::Ok(reprice::run(&lake, catalogue, options).await?)
    })?;
    let mut out = std::io::stdout();
    if !outcome.statement.is_empty() {
        write!(out, "{}", outcome.statement.table(WIDTH))?;
    }
    let done = match (outcome.committed, args.dry_run) {
        (true, _) => "repriced",
        (false, true) => "dry run, nothing written: would reprice",
        (false, false) => "nothing to reprice:",
    };
    writeln!(
        out,
        "{done} {} calls on {} days; {} calls unchanged; catalogue {}",
        outcome.moved,
        outcome.days.len(),
        outcome.unchanged,
        catalogue.hash().get(..12).unwrap_or_default()
    )?;
    Ok(())
}

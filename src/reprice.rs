//! `marginlake reprice`: settled calls at other prices, as a restatement.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use marginlake_pricing::Instant;
use marginlake_reporter::reprice::{self, Detail, Mode, RepriceOptions};

use crate::config;
use crate::days::Days;
use crate::exit::Usage;

/// Columns of the restatement: ids of prices are long.
const WIDTH: u16 = 160;

#[derive(Debug, Args)]
pub(crate) struct RepriceArgs {
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE")]
    lake: String,
    /// Configuration file (TOML)
    #[arg(long, env = "MARGINLAKE_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    days: Days,
    /// Prices as they were known at this moment (RFC 3339 or a day); today's knowledge when absent
    #[arg(long)]
    prices_as_of: Option<String>,
    /// Show what would move and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Show every line by day, customer and model, too
    #[arg(long)]
    detail: bool,
    /// How to print the restatement
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Totals, causes and tables for people
    #[default]
    Table,
    /// Every line: day, customer, model, calls, before, after, difference, reason
    Csv,
}

pub(crate) fn run(args: RepriceArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=info,marginlake_reporter=info");
    args.days.check()?;
    let as_of = args.prices_as_of.as_deref().map(Instant::parse).transpose();
    let as_of = as_of.map_err(|error| Usage(format!("--prices-as-of: {error}")))?;
    let catalogue = config::load(args.config.as_deref())?.catalogue()?;
    let options = RepriceOptions {
        from: args.days.from,
        to: args.days.to,
        prices_as_of_unix_nano: as_of.map(|moment| moment.0),
        mode: if args.dry_run { Mode::DryRun } else { Mode::Write },
    };
    let outcome = crate::runtime()?.block_on(async {
        let lake = crate::lake::open_for_reading(&args.lake)?;
        anyhow::Ok(reprice::run(&lake, catalogue, options).await?)
    })?;
    let mut out = std::io::stdout();
    if args.format == Format::Csv {
        return Ok(out.write_all(outcome.statement.csv().as_bytes())?);
    }
    let detail = if args.detail { Detail::Lines } else { Detail::Summary };
    let hash = catalogue.hash().get(..12).unwrap_or_default();
    writeln!(
        out,
        "Restatement of {} to {}, USD, by catalogue {hash}{}\n",
        args.days.from,
        args.days.to,
        if args.dry_run { " (dry run: nothing is written)" } else { "" }
    )?;
    write!(out, "{}", outcome.statement.text(WIDTH, detail))?;
    if !outcome.closed.is_empty() {
        writeln!(
            out,
            "\nClosed months, which keep their figures until `marginlake close MONTH --reopen`:\n"
        )?;
        write!(out, "{}", outcome.closed.text(WIDTH, detail))?;
    }
    let done = match (outcome.committed, args.dry_run) {
        (true, _) => "repriced",
        (false, true) => "would reprice",
        (false, false) => "nothing to reprice:",
    };
    writeln!(
        out,
        "\n{done} {} calls on {} days; {} calls unchanged{}",
        outcome.moved,
        outcome.days.len(),
        outcome.unchanged,
        match outcome.held {
            0 => String::new(),
            held => format!("; {held} calls of closed months left as they are"),
        }
    )?;
    if outcome.committed {
        writeln!(
            out,
            "run `marginlake report` again for these days: its marts still have the old costs"
        )?;
    }
    Ok(())
}

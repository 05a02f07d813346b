//! `marginlake close`: the books of a month, exported with a hash and left alone from then on.

use std::io::Write;
use std::path::Path;

use chrono::Utc;
use clap::Args;
use marginlake_reporter::close::{self, CloseOptions, Manifest, Month};
use marginlake_reporter::reprice::{Detail, text};

use crate::exit::Usage;

/// Columns of the restatement between two revisions.
const WIDTH: u16 = 160;

#[derive(Debug, Args)]
pub(crate) struct CloseArgs {
    /// The month (YYYY-MM); it must be over
    month: Month,
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE")]
    lake: String,
    /// Let settle, report and reprice move the month again; its files stay, and closing it again makes new ones
    #[arg(long, conflicts_with = "verify")]
    reopen: bool,
    /// Compare the exported files with the hashes that were recorded
    #[arg(long)]
    verify: bool,
    /// Why, for whoever reads closed_periods later
    #[arg(long, value_name = "TEXT", conflicts_with = "verify")]
    reason: Option<String>,
}

pub(crate) fn run(args: CloseArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=info,marginlake_reporter=info");
    let now = Utc::now();
    let month = args.month;
    if month.last() >= now.date_naive() {
        return Err(Usage(format!("{month} is not over yet: its last day is {}, UTC", month.last())).into());
    }
    if args.reopen && args.reason.is_none() {
        return Err(Usage("--reopen needs --reason: whoever signed the month will ask".to_owned()).into());
    }
    if !Path::new(&args.lake).is_dir() && !args.lake.contains("://") {
        return Err(Usage(format!("there is no lake at {}", args.lake)).into());
    }
    let options = CloseOptions {
        month,
        reason: args.reason,
        recorded_at: now.timestamp_micros(),
    };
    let mut out = std::io::stdout();
    crate::runtime()?.block_on(async {
        let lake = crate::lake::open_for_reading(&args.lake)?;
        if args.verify {
            let manifest = close::verify(&lake, month).await?;
            writeln!(
                out,
                "{month} revision {} is what was closed: {} files",
                manifest.revision,
                manifest.files.len()
            )?;
            return Ok(());
        }
        if args.reopen {
            let standing = close::reopen(&lake, &options).await?;
            writeln!(
                out,
                "{month} is open again; revision {} stays in {}. Run settle, reprice or report for {} to {}, then close it again",
                standing.revision,
                standing.folder,
                month.first(),
                month.last()
            )?;
            return Ok(());
        }
        let outcome = close::close(&lake, &options).await?;
        let (manifest, standing) = (&outcome.manifest, &outcome.standing);
        match outcome.committed {
            true => writeln!(out, "closed {month}, revision {}", standing.revision)?,
            false => writeln!(out, "{month} is closed already, revision {}", standing.revision)?,
        }
        write!(out, "{}", figures(manifest))?;
        writeln!(out, "  {} files in {}", manifest.files.len(), standing.folder)?;
        writeln!(out, "  sha256 of its manifest {}", standing.sha256)?;
        if let Some(restates) = manifest.restates.as_ref().filter(|_| outcome.committed) {
            writeln!(out, "\nIt restates {restates}:\n")?;
            match outcome.restated.is_empty() {
                true => writeln!(out, "no cost of any day, customer and model moved")?,
                false => write!(out, "{}", text(&outcome.restated, WIDTH, Detail::Summary))?,
            }
        }
        Ok(())
    })
}

fn figures(manifest: &Manifest) -> String {
    let totals = &manifest.totals;
    let mut text = format!(
        "  {} calls, {} of them without a known cost\n",
        totals.calls, totals.calls_without_cost
    );
    for (class, cost) in &totals.cost_usd {
        text.push_str(&format!("  cost, {class}: {cost} USD\n"));
    }
    for (currency, sums) in &totals.margin {
        let sums: Vec<String> = sums.iter().map(|(name, sum)| format!("{name} {sum}")).collect();
        text.push_str(&format!("  margin, {currency}: {}\n", sums.join(", ")));
    }
    text
}

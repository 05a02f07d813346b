//! `marginlake settle`: spans into billable calls.

use std::io::Write;
use std::path::PathBuf;

use chrono::NaiveDate;
use clap::Args;
use marginlake_lake::Lake;
use marginlake_pricing::Catalogue;
use marginlake_reporter::reprice::{self, Outlook};
use marginlake_reporter::settle::CataloguePricer;
use marginlake_reporter::settle::driver::{self, SettleOptions, SettleOutcome};
use marginlake_reporter::settle::unrecognised::{Unrecognised, unrecognised};

use crate::config;

#[derive(Debug, Args)]
pub(crate) struct SettleArgs {
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE")]
    lake: String,
    /// Configuration file (TOML)
    #[arg(long, env = "MARGINLAKE_CONFIG")]
    config: Option<PathBuf>,
    /// Settle this day and later ones again, whether or not they have new rows (YYYY-MM-DD)
    #[arg(long)]
    from: Option<NaiveDate>,
    /// Settle up to this day, inclusive (YYYY-MM-DD)
    #[arg(long)]
    to: Option<NaiveDate>,
    /// Say on standard error what is being done; on a terminal always
    #[arg(long)]
    progress: bool,
}

pub(crate) fn run(args: SettleArgs) -> anyhow::Result<()> {
    crate::logging::start_with_progress("marginlake=info,marginlake_reporter=info", args.progress);
    let file = config::load(args.config.as_deref())?;
    let (catalogue, rules) = (file.catalogue()?, file.rules()?);
    let (outcome, outlook, strange) = crate::runtime()?.block_on(async {
        let lake = crate::lake::open_for_reading(&args.lake)?;
        let options = SettleOptions {
            from: args.from,
            to: args.to,
            rules,
        };
        let outcome = settle(&lake, options, catalogue).await?;
        anyhow::Ok((outcome, reprice::outlook(&lake, catalogue).await?, unrecognised(&lake).await?))
    })?;
    let mut out = std::io::stdout();
    match outcome.committed {
        true => writeln!(
            out,
            "settled {} calls, {} records not billed, {} restatements on {} days",
            outcome.calls, outcome.excluded, outcome.restatements, outcome.days
        )?,
        false => writeln!(out, "nothing new to settle")?,
    }
    for line in notes(&outcome, &outlook)
        .into_iter()
        .chain(strange.iter().map(Unrecognised::sentence))
    {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// What a reader should know beside what was settled.
fn notes(outcome: &SettleOutcome, outlook: &Outlook) -> Vec<String> {
    let late = (outcome.late > 0).then(|| {
        format!(
            "{} calls of closed months came late or changed: they wait in the table calls_late and count nowhere; \
             `marginlake close MONTH --reopen` lets them in",
            outcome.late
        )
    });
    late.into_iter().chain(outlook.sentence()).collect()
}

/// Settles what is new; also the first step of every report.
pub(crate) async fn settle(lake: &Lake, options: SettleOptions, catalogue: &Catalogue) -> anyhow::Result<SettleOutcome> {
    Ok(driver::run(lake, options, &CataloguePricer::new(catalogue)).await?)
}

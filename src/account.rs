//! `marginlake account`: what the account pays beside its calls, and what it is let off.

use std::io::Write;
use std::path::PathBuf;

use chrono::{Datelike, NaiveDate};
use clap::Args;
use marginlake_lake::days_since_epoch;
use marginlake_pricing::Amount;

use crate::config;
use crate::exit::Usage;

#[derive(Debug, Args)]
pub(crate) struct AccountArgs {
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE")]
    lake: String,
    /// Configuration file (TOML) with [[allowance]] and [[capacity]]
    #[arg(long, env = "MARGINLAKE_CONFIG")]
    config: Option<PathBuf>,
    /// First day (YYYY-MM-DD)
    #[arg(long)]
    from: NaiveDate,
    /// Last day, inclusive (YYYY-MM-DD)
    #[arg(long)]
    to: NaiveDate,
}

/// CSV of the lines, and their sum beside that of the receipts: neither is part of any call's cost.
pub(crate) fn run(args: AccountArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=info,marginlake_reporter=info");
    if args.from > args.to {
        return Err(Usage(format!("--from {} is after --to {}", args.from, args.to)).into());
    }
    let account = config::load(args.config.as_deref())?.account()?;
    if account.is_empty() {
        return Err(Usage("the configuration has neither [[allowance]] nor [[capacity]]".to_owned()).into());
    }
    // A monthly allowance is used up from the first of the month on.
    let month = args.from.with_day(1).unwrap_or(args.from);
    let used = crate::runtime()?.block_on(async {
        let lake = crate::lake::open_for_reading(&args.lake)?;
        anyhow::Ok(marginlake_reporter::account::daily_use(&lake, month, args.to).await?)
    })?;
    let (first, last) = (days_since_epoch(args.from), days_since_epoch(args.to));
    let mut out = std::io::stdout();
    writeln!(out, "date,kind,id,quantity,amount_usd,reference")?;
    for line in account.lines(&used, first, last) {
        let date = NaiveDate::from_epoch_days(line.day).unwrap_or_default();
        writeln!(
            out,
            "{date},{},{},{},{},{}",
            line.kind,
            quoted(&line.id),
            line.quantity,
            line.amount,
            quoted(&line.reference)
        )?;
    }
    let calls = used
        .iter()
        .filter(|one| one.day >= first)
        .try_fold(Amount::ZERO, |sum, one| sum.checked_add(one.amount));
    if let Some(calls) = calls {
        let calls = calls.normalised();
        writeln!(out, "{},calls,(all receipts),,{calls},", args.to)?;
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

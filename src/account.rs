//! `marginlake account`: what the account pays beside its calls, and what it is let off.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use chrono::{Datelike, NaiveDate};
use clap::{Args, ValueEnum};
use marginlake_lake::days_since_epoch;
use marginlake_pricing::Amount;
use marginlake_pricing::account::AccountLine;

use crate::columns::columns;
use crate::config;
use crate::days::Days;
use crate::exit::Usage;

#[derive(Debug, Args)]
pub(crate) struct AccountArgs {
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE")]
    lake: String,
    /// Configuration file (TOML) with [[allowance]] and [[capacity]]
    #[arg(long, env = "MARGINLAKE_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    days: Days,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// Columns for people, and the sum of the account
    #[default]
    Table,
    /// Every line, exact
    Csv,
}

/// Prints the lines. None of them is part of any call's cost.
pub(crate) fn run(args: AccountArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=info,marginlake_reporter=info");
    args.days.check()?;
    let account = config::load(args.config.as_deref())?.account()?;
    if account.is_empty() {
        return Err(Usage("the configuration has neither [[allowance]] nor [[capacity]]".to_owned()).into());
    }
    // A monthly allowance is used up from the first of the month on.
    let month = args.days.from.with_day(1).unwrap_or(args.days.from);
    let used = crate::runtime()?.block_on(async {
        let lake = crate::lake::open_for_reading(&args.lake)?;
        anyhow::Ok(marginlake_reporter::account::daily_use(&lake, month, args.days.to).await?)
    })?;
    let (first, last) = (days_since_epoch(args.days.from), days_since_epoch(args.days.to));
    let calls = used
        .iter()
        .filter(|one| one.day >= first)
        .try_fold(Amount::ZERO, |sum, one| sum.checked_add(one.amount))
        .context("the receipts add up to more than 38 digits")?;
    let lines = account.lines(&used, first, last);
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Csv => csv(&lines, &mut out)?,
        Format::Table => table(&lines, calls, &mut out)?,
    }
    Ok(())
}

fn date_of(line: &AccountLine) -> NaiveDate {
    NaiveDate::from_epoch_days(line.day).unwrap_or_default()
}

fn csv(lines: &[AccountLine], out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "date,kind,id,quantity,amount_usd,reference")?;
    for line in lines {
        let (date, id, reference) = (date_of(line), quoted(&line.id), quoted(&line.reference));
        writeln!(out, "{date},{},{id},{},{},{reference}", line.kind, line.quantity, line.amount)?;
    }
    Ok(())
}

/// The lines, their sums, and beside them the receipts of the calls, of which none of them is a part.
fn table(lines: &[AccountLine], calls: Amount, out: &mut impl Write) -> anyhow::Result<()> {
    let row = |line: &AccountLine| {
        let date = date_of(line).to_string();
        let (quantity, amount) = (line.quantity.to_string(), line.amount.to_string());
        vec![
            date,
            line.kind.to_string(),
            line.id.clone(),
            quantity,
            amount,
            line.reference.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    columns(&["day", "kind", "id", "quantity", "USD", "reference"], &rows, out)?;
    let beside = lines
        .iter()
        .try_fold(Amount::ZERO, |sum, line| sum.checked_add(line.amount))
        .context("the lines add up to more than 38 digits")?;
    let all = calls
        .checked_add(beside)
        .context("the account adds up to more than 38 digits")?;
    let sums = [
        ("receipts of the calls", calls),
        ("these lines", beside),
        ("the account", all),
    ];
    writeln!(out)?;
    for (what, sum) in sums {
        writeln!(out, "{what:<22} {:>20} USD", sum.normalised().to_string())?;
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

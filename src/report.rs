//! `marginlake report`: settle, join revenue, compute margins, publish.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use clap::Args;
use marginlake_lake::Lake;
use marginlake_pricing::Catalogue;
use marginlake_reporter::output::{TerminalStyle, terminal};
use marginlake_reporter::report::{self, OutputFormat, ReportOptions};
use marginlake_reporter::revenue::{Amount, Currency, Policies, RevenueInputs};
use marginlake_reporter::settle::Rules;
use marginlake_reporter::settle::driver::SettleOptions;

use crate::exit::{Crossed, Usage};
use crate::{config, settle};

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE")]
    lake: String,
    #[command(flatten)]
    revenue: RevenueArgs,
    /// Our customer for each customer of a billing system: customer_id,source,source_customer_id,valid_from,valid_to
    #[arg(long, value_name = "FILE")]
    customer_map: Option<PathBuf>,
    /// Exchange rates in the shape of the ECB's history: Date, then a column a currency, per euro
    #[arg(long, value_name = "FILE")]
    fx: Option<PathBuf>,
    /// First day, inclusive (YYYY-MM-DD) [default: the first day with calls or revenue]
    #[arg(long)]
    from: Option<NaiveDate>,
    /// Last day, inclusive (YYYY-MM-DD) [default: the last day with calls or revenue]
    #[arg(long)]
    to: Option<NaiveDate>,
    /// Folder for the page and the files; its content is replaced by one rename
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Files to write under --out, beside Parquet
    #[arg(long, value_delimiter = ',', default_value = "html,csv,json,md,xlsx")]
    format: Vec<OutputFormat>,
    /// Currency of the report
    #[arg(long, default_value = "USD", value_parser = currency)]
    currency: Currency,
    /// Exit with code 3 when the gross margin is below this many percent, or there is no revenue to have one of
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    fail_under_margin: Option<Amount>,
    /// The time that the outputs name as theirs (RFC 3339); without it they name none
    #[arg(long)]
    as_of: Option<DateTime<Utc>>,
    /// Configuration file (TOML)
    #[arg(long, env = "MARGINLAKE_CONFIG")]
    config: Option<PathBuf>,
}

/// The revenue files of a command.
#[derive(Debug, Args)]
pub(crate) struct RevenueArgs {
    /// Revenue exports: the generic CSV, or those of Stripe, Chargebee, Recurly, Lago, Paddle, RevenueCat, Shopify, Lemon
    /// Squeezy, the App Store and ChartMogul, told by their header; may be given several times
    #[arg(long = "revenue", value_name = "FILE", num_args = 1..)]
    files: Vec<PathBuf>,
    /// Second files of a source, such as invoices=FILE,customers=FILE
    #[arg(long = "revenue-join", value_name = "KEY=FILE", value_delimiter = ',')]
    joins: Vec<String>,
    /// What an export means that none of these is: a mapping file (docs/revenue.md), or the name of a preset to insist on
    #[arg(long = "revenue-mapping", value_name = "FILE")]
    mappings: Vec<PathBuf>,
}

impl RevenueArgs {
    pub(crate) fn inputs(self, more: Option<PathBuf>, policies: &Policies) -> anyhow::Result<RevenueInputs> {
        let mut joins = BTreeMap::new();
        for join in self.joins {
            let (key, file) = join
                .split_once('=')
                .filter(|(key, file)| !key.is_empty() && !file.is_empty())
                .ok_or_else(|| {
                    Usage(format!(
                        "--revenue-join {join:?}: write KEY=FILE, such as invoices=invoices.csv"
                    ))
                })?;
            if joins.insert(key.to_owned(), PathBuf::from(file)).is_some() {
                return Err(Usage(format!("--revenue-join: {key} is given twice")).into());
            }
        }
        Ok(RevenueInputs {
            files: more.into_iter().chain(self.files).collect(),
            joins,
            mappings: self.mappings,
            policies: policies.clone(),
        })
    }
}

fn currency(text: &str) -> Result<Currency, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is not an ISO 4217 currency code, such as USD or EUR"))
}

pub(crate) fn run(args: ReportArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=info,marginlake_reporter=info");
    let file = config::load(args.config.as_deref())?;
    let (catalogue, rules) = (file.catalogue()?, file.rules()?);
    let options = ReportOptions {
        revenue: args.revenue.inputs(None, &file.revenue)?,
        customer_map: args.customer_map,
        fx: args.fx,
        from: args.from,
        to: args.to,
        out: args.out,
        formats: args.format,
        currency: args.currency,
        as_of: args.as_of,
    };
    let reported = crate::runtime()?
        .block_on(async { report(&crate::lake::open_for_reading(&args.lake)?, &options, catalogue, rules).await })?;
    let mut out = std::io::stdout();
    out.write_all(reported.shown.as_bytes())?;
    if let Some(folder) = &options.out {
        writeln!(out, "\nfiles: {}", folder.display())?;
    }
    match (args.fail_under_margin, reported.gross_margin_pct) {
        (Some(floor), Some(margin)) if margin < floor => {
            Err(Crossed(format!("the gross margin is {} %, below {floor} %", margin.rounded(1))).into())
        }
        (Some(floor), None) => Err(Crossed(format!("there is no revenue, so no gross margin of {floor} %")).into()),
        _ => Ok(()),
    }
}

fn percent(text: &str) -> Result<Amount, String> {
    Amount::parse_major(text).map_err(|_| format!("{text:?} is not a percentage, such as 40 or 37.5"))
}

/// What a run has to tell.
pub(crate) struct Reported {
    /// What the terminal shows.
    pub(crate) shown: String,
    /// In percent of revenue; at most this, where costs are unknown.
    gross_margin_pct: Option<Amount>,
}

/// One whole run. The user's files are read first: nothing is written for a bad one.
pub(crate) async fn report(
    lake: &Lake,
    options: &ReportOptions,
    catalogue: &Catalogue,
    rules: Arc<Rules>,
) -> anyhow::Result<Reported> {
    let wrong = |error: report::ReportError| match error.is_usage() {
        true => anyhow::Error::from(Usage(error.to_string())),
        false => error.into(),
    };
    let inputs = report::read_inputs(options).map_err(wrong)?;
    settle::settle(
        lake,
        SettleOptions {
            rules,
            ..Default::default()
        },
        catalogue,
    )
    .await?;
    let outcome = report::report(lake, options, inputs).await.map_err(wrong)?;
    Ok(Reported {
        shown: terminal(&outcome.model, style()),
        gross_margin_pct: outcome.model.total.gross_margin_pct(),
    })
}

/// Colours only where somebody looks and did not ask for none; the shell's `COLUMNS` for the width.
fn style() -> TerminalStyle {
    let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    TerminalStyle {
        width: columns.unwrap_or(TerminalStyle::default().width).max(60),
        color,
    }
}

//! `marginlake report`: settle, join revenue, compute margins, publish.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use clap::Args;
use marginlake_lake::{Lake, LakeError, Lease};
use marginlake_pricing::Catalogue;
use marginlake_reporter::allocate::RevenueKey;
use marginlake_reporter::bills::BillFile;
use marginlake_reporter::output::{TerminalStyle, terminal};
use marginlake_reporter::report::{self, OutputFormat, ReportOptions, ReportPolicy};
use marginlake_reporter::revenue::{Amount, Currency, Policies, RevenueInputs};
use marginlake_reporter::settle::Rules;
use marginlake_reporter::settle::driver::SettleOptions;
use serde::Deserialize;

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
    /// Costs that are no calls: FOCUS files or amount,currency,period_start,period_end; ID=FILE for the [[bill]] of that id
    #[arg(long, value_name = "[ID=]FILE", num_args = 1..)]
    bill: Vec<BillFile>,
    /// What became of conversations and tasks: conversation_id or task_id, outcome, at
    #[arg(long, value_name = "FILE", num_args = 1..)]
    outcomes: Vec<PathBuf>,
    /// By what revenue is shared out where nobody says what it was for: cost, usage, equal, weights [default: cost]
    #[arg(long, value_name = "BY")]
    allocation: Option<RevenueKey>,
    /// First day, inclusive (YYYY-MM-DD) [default: the first day with calls or revenue]
    #[arg(long)]
    from: Option<NaiveDate>,
    /// Last day, inclusive (YYYY-MM-DD) [default: the last day with calls or revenue]
    #[arg(long)]
    to: Option<NaiveDate>,
    /// The nightly report: the days up to yesterday (UTC). A second run of the same night writes the same bytes; calls and
    /// revenue that came late restate all of its days
    #[arg(long, conflicts_with_all = ["from", "to"])]
    yesterday: bool,
    /// Days of the nightly report, the last of them yesterday
    #[arg(long, value_name = "DAYS", default_value_t = 28, requires = "yesterday", value_parser = clap::value_parser!(u16).range(1..=3660))]
    days: u16,
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
    /// Leave the small files of closed days alone, which are otherwise compacted behind the report as by `marginlake maintain`
    #[arg(long)]
    no_maintain: bool,
    /// Say on standard error what is being done; on a terminal always
    #[arg(long)]
    progress: bool,
    /// Configuration file (TOML)
    #[arg(long, env = "MARGINLAKE_CONFIG")]
    config: Option<PathBuf>,
}

/// `[report]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ReportSection {
    allocation: Option<RevenueKey>,
    allocation_weights: Option<PathBuf>,
    target_margin_pct: Option<String>,
    maintain: Option<bool>,
}

impl ReportSection {
    /// What the file decides, with the flag over it.
    fn policy(&self, allocation: Option<RevenueKey>) -> anyhow::Result<ReportPolicy> {
        let default = ReportPolicy::default();
        let target = self.target_margin_pct.as_deref().map(percent).transpose();
        Ok(ReportPolicy {
            allocation: allocation.or(self.allocation).unwrap_or(default.allocation),
            allocation_weights: self.allocation_weights.clone(),
            target_margin_pct: target
                .map_err(|error| Usage(format!("[report] target_margin_pct: {error}")))?
                .unwrap_or(default.target_margin_pct),
        })
    }
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
    crate::logging::start_with_progress("marginlake=info,marginlake_reporter=info", args.progress);
    let file = config::load(args.config.as_deref())?;
    let (catalogue, rules) = (file.catalogue()?, file.rules()?);
    let night = args.yesterday.then(|| Night::before(Utc::now(), args.days));
    let options = ReportOptions {
        revenue: args.revenue.inputs(None, &file.revenue)?,
        customer_map: args.customer_map,
        fx: args.fx,
        from: args.from.or(night.map(|night| night.from)),
        to: args.to.or(night.map(|night| night.to)),
        out: args.out,
        formats: args.format,
        currency: args.currency,
        bills: file.bill.clone(),
        bill_files: args.bill,
        outcomes: args.outcomes,
        outcome_labels: file.outcomes.clone(),
        policy: file.report.policy(args.allocation)?,
        as_of: args.as_of.or(night.map(|night| night.as_of)),
        config: args.config,
        catalogue_hash: Some(catalogue.hash().to_owned()),
    };
    let maintains = !args.no_maintain && file.report.maintain.unwrap_or(true);
    let reported = crate::runtime()?.block_on(async {
        let lake = crate::lake::open_for_reading(&args.lake)?;
        let reported = report(&lake, &options, catalogue, rules).await?;
        if maintains {
            crate::maintain::behind_report(&lake).await;
        }
        anyhow::Ok(reported)
    })?;
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

/// The days of a nightly report, and the time that it names as its own: the midnight that ended them, whenever it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Night {
    from: NaiveDate,
    to: NaiveDate,
    as_of: DateTime<Utc>,
}

impl Night {
    fn before(now: DateTime<Utc>, days: u16) -> Night {
        let today = now.date_naive();
        let back = |days: u16| today.checked_sub_days(Days::new(days.into())).unwrap_or(NaiveDate::MIN);
        Night {
            from: back(days),
            to: back(1),
            as_of: today.and_time(NaiveTime::MIN).and_utc(),
        }
    }
}

pub(crate) fn percent(text: &str) -> Result<Amount, String> {
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
    // One run at a time, whatever machine it is on.
    let lease = Lease::acquire(lake, "report").await.map_err(already)?;
    let outcome = async {
        let rules = SettleOptions {
            rules,
            ..Default::default()
        };
        settle::settle(lake, rules, catalogue).await?;
        report::report(lake, Some(&lease), options, inputs).await.map_err(wrong)
    }
    .await;
    if let Err(error) = lease.release().await {
        // It runs out by itself.
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "cannot give the lease for reports back"
        );
    }
    let outcome = outcome?;
    Ok(Reported {
        shown: terminal(&outcome.model, style()),
        gross_margin_pct: outcome.model.total.gross_margin_pct(),
    })
}

/// Why a run must wait, and for whom.
fn already(error: LakeError) -> anyhow::Error {
    match error {
        LakeError::Leased { owner, until, .. } => anyhow::anyhow!(
            "another report on this lake is running: {owner} has it until {until} and renews it while it works; wait until it is done"
        ),
        error => error.into(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_report_waits_for_the_first_and_a_refused_one_holds_nobody_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = Lake::open(&folder.path().to_string_lossy()).expect("a lake");
        let report = async || {
            let options = ReportOptions::default();
            let reported = report(&lake, &options, Catalogue::embedded(), Arc::default()).await;
            reported.err().map_or_else(String::new, |error| format!("{error:#}"))
        };
        let lease = Lease::acquire(&lake, "report").await.expect("free");
        let refused = report().await;
        assert!(
            refused.contains("another report on this lake is running: process "),
            "{refused}"
        );
        lease.release().await.expect("released");
        // There is nothing to report, twice: the first gave the lease back.
        for _ in 0..2 {
            let empty = report().await;
            assert!(empty.contains("there is nothing to report"), "{empty}");
        }
    }

    #[test]
    fn a_night_is_the_same_whenever_it_runs() {
        let night = |time: &str, days| Night::before(time.parse().expect("a time"), days);
        let early = night("2026-03-01T00:00:01Z", 28);
        assert_eq!(early, night("2026-03-01T23:59:59Z", 28));
        assert_eq!(
            (early.from.to_string(), early.to.to_string()),
            ("2026-02-01".into(), "2026-02-28".into())
        );
        assert_eq!(early.as_of.to_rfc3339(), "2026-03-01T00:00:00+00:00");
        let one = night("2026-01-01T02:30:00Z", 1);
        assert_eq!(
            (one.from.to_string(), one.to.to_string()),
            ("2025-12-31".into(), "2025-12-31".into())
        );
    }
}

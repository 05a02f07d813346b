//! `marginlake demo`: the whole product on one month of generated traffic.
//!
//! A real collector on free ports, real OTLP from the OpenTelemetry SDK, a real lake and report. Only the month is
//! invented: see `demo/traffic.rs` for what happens in it and `demo/shapes.rs` for the public traces it is shaped on.
//! The month and all ids come from a seed: every run gives the same figures and the same files under `--out`.

mod books;
mod cast;
mod dialect;
mod folder;
mod ids;
mod ledger;
mod month;
mod revenue;
mod send;
mod shapes;
mod steps;
mod story;
mod traffic;
mod verify;
mod work;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use marginlake_collector::{Collector, Config, Durability, Limits, Security};
use marginlake_lake::Lake;
use marginlake_pricing::Catalogue;
use marginlake_reporter::bills::BillFile;
use marginlake_reporter::report::{ReportOptions, read_inputs};
use marginlake_reporter::revenue::RevenueInputs;
use marginlake_reporter::settle::driver::SettleOptions;

use crate::config::{self, FileConfig};
use crate::exit::Usage;
use books::Books;
use ledger::Ledger;
use send::Senders;
use steps::Steps;
use traffic::Volume;
use work::Trace;

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Folder of the demo's lake; an earlier demo's is made anew, anything else is left alone
    #[arg(long, value_name = "DIR", default_value = "marginlake-demo/lake")]
    lake: PathBuf,
    /// Folder of the report and of the revenue file; an earlier report is replaced, anything else is left alone
    #[arg(long, value_name = "DIR", default_value = "marginlake-demo/out")]
    out: PathBuf,
}

/// What a demo made.
#[derive(Debug)]
struct Made {
    ledger: Ledger,
    books: Books,
    /// The report as the terminal shows it.
    report: String,
}

pub(crate) fn run(args: DemoArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=warn");
    let steps = Steps::start();
    let made = crate::runtime()?.block_on(make(&args, Volume::MONTH, &steps))?;
    steps.finish();
    let mut out = std::io::stdout();
    out.write_all(story::tell(&made, &args.lake, &args.out).as_bytes())?;
    Ok(out.flush()?)
}

async fn make(args: &DemoArgs, volume: Volume, steps: &Steps) -> anyhow::Result<Made> {
    check_clock(Utc::now())?;
    if args.lake == args.out {
        return Err(Usage(format!("--lake and --out are both {}: name two folders", args.out.display())).into());
    }
    // The report checks its folder itself, but nobody should wait a month for the refusal.
    let only_out = ReportOptions {
        out: Some(args.out.clone()),
        ..ReportOptions::default()
    };
    read_inputs(&only_out).map_err(|error| Usage(error.to_string()))?;
    folder::prepare(&args.lake)?;

    steps.next("making the month");
    let traces = traffic::generate(volume);
    let ledger = Ledger::of(&traces);
    collect(&args.lake, traces, ledger.spans, steps).await?;

    steps.next("settling");
    let lake = Lake::open(&args.lake.to_string_lossy())?;
    let config = config::parse(books::CONFIG)?;
    let options = SettleOptions {
        rules: config.rules()?,
        ..SettleOptions::default()
    };
    crate::settle::settle(&lake, options, Catalogue::embedded()).await?;
    verify::verify(&lake, &ledger).await?;

    steps.next("reporting");
    let books = Books::write(&args.lake, &ledger)?;
    let report = report(&lake, args, &books, &config).await?;
    Ok(Made { ledger, books, report })
}

/// Runs a collector for as long as the month is sent.
async fn collect(lake: &Path, traces: Vec<Trace>, spans: u64, steps: &Steps) -> anyhow::Result<()> {
    let collector = Collector::start(collector_config(lake)).await?;
    let senders = Senders::connect(collector.grpc_address())?;
    let progress = steps.counting("sending the month over OTLP/gRPC", spans);
    // The SDK's calls block; they have a thread of their own.
    tokio::task::spawn_blocking(move || senders.send(&traces, |sent| progress.set_position(sent)))
        .await
        .context("the sender stopped unexpectedly")??;
    steps.next("committing to the lake");
    collector.stop().await?;
    Ok(())
}

fn collector_config(lake: &Path) -> Config {
    let free_port = SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        lake: lake.to_string_lossy().into_owned(),
        state_dir: None,
        collector_id: "demo".into(),
        grpc_address: free_port,
        http_address: free_port,
        security: Security::default(),
        commit_interval: Duration::from_secs(10),
        durability: Durability::Sync,
        limits: Limits::default(),
        log_limit_bytes: 1 << 30,
        attribution: Default::default(),
        forward: None,
        telemetry: None,
        catalogue: Catalogue::embedded(),
    }
}

/// Reports on the month; what the terminal shows.
async fn report(lake: &Lake, args: &DemoArgs, books: &Books, config: &FileConfig) -> anyhow::Result<String> {
    let (first, last) = month::days();
    let options = ReportOptions {
        revenue: RevenueInputs {
            files: vec![books.revenue.clone()],
            ..RevenueInputs::default()
        },
        bills: config.bill.clone(),
        bill_files: vec![BillFile {
            id: None,
            path: books.bill.clone(),
        }],
        outcomes: vec![books.outcomes.clone()],
        from: Some(first),
        to: Some(last),
        out: Some(args.out.clone()),
        as_of: DateTime::from_timestamp_nanos(month::END as i64).into(),
        ..ReportOptions::default()
    };
    let reported = crate::report::report(lake, &options, Catalogue::embedded(), config.rules()?).await?;
    // The report replaces `--out` as a whole, so the files wait in the lake's folder until that is done.
    books.copy(&args.out)?;
    Ok(reported.shown)
}

/// A span from the future is dated and priced by its receipt, so that the month would not be in its month.
fn check_clock(now: DateTime<Utc>) -> anyhow::Result<()> {
    let (_, last) = month::days();
    if now.date_naive() > last {
        return Ok(());
    }
    let today = now.date_naive();
    Err(Usage(format!(
        "this machine's clock says {today}, but the demo's month ends on {last}: set the clock"
    ))
    .into())
}

#[cfg(test)]
mod tests;

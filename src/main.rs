//! The command line: arguments, configuration, one command, exit code.
//!
//! Exit codes: 0 done; 1 failed while running; 2 wrong arguments or configuration; 3 a threshold the user set was crossed.

mod account;
mod close;
mod collect;
mod columns;
mod config;
mod days;
mod demo;
mod exit;
mod explain;
mod focus;
mod keys;
mod lake;
mod logging;
mod maintain;
mod prices;
mod reconcile;
mod report;
mod reprice;
mod revenue;
mod settle;
mod sql;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Bodies and rows are allocated on one thread and freed on another, which the system's allocator is slow at and keeps
/// memory for (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Does this AI feature make money? OTLP in, exact LLM costs in a Delta lake, revenue joined, margins out.
#[derive(Debug, Parser)]
#[command(name = "marginlake", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All of it on generated traffic: collect, settle, report; ends with the margins
    Demo(demo::DemoArgs),
    /// Receive OTLP and write priced spans to the lake
    Collect(collect::CollectArgs),
    /// Make keys that let applications send to a collector
    Keys(keys::KeysCommand),
    /// Turn received spans into billable calls, each counted once
    Settle(settle::SettleArgs),
    /// Join revenue, compute margins, and publish the report
    Report(report::ReportArgs),
    /// Price settled calls again and show what moves
    Reprice(reprice::RepriceArgs),
    /// Show what the account pays beside its calls: reserved capacity and free allowances, by day
    Account(account::AccountArgs),
    /// Close a month: export its calls and marts with a hash, and let nothing move them
    Close(close::CloseArgs),
    /// Lay providers' bills beside what was computed: the difference by day and model, and why
    Reconcile(reconcile::ReconcileArgs),
    /// Write what calls cost as FOCUS rows, for the tools of FinOps
    Focus(focus::FocusArgs),
    /// Show a trace as a tree: what was billed, what was not, and why
    Explain(explain::ExplainArgs),
    /// Look into the price catalogue and price usage records
    Prices(prices::PricesArgs),
    /// Look into revenue files
    Revenue(revenue::RevenueCommand),
    /// Compact closed days, delete what is no longer needed, export closed days as plain Parquet
    Maintain(maintain::MaintainArgs),
    /// Query the lake with SQL: one query, or a prompt when none is given
    Sql(sql::SqlArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Collect(args) => collect::run(args),
        Command::Keys(command) => keys::run(command),
        Command::Settle(args) => settle::run(args),
        Command::Report(args) => report::run(args),
        Command::Reprice(args) => reprice::run(args),
        Command::Account(args) => account::run(args),
        Command::Close(args) => close::run(args),
        Command::Reconcile(args) => reconcile::run(args),
        Command::Focus(args) => focus::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Prices(args) => prices::run(args),
        Command::Revenue(command) => revenue::run(command),
        Command::Maintain(args) => maintain::run(args),
        Command::Sql(args) => sql::run(args),
    };
    exit::code(done)
}

/// The async runtime of every command.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

//! `marginlake focus`: what calls cost, as FOCUS rows for the tools of FinOps.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use marginlake_reporter::focus::{FocusOptions, focus_rows};
use marginlake_reporter::shell::{Format, write_rows};

use crate::days::Days;

#[derive(Debug, Args)]
pub(crate) struct FocusArgs {
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE")]
    lake: String,
    #[command(flatten)]
    days: Days,
    /// BillingAccountId of every row: who pays the providers
    #[arg(long, value_name = "ID", default_value = "marginlake")]
    billing_account: String,
    /// Put our cost in BilledCost too, for tools that read nothing else. Without it BilledCost is 0: nobody has invoiced it
    #[arg(long)]
    billed: bool,
    /// csv, json, ndjson, parquet or table
    #[arg(long, default_value = "csv")]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(long)]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: FocusArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=warn");
    args.days.check()?;
    let options = FocusOptions {
        from: args.days.from,
        to: args.days.to,
        billing_account: args.billing_account,
        billed: args.billed,
    };
    let export = crate::runtime()?.block_on(async {
        let lake = crate::lake::open_for_reading(&args.lake)?;
        anyhow::Ok(focus_rows(&lake, &options).await?)
    })?;
    match &args.output {
        Some(path) => {
            let mut out = BufWriter::new(File::create(path).with_context(|| format!("cannot create {}", path.display()))?);
            write_rows(&[export.rows], args.format, &mut out)?;
            out.flush()?;
        }
        None => {
            let mut out = BufWriter::new(io::stdout());
            write_rows(&[export.rows], args.format, &mut out)?;
            out.flush()?;
        }
    }
    if export.unpriced_calls > 0 {
        writeln!(
            io::stderr(),
            "{} calls of these days have no known cost and are not among the rows: see `marginlake prices` and `marginlake reprice`",
            export.unpriced_calls
        )?;
    }
    Ok(())
}

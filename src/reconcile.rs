//! `marginlake reconcile`: what we computed beside what providers ask for.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use chrono::NaiveDate;
use clap::Args;
use marginlake_reporter::reconcile::{ReconcileError, ReconcileOptions, reconcile, rows_batch, total};
use marginlake_reporter::revenue::Amount;
use marginlake_reporter::shell::{Format, write_rows};

use crate::exit::{Crossed, Usage};

#[derive(Debug, Args)]
pub(crate) struct ReconcileArgs {
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE")]
    lake: String,
    /// Bills of providers: OpenAI's costs or Anthropic's cost report as JSON, a FOCUS file, or a CSV date,model,amount,currency
    /// and optionally provider,tokens
    #[arg(long = "bill", value_name = "FILE", num_args = 1.., required = true)]
    bills: Vec<PathBuf>,
    /// Provider of bills that name none, as `calls.provider` has it (openai, anthropic, aws.bedrock)
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// First day (YYYY-MM-DD) [default: the first day of the bills]
    #[arg(long)]
    from: Option<NaiveDate>,
    /// Last day, inclusive (YYYY-MM-DD) [default: the last day of the bills]
    #[arg(long)]
    to: Option<NaiveDate>,
    /// Exit with code 3 when bill and lake differ by more than this many percent of the bill
    #[arg(long, value_name = "PERCENT", value_parser = crate::report::percent)]
    fail_over: Option<Amount>,
    /// table, csv, json, ndjson or parquet
    #[arg(long, default_value = "table")]
    format: Format,
}

pub(crate) fn run(args: ReconcileArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=warn");
    let options = ReconcileOptions {
        bills: args.bills,
        provider: args.provider,
        from: args.from,
        to: args.to,
    };
    let rows = crate::runtime()?.block_on(async {
        let lake = crate::lake::open_for_reading(&args.lake)?;
        reconcile(&lake, &options).await.map_err(|error| match error {
            ReconcileError::Bill(error) => anyhow::Error::from(Usage(error.to_string())),
            error => error.into(),
        })
    })?;
    let mut out = BufWriter::new(io::stdout());
    write_rows(&[rows_batch(&rows)?], args.format, &mut out)?;
    let all = total(&rows);
    let difference = all.difference();
    let size = if difference.is_negative() { -difference } else { difference };
    let hundred = 100 * 10_i128.pow(12);
    let percent = (all.billed_cost > Amount::ZERO)
        .then(|| size.ratio(hundred, all.billed_cost.scaled()))
        .flatten();
    if args.format == Format::Table {
        writeln!(
            out,
            "billed {} USD, computed {} USD, difference {} USD{}",
            all.billed_cost.rounded(2),
            all.lake_cost.rounded(2),
            difference.rounded(2),
            percent.map_or_else(String::new, |percent| format!(" ({} % of the bill)", percent.rounded(1)))
        )?;
    }
    out.flush()?;
    match (args.fail_over, percent) {
        (Some(limit), Some(percent)) if percent > limit => Err(Crossed(format!(
            "bill and lake differ by {} % of the bill, more than {limit} %",
            percent.rounded(1)
        ))
        .into()),
        (Some(_), None) => Err(Crossed("the bill asks for nothing, so nothing can be a share of it".to_owned()).into()),
        _ => Ok(()),
    }
}

//! `marginlake sql`: one query or the prompt.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use marginlake_reporter::prices_sql;
use marginlake_reporter::session;
use marginlake_reporter::shell::{Format, prompt, write_rows};

use crate::config;
use crate::exit::Usage;

#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE")]
    lake: String,
    /// Configuration file (TOML): its prices are in `prices` and `llm_cost`
    #[arg(long, env = "MARGINLAKE_CONFIG")]
    config: Option<PathBuf>,
    /// The query; `-` reads it from standard input; none opens the prompt
    query: Option<String>,
    /// table, csv, json, ndjson or parquet
    #[arg(long, default_value = "table")]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(long)]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: SqlArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=warn");
    if args.format == Format::Parquet && args.output.is_none() && io::stdout().is_terminal() {
        return Err(Usage("parquet is not for terminals: add --output FILE".into()).into());
    }
    let catalogue = match &args.config {
        Some(path) => Some(config::load(Some(path))?.catalogue()?),
        None => None,
    };
    crate::runtime()?.block_on(async {
        let lake = crate::lake::open_for_reading(&args.lake)?;
        let session = session::open_session(&lake).await?;
        if let Some(catalogue) = catalogue {
            prices_sql::register_catalogue(&session, catalogue)?;
        }
        let Some(query) = query_text(args.query)? else {
            return Ok(prompt(&session, args.format).await?);
        };
        let batches = session::query(&session, &query).await?;
        match &args.output {
            Some(path) => {
                let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
                let mut out = BufWriter::new(file);
                write_rows(&batches, args.format, &mut out)?;
                out.flush()?;
            }
            None => {
                let mut out = BufWriter::new(io::stdout());
                write_rows(&batches, args.format, &mut out)?;
                out.flush()?;
            }
        }
        Ok(())
    })
}

/// `None` opens the prompt: no query, and somebody is there to type.
fn query_text(given: Option<String>) -> anyhow::Result<Option<String>> {
    match given {
        Some(query) if query != "-" => Ok(Some(query)),
        None if io::stdin().is_terminal() => Ok(None),
        _ => {
            let mut query = String::new();
            io::stdin()
                .read_to_string(&mut query)
                .context("cannot read the query from standard input")?;
            Ok(Some(query.trim().trim_end_matches(';').to_owned()))
        }
    }
}

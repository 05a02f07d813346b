//! `marginlake explain TRACE_ID`: why each record of a trace was billed or not.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use marginlake_reporter::settle::CataloguePricer;
use marginlake_reporter::settle::driver::component_of_trace;
use marginlake_reporter::settle::explain::explain;

use crate::config;

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE")]
    lake: String,
    /// The trace: 32 hexadecimal digits
    #[arg(value_parser = trace_id)]
    trace_id: TraceId,
    /// Configuration file (TOML)
    #[arg(long, env = "MARGINLAKE_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy)]
struct TraceId([u8; 16]);

fn trace_id(text: &str) -> Result<TraceId, String> {
    let wrong = || format!("{text:?} is not a trace id: write its 32 hexadecimal digits");
    let digits = text.trim().replace('-', "");
    if digits.len() != 32 || !digits.is_ascii() {
        return Err(wrong());
    }
    let mut bytes = [0; 16];
    for (byte, at) in bytes.iter_mut().zip((0..32).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong())?;
    }
    Ok(TraceId(bytes))
}

pub(crate) fn run(args: ExplainArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=warn");
    let file = config::load(args.config.as_deref())?;
    let (catalogue, rules) = (file.catalogue()?, file.rules()?);
    let TraceId(trace_id) = args.trace_id;
    let text = crate::runtime()?.block_on(async {
        let lake = crate::lake::open_for_reading(&args.lake)?;
        let (records, settled) = component_of_trace(&lake, trace_id, &CataloguePricer::new(catalogue), &rules).await?;
        if records.is_empty() {
            bail!("no record of this trace is in {lake}: spans show up after the collector's next commit");
        }
        Ok(explain(records, &settled, trace_id))
    })?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

//! `marginlake maintain`: compact, vacuum, checkpoint, export closed days.

use std::io::Write;
use std::time::Duration;

use chrono::Utc;
use clap::Args;
use marginlake_lake::{Lake, LakeError, MaintainOptions, Maintained, MaintainedTable, is_maintenance_due};
use marginlake_reporter::session::published_versions;

/// Days that the tables can still be read as they were.
const RETAIN_DAYS: u32 = 7;

#[derive(Debug, Args)]
pub(crate) struct MaintainArgs {
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE")]
    lake: String,
    /// Days that the tables can still be read as they were; older files and log entries are deleted
    #[arg(long, value_name = "DAYS", default_value_t = RETAIN_DAYS, value_parser = clap::value_parser!(u32).range(1..))]
    retain: u32,
}

pub(crate) fn run(args: MaintainArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=info,marginlake_lake=info");
    let maintained = crate::runtime()?.block_on(async {
        let lake = crate::lake::open_for_reading(&args.lake)?;
        maintain(&lake, args.retain).await
    })?;
    let mut out = std::io::stdout();
    let idle = maintained.tables.iter().filter(|table| is_idle(table)).count();
    for table in maintained.tables.iter().filter(|table| !is_idle(table)) {
        writeln!(out, "{}", sentence(table))?;
    }
    match (maintained.tables.len(), idle) {
        (0, _) => writeln!(out, "no tables yet: nothing to maintain")?,
        (_, 0) => {}
        (all, idle) if all == idle => writeln!(out, "nothing to do in any of {all} tables")?,
        (_, idle) => writeln!(out, "nothing to do in {idle} other tables")?,
    }
    Ok(())
}

async fn maintain(lake: &Lake, retain_days: u32) -> anyhow::Result<Maintained> {
    let options = MaintainOptions {
        retain: Duration::from_secs(u64::from(retain_days) * 86_400),
        now: Utc::now(),
        pinned: published_versions(lake).await?,
    };
    Ok(marginlake_lake::maintain(lake, &options).await?)
}

/// Maintains a lake whose closed days wait for it, behind a report. The figures are out by then: what goes wrong here is
/// said and fails nothing.
pub(crate) async fn behind_report(lake: &Lake) {
    let done = async {
        match is_maintenance_due(lake, Utc::now()).await? {
            true => maintain(lake, RETAIN_DAYS).await,
            false => Ok(Maintained::default()),
        }
    };
    match done.await {
        Ok(maintained) => {
            for table in maintained.tables.iter().filter(|table| table.compacted > 0) {
                tracing::info!("maintained {}", sentence(table));
            }
        }
        Err(error) if matches!(error.downcast_ref(), Some(LakeError::Leased { .. })) => {
            tracing::info!("closed days wait for maintenance: {error}");
        }
        Err(error) => tracing::warn!(error = crate::exit::chain(&error), "closed days could not be maintained"),
    }
}

fn is_idle(table: &MaintainedTable) -> bool {
    table.compacted + table.skipped + table.deleted_files + table.deleted_log_entries + table.exported_days == 0
}

fn sentence(table: &MaintainedTable) -> String {
    let mut text = format!(
        "{}: {} files became {}; {} old files and {} log entries deleted; {} days exported",
        table.name, table.files_before, table.files_after, table.deleted_files, table.deleted_log_entries, table.exported_days
    );
    if table.skipped > 0 {
        text.push_str(&format!(
            "; {} days changed meanwhile and are left for the next run",
            table.skipped
        ));
    }
    text
}

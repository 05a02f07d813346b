//! `marginlake maintain`: compact, vacuum, checkpoint, export closed days.

use std::io::Write;
use std::time::Duration;

use chrono::Utc;
use clap::Args;
use marginlake_lake::{MaintainOptions, MaintainedTable};
use marginlake_reporter::session::published_versions;

#[derive(Debug, Args)]
pub(crate) struct MaintainArgs {
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE")]
    lake: String,
    /// Days that the tables can still be read as they were; older files and log entries are deleted
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    retain: u32,
}

pub(crate) fn run(args: MaintainArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=info,marginlake_lake=info");
    let maintained = crate::runtime()?.block_on(async {
        let lake = crate::lake::open_for_reading(&args.lake)?;
        let options = MaintainOptions {
            retain: Duration::from_secs(u64::from(args.retain) * 86_400),
            now: Utc::now(),
            pinned: published_versions(&lake).await?,
        };
        anyhow::Ok(marginlake_lake::maintain(&lake, &options).await?)
    })?;
    let mut out = std::io::stdout();
    for table in &maintained.tables {
        writeln!(out, "{}", sentence(table))?;
    }
    if maintained.tables.is_empty() {
        writeln!(out, "no tables yet: nothing to maintain")?;
    }
    Ok(())
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

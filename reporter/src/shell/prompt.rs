//! The prompt: statements end with `;`, history is kept, Tab completes.

use std::io::{self, Write};
use std::path::PathBuf;

use datafusion::prelude::SessionContext;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::complete::Names;
use super::write::{Format, write_rows};
use crate::session;

const HELP: &str = "\
statements end with ;        Tab completes        Ctrl-D leaves
  \\d          tables          \\d NAME     columns of a table
  \\f FORMAT   table, csv, json, ndjson          \\q          leave
";

/// Reads statements until the user leaves; a wrong statement is answered, not fatal.
pub async fn prompt(session: &SessionContext, mut format: Format) -> io::Result<()> {
    let mut editor: Editor<Names, FileHistory> = Editor::with_config(
        Config::builder()
            .completion_type(CompletionType::List)
            .auto_add_history(true)
            .build(),
    )
    .map_err(io::Error::other)?;
    editor.set_helper(Some(Names::new(names(session).await)));
    let history = history_file();
    if let Some(path) = &history {
        // The first session has none.
        let _ = editor.load_history(path);
    }
    let mut out = io::stdout();
    writeln!(out, "marginlake SQL. \\h for help.")?;
    let mut statement = String::new();
    loop {
        let line = match editor.readline(if statement.is_empty() {
            "marginlake> "
        } else {
            "       ...> "
        }) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                statement.clear();
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(io::Error::other(error)),
        };
        let trimmed = line.trim();
        if statement.is_empty() && trimmed.starts_with('\\') {
            match command(trimmed, &mut format) {
                Command::Leave => break,
                Command::Query(sql) => run(session, &sql, Format::Table, &mut out).await?,
                Command::Say(text) => writeln!(out, "{text}")?,
            }
            continue;
        }
        statement.push_str(&line);
        statement.push('\n');
        if trimmed.ends_with(';') {
            run(session, statement.trim().trim_end_matches(';'), format, &mut out).await?;
            statement.clear();
        } else if trimmed.is_empty() && statement.trim().is_empty() {
            statement.clear();
        }
    }
    if let Some(path) = &history {
        if let Some(folder) = path.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        // History is a comfort: a home that cannot be written is no reason to fail.
        let _ = editor.save_history(path);
    }
    Ok(())
}

enum Command {
    Leave,
    Query(String),
    Say(String),
}

fn command(line: &str, format: &mut Format) -> Command {
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (Some("\\q"), _) => Command::Leave,
        (Some("\\d"), None) => Command::Query(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name".into(),
        ),
        (Some("\\d"), Some(table)) => Command::Query(format!(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{}' ORDER BY ordinal_position",
            table.replace('\'', "''")
        )),
        (Some("\\f"), Some(name)) => match name.parse() {
            Ok(Format::Parquet) => Command::Say("parquet needs a file: marginlake sql --format parquet --output FILE".into()),
            Ok(parsed) => {
                *format = parsed;
                Command::Say(format!("format {name}"))
            }
            Err(message) => Command::Say(message),
        },
        _ => Command::Say(HELP.to_owned()),
    }
}

async fn run(session: &SessionContext, sql: &str, format: Format, out: &mut io::Stdout) -> io::Result<()> {
    if sql.trim().is_empty() {
        return Ok(());
    }
    match session::query(session, sql).await {
        Ok(batches) => write_rows(&batches, format, out)?,
        Err(error) => writeln!(out, "error: {error}")?,
    }
    out.flush()
}

async fn names(session: &SessionContext) -> Vec<String> {
    let sql = "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' \
               UNION SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'";
    let Ok(batches) = session::query(session, sql).await else {
        return Vec::new();
    };
    batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(|row| super::cell::text(batch.column(0), row)))
        .collect()
}

fn history_file() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("MARGINLAKE_HISTORY") {
        return Some(path.into());
    }
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("marginlake").join("sql_history"))
}

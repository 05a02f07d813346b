//! `marginlake keys`: lines for the collector's key file. Only hashes are kept; the key itself is shown once.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use marginlake_collector::{Keys, key_line, new_key};

use crate::exit::Usage;

#[derive(Debug, Args)]
pub(crate) struct KeysCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a random key for a tenant: prints the key, once, and adds its hash to the key file
    New(LineArgs),
    /// Add a key that you already have, read from standard input
    Add(LineArgs),
    /// Read a key file and say how many keys it has
    Check {
        /// The key file
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
struct LineArgs {
    /// The tenant whose calls are sent with this key: the column `tenant` of everything that comes with it
    tenant: String,
    /// Key file that the line is added to; without it the line is printed to standard error
    #[arg(long)]
    file: Option<PathBuf>,
    /// What the key is for, kept beside the hash
    #[arg(long, default_value = "")]
    note: String,
}

pub(crate) fn run(command: KeysCommand) -> anyhow::Result<()> {
    match command.action {
        Action::New(args) => {
            let key = new_key();
            add(&args, &key)?;
            writeln!(std::io::stdout(), "{key}")?;
            Ok(())
        }
        Action::Add(args) => {
            let mut key = String::new();
            std::io::stdin().lock().read_line(&mut key)?;
            add(&args, key.trim())
        }
        Action::Check { file } => {
            let text =
                std::fs::read_to_string(&file).map_err(|error| Usage(format!("cannot read {}: {error}", file.display())))?;
            let keys = parse(&file, &text)?;
            writeln!(std::io::stdout(), "{} keys, {} tenants", keys.len(), keys.tenants())?;
            Ok(())
        }
    }
}

fn parse(file: &Path, text: &str) -> anyhow::Result<Keys> {
    Ok(Keys::parse(text).map_err(|error| Usage(format!("key file {}: {error}", file.display())))?)
}

fn add(args: &LineArgs, key: &str) -> anyhow::Result<()> {
    let line = key_line(key, &args.tenant, &args.note).map_err(|reason| Usage(reason.into()))?;
    let Some(file) = &args.file else {
        writeln!(std::io::stderr(), "{line}")?;
        return Ok(());
    };
    // A running collector reads the file at any moment: it sees the old file or the new one, whole.
    let old = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let separator = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
    let new = format!("{old}{separator}{line}\n");
    parse(file, &new)?;
    replace(file, &new).with_context(|| format!("cannot write {}", file.display()))
}

fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = file.with_file_name(name);
    let mut options = std::fs::OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(&temporary)?;
    out.write_all(text.as_bytes()).and_then(|()| out.sync_all())?;
    std::fs::rename(&temporary, file)
}

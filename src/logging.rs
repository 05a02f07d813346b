//! Logs go to standard error; standard output belongs to results and contracts.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// [`start`] for a command that may take long: says what it is about where somebody waits, or is told to.
pub(crate) fn start_with_progress(default: &str, asked_for: bool) {
    let shown = asked_for || std::io::stderr().is_terminal();
    let level = if shown { "info" } else { "off" };
    start(&format!("{default},{}={level}", marginlake_reporter::progress::TARGET));
}

/// Starts logging at `default` level, or what `MARGINLAKE_LOG` says (`info`, `debug`, `marginlake_collector=debug`…).
pub(crate) fn start(default: &str) {
    // The library warns each time that keeping a version is new in it; our tests keep that promise.
    let default = || EnvFilter::new(format!("warn,deltalake_core::operations::vacuum=error,{default}"));
    let filter = EnvFilter::try_from_env("MARGINLAKE_LOG").unwrap_or_else(|_| default());
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // A second start (the demo runs the collector inside) keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .try_init();
}

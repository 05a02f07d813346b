//! Shows on standard error how far the demo is; shows nothing where nobody looks.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The line that shows the progress.
#[derive(Debug)]
pub(super) struct Steps {
    bar: ProgressBar,
}

impl Steps {
    /// Draws on standard error where that is a terminal.
    pub(super) fn start() -> Steps {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.enable_steady_tick(Duration::from_millis(100));
        Steps { bar }
    }

    /// Draws nothing.
    #[cfg(test)]
    pub(super) fn hidden() -> Steps {
        Steps {
            bar: ProgressBar::hidden(),
        }
    }

    /// A step of unknown length.
    pub(super) fn next(&self, what: &'static str) {
        tracing::info!(step = what, "next step");
        self.bar.set_style(ProgressStyle::default_spinner());
        self.bar.set_message(what);
    }

    /// A step that counts up to `length`.
    pub(super) fn counting(&self, what: &'static str, length: u64) -> ProgressBar {
        tracing::info!(step = what, "next step");
        let style = ProgressStyle::with_template("{spinner} {msg} [{bar:32}] {pos}/{len} spans");
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.bar.set_message(what);
        self.bar.set_length(length);
        self.bar.set_position(0);
        self.bar.clone()
    }

    /// Takes the line away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

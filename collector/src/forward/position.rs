//! How far forwarding is: one line in the state folder, `<epoch of the log> <last sequence that is done with>`.

use std::path::{Path, PathBuf};

use crate::state;
use crate::wal::WalError;

/// The last request that the backend took or refused.
#[derive(Debug)]
pub(super) struct Position {
    path: PathBuf,
    epoch: String,
    sequence: u64,
    known: bool,
}

impl Position {
    /// The position in the log `epoch`; its start where nothing is known about that log.
    pub(super) fn load(state: &Path, epoch: &str) -> Self {
        let path = state.join("forwarded");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let mut words = text.split_whitespace();
        let sequence = match (words.next(), words.next().map(str::parse)) {
            (Some(found), Some(Ok(sequence))) if found == epoch => Some(sequence),
            _ => None,
        };
        Self {
            path,
            epoch: epoch.to_owned(),
            sequence: sequence.unwrap_or(0),
            known: sequence.is_some(),
        }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn is_known(&self) -> bool {
        self.known
    }

    pub(super) fn advance(&mut self, sequence: u64) {
        self.sequence = self.sequence.max(sequence);
    }

    pub(super) fn save(&self) -> Result<(), WalError> {
        state::replace(&self.path, format!("{} {}\n", self.epoch, self.sequence).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_holds_for_its_own_log_only() {
        let folder = tempfile::tempdir().expect("folder");
        let mut position = Position::load(folder.path(), "epoch");
        assert!(!position.is_known());
        position.advance(7);
        position.advance(3);
        position.save().expect("written");
        assert_eq!(Position::load(folder.path(), "epoch").sequence(), 7);
        assert_eq!(Position::load(folder.path(), "another").sequence(), 0);
        std::fs::write(folder.path().join("forwarded"), "epoch seven").expect("written");
        assert!(!Position::load(folder.path(), "epoch").is_known());
    }
}

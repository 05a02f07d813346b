//! The state folder: where the log lies, and the token by which a collector knows itself after a crash.

use std::io::Write;
use std::path::{Path, PathBuf};

use marginlake_lake::Lake;

use crate::collector::CollectorError;
use crate::config::Config;
use crate::wal::{WalError, io};

/// The folder that the configuration names, or the one below a local lake.
pub(crate) fn folder(config: &Config, lake: &Lake) -> Result<PathBuf, CollectorError> {
    let id = &config.collector_id;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if id.is_empty() || id.starts_with('.') || !id.chars().all(plain) {
        return Err(CollectorError::CollectorId { id: id.clone() });
    }
    match (&config.state_dir, lake.local_path()) {
        (Some(folder), _) => Ok(folder.clone()),
        (None, Some(lake)) => Ok(lake.join("_collector").join(id)),
        (None, None) => Err(CollectorError::StateDir {
            lake: config.lake.clone(),
        }),
    }
}

/// A random word that lives as long as the folder; made where there is none. A wiped folder gets another one, as it gets
/// another epoch of the log.
pub(crate) fn token(folder: &Path) -> Result<String, WalError> {
    let path = folder.join("token");
    match std::fs::read_to_string(&path) {
        Ok(token) if token.len() == 32 => return Ok(token),
        // Torn by a power cut while it was made.
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(io("read", &path)(error)),
    }
    let token = uuid::Uuid::new_v4().simple().to_string();
    replace(&path, token.as_bytes())?;
    Ok(token)
}

/// Writes a small file so that a crash leaves the old content or the new one.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), WalError> {
    let new = path.with_extension("new");
    let written = std::fs::File::create(&new).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.map_err(io("write", &new))?;
    std::fs::rename(&new, path).map_err(io("rename", &new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_token_and_another_one_has_another() {
        let (one, two) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
        let token_of = |folder: &tempfile::TempDir| token(folder.path()).expect("a token");
        let first = token_of(&one);
        assert_eq!(token_of(&one), first);
        assert_ne!(token_of(&two), first);
        std::fs::write(one.path().join("token"), "torn").expect("written");
        assert_ne!(token_of(&one), "torn");
    }
}

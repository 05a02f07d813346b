//! Making local files survive a loss of power: neither deltalake nor object_store ever syncs.
//!
//! What of a local lake must survive goes through these functions, in an order that leaves every name that was synced
//! with its bytes. Tests record them and look at the disk that each beginning of the sequence may leave behind
//! (`power_loss.rs`). On an object store an answered put is durable, and they are not called.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use crate::LakeError;
#[cfg(test)]
use crate::power_loss::{Operation, note};

/// Nothing, but in tests.
#[cfg(not(test))]
macro_rules! note {
    ($($operation:tt)*) => {{}};
}
#[cfg(test)]
macro_rules! note {
    ($operation:expr) => {
        note(|| $operation)
    };
}

/// Waits until the entries of the folder at `path` are on the disk.
pub(crate) fn sync(path: &Path) -> Result<(), LakeError> {
    sync_folder(path).map_err(|source| LakeError::Io {
        action: "sync",
        path: path.display().to_string(),
        source,
    })
}

/// As [`sync`].
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()?;
    note!(Operation::SyncFolder(path.to_owned()));
    Ok(())
}

/// A new file, which has no bytes and no durable name yet.
pub(crate) fn create(path: &Path) -> std::io::Result<File> {
    let file = File::create(path)?;
    note!(Operation::Create(path.to_owned()));
    Ok(file)
}

/// Waits until what was written to the file at `path` is on the disk; its name needs [`sync`] of the folder.
pub(crate) fn sync_file(file: &File, path: &Path) -> std::io::Result<()> {
    file.sync_all()?;
    note!(Operation::SyncFile(path.to_owned(), std::fs::read(path).unwrap_or_default()));
    let _ = path;
    Ok(())
}

/// Gives a file another name, in the place of what had it.
pub(crate) fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::rename(from, to)?;
    note!(Operation::Rename(from.to_owned(), to.to_owned()));
    Ok(())
}

/// Gives a file a second name; fails where it exists, atomically.
pub(crate) fn hard_link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::hard_link(from, to)?;
    note!(Operation::Link(from.to_owned(), to.to_owned()));
    Ok(())
}

/// Takes a name away.
pub(crate) fn remove_file(path: &Path) -> std::io::Result<()> {
    std::fs::remove_file(path)?;
    note!(Operation::Remove(path.to_owned()));
    Ok(())
}

/// Makes `folder` in a parent that exists, and waits for its name. One that is there may have been made by a process that
/// was killed before it waited.
pub(crate) fn create_folder(folder: &Path) -> std::io::Result<()> {
    match std::fs::create_dir(folder) {
        Ok(()) => note!(Operation::CreateFolder(folder.to_owned())),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        Err(error) => return Err(error),
    }
    folder.parent().map_or(Ok(()), sync_folder)
}

/// Like `create_dir_all`, with each new name on the disk.
pub(crate) fn create_folders(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_folders(parent)?;
    }
    create_folder(folder)
}

/// Tells tests of a name that somebody else took away.
pub(crate) fn removed(_path: &Path) {
    note!(Operation::Remove(_path.to_owned()));
}

//! The few file operations that the log's promise rests on, so that a test can let each of them fail.
//!
//! Reading needs no such thing: whatever a disk gives back is judged by its checksums.

use std::fs::{File, OpenOptions};
use std::io::{Result, Write};
use std::path::Path;

use marginlake_lake::failpoint;

/// Where segments are made and removed.
pub(super) trait Disk: std::fmt::Debug + Send {
    /// A new, empty file that only its owner may read. Its name is durable after [`Disk::sync_folder`].
    fn create(&self, path: &Path) -> Result<Box<dyn Segment>>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> Result<()>;
    /// Waits until the names in `folder` are on the disk.
    fn sync_folder(&self, folder: &Path) -> Result<()>;
}

/// A segment that is being written.
pub(super) trait Segment: std::fmt::Debug + Send {
    /// Appends all of `bytes`; after an error any part of them may be there.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// Waits until what was written is on the disk.
    fn sync(&mut self) -> Result<()>;
    /// Shortens the file to `length` bytes, durably.
    fn cut(&mut self, length: u64) -> Result<()>;
}

/// The operating system's files.
#[derive(Debug)]
pub(super) struct Files;

impl Disk for Files {
    fn create(&self, path: &Path) -> Result<Box<dyn Segment>> {
        failpoint::io("wal.before_create")?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options.open(path)?;
        failpoint::at("wal.after_create");
        Ok(Box::new(file))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        failpoint::io("wal.before_remove")?;
        std::fs::remove_file(path)?;
        failpoint::at("wal.after_remove");
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> Result<()> {
        failpoint::io("wal.before_folder_sync")?;
        File::open(folder)?.sync_all()?;
        failpoint::at("wal.after_folder_sync");
        Ok(())
    }
}

impl Segment for File {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        failpoint::io("wal.before_write")?;
        self.write_all(bytes)
    }

    fn sync(&mut self) -> Result<()> {
        failpoint::io("wal.before_sync")?;
        self.sync_data()?;
        failpoint::at("wal.after_sync");
        Ok(())
    }

    fn cut(&mut self, length: u64) -> Result<()> {
        self.set_len(length)?;
        self.sync_all()
    }
}

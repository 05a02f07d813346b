//! A long file that nobody reads soon, written past the machine's cache of pages where that can be done.
//!
//! A report of millions of rows is gigabytes of text. Through the cache each byte is copied once more, pages are taken from who
//! reads the lake, and the disk is asked for all of it when the file is synced; measured, that takes more processor time than
//! making the text does (`docs/performance.md`).

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// What addresses and lengths are multiples of: the largest block that disks have.
const ALIGNED: usize = 4096;
/// Bytes that are written at a time.
const BLOCK: usize = 1 << 20;

/// The file, from its beginning on.
pub(super) struct LongFile {
    file: File,
    /// The same file past the cache; whole blocks go here.
    past_cache: Option<File>,
    /// One block, somewhere in memory that is a little larger.
    memory: Vec<u8>,
    begins: usize,
    filled: usize,
    /// Bytes of the file.
    written: u64,
}

impl LongFile {
    pub(super) fn create(path: &Path) -> io::Result<LongFile> {
        let file = File::create(path)?;
        let memory = vec![0; BLOCK + ALIGNED];
        Ok(LongFile {
            past_cache: past_cache(path),
            begins: memory.as_ptr().align_offset(ALIGNED).min(ALIGNED),
            memory,
            file,
            filled: 0,
            written: 0,
        })
    }

    /// Writes what there is of the block.
    fn write_block(&mut self) -> io::Result<()> {
        let block = &self.memory[self.begins..self.begins + self.filled];
        if let Some(file) = self.past_cache.as_mut().filter(|_| block.len() == BLOCK) {
            match file.write_all(block) {
                // Not every file system that lets a file be opened so lets it be written so.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.past_cache = None,
                done => {
                    done?;
                    self.written += BLOCK as u64;
                    self.filled = 0;
                    return Ok(());
                }
            }
        }
        self.file.seek(SeekFrom::Start(self.written))?;
        self.file.write_all(block)?;
        self.written += self.filled as u64;
        self.filled = 0;
        Ok(())
    }

    /// Writes the rest; the file is on the disk then.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.write_block()?;
        self.file.sync_all()
    }
}

impl Write for LongFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let some = bytes.len().min(BLOCK - self.filled);
        let at = self.begins + self.filled;
        self.memory[at..at + some].copy_from_slice(&bytes[..some]);
        self.filled += some;
        if self.filled == BLOCK {
            self.write_block()?;
        }
        Ok(some)
    }

    /// Waits for [`LongFile::finish`]: only whole blocks go past the cache.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn past_cache(path: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;

    let flag = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).ok()?;
    File::options().write(true).custom_flags(flag).open(path).ok()
}

#[cfg(not(target_os = "linux"))]
fn past_cache(_: &Path) -> Option<File> {
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at / 7 + at / 1_000) as u8).collect()
    }

    fn written(cached: bool, length: usize, part: usize) -> Vec<u8> {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("file");
        let mut file = LongFile::create(&path).unwrap();
        if cached {
            file.past_cache = None;
        }
        text(length).chunks(part).for_each(|part| file.write_all(part).unwrap());
        file.finish().unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn files_of_whole_blocks_and_of_none_are_whole() {
        for length in [0, 1, ALIGNED, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK] {
            assert!(written(false, length, 100_000) == text(length), "{length}");
        }
    }

    #[test]
    fn a_file_system_that_refuses_in_the_middle_loses_nothing() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("file");
        let mut file = LongFile::create(&path).unwrap();
        let text = text(4 * BLOCK + 5);
        file.write_all(&text[..2 * BLOCK]).unwrap();
        // Memory that is not aligned is refused, where the file is written past the cache at all.
        file.begins = (file.begins + 1) % ALIGNED;
        file.write_all(&text[2 * BLOCK..]).unwrap();
        file.finish().unwrap();
        assert!(std::fs::read(path).unwrap() == text);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn bytes_are_the_same_either_way(length in 0..3 * BLOCK, part in 1..2 * BLOCK) {
            let expected = text(length);
            prop_assert!(written(false, length, part) == expected);
            prop_assert!(written(true, length, part) == expected);
        }
    }
}

//! Plain files beside the tables: what is published once and never changed, such as a closed month.
//!
//! A file appears whole and durable under its name, or not at all; a name that is taken is never written again.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use deltalake::logstore::{StorageConfig, logstore_for};
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use crate::open::Lake;
use crate::{LakeError, durable};

impl Lake {
    /// Writes a new file below the lake's root. Says whether it did: a file of that name stays as it is.
    pub async fn put_new(&self, path: &str, bytes: Vec<u8>) -> Result<bool, LakeError> {
        if let Some(root) = self.local_path() {
            let (root, path) = (root.to_owned(), path.to_owned());
            return tokio::task::spawn_blocking(move || put_local(&root, &path, &bytes))
                .await
                .unwrap_or_else(|stopped| {
                    Err(LakeError::Io {
                        action: "write",
                        path: "a plain file".to_owned(),
                        source: std::io::Error::other(stopped),
                    })
                });
        }
        let options = PutOptions::from(PutMode::Create);
        let put = async { self.store()?.put_opts(&path.into(), bytes.into(), options).await };
        match put.await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(source) => Err(self.store_error("write", path, source)),
        }
    }

    /// The bytes of a plain file below the lake's root; `None` where there is none.
    pub async fn read_file(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError> {
        if let Some(root) = self.local_path() {
            let full = root.join(path);
            return match std::fs::read(&full) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(source) => Err(io("read", &full)(source)),
            };
        }
        let read = async { self.store()?.get(&path.into()).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.store_error("read", path, source)),
        }
    }

    fn store(&self) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
        let log = logstore_for(self.url(), StorageConfig::default()).map_err(|error| object_store::Error::Generic {
            store: "lake",
            source: Box::new(error),
        })?;
        Ok(log.object_store(None))
    }

    fn store_error(&self, action: &'static str, path: &str, source: object_store::Error) -> LakeError {
        LakeError::Store {
            action,
            path: format!("{self}{path}"),
            source,
        }
    }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> LakeError {
    let path = path.display().to_string();
    move |source| LakeError::Io { action, path, source }
}

fn put_local(root: &Path, relative: &str, bytes: &[u8]) -> Result<bool, LakeError> {
    let path = root.join(relative);
    let folder = path.parent().unwrap_or(root);
    std::fs::create_dir_all(folder).map_err(io("create", folder))?;
    let temporary = folder.join(format!(".{}.tmp", uuid::Uuid::new_v4()));
    let written = File::create_new(&temporary).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    // A link, unlike a rename, never takes the place of what is there.
    let linked = written.and_then(|()| std::fs::hard_link(&temporary, &path));
    // The name that counts is the other one; a leftover has no reader.
    let _ = std::fs::remove_file(&temporary);
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(false),
        Err(source) => return Err(io("write", &path)(source)),
    }
    let mut above = Some(folder);
    while let Some(folder) = above.filter(|folder| folder.starts_with(root)) {
        durable::sync(folder)?;
        above = folder.parent();
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_written_once_and_never_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = Lake::open(folder.path().to_str().expect("text")).expect("a lake");
        assert_eq!(lake.read_file("closed/a/b").await.expect("readable"), None);
        assert!(lake.put_new("closed/a/b", b"first".to_vec()).await.expect("written"));
        assert!(!lake.put_new("closed/a/b", b"second".to_vec()).await.expect("refused"));
        assert_eq!(
            lake.read_file("closed/a/b").await.expect("readable").as_deref(),
            Some(&b"first"[..])
        );
        assert_eq!(
            std::fs::read_dir(folder.path().join("closed/a")).expect("a folder").count(),
            1
        );
    }
}

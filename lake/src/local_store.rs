//! The local file system as an object store whose puts survive a loss of power.
//!
//! deltalake and object_store never sync. Behind this store whatever they put (commits, checkpoints, the pointer to the
//! last checkpoint, leases) is complete and on the disk before its name exists, and its folder is synced before the put is
//! answered. Reading, listing and deleting are object_store's own.

use std::io::Write;
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, PutPayloadMut, PutResult, RenameOptions, Result, UploadPart,
};

use crate::{durable, failpoint};

const STORE: &str = "SyncedFileSystem";

/// [`LocalFileSystem`] with durable puts.
#[derive(Debug, Default)]
pub(crate) struct SyncedFileSystem(LocalFileSystem);

impl std::fmt::Display for SyncedFileSystem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(STORE)
    }
}

#[async_trait::async_trait]
impl ObjectStore for SyncedFileSystem {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let path = self.0.path_to_filesystem(location)?;
        tokio::task::spawn_blocking(move || put(&path, &payload, &options.mode))
            .await
            .map_err(|error| generic(error.into()))?
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Upload {
            path: self.0.path_to_filesystem(location)?,
            parts: PutPayloadMut::new(),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.0.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.0.clone();
        let deleted = self.0.delete_stream(locations);
        let told = deleted.inspect(move |deleted| {
            let path = deleted
                .as_ref()
                .ok()
                .and_then(|location| store.path_to_filesystem(location).ok());
            path.iter().for_each(|path| durable::removed(path));
            failpoint::at("delete.after");
        });
        told.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await?;
        self.sync(to).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.0.rename_opts(from, to, options).await?;
        self.sync(to).await
    }
}

impl SyncedFileSystem {
    async fn sync(&self, location: &Path) -> Result<()> {
        let path = self.0.path_to_filesystem(location)?;
        tokio::task::spawn_blocking(move || {
            durable::sync_folder(&path).and_then(|()| path.parent().map_or(Ok(()), durable::sync_folder))
        })
        .await
        .map_err(|error| generic(error.into()))?
        .map_err(|error| generic(error.into()))
    }
}

/// Parts are kept until the end: what is put this way here (checkpoints) is a few megabytes, and a name must not exist
/// before its bytes are on the disk.
#[derive(Debug)]
struct Upload {
    path: PathBuf,
    parts: PutPayloadMut,
}

#[async_trait::async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        data.into_iter().for_each(|bytes| self.parts.push(bytes));
        Box::pin(std::future::ready(Ok(())))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (path, parts) = (self.path.clone(), std::mem::take(&mut self.parts).freeze());
        tokio::task::spawn_blocking(move || put(&path, &parts, &PutMode::Overwrite))
            .await
            .map_err(|error| generic(error.into()))?
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts = PutPayloadMut::new();
        Ok(())
    }
}

fn put(path: &FsPath, payload: &PutPayload, mode: &PutMode) -> Result<PutResult> {
    let folder = path.parent().unwrap_or(path);
    let failed = |error: std::io::Error| generic(format!("{}: {error}", path.display()).into());
    if !is_later_commit(path) {
        durable::create_folders(folder).map_err(failed)?;
    }
    // A name that ends in `#` and digits is one that object_store takes for its own unfinished uploads and never lists.
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let staged = folder.join(format!("{name}#{}", uuid::Uuid::new_v4().as_u128()));
    let named = (|| {
        failpoint::io("put.before_write")?;
        let mut file = durable::create(&staged)?;
        payload.iter().try_for_each(|bytes| file.write_all(bytes))?;
        failpoint::io("put.before_sync")?;
        durable::sync_file(&file, &staged)?;
        failpoint::io("put.before_name")?;
        match mode {
            PutMode::Overwrite => durable::rename(&staged, path),
            // Fails where the name exists, atomically: what a commit and a lease rely on.
            PutMode::Create => durable::hard_link(&staged, path),
            PutMode::Update(_) => Err(std::io::ErrorKind::Unsupported.into()),
        }
    })();
    failpoint::at("put.after_name");
    if !(named.is_ok() && matches!(mode, PutMode::Overwrite)) {
        // The answer is the name's; a leftover has no reader.
        let _ = durable::remove_file(&staged);
    }
    match named {
        Ok(()) => durable::sync_folder(folder).map_err(failed)?,
        Err(source) if source.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(object_store::Error::AlreadyExists {
                path: path.display().to_string(),
                source: source.into(),
            });
        }
        Err(error) => return Err(failed(error)),
    }
    Ok(PutResult {
        e_tag: None,
        version: None,
    })
}

/// Whether `path` continues a Delta log. Where the log is not there, because its table was moved away or its disk is not
/// mounted, making the folder would begin a history without its past, and what is committed to it would be lost when the
/// table comes back.
fn is_later_commit(path: &FsPath) -> bool {
    let is_log = path
        .parent()
        .and_then(FsPath::file_name)
        .is_some_and(|name| name == "_delta_log");
    let version = path
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.split('.').next());
    is_log && version.and_then(|version| version.parse::<u64>().ok()) != Some(0)
}

fn generic(source: Box<dyn std::error::Error + Send + Sync>) -> object_store::Error {
    object_store::Error::Generic { store: STORE, source }
}

//! Opening a lake and its tables, and reading them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::NaiveDate;
use datafusion::catalog::TableProvider;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::{Action, StructType};
use deltalake::logstore::{LogStoreRef, StorageConfig, get_actions, logstore_for, logstore_with};
use deltalake::operations::create::CreateBuilder;
use deltalake::table::config::TableProperty;
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use object_store::ObjectStore;

use crate::local_store::SyncedFileSystem;
use crate::location::Location;
use crate::schema::{DATE, Table};
use crate::{LakeError, durable};

/// Versions after which a handle is loaded anew instead of brought forward: as often as the library writes a checkpoint.
///
/// A handle that is brought forward keeps what each commit brought as Arrow arrays of their own and looks through all of them at
/// each step; a loaded one has the rows of the checkpoint side by side.
const RELOAD_AFTER: u64 = 100;

/// Delta's property for how many columns have their least, their greatest and their nulls in the log. We write none of them
/// ([`crate::data_file`]), but as long as a table does not say so the library keeps a place for each of 32 columns, of every file
/// (a handle after 2,900 small commits: 350 MB; `docs/performance.md`), and other writers add them for money, as floating
/// point.
const INDEXED_COLUMNS: TableProperty = TableProperty::DataSkippingNumIndexedCols;

/// One and not none: without any the library warns, at every filter, that there are none.
const INDEXED: &str = "1";

/// A directory or object-store URL with one Delta table per folder.
#[derive(Debug, Clone)]
pub struct Lake {
    location: Location,
}

impl Lake {
    /// Opens the lake at `uri`; a local directory is created when it does not exist.
    pub fn open(uri: &str) -> Result<Self, LakeError> {
        Ok(Self {
            location: Location::open(uri)?,
        })
    }

    /// The directory, where the lake is local.
    pub fn local_path(&self) -> Option<&Path> {
        self.location.local()
    }

    pub(crate) fn url(&self) -> &url::Url {
        self.location.url()
    }

    /// The newest version of the table `name`; `None` where it does not exist yet.
    pub async fn table(&self, name: &str) -> Result<Option<LakeTable>, LakeError> {
        self.load(name, None).await
    }

    /// The table `name` as it stood at `version`; `None` where the table does not exist.
    pub async fn table_at(&self, name: &str, version: i64) -> Result<Option<LakeTable>, LakeError> {
        self.load(name, u64::try_from(version).ok()).await
    }

    /// The fixed table `table`, created empty when it does not exist.
    pub async fn ensure(&self, table: Table) -> Result<LakeTable, LakeError> {
        self.ensure_named(table.name(), &table.schema(), table.partition_columns())
            .await
    }

    /// The table `name`, created empty with `schema` when it does not exist.
    pub async fn ensure_named(&self, name: &str, schema: &SchemaRef, partitions: &[&str]) -> Result<LakeTable, LakeError> {
        if let Some(table) = self.load(name, None).await? {
            self.sync_names(name)?;
            return table.with_columns_of(schema).await?.with_few_indexed().await;
        }
        match self.create(name, schema, partitions).await {
            Ok(()) | Err(LakeError::Conflict { .. }) => {}
            Err(LakeError::Delta { source, .. }) if matches!(*source, DeltaTableError::VersionAlreadyExists(_)) => {}
            Err(error) => {
                // Another process may have created it between our look and our try.
                return self.load(name, None).await?.ok_or(error);
            }
        }
        self.load(name, None).await?.ok_or_else(|| LakeError::Missing {
            table: name.into(),
            lake: self.to_string(),
        })
    }

    async fn create(&self, name: &str, schema: &SchemaRef, partitions: &[&str]) -> Result<(), LakeError> {
        let schema: StructType = schema.as_ref().try_into_kernel().map_err(|error| LakeError::Schema {
            table: name.into(),
            reason: format!("{error}"),
        })?;
        let url = self.location.table_url(name)?;
        if let Some(local) = self.location.local() {
            let folder = local.join(name);
            durable::create_folders(&folder).map_err(|source| LakeError::Io {
                action: "create",
                path: folder.display().to_string(),
                source,
            })?;
        }
        let log_store = self.log_store(name, &url)?;
        CreateBuilder::new()
            .with_log_store(log_store)
            .with_table_name(name)
            .with_columns(schema.fields().cloned())
            .with_partition_columns(partitions.iter().copied())
            .with_configuration_property(INDEXED_COLUMNS, Some(INDEXED))
            .await
            .map_err(|error| LakeError::delta("create", name, error))?;
        self.sync_names(name)
    }

    /// The names from the lake to the log of a table: whoever made them may have been killed before they were on the disk.
    fn sync_names(&self, table: &str) -> Result<(), LakeError> {
        let Some(local) = self.location.local() else { return Ok(()) };
        let folder = local.join(table);
        durable::sync(&folder.join("_delta_log"))?;
        durable::sync(&folder)?;
        durable::sync(local)?;
        local.parent().map_or(Ok(()), durable::sync)
    }

    /// The store below `folder` of the lake; on a local lake a put is on the disk when it is answered.
    pub(crate) fn store_below(&self, folder: &str) -> Result<Arc<dyn ObjectStore>, LakeError> {
        let url = match folder {
            "" => self.location.url().clone(),
            folder => self.location.table_url(folder)?,
        };
        Ok(self.log_store(folder, &url)?.object_store(None))
    }

    fn log_store(&self, name: &str, url: &url::Url) -> Result<LogStoreRef, LakeError> {
        let store = match self.location.local() {
            Some(_) => logstore_with(Arc::new(SyncedFileSystem::default()), url, StorageConfig::default()),
            None => logstore_for(url, StorageConfig::default()),
        };
        store.map_err(|error| LakeError::delta("reach", name, error))
    }

    /// The names of all tables that the lake holds.
    pub async fn table_names(&self) -> Result<Vec<String>, LakeError> {
        let store = self.store_below("")?;
        let listed = store.list_with_delimiter(None).await.map_err(|source| LakeError::Store {
            action: "list",
            path: self.to_string(),
            source,
        })?;
        let mut names = Vec::new();
        for folder in listed.common_prefixes {
            let Some(name) = folder.filename() else { continue };
            if !name.starts_with('_') && self.table(name).await?.is_some() {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    async fn load(&self, name: &str, version: Option<u64>) -> Result<Option<LakeTable>, LakeError> {
        let local = self.location.local().map(|root| root.join(name));
        // Asking a log store for a local folder that does not exist would be an error, not an answer.
        if local.as_ref().is_some_and(|folder| !folder.join("_delta_log").is_dir()) {
            return Ok(None);
        }
        let url = self.location.table_url(name)?;
        let mut builder = DeltaTableBuilder::from_url(url.clone()).map_err(|error| LakeError::delta("open", name, error))?;
        if local.is_some() {
            builder = builder.with_storage_backend(Arc::new(SyncedFileSystem::default()), url);
        }
        if let Some(version) = version {
            builder = builder.with_version(version);
        }
        match builder.load().await {
            Ok(inner) => Ok(Some(LakeTable {
                name: name.to_owned(),
                local,
                loaded: inner.version(),
                inner,
            })),
            Err(DeltaTableError::NotATable(_)) => Ok(None),
            Err(error) => Err(LakeError::delta("open", name, error)),
        }
    }
}

impl std::fmt::Display for Lake {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.location.fmt(formatter)
    }
}

/// One table at one version.
#[derive(Debug, Clone)]
pub struct LakeTable {
    pub(crate) name: String,
    pub(crate) local: Option<PathBuf>,
    pub(crate) inner: DeltaTable,
    /// The version that was loaded whole; the handle was brought forward from there.
    loaded: Option<u64>,
}

/// One live data file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Path below the table's folder, as the log spells it.
    pub path: String,
    /// The day of its partition, where the table is partitioned by `date`.
    pub date: Option<NaiveDate>,
    /// Rows, where the log says so (all files that we write do).
    pub rows: Option<u64>,
    /// Bytes.
    pub size: u64,
}

impl LakeTable {
    /// Table name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version that this handle reads.
    pub fn version(&self) -> i64 {
        self.inner
            .version()
            .and_then(|version| i64::try_from(version).ok())
            .unwrap_or(-1)
    }

    /// Moves the handle to the newest version.
    pub async fn refresh(&mut self) -> Result<(), LakeError> {
        let failed = |error| LakeError::delta("refresh", &self.name, error);
        self.inner.update_state().await.map_err(failed)?;
        if self.inner.version() >= self.loaded.map(|version| version + RELOAD_AFTER) {
            let mut whole = DeltaTable::new(self.inner.log_store());
            whole.load().await.map_err(failed)?;
            self.loaded = whole.version();
            self.inner = whole;
        }
        Ok(())
    }

    /// Columns, partition columns included.
    pub fn schema(&self) -> Result<SchemaRef, LakeError> {
        Ok(self.state()?.snapshot().arrow_schema())
    }

    /// Adds the columns of `schema` that the table was made without: a newer version writes more of them.
    async fn with_columns_of(mut self, schema: &SchemaRef) -> Result<Self, LakeError> {
        let present = self.schema()?;
        let missing = || {
            schema
                .fields()
                .iter()
                .filter(|field| present.field_with_name(field.name()).is_err())
        };
        if missing().next().is_none() {
            return Ok(self);
        }
        let missing: Vec<_> = missing().cloned().collect();
        let fields: Result<StructType, _> = (&arrow::datatypes::Schema::new(missing)).try_into_kernel();
        let fields = fields.map_err(|error| LakeError::Schema {
            table: self.name.clone(),
            reason: format!("{error}"),
        })?;
        let fields: Vec<_> = fields.fields().cloned().collect();
        let table = self.inner.clone().add_columns().with_fields(fields).await;
        self.become_changed(table, "add columns to")?;
        Ok(self)
    }

    /// Says which columns are indexed in a table that was made before that was said. What its owner says stays.
    async fn with_few_indexed(mut self) -> Result<Self, LakeError> {
        if self.state()?.table_config().data_skipping_num_indexed_cols.is_some() {
            return Ok(self);
        }
        let properties = [(INDEXED_COLUMNS.as_ref().to_owned(), INDEXED.to_owned())].into();
        let table = self.inner.clone().set_tbl_properties().with_properties(properties).await;
        self.become_changed(table, "set a property of")?;
        Ok(self)
    }

    /// Takes the table that a commit of the library gave.
    fn become_changed(&mut self, table: Result<DeltaTable, DeltaTableError>, action: &'static str) -> Result<(), LakeError> {
        self.inner = table.map_err(|error| LakeError::delta(action, &self.name, error))?;
        self.sync_commit(self.inner.version().unwrap_or(0))
    }

    /// The last committed version of the application transaction `app_id`.
    pub async fn transaction_version(&self, app_id: &str) -> Result<Option<i64>, LakeError> {
        let log_store = self.inner.log_store();
        self.state()?
            .transaction_version(log_store.as_ref(), app_id)
            .await
            .map_err(|error| LakeError::delta("read the transactions of", &self.name, error))
    }

    /// The live data files.
    pub fn files(&self) -> Result<Vec<DataFile>, LakeError> {
        let mut files: Vec<DataFile> = self
            .state()?
            .log_data()
            .iter()
            .map(|file| DataFile {
                path: file.path().into_owned(),
                date: date_of(&file.partition_values_map()),
                rows: file.num_records().map(|rows| rows as u64),
                size: u64::try_from(file.size()).unwrap_or(0),
            })
            .collect();
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(files)
    }

    /// The live files that hold the data brought after `version`. A compaction brings none: what it wrote stands for
    /// the files that it replaced, and may hold older rows too. `None` where the log no longer reaches back to `version`.
    pub async fn files_added_since(&self, version: i64) -> Result<Option<Vec<DataFile>>, LakeError> {
        let log_store = self.inner.log_store();
        let mut added = BTreeSet::new();
        for version in (version + 1)..=self.version() {
            let Ok(version) = u64::try_from(version) else { continue };
            let failed = |error| LakeError::delta("read the log of", &self.name, error);
            let Some(entry) = log_store.read_commit_entry(version).await.map_err(failed)? else {
                return Ok(None);
            };
            follow(&mut added, get_actions(version, &entry).map_err(failed)?);
        }
        let live = self.files()?;
        if added
            .iter()
            .any(|path| live.binary_search_by(|file| file.path.as_str().cmp(path)).is_err())
        {
            return Ok(None);
        }
        Ok(Some(live.into_iter().filter(|file| added.contains(&file.path)).collect()))
    }

    /// The whole table for DataFusion.
    pub async fn provider(&self) -> Result<Arc<dyn TableProvider>, LakeError> {
        let provider = self.inner.table_provider().await;
        provider.map_err(|error| LakeError::Query {
            table: self.name.clone(),
            source: Box::new(error),
        })
    }

    /// Only the named files (as [`LakeTable::files`] spells them) for DataFusion.
    pub async fn provider_of(&self, files: &[DataFile]) -> Result<Arc<dyn TableProvider>, LakeError> {
        let paths = files.iter().map(|file| file.path.clone());
        let provider = self.inner.table_provider().with_file_paths(paths).await;
        provider.map_err(|error| LakeError::Query {
            table: self.name.clone(),
            source: Box::new(error),
        })
    }

    pub(crate) fn state(&self) -> Result<&deltalake::table::state::DeltaTableState, LakeError> {
        self.inner
            .snapshot()
            .map_err(|error| LakeError::delta("read", &self.name, error))
    }
}

/// Moves the set of files with new data over one commit.
fn follow(added: &mut BTreeSet<String>, actions: Vec<Action>) {
    let mut compacted = BTreeSet::new();
    for action in &actions {
        if let Action::Remove(removed) = action
            && !removed.data_change
            && added.remove(&removed.path)
        {
            compacted.insert(removed.partition_values.as_ref().and_then(date_of));
        }
    }
    for action in actions {
        if let Action::Add(add) = action
            && (add.data_change || compacted.contains(&date_of(&add.partition_values)))
        {
            added.insert(add.path);
        }
    }
}

pub(crate) fn date_of(partition: &std::collections::HashMap<String, Option<String>>) -> Option<NaiveDate> {
    partition.get(DATE)?.as_deref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, Int64Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn rows() -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new(DATE, DataType::Date32, false),
            Field::new("count", DataType::Int64, true),
        ]);
        let columns: [arrow::array::ArrayRef; 2] = [Arc::new(Date32Array::from(vec![1])), Arc::new(Int64Array::from(vec![1]))];
        RecordBatch::try_new(Arc::new(schema), columns.to_vec()).expect("a batch")
    }

    /// Bytes of what a handle keeps, as the library would write it down: each batch of files on its own.
    fn kept(table: &LakeTable) -> usize {
        serde_json::to_vec(table.state().expect("a state")).expect("written").len()
    }

    #[tokio::test]
    async fn a_handle_does_not_grow_with_the_commits_that_it_was_brought_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = Lake::open(folder.path().to_str().expect("a path")).expect("a lake");
        let rows = rows();
        let mut table = lake.ensure_named("things", &rows.schema(), &[DATE]).await.expect("made");
        let mut most = 0;
        for commit in 0..RELOAD_AFTER + 5 {
            table.append(std::slice::from_ref(&rows)).await.expect("appended");
            if commit == RELOAD_AFTER - 5 {
                most = kept(&table);
            }
        }
        let whole = lake.table("things").await.expect("opened").expect("there");
        assert_eq!(whole.files().expect("files"), table.files().expect("files"));
        assert!(kept(&table) < most / 4, "{} of {most}", kept(&table));
    }

    #[tokio::test]
    async fn a_table_of_an_older_version_is_told_once_what_is_indexed() {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = Lake::open(folder.path().to_str().expect("a path")).expect("a lake");
        let rows = rows();
        let made = lake.ensure_named("things", &rows.schema(), &[DATE]).await.expect("made");
        let owners = [(INDEXED_COLUMNS.as_ref().to_owned(), "7".to_owned())].into();
        let owners = made.inner.clone().set_tbl_properties().with_properties(owners).await;
        assert_eq!(owners.expect("set").version(), Some(1));
        let owners = lake.ensure_named("things", &rows.schema(), &[DATE]).await.expect("there");
        assert_eq!(owners.version(), 1, "what an owner says stays");

        let fields: Result<StructType, _> = rows.schema().as_ref().try_into_kernel();
        let url = lake.location.table_url("older").expect("a name");
        std::fs::create_dir_all(folder.path().join("older")).expect("a folder");
        let create = CreateBuilder::new().with_log_store(lake.log_store("older", &url).expect("a store"));
        let create = create.with_columns(fields.expect("columns").fields().cloned());
        create.with_partition_columns([DATE]).await.expect("made as it was");
        for _ in 0..2 {
            let table = lake.ensure_named("older", &rows.schema(), &[DATE]).await.expect("there");
            assert!(
                table
                    .state()
                    .expect("a state")
                    .table_config()
                    .data_skipping_num_indexed_cols
                    .is_some()
            );
            assert_eq!(table.version(), 1);
        }
    }
}

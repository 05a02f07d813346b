//! Changing a table: append once, replace days, replace all. Each is one Delta commit.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use deltalake::kernel::Transaction;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add};
use deltalake::protocol::{DeltaOperation, SaveMode};

use crate::open::{LakeTable, date_of};
use crate::{LakeError, durable};

/// An application transaction (`txn` of the Delta protocol): `app_id` has committed everything up to `version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppTransaction {
    /// Who commits: for a collector its id with the log's epoch.
    pub app_id: String,
    /// Grows with each commit of `app_id`.
    pub version: i64,
}

/// Data files that are written and belong to no version of the table yet: see [`LakeTable::stage`].
#[derive(Debug, Default)]
#[must_use = "rows that are staged and never committed are lost"]
pub struct Staged(Vec<Add>);

impl Staged {
    /// These files too.
    pub fn extend(&mut self, more: Staged) {
        self.0.extend(more.0);
    }
}

/// Which live files a commit takes out of the table.
enum Replaced<'a> {
    Nothing,
    Dates(&'a BTreeSet<NaiveDate>),
    All,
}

impl LakeTable {
    /// Appends `batches` unless `transaction` was committed before; says whether it appended.
    ///
    /// The library accepts the same transaction twice, so the table is read anew first; one `app_id` must therefore have
    /// one writer at a time. Appends of different writers never conflict.
    pub async fn append_once(&mut self, batches: &[RecordBatch], transaction: &AppTransaction) -> Result<bool, LakeError> {
        self.refresh().await?;
        let committed = self.transaction_version(&transaction.app_id).await?;
        if committed.is_some_and(|version| version >= transaction.version) {
            return Ok(false);
        }
        self.commit(batches, Replaced::Nothing, std::slice::from_ref(transaction))
            .await?;
        Ok(true)
    }

    /// Appends `batches` without an application transaction.
    pub async fn append(&mut self, batches: &[RecordBatch]) -> Result<(), LakeError> {
        self.commit(batches, Replaced::Nothing, &[]).await
    }

    /// Replaces all rows of `dates` by `batches` (whose rows must be of those dates), in one commit.
    /// Fails with [`LakeError::Conflict`] where another writer changed those days since this handle was loaded.
    pub async fn replace_dates(
        &mut self,
        dates: &BTreeSet<NaiveDate>,
        batches: &[RecordBatch],
        transactions: &[AppTransaction],
    ) -> Result<(), LakeError> {
        self.commit(batches, Replaced::Dates(dates), transactions).await
    }

    /// Replaces all rows of the table by `batches`, in one commit.
    pub async fn replace_all(&mut self, batches: &[RecordBatch], transactions: &[AppTransaction]) -> Result<(), LakeError> {
        self.commit(batches, Replaced::All, transactions).await
    }

    async fn commit(
        &mut self,
        batches: &[RecordBatch],
        replaced: Replaced<'_>,
        transactions: &[AppTransaction],
    ) -> Result<(), LakeError> {
        let staged = self.stage(batches).await?;
        self.commit_staged(staged, replaced, transactions).await
    }

    /// Writes data files that no reader sees until a commit names them, so that rows need not wait in memory for it.
    /// What is never committed is an orphan, which vacuum removes.
    pub async fn stage(&self, batches: &[RecordBatch]) -> Result<Staged, LakeError> {
        Ok(Staged(self.write_files(batches).await?))
    }

    /// [`LakeTable::replace_dates`] by rows that were staged before.
    pub async fn replace_dates_by_staged(
        &mut self,
        dates: &BTreeSet<NaiveDate>,
        staged: Staged,
        transactions: &[AppTransaction],
    ) -> Result<(), LakeError> {
        self.commit_staged(staged, Replaced::Dates(dates), transactions).await
    }

    async fn commit_staged(
        &mut self,
        staged: Staged,
        replaced: Replaced<'_>,
        transactions: &[AppTransaction],
    ) -> Result<(), LakeError> {
        let mut actions: Vec<Action> = self.removals(&replaced)?;
        let mode = if actions.is_empty() {
            SaveMode::Append
        } else {
            SaveMode::Overwrite
        };
        actions.extend(staged.0.into_iter().map(Action::Add));
        if actions.is_empty() && transactions.is_empty() {
            return Ok(());
        }
        let transactions = transactions.iter().map(|t| Transaction::new(&t.app_id, t.version)).collect();
        let properties = CommitProperties::default().with_application_transactions(transactions);
        let operation = DeltaOperation::Write {
            mode,
            partition_by: None,
            predicate: None,
        };
        let failed = |error| LakeError::delta("commit to", &self.name, error);
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(self.state()?), self.inner.log_store(), operation)
            .await
            .map_err(failed)?;
        self.sync_commit(committed.version())?;
        self.refresh().await
    }

    fn removals(&self, replaced: &Replaced<'_>) -> Result<Vec<Action>, LakeError> {
        let state = self.state()?;
        let removed = |date: Option<NaiveDate>| match replaced {
            Replaced::Nothing => false,
            Replaced::Dates(dates) => date.is_some_and(|date| dates.contains(&date)),
            Replaced::All => true,
        };
        Ok(state
            .log_data()
            .iter()
            .filter(|file| removed(date_of(&file.partition_values_map())))
            .map(|file| Action::Remove(file.remove_action(true)))
            .collect())
    }

    /// On a local lake the commit itself must be on the disk before anybody relies on it.
    pub(crate) fn sync_commit(&self, version: u64) -> Result<(), LakeError> {
        let Some(root) = &self.local else { return Ok(()) };
        let log = root.join("_delta_log");
        durable::sync(&log.join(format!("{version:020}.json")))?;
        durable::sync(&log)
    }
}

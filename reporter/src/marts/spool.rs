//! A query's rows, kept to be read several times: in memory while they are few, in a file of the machine's temporary folder
//! once they are many. What a report needs of its memory does not grow with the lake.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionContext};
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use tempfile::TempDir;

/// Rows that stay in memory.
const ROWS_IN_MEMORY: usize = 250_000;

/// Kept rows. The file goes when this does.
#[derive(Debug)]
pub(crate) struct Spool {
    table: Arc<dyn TableProvider>,
    _folder: Option<TempDir>,
}

impl Spool {
    /// Runs `frame` and keeps its rows.
    pub(crate) async fn of(session: &SessionContext, frame: DataFrame) -> Result<Spool, DataFusionError> {
        Spool::with_limit(session, frame, ROWS_IN_MEMORY).await
    }

    async fn with_limit(session: &SessionContext, frame: DataFrame, limit: usize) -> Result<Spool, DataFusionError> {
        let mut rows = frame.execute_stream().await?;
        let schema = rows.schema();
        let mut kept: Vec<RecordBatch> = Vec::new();
        let mut count = 0;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            count += batch.num_rows();
            kept.push(batch);
            if count > limit {
                return Spool::on_disk(session, schema, kept, rows).await;
            }
        }
        let table = Arc::new(MemTable::try_new(schema, vec![kept])?);
        Ok(Spool { table, _folder: None })
    }

    async fn on_disk(
        session: &SessionContext,
        schema: SchemaRef,
        first: Vec<RecordBatch>,
        mut rest: SendableRecordBatchStream,
    ) -> Result<Spool, DataFusionError> {
        let folder = TempDir::with_prefix("marginlake-")?;
        let path = folder.path().join("rows.parquet");
        let mut writer = ArrowWriter::try_new(std::fs::File::create(&path)?, schema, None).map_err(failed)?;
        for batch in first {
            writer.write(&batch).map_err(failed)?;
        }
        while let Some(batch) = rest.next().await {
            writer.write(&batch?).map_err(failed)?;
        }
        writer.close().map_err(failed)?;
        let path = path.to_string_lossy().into_owned();
        let table = session.read_parquet(path, ParquetReadOptions::default()).await?.into_view();
        Ok(Spool {
            table,
            _folder: Some(folder),
        })
    }

    /// The rows as a table.
    pub(crate) fn table(&self) -> Arc<dyn TableProvider> {
        Arc::clone(&self.table)
    }
}

fn failed(error: ParquetError) -> DataFusionError {
    DataFusionError::ParquetError(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::empty_session;

    #[tokio::test]
    async fn rows_are_the_same_from_memory_and_from_disk() {
        let session = empty_session();
        let sql = "SELECT value, CAST(value AS VARCHAR) AS text, CAST(value AS DECIMAL(38, 12)) AS amount FROM range(0, 3000)";
        for (limit, on_disk) in [(2999, true), (3000, false)] {
            let frame = session.sql(sql).await.unwrap();
            let spool = Spool::with_limit(&session, frame, limit).await.unwrap();
            assert_eq!(spool._folder.is_some(), on_disk);
            session.register_table("kept", spool.table()).unwrap();
            let sums = "SELECT count(*) AS n, sum(amount) AS a, max(text) AS t FROM kept";
            let rows = session.sql(sums).await.unwrap().collect().await.unwrap();
            let text = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
            assert!(text.contains("| 3000 | 4498500.000000000000 | 999 |"), "{text}");
            session.deregister_table("kept").unwrap();
        }
    }
}

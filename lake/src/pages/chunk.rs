//! A column chunk: its pages as bytes, and what the footer says of them.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, PageType};
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// What presses pages; one serves all columns of a file.
pub(super) struct Compressor {
    pub(super) compression: Compression,
    inner: zstd::bulk::Compressor<'static>,
}

impl Compressor {
    /// `None` for anything but zstd.
    pub(super) fn new(compression: Compression) -> Result<Option<Self>> {
        let Compression::ZSTD(level) = compression else {
            return Ok(None);
        };
        let inner = zstd::bulk::Compressor::new(level.compression_level())?;
        Ok(Some(Self { compression, inner }))
    }
}

/// The finished pages of one leaf column in one row group.
#[derive(Debug)]
pub(super) struct Chunk {
    column: ColumnDescPtr,
    dictionary: Vec<u8>,
    data: Vec<u8>,
    uncompressed: usize,
    values: usize,
    /// Data pages by their encoding: those that refer to the dictionary, then plain ones.
    pages: [(Encoding, i32); 2],
}

impl Chunk {
    pub(super) fn new(column: ColumnDescPtr) -> Self {
        Self {
            column,
            dictionary: Vec::new(),
            data: Vec::new(),
            uncompressed: 0,
            values: 0,
            pages: [(Encoding::RLE_DICTIONARY, 0), (Encoding::PLAIN, 0)],
        }
    }

    pub(super) fn size(&self) -> usize {
        self.dictionary.len() + self.data.len()
    }

    /// Adds a page of `count` levels: `parts` are the levels and the values as the page holds them.
    pub(super) fn data_page(
        &mut self,
        parts: &[u8],
        count: usize,
        encoding: Encoding,
        compressor: &mut Compressor,
    ) -> Result<()> {
        let page = Page::DataPage {
            buf: compressor.inner.compress(parts)?.into(),
            num_values: number(count)?,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let written = write(&mut self.data, page, parts.len())?;
        self.uncompressed += written.uncompressed_size;
        self.values += count;
        for (of, pages) in &mut self.pages {
            *pages += i32::from(*of == encoding);
        }
        Ok(())
    }

    /// Sets the dictionary; `values` as [`super::dictionary::Plain`] has them.
    pub(super) fn dictionary_page(&mut self, values: &[u8], count: usize, compressor: &mut Compressor) -> Result<()> {
        let page = Page::DictionaryPage {
            buf: compressor.inner.compress(values)?.into(),
            num_values: number(count)?,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let written = write(&mut self.dictionary, page, values.len())?;
        self.uncompressed += written.uncompressed_size;
        Ok(())
    }

    /// The bytes of the chunk, dictionary first, and its metadata as if the chunk began at 0.
    pub(super) fn finish(self, rows: usize, compression: Compression) -> Result<(Bytes, ColumnCloseResult)> {
        let mut encodings = vec![Encoding::RLE];
        let mut stats = Vec::new();
        let mut bytes = self.dictionary;
        let dictionary_len = bytes.len();
        if dictionary_len > 0 {
            encodings.push(Encoding::PLAIN);
            stats.push(PageEncodingStats {
                page_type: PageType::DICTIONARY_PAGE,
                encoding: Encoding::PLAIN,
                count: 1,
            });
        }
        for (encoding, count) in self.pages.into_iter().filter(|(_, count)| *count > 0) {
            encodings.push(encoding);
            stats.push(PageEncodingStats {
                page_type: PageType::DATA_PAGE,
                encoding,
                count,
            });
        }
        bytes.extend_from_slice(&self.data);
        let metadata = ColumnChunkMetaData::builder(self.column)
            .set_compression(compression)
            .set_encodings(encodings)
            .set_page_encoding_stats(stats)
            .set_total_compressed_size(offset(bytes.len())?)
            .set_total_uncompressed_size(offset(self.uncompressed)?)
            .set_num_values(offset(self.values)?)
            .set_dictionary_page_offset((dictionary_len > 0).then_some(0))
            .set_data_page_offset(offset(dictionary_len)?)
            .build()?;
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: rows as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok((bytes.into(), close))
    }
}

/// Appends a page with its header.
fn write(into: &mut Vec<u8>, page: Page, uncompressed: usize) -> Result<PageWriteSpec> {
    let mut sink = TrackedWrite::new(into);
    let mut writer = SerializedPageWriter::new(&mut sink);
    let written = writer.write_page(CompressedPage::new(page, uncompressed))?;
    writer.close()?;
    Ok(written)
}

fn number(count: usize) -> Result<u32> {
    u32::try_from(count).map_err(too_large)
}

fn offset(bytes: usize) -> Result<i64> {
    i64::try_from(bytes).map_err(too_large)
}

fn too_large(error: std::num::TryFromIntError) -> ParquetError {
    ParquetError::External(Box::new(error))
}

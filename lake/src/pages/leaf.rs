//! One leaf of a column: its values as they come, cut into pages.

use std::ops::Range;

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnDescPtr;

use super::chunk::{Chunk, Compressor};
use super::dictionary::{Dictionary, Plain};
use super::hybrid::{Hybrid, bits_of};

/// Rows that are looked at together when a value came twice.
const BLOCK: usize = 32;

/// Neighbouring rows as a leaf sees them.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    /// Rows without entries: the definition level that says why.
    Absent { level: u32, count: usize },
    /// These elements of the leaf's array, NULL or not.
    Entries(Range<usize>),
}

/// Definition levels and values of the page at work, and the pages before.
#[derive(Debug)]
pub(super) struct Leaf {
    /// The level of a value that is there; one below it the value itself is absent.
    present: u32,
    levels: Hybrid,
    /// Levels in the page at work.
    count: usize,
    values: Values,
    chunk: Chunk,
    dictionary_limit: usize,
    page_limit: usize,
}

#[derive(Debug)]
enum Values {
    /// By their numbers in the dictionary.
    Numbers(Dictionary, Hybrid),
    Plain(Plain),
}

impl Leaf {
    /// `None` for a leaf that is to be written in a way that this module does not know.
    pub(super) fn new(
        column: &ColumnDescPtr,
        of: &DataType,
        properties: &WriterProperties,
        compressor: &Compressor,
    ) -> Option<Self> {
        let path = column.path();
        let with_length = match of {
            DataType::Utf8 => true,
            DataType::Int64 => false,
            DataType::Decimal128(..) if column.type_length() == 16 => false,
            _ => return None,
        };
        let is_known = properties.encoding(path).is_none()
            && properties.compression(path) == compressor.compression
            && properties.statistics_enabled(path) == EnabledStatistics::None
            && properties.bloom_filter_properties(path).is_none()
            && properties.offset_index_disabled();
        if !is_known {
            return None;
        }
        // The library has no dictionaries of fixed-length bytes either: not every reader knows them.
        let values = match properties.dictionary_enabled(path) && !matches!(of, DataType::Decimal128(..)) {
            true => Values::Numbers(Dictionary::new(with_length), Hybrid::default()),
            false => Values::Plain(Plain::new(with_length)),
        };
        let present = u32::try_from(column.max_def_level()).ok()?;
        Some(Self {
            present,
            levels: Hybrid::default(),
            count: 0,
            values,
            chunk: Chunk::new(column.clone()),
            dictionary_limit: properties.column_dictionary_page_size_limit(path),
            page_limit: properties.column_data_page_size_limit(path),
        })
    }

    /// What the rows of `pieces` have in `array`.
    pub(super) fn write(&mut self, array: &dyn Array, pieces: &[Piece]) {
        for piece in pieces {
            match (piece, array.nulls()) {
                (Piece::Absent { level, count }, _) => self.level(*level, *count),
                (Piece::Entries(range), None) => self.append_present(array, range.clone()),
                (Piece::Entries(range), Some(nulls)) => {
                    let mut at = range.start;
                    for (start, end) in nulls.slice(range.start, range.len()).valid_slices() {
                        let present = range.start + start..range.start + end;
                        self.level(self.present - 1, present.start - at);
                        at = present.end;
                        self.append_present(array, present);
                    }
                    self.level(self.present - 1, range.end - at);
                }
            }
        }
    }

    fn append_present(&mut self, array: &dyn Array, range: Range<usize>) {
        self.level(self.present, range.len());
        self.append(array, range);
    }

    #[inline]
    fn level(&mut self, level: u32, count: usize) {
        self.count += count;
        if self.present > 0 {
            self.levels.put(level, count);
        }
    }

    fn append(&mut self, array: &dyn Array, range: Range<usize>) {
        match (array.data_type(), &mut self.values) {
            (DataType::Utf8, Values::Numbers(dictionary, numbers)) => number_texts(array.as_string(), range, dictionary, numbers),
            (DataType::Utf8, Values::Plain(plain)) => {
                let array = array.as_string::<i32>();
                range.for_each(|at| plain.put(array.value(at).as_bytes()));
            }
            (DataType::Int64, values) => {
                let array = &array.as_primitive::<Int64Type>().values()[range];
                match values {
                    Values::Numbers(dictionary, numbers) => {
                        array.iter().for_each(|value| numbers.put(dictionary.number_of(*value), 1));
                    }
                    Values::Plain(plain) => array.iter().for_each(|value| plain.put(&value.to_le_bytes())),
                }
            }
            (_, Values::Plain(plain)) => {
                let array = &array.as_primitive::<Decimal128Type>().values()[range];
                array.iter().for_each(|value| plain.put(&value.to_be_bytes()));
            }
            (other, Values::Numbers(..)) => unreachable!("no dictionary is made of {other}"),
        }
    }

    /// Whether the page at work has its size.
    pub(super) fn is_full(&self) -> bool {
        match &self.values {
            Values::Numbers(dictionary, _) => {
                let bits = self.count * usize::from(bits_of(dictionary.len()));
                dictionary.size() >= self.dictionary_limit || bits / 8 >= self.page_limit
            }
            Values::Plain(plain) => plain.bytes.len() >= self.page_limit,
        }
    }

    /// Bytes so far, about what they will be in the file at the most.
    pub(super) fn size(&self) -> usize {
        self.chunk.size()
            + match &self.values {
                Values::Numbers(dictionary, numbers) => dictionary.size() + numbers.size(),
                Values::Plain(plain) => plain.bytes.len(),
            }
    }

    /// Ends the page at work. `repetitions` as [`Hybrid::finish`] gave them, where the leaf repeats.
    pub(super) fn cut(&mut self, repetitions: Option<&[u8]>, compressor: &mut Compressor) -> Result<()> {
        let count = std::mem::take(&mut self.count);
        if count == 0 {
            return Ok(());
        }
        let mut page = Vec::new();
        if let Some(repetitions) = repetitions {
            put_levels(&mut page, repetitions);
        }
        if self.present > 0 {
            let mut levels = Vec::new();
            self.levels.finish(bits_of(self.present as usize), &mut levels);
            put_levels(&mut page, &levels);
        }
        let encoding = match &mut self.values {
            Values::Numbers(dictionary, numbers) => {
                let bits = bits_of(dictionary.len().saturating_sub(1));
                page.push(bits);
                numbers.finish(bits, &mut page);
                Encoding::RLE_DICTIONARY
            }
            Values::Plain(plain) => {
                page.append(&mut plain.bytes);
                Encoding::PLAIN
            }
        };
        self.chunk.data_page(&page, count, encoding, compressor)?;
        if let Values::Numbers(dictionary, _) = &self.values
            && dictionary.size() >= self.dictionary_limit
        {
            let plain = Plain::new(dictionary.has_lengths());
            self.end_dictionary(compressor)?;
            self.values = Values::Plain(plain);
        }
        Ok(())
    }

    fn end_dictionary(&mut self, compressor: &mut Compressor) -> Result<()> {
        match &self.values {
            Values::Numbers(dictionary, _) => self.chunk.dictionary_page(dictionary.page(), dictionary.len(), compressor),
            Values::Plain(_) => Ok(()),
        }
    }

    /// The whole chunk; the last page was cut.
    pub(super) fn finish(mut self, rows: usize, compressor: &mut Compressor) -> Result<(Bytes, ColumnCloseResult)> {
        self.end_dictionary(compressor)?;
        self.chunk.finish(rows, compressor.compression)
    }
}

fn put_levels(page: &mut Vec<u8>, levels: &[u8]) {
    page.extend_from_slice(&(levels.len() as u32).to_le_bytes());
    page.extend_from_slice(levels);
}

/// Texts by their numbers. Where one came twice, the rows after it are compared many at a time.
fn number_texts(array: &StringArray, range: Range<usize>, dictionary: &mut Dictionary, numbers: &mut Hybrid) {
    let (offsets, bytes) = (array.value_offsets(), array.value_data());
    let mut at = range.start;
    let mut before = None;
    while at < range.end {
        let number = dictionary.number(&bytes[offsets[at] as usize..offsets[at + 1] as usize]);
        let mut count = 1;
        if before == Some(number) {
            while at + count + BLOCK <= range.end && is_block(&offsets[at + count - 1..=at + count + BLOCK], bytes) {
                count += BLOCK;
            }
        }
        before = Some(number);
        numbers.put(number, count);
        at += count;
    }
}

/// Whether all values between `offsets` are as the first one.
#[inline]
fn is_block(offsets: &[i32], bytes: &[u8]) -> bool {
    let [first, second, ..] = *offsets else { return false };
    let (width, last) = (second - first, offsets[offsets.len() - 1]);
    if i64::from(last - first) != i64::from(width) * (offsets.len() as i64 - 1) {
        return false;
    }
    // Values of one width that are all equal are equal to themselves one value further on.
    offsets.windows(2).all(|pair| pair[1] - pair[0] == width)
        && bytes[first as usize..(last - width) as usize] == bytes[second as usize..last as usize]
}

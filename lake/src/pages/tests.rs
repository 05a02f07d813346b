//! What is read back is what was written, and what the library would have written.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, Int64Builder, ListBuilder, MapBuilder, MapFieldNames, RecordBatch, StringArray,
    StringBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

use super::ParquetWriter;
use crate::data_file::properties;
use crate::schema::map;

/// One row of every kind of column that is ours.
#[derive(Debug, Clone)]
struct Row {
    name: String,
    text: Option<String>,
    count: Option<i64>,
    cost: Option<i128>,
    list: Option<Vec<Option<String>>>,
    texts: Option<BTreeMap<String, Option<String>>>,
    usage: Option<BTreeMap<String, Option<i64>>>,
}

fn schema() -> SchemaRef {
    let element = Field::new("element", DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        Field::new("name", DataType::Utf8, false),
        Field::new("text", DataType::Utf8, true),
        Field::new("count", DataType::Int64, true),
        Field::new("input_uncached", DataType::Int64, true),
        Field::new("cost", DataType::Decimal128(38, 12), true),
        Field::new("list", DataType::List(Arc::new(element)), true),
        map("texts", DataType::Utf8),
        map("usage", DataType::Int64),
    ]))
}

fn batch(rows: &[Row]) -> RecordBatch {
    let names = || {
        Some(MapFieldNames {
            entry: "key_value".into(),
            key: "key".into(),
            value: "value".into(),
        })
    };
    let element = Field::new("element", DataType::Utf8, true);
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(element);
    let mut texts = MapBuilder::new(names(), StringBuilder::new(), StringBuilder::new());
    let mut usage = MapBuilder::new(names(), StringBuilder::new(), Int64Builder::new());
    for row in rows {
        row.list
            .iter()
            .flatten()
            .for_each(|text| lists.values().append_option(text.as_ref()));
        lists.append(row.list.is_some());
        for (key, value) in row.texts.iter().flatten() {
            texts.keys().append_value(key);
            texts.values().append_option(value.as_ref());
        }
        texts.append(row.texts.is_some()).unwrap();
        for (key, value) in row.usage.iter().flatten() {
            usage.keys().append_value(key);
            usage.values().append_option(*value);
        }
        usage.append(row.usage.is_some()).unwrap();
    }
    let counts = Int64Array::from_iter(rows.iter().map(|row| row.count));
    let costs = Decimal128Array::from_iter(rows.iter().map(|row| row.cost));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.name))),
        Arc::new(StringArray::from_iter(rows.iter().map(|row| row.text.as_ref()))),
        Arc::new(counts.clone()),
        Arc::new(counts),
        Arc::new(costs.with_precision_and_scale(38, 12).unwrap()),
        Arc::new(lists.finish()),
        Arc::new(texts.finish()),
        Arc::new(usage.finish()),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn read(bytes: Vec<u8>) -> (Vec<RecordBatch>, Vec<RowGroupMetaData>) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
    let groups = reader.metadata().row_groups().to_vec();
    let batches = reader.with_batch_size(usize::MAX >> 1).build().unwrap();
    (batches.map(Result::unwrap).collect(), groups)
}

/// The same rows in whatever batches; a failure names the column and not a thousand rows.
fn assert_same(found: &[RecordBatch], expected: &[RecordBatch]) {
    let all = |batches: &[RecordBatch]| arrow::compute::concat_batches(&batches[0].schema(), batches).unwrap();
    let (found, expected) = (all(found), all(expected));
    assert_eq!(found.num_rows(), expected.num_rows());
    for (field, (found, expected)) in found
        .schema()
        .fields()
        .iter()
        .zip(found.columns().iter().zip(expected.columns()))
    {
        let differs = (0..found.len()).find(|row| found.slice(*row, 1) != expected.slice(*row, 1));
        if let Some(row) = differs {
            panic!(
                "{} in row {row}: {:?}, and not {:?}",
                field.name(),
                found.slice(row, 1),
                expected.slice(row, 1)
            );
        }
    }
}

/// Writes with both writers and compares rows, encodings and the shape of the footer.
fn check(batches: &[RecordBatch], properties: WriterProperties) {
    let schema = batches[0].schema();
    let mut ours = ParquetWriter::try_new(Vec::new(), Arc::clone(&schema), properties.clone()).unwrap();
    let mut library = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).unwrap();
    for batch in batches {
        ours.write(batch).unwrap();
        library.write(batch).unwrap();
    }
    let (ours, our_groups) = read(ours.into_inner().unwrap());
    let (library, library_groups) = read(library.into_inner().unwrap());
    assert_same(&ours, &library);
    assert_same(&ours, batches);
    for (ours, library) in our_groups.iter().zip(&library_groups) {
        for (ours, library) in ours.columns().iter().zip(library.columns()) {
            assert_eq!(ours.column_path(), library.column_path());
            assert_eq!(ours.num_values(), library.num_values(), "{}", ours.column_path());
            assert_eq!(ours.encodings_mask(), library.encodings_mask(), "{}", ours.column_path());
            assert_eq!(ours.compression_codec(), library.compression_codec());
        }
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec!["a", "bb", "gpt-4.1", "customer.id", "resource:service.name", "ü"]).prop_map(str::to_owned),
        2 => "[a-z]{0,12}",
        1 => Just(String::new()),
        1 => (1_usize..3_000, "[a-z]").prop_map(|(length, letter)| letter.repeat(length)),
    ]
}

fn entries<T: std::fmt::Debug + Clone>(
    values: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = Option<BTreeMap<String, Option<T>>>> {
    let value = prop::option::weighted(0.9, values);
    prop::option::of(prop::collection::btree_map(texts(), value, 0..4))
}

prop_compose! {
    fn row()(
        name in texts(),
        text in prop::option::of(texts()),
        count in prop::option::of(prop_oneof![0_i64..5, any::<i64>()]),
        cost in prop::option::of(-10_i128.pow(37)..10_i128.pow(37)),
        list in prop::option::of(prop::collection::vec(prop::option::weighted(0.9, texts()), 0..4)),
        texts in entries(texts().boxed()),
        usage in entries(any::<i64>().boxed()),
    ) -> Row {
        Row { name, text, count, cost, list, texts, usage }
    }
}

/// Batches in which rows stand alone and in runs.
fn batches() -> impl Strategy<Value = Vec<RecordBatch>> {
    let runs = prop::collection::vec((row(), prop_oneof![3 => Just(1_usize), 1 => 1_usize..90]), 1..30);
    let rows = runs.prop_map(|runs| {
        let rows = runs.into_iter().flat_map(|(row, count)| std::iter::repeat_n(row, count));
        batch(&rows.collect::<Vec<_>>())
    });
    prop::collection::vec(rows, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_writers_say_the_same(batches in batches()) {
        check(&batches, properties(&batches[0].schema()));
    }

    #[test]
    fn small_pages_and_groups_say_the_same(batches in batches(), page in 1_usize..400, dictionary in 1_usize..2_000, rows in 1_usize..200) {
        let small = properties(&batches[0].schema())
            .into_builder()
            .set_data_page_size_limit(page)
            .set_data_page_row_count_limit(page)
            .set_dictionary_page_size_limit(dictionary)
            .set_max_row_group_row_count(Some(rows))
            .build();
        // The library falls back from the dictionary a little earlier or later: only rows are compared.
        let mut writer = ParquetWriter::try_new(Vec::new(), batches[0].schema(), small).unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        let (read, groups) = read(writer.into_inner().unwrap());
        assert_same(&read, &batches);
        prop_assert!(groups.iter().all(|group| group.num_rows() as usize <= rows));
    }
}

#[test]
fn many_distinct_values_leave_the_dictionary() {
    let row = |number: i64| Row {
        name: format!("{number:0>100}"),
        text: (number % 3 > 0).then(|| format!("text {number:0>90}")),
        count: Some(number),
        cost: Some(i128::from(number)),
        list: Some(vec![Some(format!("{number:0>100}")); 2]),
        texts: Some(BTreeMap::from([("key".to_owned(), Some(format!("{number:0>100}")))])),
        usage: Some(BTreeMap::from([("input".to_owned(), Some(number))])),
    };
    let rows: Vec<Row> = (0..30_000).map(row).collect();
    let batches: Vec<_> = rows.chunks(2_048).map(batch).collect();
    check(&batches, properties(&schema()));
}

#[test]
fn a_slice_is_written_from_where_it_begins() {
    let row = |number: usize| Row {
        name: format!("n{}", number / 40),
        text: (number % 2 == 1).then(|| "t".to_owned()),
        count: None,
        cost: None,
        list: (number % 5 < 4).then(|| vec![Some(number.to_string()); number % 3]),
        texts: (number % 7 < 6).then(|| (0..number % 4).map(|at| (at.to_string(), None)).collect()),
        usage: (number % 4 < 3).then(BTreeMap::new),
    };
    let whole = batch(&(0..2_000).map(row).collect::<Vec<_>>());
    check(&[whole.slice(3, 1_500), whole.slice(1_999, 1)], properties(&schema()));
}

#[test]
fn another_schema_is_refused() {
    let mut writer = ParquetWriter::try_new(Vec::new(), schema(), WriterProperties::default()).unwrap();
    let other = Schema::new(vec![Field::new("name", DataType::Utf8, true)]);
    assert!(writer.write(&RecordBatch::new_empty(Arc::new(other))).is_err());
}

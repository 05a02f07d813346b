//! The mapping language on files that no preset knows.

use super::*;

const OWN: &str = r#"
name = "own"
title = "our own shop"
amount = [{ column = "Betrag" }]

[format]
delimiter = ";"
decimal = ","
thousands = "."
null = ["NULL"]
dates = ["%m/%d/%y"]
carry = { key = "Order", columns = ["Customer", "Date"] }

[detect]
required = ["Order", "Betrag"]

[fields]
line_id = ["Order", "Position"]
version = "Version"
customer = "Customer"
currency = "Currency|=EUR"
start = "Date"

[[line]]
kinds = [{ kind = "refund", when = { column = "Betrag", sign = "negative" } }, { kind = "one_off", when = [] }]
"#;

#[test]
fn literal_nulls_and_american_dates_are_what_the_mapping_says() {
    let text = "Order;Position;Customer;Date;Betrag;Currency;Version\n\
        A;1;acme;5/1/25;1.234,50;NULL;1\n\
        A;2;;;-10,00;USD;1\n\
        A;2;;;-12,00;USD;2\n\
        B;1;NULL;12/31/24;5;;1\n";
    Case {
        mapping: Some(OWN),
        ..case(&[("own.csv", text)])
    }
    .check(&[
        "A:1 acme one_off 1234.5 EUR 2025-05-01+1",
        "A:2 acme refund -12 USD 2025-05-01+1",
        "B:1 - one_off 5 EUR 2024-12-31+1",
        "excluded superseded 1",
    ]);
}

#[test]
fn a_mapping_reads_at_least_once_exports_and_lists_of_aliases() {
    let mapping = r#"
name = "meter"
title = "meter export"
amount = [{ column = "total", unit = "micros" }]
[fields]
line_id = "id"
version = "ts"
aliases = "ingest_aliases"
currency = "currency"
start = "from"
end = "to"
kind = "=usage"
[format]
dates = ["epoch_ms"]
"#;
    let line = |total: &str, ts: &str| {
        format!(
            "{{\"id\":\"x\",\"total\":{total},\"currency\":\"usd\",\"ts\":{ts},\"ingest_aliases\":[\"acme-eu\",\"acme\"],\"from\":1767225600000,\"to\":1769904000000}}\n"
        )
    };
    let text = [
        line("1500000", "9"),
        line("2500000", "10"),
        line("2500000", "10"),
        line("1", "2"),
    ]
    .concat();
    let loaded = Case {
        mapping: Some(mapping),
        ..case(&[("meter.ndjson", &text)])
    }
    .check(&[
        "x acme-eu usage 2.5 USD 2026-01-01+31",
        "excluded repeated 1",
        "excluded superseded 2",
    ]);
    assert_eq!(loaded.lines[0].ids().collect::<Vec<_>>(), ["acme-eu", "acme"]);
}

#[test]
fn parquet_is_read_like_text() {
    use arrow::array::{ArrayRef, Date32Array, Decimal128Array, RecordBatch, StringArray};
    use std::sync::Arc;
    let amounts = Decimal128Array::from(vec![123_450_000_000_000_i128, -1])
        .with_precision_and_scale(38, 12)
        .unwrap();
    let batch = RecordBatch::try_from_iter([
        (
            "customer_id",
            Arc::new(StringArray::from(vec![Some("acme"), None])) as ArrayRef,
        ),
        ("amount", Arc::new(amounts)),
        ("currency", Arc::new(StringArray::from(vec!["USD", "EUR"]))),
        ("period_start", Arc::new(Date32Array::from(vec![20_454, 20_454]))),
        ("period_end", Arc::new(Date32Array::from(vec![Some(20_485), None]))),
        ("line_id", Arc::new(StringArray::from(vec!["a", "b"]))),
    ])
    .unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("revenue.parquet");
    let mut writer = parquet::arrow::ArrowWriter::try_new(fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let inputs = RevenueInputs {
        files: vec![path.clone()],
        ..RevenueInputs::default()
    };
    let loaded = load(&inputs).unwrap();
    let shown: Vec<String> = loaded
        .lines
        .iter()
        .map(|line| format!("{} {}", line.amount, line.period.days()))
        .collect();
    assert_eq!(shown, ["123.45 31", "-0.000000000001 1"]);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    let error = load(&inputs).unwrap_err().to_string();
    assert!(
        error.starts_with("revenue.parquet:1: is a torn or damaged Parquet file"),
        "{error}"
    );
}

#[test]
fn a_mapping_that_is_none_names_what_is_wrong() {
    let base = "name = \"x\"\ntitle = \"x\"\namount = [\"a\"]\n[fields]\ncurrency = \"=USD\"\nstart = \"d\"\n";
    for (text, part) in [
        (base.replace("amount = [\"a\"]", ""), "amount is missing"),
        (base.replace("currency", "curency"), "curency"),
        (base.replace("start = \"d\"", ""), "fields.start is missing"),
        (base.replace("\"a\"", "\"a[\""), "write a column"),
        (format!("{base}[format]\ntimezone = \"Berlin\"\n"), "Europe/Berlin"),
        (format!("{base}[format]\ndecimal = \";\"\n"), "format.decimal"),
    ] {
        let case = Case {
            mapping: Some(&text),
            ..case(&[("a.csv", "a,d\n1,2026-01-01\n")])
        };
        let error = case.load().unwrap_err();
        assert!(error.contains("mapping.toml") && error.contains(part), "{error}");
    }
    let inputs = RevenueInputs {
        mappings: vec!["stripe_paymets".into()],
        ..RevenueInputs::default()
    };
    assert!(
        load(&inputs)
            .unwrap_err()
            .to_string()
            .contains("presets are generic, stripe_invoice_line_items")
    );
}

#[test]
fn a_newer_export_changes_only_what_changed() {
    let header = "customer_id,amount,currency,period_start,period_end,line_id,version\n";
    let old = format!("{header}acme,1,USD,2026-01-01,2026-02-01,a,1\nacme,2,USD,2026-01-01,2026-02-01,b,1\n");
    let new = format!("{header}acme,1,USD,2026-01-01,2026-02-01,a,1\nacme,3,USD,2026-01-01,2026-02-01,b,2\n");
    for files in [
        [("old.csv", old.as_str()), ("new.csv", new.as_str())],
        [("new.csv", new.as_str()), ("old.csv", old.as_str())],
    ] {
        let loaded = case(&files).load().unwrap();
        let sums: BTreeMap<&str, String> = loaded
            .lines
            .iter()
            .map(|line| (&*line.line_id, line.amount.to_string()))
            .collect();
        assert_eq!(sums, BTreeMap::from([("a", "1".to_owned()), ("b", "3".to_owned())]));
    }
}

/// The same two rows in a format, plain and packed.
fn read_packed(name: &str, bytes: &[u8]) {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    let folder = TempDir::new().unwrap();
    for (name, bytes) in [
        (name.to_owned(), bytes.to_vec()),
        (format!("{name}.gz"), packed.finish().unwrap()),
    ] {
        let path = folder.path().join(&name);
        fs::write(&path, bytes).unwrap();
        let inputs = RevenueInputs {
            files: vec![path],
            ..RevenueInputs::default()
        };
        let loaded = load(&inputs).unwrap_or_else(|error| panic!("{name}: {error}"));
        let shown: Vec<String> = loaded
            .lines
            .iter()
            .map(|line| format!("{} {}", line.amount, line.period.days()))
            .collect();
        assert_eq!(shown, ["123.45 31", "-5 1"], "{name}");
    }
}

#[test]
fn every_format_may_be_packed() {
    let header = ["customer_id", "amount", "currency", "period_start", "period_end"];
    let rows = [
        ["acme", "123.45", "USD", "2026-01-01", "2026-02-01"],
        ["", "-5", "EUR", "2026-01-03", ""],
    ];
    let table = |delimiter: &str| {
        let lines = [header].into_iter().chain(rows).map(|row| row.join(delimiter));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    };
    read_packed("revenue.csv", table(",").as_bytes());
    read_packed("revenue.tsv", table("\t").as_bytes());
    let object = |row: [&str; 5]| -> serde_json::Value {
        header
            .into_iter()
            .zip(row)
            .map(|(name, cell)| (name.to_owned(), cell.into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    read_packed(
        "revenue.ndjson",
        rows.map(|row| object(row).to_string() + "\n").concat().as_bytes(),
    );
    read_packed(
        "revenue.json",
        serde_json::Value::from(rows.map(object).to_vec()).to_string().as_bytes(),
    );
    let columns = (0..5).map(|at| {
        let cells: Vec<Option<&str>> = rows.iter().map(|row| Some(row[at]).filter(|cell| !cell.is_empty())).collect();
        (
            header[at],
            std::sync::Arc::new(arrow::array::StringArray::from(cells)) as arrow::array::ArrayRef,
        )
    });
    let batch = arrow::array::RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    read_packed("revenue.parquet", &bytes);
}

#[test]
fn times_without_a_zone_are_those_of_the_mapping_and_dates_are_dates_everywhere() {
    let mapping = "name = \"zoned\"\ntitle = \"zoned\"\namount = [{ column = \"total\", unit = \"minor\" }]\n\
        [format]\ndates = [\"iso\", \"%d.%m.%Y %H:%M\"]\ntimezone = \"Europe/Berlin\"\n\
        [fields]\nline_id = \"id\"\ncustomer = \"meta.org|who\"\ncurrency = \"currency\"\nstart = \"start\"\nend = \"end\"\nend_inclusive = true\n";
    // Midnight in Berlin is the evening before in UTC, by one hour in winter and by two from 29 March on.
    let text = "id,total,currency,start,end,who,meta\n\
        1,500,JPY,28.03.2026 00:30,,b,\"{\"\"org\"\":\"\"acme\"\"}\"\n\
        2,1250,KWD,30.03.2026 01:30,,b,\n\
        3,1999,USD,2026-03-29,2026-03-31,b,\n";
    Case {
        mapping: Some(mapping),
        ..case(&[("zoned.csv", text)])
    }
    .check(&[
        "1 acme - 500 JPY 2026-03-27+1",
        "2 b - 1.25 KWD 2026-03-29+1",
        "3 b - 19.99 USD 2026-03-29+3",
    ]);
}

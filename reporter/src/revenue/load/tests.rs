//! Files in, lines or complaints out.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::revenue::customer_map::CustomerLadder;
use crate::revenue::{Amount, LoadReport};

const GENERIC: &str = "customer_id,amount,currency,period_start,period_end";

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

fn load_bytes(files: &[(&str, &[u8])]) -> Result<Loaded, RevenueError> {
    let folder = TempDir::new().unwrap();
    let paths = files.iter().map(|(name, bytes)| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    });
    let inputs = RevenueInputs {
        files: paths.collect(),
        ..RevenueInputs::default()
    };
    load(&inputs)
}

fn load_text(text: &str) -> Result<Loaded, RevenueError> {
    load_bytes(&[("revenue.csv", text.as_bytes())])
}

fn stripe(joins: &[(&str, &str)]) -> Result<Loaded, RevenueError> {
    let joins = joins.iter().map(|(key, path)| ((*key).to_owned(), fixture(path))).collect();
    load(&RevenueInputs {
        files: vec![fixture("stripe/invoice_line_items.csv")],
        joins,
        ..RevenueInputs::default()
    })
}

/// Line id, customer of the ladder, amount, currency, days.
fn summary(loaded: &Loaded) -> Vec<String> {
    let ladder = CustomerLadder::default();
    let of = |line: &RevenueLine| {
        let customer = ladder.customer(line, line.period.first_day()).unwrap_or("-");
        format!(
            "{} {customer} {} {} {}",
            line.line_id,
            line.amount,
            line.currency,
            line.period.days()
        )
    };
    loaded.lines.iter().map(of).collect()
}

fn excluded(report: &LoadReport) -> Vec<(String, u64)> {
    report
        .excluded()
        .into_iter()
        .map(|(reason, count)| (reason.name().to_owned(), count))
        .collect()
}

#[test]
fn the_generic_file_is_read_as_it_is_written() {
    let loaded = load_text(
        "customer_id,amount,currency,period_start,period_end,kind,description,line_id,user_id,feature,plan\n\
         acme,100.00,USD,2026-01-01,2026-02-01,subscription,\"January, \"\"all in\"\"\",1,,,team\n\
         acme,-5,usd,2026-01-15,,Refund,,2,u1,chat,\n\
         ,7,EUR,2026-01-15T10:00:00Z,2026-01-15T10:00:00Z,,,3,,,\n\
         acme,19,USD,2026-01-15,,tax,,4,,,\n",
    )
    .unwrap();
    assert_eq!(summary(&loaded), ["1 acme 100 USD 31", "2 acme -5 USD 1", "3 - 7 EUR 1"]);
    assert_eq!(loaded.lines[0].description.as_deref(), Some("January, \"all in\""));
    assert_eq!(
        (loaded.lines[1].kind.as_deref(), loaded.lines[1].feature.as_deref()),
        (Some("refund"), Some("chat"))
    );
    assert_eq!(excluded(&loaded.report), [("tax".to_owned(), 1)]);
    assert_eq!(loaded.report.lines_without_customer, 1);
}

#[test]
fn encodings_and_line_ends_make_no_difference() {
    let plain = format!("{GENERIC}\nacme,1.5,USD,2026-01-01,2026-02-01\n");
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, plain.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    for bytes in [
        plain.clone().into_bytes(),
        format!("\u{feff}{plain}").into_bytes(),
        plain.replace('\n', "\r\n").into_bytes(),
        plain.trim_end().to_owned().into_bytes(),
        plain.replace("acme,1.5", "\"acme\",\"1.5\"").into_bytes(),
        plain.replace("\nacme", "\n\n\nacme").into_bytes(),
        format!(
            "Customer_ID,Amount,Currency,Period Start,Period End\n{}",
            plain.lines().nth(1).unwrap()
        )
        .into_bytes(),
        gzip,
    ] {
        let loaded =
            load_bytes(&[("revenue.csv", &bytes)]).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&bytes)));
        let line = &loaded.lines[0];
        assert_eq!(
            (line.amount, line.source_customer_id.as_deref()),
            (Amount::parse_major("1.5").unwrap(), Some("acme"))
        );
    }
}

#[test]
fn a_refusal_names_file_line_column_and_value() {
    let good = "acme,1,USD,2026-01-01,2026-02-01\n";
    for (row, message) in [
        (
            "acme,\"1,000.00\",USD,2026-01-01,2026-02-01",
            "revenue.csv:3: column amount: \"1,000.00\" has a thousands separator or a decimal comma: write a plain number like 1234.56",
        ),
        (
            "acme,,USD,2026-01-01,2026-02-01",
            "revenue.csv:3: column amount: \"\" is empty: an amount is required, unknown is not zero",
        ),
        (
            "acme,NULL,USD,2026-01-01,2026-02-01",
            "revenue.csv:3: column amount: \"NULL\" is not a decimal number",
        ),
        (
            "acme,0.0000000000001,USD,2026-01-01,2026-02-01",
            "revenue.csv:3: column amount: \"0.0000000000001\" has more than 12 decimal places",
        ),
        (
            "acme,1,DOLLAR,2026-01-01,2026-02-01",
            "revenue.csv:3: column currency: \"DOLLAR\" is not an ISO 4217 currency code (three letters, such as USD)",
        ),
        (
            "acme,1,,2026-01-01,2026-02-01",
            "revenue.csv:3: column currency: \"\" is not an ISO 4217 currency code (three letters, such as USD)",
        ),
        (
            "acme,1,USD,5/1/25,2026-02-01",
            "revenue.csv:3: column period_start: \"5/1/25\" is ambiguous between day/month and month/day: write YYYY-MM-DD",
        ),
        (
            "acme,1,USD,,2026-02-01",
            "revenue.csv:3: column period_start: \"\" is empty: a date is required",
        ),
        (
            "acme,1,USD,2026-01-01,2025-02-01",
            "revenue.csv:3: column period_end: \"2025-02-01\" ends before its start 2026-01-01T00:00:00Z",
        ),
        (
            "acme,1,USD,2026-02-30,2026-03-01",
            "revenue.csv:3: column period_start: \"2026-02-30\" is not a day of the calendar",
        ),
        (
            "acme,1,USD,1767225600,2026-02-01",
            "revenue.csv:3: column period_start: \"1767225600\" is a bare number: write YYYY-MM-DD or RFC 3339",
        ),
        (
            "acme,1,USD,2026-01-01",
            "revenue.csv:3: column period_end: the line is torn or badly quoted: 4 fields where the header has 5",
        ),
        (
            "acme,1,USD,2026-01-01,2026-02-01,x",
            "revenue.csv:3: column period_end: the line is torn or badly quoted: 6 fields where the header has 5",
        ),
    ] {
        let error = load_text(&format!("{GENERIC}\n{good}{row}\nlast,1,USD,2026-01-01,2026-02-01\n")).unwrap_err();
        assert_eq!(error.to_string(), message, "{row}");
    }
}

#[test]
fn a_torn_end_refuses_the_file_with_its_line() {
    let whole = "acme,12.50,USD,2026-01-01,2026-02-01";
    for length in 0..whole.len() {
        let text = format!("{GENERIC}\n{whole}\n{}", &whole[..length]);
        let result = load_text(&text);
        if length == 0 {
            assert!(result.is_ok());
            continue;
        }
        let error = result.expect_err(&text).to_string();
        assert!(error.starts_with("revenue.csv:3: "), "{text}: {error}");
    }
    let quoted = load_text(&format!(
        "{GENERIC},description\nacme,1,USD,2026-01-01,2026-02-01,\"torn in a quo"
    ))
    .unwrap_err();
    assert_eq!(
        quoted.to_string(),
        "revenue.csv:2: a quote is opened and never closed: the file is torn or badly quoted"
    );
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for (bytes, message) in [
        (&b"\xff\xfec\0u\0"[..], "revenue.csv:1: is UTF-16: save the file as UTF-8"),
        (
            b"customer_id\nM\xfcller\n",
            "revenue.csv:2: has a byte that is not UTF-8: save the file as UTF-8",
        ),
        (
            b"customer_id\na\n\0\n",
            "revenue.csv:3: has a zero byte: the file is torn or not text",
        ),
        (
            b"\x1f\x8b\x08\x00torn",
            "revenue.csv:1: is a torn or damaged gzip file: export it again",
        ),
        (b"", "revenue.csv:1: is empty: a header line is required"),
    ] {
        assert_eq!(load_bytes(&[("revenue.csv", bytes)]).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_header_that_fits_nothing_is_refused_with_the_nearest_source() {
    let error = load_text("customer_id,amount,period_start,period_end\n")
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "revenue.csv:1: column currency: the header fits no known source; nearest is the generic revenue CSV \
         (customer_id,amount,currency,period_start,period_end), of which currency is missing"
    );
    let error = load_text("customer_id;amount;currency;period_start;period_end\n")
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("; fields must be separated by commas"), "{error}");
}

#[test]
fn a_look_alike_is_refused_rather_than_read_in_the_wrong_unit() {
    // Stripe's invoices have every column of the generic file, in cents and with tax.
    let inputs = RevenueInputs {
        files: vec![fixture("stripe_fivetran_seeds/invoice_data.csv")],
        ..RevenueInputs::default()
    };
    let error = load(&inputs).unwrap_err().to_string();
    assert!(error.starts_with("invoice_data.csv:1: column "), "{error}");
    assert!(
        error.contains("amount_due") && error.contains("could change what an amount means"),
        "{error}"
    );
}

#[test]
fn real_stripe_line_items_are_read_in_cents() {
    let inputs = RevenueInputs {
        files: vec![fixture("stripe_fivetran_seeds/invoice_line_item_data.csv")],
        joins: BTreeMap::from([
            ("invoices".to_owned(), fixture("stripe_fivetran_seeds/invoice_data.csv")),
            ("customers".to_owned(), fixture("stripe_fivetran_seeds/customer_data.csv")),
        ]),
        ..RevenueInputs::default()
    };
    let loaded = load(&inputs).unwrap();
    let expected = [
        "ad1111 1111111-2222-3333-4444-55555555 0.21 USD 1",
        "ba222 1111111-2222-3333-4444-55555555 0.65 USD 1",
        "ba3333 - 1 USD 1",
    ];
    assert_eq!(summary(&loaded), expected);
}

#[test]
fn stripe_lines_find_their_customer_and_status_through_two_files() {
    let loaded = stripe(&[("invoices", "stripe/invoices.csv"), ("customers", "stripe/customers.csv")]).unwrap();
    let expected = [
        "il_1 acme 310 USD 31",
        "il_2 acme -15.5 USD 16",
        "il_3 acme 46.5 USD 16",
        "il_4 globex 25 USD 1",
        "il_5 cus_nippon 4900 JPY 31",
        "il_8 globex 77 USD 31",
        "il_10 - 12 USD 31",
    ];
    assert_eq!(summary(&loaded), expected);
    assert_eq!(
        excluded(&loaded.report),
        [("draft", 1), ("test_mode", 1), ("void", 1)].map(|(reason, count)| (reason.to_owned(), count))
    );
    // An invoice that will not be paid stays revenue, and is a cost.
    assert_eq!(
        (loaded.costs[0].kind.as_deref(), loaded.costs[0].amount.to_string()),
        (Some("bad_debt"), "77".to_owned())
    );
    assert_eq!(loaded.lines[3].feature.as_deref(), Some("search"));
    assert_eq!(loaded.report.files[0].rows, 10);
}

#[test]
fn stripe_lines_alone_name_nobody() {
    let loaded = stripe(&[]).unwrap();
    assert_eq!(loaded.report.lines_without_customer, loaded.report.lines);
}

#[test]
fn second_files_are_checked_too() {
    let folder = TempDir::new().unwrap();
    let check = |key: &str, text: &str, message: &str| {
        let path = folder.path().join("second.csv");
        fs::write(&path, text).unwrap();
        let inputs = RevenueInputs {
            files: vec![fixture("stripe/invoice_line_items.csv")],
            joins: BTreeMap::from([(key.to_owned(), path)]),
            ..RevenueInputs::default()
        };
        assert_eq!(load(&inputs).unwrap_err().to_string(), message);
    };
    check(
        "bills",
        "id\n",
        "--revenue-join bills=...: unknown key, known are invoices, customers, credit_notes, accounts",
    );
    check(
        "invoices",
        "id,status\n",
        "second.csv:1: column customer_id: is missing from the header of a file given by --revenue-join; it has id, status",
    );
    let statuses = "id,customer_id,status\nin_1,cus_1,paid\nin_1,cus_1,void\n";
    check(
        "invoices",
        statuses,
        "second.csv:3: column id: \"in_1\" stands twice with different content",
    );
    let unknown = "id,customer_id,status\nin_1,cus_1,maybe\n";
    let message = "second.csv:2: column status: \"maybe\" is not a status of an invoice (draft, open, paid, uncollectible, void)";
    check("invoices", unknown, message);
    check(
        "customers",
        "id,metadata\ncus_1,{torn\n",
        "second.csv:2: column metadata: \"{torn\" is not JSON: a metadata object is expected",
    );
}

#[test]
fn one_line_in_two_exports_counts_once_and_two_lines_with_one_id_are_refused() {
    let header = format!("{GENERIC},line_id\n");
    let january = format!("{header}acme,1,USD,2026-01-01,2026-02-01,a\n");
    let both = format!("{header}acme,1,USD,2026-01-01,2026-02-01,a\nacme,2,USD,2026-02-01,2026-03-01,b\n");
    let loaded = load_bytes(&[("january.csv", january.as_bytes()), ("both.csv", both.as_bytes())]).unwrap();
    assert_eq!(
        (loaded.lines.len(), excluded(&loaded.report)),
        (2, vec![("repeated".to_owned(), 1)])
    );

    let changed = both.replace("acme,1,", "acme,9,");
    let error = load_bytes(&[("january.csv", january.as_bytes()), ("both.csv", changed.as_bytes())]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "both.csv:2: column line_id: \"a\" is also the id of line 2 of january.csv: ids must be unique"
    );
    let twice = load_bytes(&[("a.csv", january.as_bytes()), ("b.csv", january.as_bytes())]).unwrap_err();
    assert_eq!(
        twice.to_string(),
        "b.csv:1: has the same content as a.csv: each file is given once"
    );
}

#[test]
fn every_bad_row_is_named_up_to_a_limit() {
    let rows: String = (0..25).map(|_| "acme,x,USD,2026-01-01,2026-02-01\n").collect();
    let message = load_text(&format!("{GENERIC}\n{rows}")).unwrap_err().to_string();
    assert_eq!(message.lines().count(), 21);
    assert!(message.ends_with("and 5 more"), "{message}");
}

#[test]
fn the_load_report_says_what_was_read() {
    let loaded = stripe(&[("invoices", "stripe/invoices.csv"), ("customers", "stripe/customers.csv")]).unwrap();
    let expected = "\
invoice_line_items.csv: read as Stripe invoice line items (id,invoice_id,amount,currency,period_start,period_end,proration)
  because   the header has id, invoice_id, amount, currency, period_start, period_end, proration
  rows      10
  excluded  1 draft
  excluded  1 test_mode
  excluded  1 void
lines       7
sum         4900 JPY subscription
sum         25 USD one_off
sum         430 USD subscription
cost        77 USD bad_debt
days        2026-01-01 to 2026-01-31
customers   3
unmatched   1 lines name no customer
";
    assert_eq!(loaded.report.to_string(), expected);
}

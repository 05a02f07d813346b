//! The workbook as a spreadsheet reads it.

use calamine::{Data, Reader, Xlsx, open_workbook};

use super::*;

/// Every mart is a sheet of numbers, dates and texts that says what the exact files say.
#[tokio::test]
async fn every_mart_is_a_sheet_of_real_numbers() {
    let setting = Setting::new(&calls()).await;
    setting.run(&setting.options(REVENUE)).await;
    let path = setting.folder.path().join("out/report.xlsx");
    let mut workbook: Xlsx<_> = open_workbook(path).unwrap();
    let names = workbook.sheet_names();
    assert_eq!(names[0], "summary");
    for mart in MARGIN_MARTS.map(|mart| mart.name) {
        assert!(names.iter().any(|name| name == mart), "{mart} is missing from {names:?}");
    }

    let summary = workbook.worksheet_range("summary").unwrap();
    let value = |name: &str| {
        let row = summary.rows().find(|row| row[0] == *name);
        row.map_or(Data::Empty, |row| row[1].clone())
    };
    assert_eq!(value("Revenue"), Data::Float(446.0));
    assert_eq!(value("Gross margin"), Data::Float(329.249_999_999_999));

    let range = workbook.worksheet_range("margin_by_customer").unwrap();
    let headings: Vec<String> = range.rows().next().unwrap().iter().map(ToString::to_string).collect();
    let column = |name: &str| headings.iter().position(|heading| heading == name).unwrap();
    let row = range
        .rows()
        .find(|row| {
            // 2026-01-02 as spreadsheets count days.
            let is_the_day = matches!(&row[column("date")], Data::DateTime(day) if day.as_f64() == 46_024.0);
            is_the_day && row[column("customer_id")] == "globex"
        })
        .unwrap();
    assert_eq!(row[column("model_cost")], Data::Float(99.000_000_000_001));
    assert_eq!(row[column("revenue")], Data::Float(2.0));
    assert_eq!(row[column("gross_margin_pct")], Data::Float(-4850.0));
    assert_eq!(row[column("calls")], Data::Float(1.0));
    let free = range.rows().find(|row| row[column("customer_id")] == "freeloader").unwrap();
    // No revenue, no percentage: an empty cell and not a zero.
    assert_eq!(free[column("gross_margin_pct")], Data::Empty);
    let exact: usize = setting.sql("SELECT count(*) FROM margin_by_customer").await.parse().unwrap();
    assert_eq!(range.height(), exact + 1);
}

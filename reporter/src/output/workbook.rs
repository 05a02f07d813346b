//! `report.xlsx`: a summary, then one sheet a mart, with real numbers, dates and formats.
//!
//! A spreadsheet knows doubles only: amounts are the doubles nearest to the exact ones, and shown rounded. The exact text
//! is in the CSV, JSON and Parquet files beside it. Sheets are written row by row, so that memory stays bounded.

use std::io::{Seek, Write};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Int64Type, TimestampMicrosecondType};
use marginlake_lake::schema::MONEY_SCALE;
use rust_xlsxwriter::{Color, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError};

use super::Sheet;
use super::display::share_text;
use super::longest::longest;
use super::model::ReportModel;
use crate::revenue::Amount;
use crate::shell::cell_text;

/// Rows of one sheet; what is beyond is one row `(other)`.
pub(super) const MOST_ROWS: usize = 100_000;
/// Characters that a cell of a spreadsheet holds.
const MOST_CHARACTERS: usize = 32_767;
/// Characters of a sheet's name.
const MOST_OF_NAME: usize = 31;
/// Days between 1970 and the spreadsheets' first day.
const EPOCH_SERIAL: i32 = 25_569;

/// Writes the workbook.
pub(super) fn write_workbook<W: Write + Seek + Send>(file: W, model: &ReportModel, sheets: &[Sheet]) -> Result<(), XlsxError> {
    let mut workbook = Workbook::new();
    // A workbook carries its time of making: the report's, so that the same report is the same file.
    let made = ExcelDateTime::parse_from_str(&model.to)?;
    workbook.set_properties(&DocProperties::new().set_title("Margins").set_creation_datetime(&made));
    let formats = Formats::new();
    summary(workbook.add_worksheet(), model, &formats)?;
    for sheet in sheets {
        let worksheet = workbook.add_worksheet_with_constant_memory()?;
        worksheet.set_name(sheet.name.chars().take(MOST_OF_NAME).collect::<String>())?;
        let rows = longest(&sheet.rows, MOST_ROWS).map_err(|error| std::io::Error::other(error.to_string()))?;
        table(worksheet, &rows, &formats)?;
    }
    workbook.save_to_writer(file)
}

/// How cells look.
struct Formats {
    title: Format,
    heading: Format,
    number_heading: Format,
    wrapped: Format,
    money: Format,
    percent: Format,
    count: Format,
    day: Format,
    time: Format,
}

impl Formats {
    fn new() -> Formats {
        let heading = Format::new()
            .set_bold()
            .set_border_bottom(FormatBorder::Thin)
            .set_background_color(Color::RGB(0xEE_F1_F4));
        Formats {
            title: Format::new().set_bold().set_font_size(14).set_text_wrap(),
            number_heading: heading.clone().set_align(FormatAlign::Right),
            heading,
            wrapped: Format::new().set_text_wrap().set_align(FormatAlign::Top),
            // Costs of single calls are far below a cent.
            money: Format::new().set_num_format("#,##0.00####;[Red]-#,##0.00####"),
            percent: Format::new().set_num_format("#,##0.0\" %\";[Red]-#,##0.0\" %\""),
            count: Format::new().set_num_format("#,##0"),
            day: Format::new().set_num_format("yyyy-mm-dd"),
            time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
        }
    }
}

/// The first sheet: the verdict, whether it can be trusted, what loses money.
fn summary(sheet: &mut Worksheet, model: &ReportModel, formats: &Formats) -> Result<(), XlsxError> {
    sheet.set_name("summary")?;
    for (column, width) in [34, 20, 60, 60].into_iter().enumerate() {
        sheet.set_column_width(column as u16, width)?;
    }
    sheet.merge_range(0, 0, 0, 3, &model.verdict(), &formats.title)?;
    sheet.set_row_height(0, 42)?;
    let total = &model.total;
    let named = [
        ("Revenue", total.revenue),
        ("Model cost", total.model_cost),
        ("Other cost of goods sold", total.other_cogs),
        ("Gross margin", total.gross_margin()),
        ("Variable cost", total.variable_cost),
        ("Contribution margin", total.contribution_margin()),
        ("Cost in no margin", total.not_cogs_cost),
    ];
    let days = format!("{} to {}", model.from, model.to);
    sheet.write_string_with_format(2, 0, days, &formats.heading)?;
    sheet.write_string_with_format(2, 1, &model.currency, &formats.number_heading)?;
    let mut row = 3;
    for (name, amount) in named {
        sheet.write_string(row, 0, name)?;
        sheet.write_number_with_format(row, 1, double(amount), &formats.money)?;
        row += 1;
    }
    sheet.write_string(row, 0, "Gross margin in percent of revenue")?;
    if let Some(percent) = total.gross_margin_pct() {
        sheet.write_number_with_format(row, 1, double(percent), &formats.percent)?;
    }
    row += 2;
    for (column, heading) in ["Can it be trusted", "Covered", "Missing", "What to do"]
        .into_iter()
        .enumerate()
    {
        sheet.write_string_with_format(row, column as u16, heading, &formats.heading)?;
    }
    for share in &model.coverage.shares {
        row += 1;
        sheet.write_string(row, 0, share.title)?;
        sheet.write_string(row, 1, share_text(share.percent(), share.is_complete()))?;
        if !share.is_complete() {
            sheet.write_string(row, 2, share.missing_text())?;
            sheet.write_string_with_format(row, 3, share.advice, &formats.wrapped)?;
        }
    }
    for warning in &model.warnings {
        row += 1;
        sheet.merge_range(row, 0, row, 3, warning, &formats.wrapped)?;
    }
    row += 2;
    for (column, heading) in ["What loses money", "Lost a month", "Why", "What to do"]
        .into_iter()
        .enumerate()
    {
        sheet.write_string_with_format(row, column as u16, heading, &formats.heading)?;
    }
    for loss in &model.losses {
        row += 1;
        sheet.write_string(row, 0, cut(&format!("{} {}", loss.dimension, loss.key)))?;
        sheet.write_number_with_format(row, 1, double(loss.lost_per_month), &formats.money)?;
        sheet.write_string_with_format(row, 2, cut(&loss.cause), &formats.wrapped)?;
        sheet.write_string_with_format(row, 3, cut(&loss.lever), &formats.wrapped)?;
    }
    row += 2;
    let note = "Amounts are rounded to doubles here; the CSV, JSON and Parquet files have every digit.";
    sheet.merge_range(row, 0, row, 3, note, &formats.wrapped)?;
    sheet.set_landscape().set_print_fit_to_pages(1, 0);
    Ok(())
}

fn table(sheet: &mut Worksheet, rows: &RecordBatch, formats: &Formats) -> Result<(), XlsxError> {
    let schema = rows.schema();
    let columns: Vec<(&str, &ArrayRef)> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .zip(rows.columns())
        .collect();
    for (at, (name, array)) in columns.iter().enumerate() {
        let width = match array.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => 24,
            _ => (name.chars().count() + 3).clamp(11, 24),
        };
        sheet.set_column_width(at as u16, width as f64)?;
        let heading = match array.data_type().is_numeric() {
            true => &formats.number_heading,
            false => &formats.heading,
        };
        sheet.write_string_with_format(0, at as u16, *name, heading)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    sheet.set_landscape().set_print_fit_to_pages(1, 0).set_repeat_rows(0, 0)?;
    for row in 0..rows.num_rows() {
        for (at, (name, array)) in columns.iter().enumerate() {
            cell(sheet, row, at as u16, name, array, formats)?;
        }
    }
    if let (Some(last), Ok(bottom)) = (columns.len().checked_sub(1), u32::try_from(rows.num_rows())) {
        sheet.autofilter(0, 0, bottom, last as u16)?;
    }
    Ok(())
}

/// One value; NULL stays an empty cell, which is not zero.
fn cell(
    sheet: &mut Worksheet,
    row: usize,
    column: u16,
    name: &str,
    array: &ArrayRef,
    formats: &Formats,
) -> Result<(), XlsxError> {
    if array.is_null(row) {
        return Ok(());
    }
    let at = row as u32 + 1;
    match array.data_type() {
        DataType::Decimal128(..) if name.ends_with("_pct") => {
            sheet.write_number_with_format(at, column, double_of(array, row), &formats.percent)?;
        }
        DataType::Decimal128(_, scale) if *scale == MONEY_SCALE => {
            sheet.write_number_with_format(at, column, double_of(array, row), &formats.money)?;
        }
        DataType::Decimal128(..) | DataType::Float32 | DataType::Float64 => {
            sheet.write_number(at, column, double_of(array, row))?;
        }
        DataType::Int64 => {
            let count = array.as_primitive::<Int64Type>().value(row);
            sheet.write_number_with_format(at, column, count as f64, &formats.count)?;
        }
        DataType::Date32 => {
            let serial = array.as_primitive::<Date32Type>().value(row).saturating_add(EPOCH_SERIAL);
            sheet.write_number_with_format(at, column, serial, &formats.day)?;
        }
        DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, _) => {
            let seconds = array
                .as_primitive::<TimestampMicrosecondType>()
                .value(row)
                .div_euclid(1_000_000);
            sheet.write_datetime_with_format(at, column, &ExcelDateTime::from_timestamp(seconds)?, &formats.time)?;
        }
        DataType::Boolean => {
            sheet.write_boolean(at, column, array.as_boolean().value(row))?;
        }
        _ => {
            sheet.write_string(at, column, cut(&cell_text(array, row)))?;
        }
    }
    Ok(())
}

/// The double nearest to an amount, for a cell that knows nothing else; never read back.
fn double(amount: Amount) -> f64 {
    amount.to_string().parse().unwrap_or_default()
}

fn double_of(array: &ArrayRef, row: usize) -> f64 {
    cell_text(array, row).parse().unwrap_or_default()
}

fn cut(text: &str) -> String {
    text.chars().take(MOST_CHARACTERS).collect()
}

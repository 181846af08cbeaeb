//! Owns a report as a workbook: a sheet for each table, real types in the cells; charts are in
//! [`super::charts`]. Text is written as text, so nothing of a caller is a formula.

use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

use super::render::{heading, moment};
use super::{Cell, Report, Table, charts};
use crate::export::steers;

/// Longest text of a cell, which the format limits.
const TEXT_MAX: usize = 32_767;

/// Milliseconds of a day: a workbook's time is in days.
const DAY_MS: f64 = 86_400_000.0;

/// A workbook's days count from the 30th of December 1899.
const DAYS_BEFORE_1970: f64 = 25_569.0;

/// What cells look like.
pub(super) struct Formats {
    bold: Format,
    duration: Format,
    percent: Format,
    number: Format,
    moment: Format,
}

/// The report as an XLSX file.
///
/// # Errors
/// If a table is longer than a sheet can be.
pub fn xlsx(report: &Report) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let formats = Formats {
        bold: Format::new().set_bold(),
        duration: Format::new().set_num_format("[h]:mm:ss"),
        percent: Format::new().set_num_format("0.00%"),
        number: Format::new().set_num_format("0.00"),
        moment: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
    };
    about(workbook.add_worksheet(), report, &formats)?;
    for table in &report.tables {
        let sheet = workbook.add_worksheet();
        sheet.set_name(sheet_name(table))?;
        fill(sheet, report, (&table.columns, &table.rows), &formats)?;
        charts::add(&mut workbook, report, table, &formats)?;
    }
    workbook.save_to_buffer()
}

/// The first sheet: what the report is of.
fn about(sheet: &mut Worksheet, report: &Report, formats: &Formats) -> Result<(), XlsxError> {
    sheet.set_name("about")?;
    sheet.set_column_width(0, 100)?;
    sheet.write_string_with_format(0, 0, heading(report).trim(), &formats.bold)?;
    let zone = report.zone.iana_name().unwrap_or("an unnamed zone");
    sheet.write_string(1, 0, format!("times are those of {zone}"))?;
    for (row, note) in (2..).zip(&report.notes) {
        sheet.write_string(row, 0, safe(note))?;
    }
    Ok(())
}

/// A name of a sheet has 31 characters at most.
pub(super) fn sheet_name(table: &Table) -> String {
    table.name.chars().take(31).collect()
}

/// Writes columns and rows into a sheet.
pub(super) fn fill(
    sheet: &mut Worksheet,
    report: &Report,
    (columns, rows): (&[impl AsRef<str>], &[Vec<Cell>]),
    formats: &Formats,
) -> Result<(), XlsxError> {
    for (column, name) in (0..).zip(columns) {
        sheet.write_string_with_format(0, column, name.as_ref(), &formats.bold)?;
    }
    for (row, cells) in (1..).zip(rows) {
        for (column, cell) in (0..).zip(cells) {
            match cell {
                Cell::None => continue,
                Cell::Text(text) => sheet.write_string(row, column, safe(text))?,
                // Counts of a journal stay below 2^53.
                #[allow(clippy::cast_precision_loss)]
                Cell::Count(count) => sheet.write_number(row, column, *count as f64)?,
                Cell::Millis(ms) => {
                    sheet.write_number_with_format(row, column, ms / DAY_MS, &formats.duration)?
                }
                Cell::Ratio(part) => {
                    sheet.write_number_with_format(row, column, *part, &formats.percent)?
                }
                Cell::Number(number) => {
                    sheet.write_number_with_format(row, column, *number, &formats.number)?
                }
                Cell::Moment(at) => match serial(report, *at) {
                    Some(days) => {
                        sheet.write_number_with_format(row, column, days, &formats.moment)?
                    }
                    None => sheet.write_string(row, column, moment(report, *at))?,
                },
            };
        }
    }
    sheet.set_freeze_panes(1, 0)?;
    sheet.autofit();
    Ok(())
}

/// A moment by the clock of the installation's zone, in days of a workbook.
fn serial(report: &Report, at: i64) -> Option<f64> {
    let moment = jiff::Timestamp::from_millisecond(at).ok()?;
    let offset = i64::from(moment.to_zoned(report.zone.clone()).offset().seconds());
    let local = at.checked_add(offset * 1_000)?;
    // Milliseconds of any century are exact.
    #[allow(clippy::cast_precision_loss)]
    let days = local as f64 / DAY_MS + DAYS_BEFORE_1970;
    (days >= 1.0).then_some(days)
}

/// Text as a cell may have it: no control characters, not longer than the format allows.
pub(super) fn safe(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c,
        c if steers(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).take(TEXT_MAX).collect()
}

//! Owns the charts of a workbook: what of a table they show, and the cells that they are drawn from.
//! Where each row of a table is a point, it is drawn from the table itself. Where rows of several names
//! stand in one interval, a sheet of its own has them sorted out: a row for each interval.

use std::collections::BTreeMap;

use rust_xlsxwriter::{Chart, ChartType, Workbook, XlsxError};

use super::xlsx::{Formats, fill, safe, sheet_name};
use super::{Cell, Report, Table};

/// Names of one chart at most: more colours nobody tells apart. Those with the most are shown; the table
/// has them all.
const NAMES_MAX: usize = 12;

/// Width and height of a chart, pixels.
const SIZE: (u32, u32) = (960, 420);

/// Rows of a sheet that a chart of this height covers, and one between.
const ROWS_COVERED: u32 = 22;

/// Adds the charts of a table, whose sheet is there.
pub(super) fn add(
    workbook: &mut Workbook,
    report: &Report,
    table: &Table,
    formats: &Formats,
) -> Result<(), XlsxError> {
    if table.chart.is_empty() || table.rows.is_empty() {
        return Ok(());
    }
    if table.columns.first() != Some(&"interval") {
        return beside(workbook, table, table.rows.len());
    }
    let intervals = intervals(table);
    if intervals.iter().all(|rows| rows.len() == 1) {
        // Behind the intervals stands their total, which is no point of them.
        return beside(workbook, table, intervals.len());
    }
    sorted_out(workbook, report, table, &intervals, formats)
}

/// The rows of each interval, in order; the last of several is that of all names. What is of no interval,
/// such as the total, is left out.
fn intervals(table: &Table) -> Vec<Vec<&[Cell]>> {
    let mut intervals: BTreeMap<i64, Vec<&[Cell]>> = BTreeMap::new();
    for row in &table.rows {
        if let Some(Cell::Moment(begin)) = row.first() {
            intervals.entry(*begin).or_default().push(row);
        }
    }
    intervals.into_values().collect()
}

/// A chart beside the table, of its first rows.
fn beside(workbook: &mut Workbook, table: &Table, rows: usize) -> Result<(), XlsxError> {
    let name = sheet_name(table);
    let series = table.chart.iter().filter_map(|wanted| place(table, wanted));
    let chart = chart(ChartType::Column, None, (&name, rows), series);
    let sheet = workbook.worksheet_from_name(&name)?;
    sheet.insert_chart(1, column(table.columns.len() + 1), &chart)?;
    Ok(())
}

/// Two charts on a sheet of their own: what is charted, of all names together; and the first of that by
/// name.
fn sorted_out(
    workbook: &mut Workbook,
    report: &Report,
    table: &Table,
    intervals: &[Vec<&[Cell]>],
    formats: &Formats,
) -> Result<(), XlsxError> {
    let of_all = table.chart.len();
    let (columns, rows) = turned(table, intervals);
    let name = format!("{}_chart", sheet_name(table));
    let sheet = workbook.add_worksheet();
    sheet.set_name(&name)?;
    fill(sheet, report, (&columns, &rows), formats)?;
    let range = (name.as_str(), rows.len());
    let (first, end) = (column(1 + of_all), column(columns.len()));
    let together = chart(ChartType::Column, Some("all"), range, 1..first);
    let title = table.chart.first().copied();
    let apart = chart(ChartType::ColumnStacked, title, range, first..end);
    let beside = end.saturating_add(1);
    sheet.insert_chart(1, beside, &together)?;
    sheet.insert_chart(1 + ROWS_COVERED, beside, &apart)?;
    Ok(())
}

/// A row for each interval: its begin, what is charted of all names, the first of that of each name.
fn turned(table: &Table, intervals: &[Vec<&[Cell]>]) -> (Vec<String>, Vec<Vec<Cell>>) {
    let places: Vec<usize> = table
        .chart
        .iter()
        .filter_map(|wanted| place(table, wanted).map(usize::from))
        .collect();
    let first = places.first().copied().unwrap_or_default();
    let names = names(intervals, first);
    let mut columns = vec!["interval".to_owned()];
    columns.extend(table.chart.iter().map(|name| (*name).to_owned()));
    columns.extend(names.iter().map(|name| safe(name)));
    let cell = |row: &[Cell], place: usize| row.get(place).cloned().unwrap_or(Cell::None);
    let rows = intervals.iter().filter_map(|rows| {
        let (all, named) = rows.split_last()?;
        let mut cells = vec![cell(all, 0)];
        cells.extend(places.iter().map(|place| cell(all, *place)));
        cells.extend(names.iter().map(|name| {
            let own = named.iter().find(|row| name_of(row) == Some(*name));
            own.map_or(Cell::None, |row| cell(row, first))
        }));
        Some(cells)
    });
    let rows = rows.collect();
    (columns, rows)
}

/// Names that are charted, in order.
fn names<'a>(intervals: &[Vec<&'a [Cell]>], place: usize) -> Vec<&'a str> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, named) in intervals.iter().filter_map(|rows| rows.split_last()) {
        for row in named {
            if let (Some(name), Some(Cell::Count(count))) = (name_of(row), row.get(place)) {
                *sums.entry(name).or_default() += count;
            }
        }
    }
    let mut most: Vec<(&str, u64)> = sums.into_iter().collect();
    most.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    most.truncate(NAMES_MAX);
    most.sort_unstable();
    most.into_iter().map(|(name, _)| name).collect()
}

fn name_of(row: &[Cell]) -> Option<&str> {
    match row.get(1) {
        Some(Cell::Text(name)) => Some(name),
        _ => None,
    }
}

/// A chart of the first rows of a sheet over its first column; a series for each of these columns, with
/// the name that stands above it.
fn chart(
    kind: ChartType,
    title: Option<&str>,
    (sheet, rows): (&str, usize),
    series: impl Iterator<Item = u16>,
) -> Chart {
    let last = u32::try_from(rows).unwrap_or(u32::MAX);
    let mut chart = Chart::new(kind);
    for column in series {
        chart
            .add_series()
            .set_name((sheet, 0, column))
            .set_categories((sheet, 1, 0, last, 0))
            .set_values((sheet, 1, column, last, column));
    }
    if let Some(title) = title {
        chart.title().set_name(title);
    }
    // As dates the hours of a day would all stand above that day.
    chart.x_axis().set_text_axis(true);
    chart.set_width(SIZE.0).set_height(SIZE.1);
    chart
}

fn place(table: &Table, wanted: &str) -> Option<u16> {
    let place = table.columns.iter().position(|column| *column == wanted);
    place.map(column)
}

/// A table has far fewer columns than a sheet may.
fn column(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

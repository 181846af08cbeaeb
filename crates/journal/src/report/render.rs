//! Owns the forms of a report: a table for a terminal, CSV; JSON, HTML and workbooks have files of
//! their own. Whatever a caller or an operator gave comes out as text: never a formula, a tag, or a
//! control character that steers a terminal.

use jiff::Timestamp;

use super::{Cell, Report, Table};
use crate::export::{harmless, printable};

pub use super::html::html;
pub use super::json::{json, json_text};
pub use super::xlsx::xlsx;

/// For a terminal: aligned columns, times in the installation's zone.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut text = heading(report);
    for note in &report.notes {
        text.push_str(&format!("  {note}\n"));
    }
    for table in &report.tables {
        text.push_str(&format!("\n{} ({})\n", table.name, table.rows.len()));
        if !table.rows.is_empty() {
            text.push_str(&aligned(report, table));
        }
    }
    text
}

pub(super) fn heading(report: &Report) -> String {
    format!(
        "{} report, {} to {}, made {}, formulas {}\n",
        report.kind.name(),
        moment(report, report.from),
        moment(report, report.to),
        moment(report, report.made_at),
        report.formulas
    )
}

fn aligned(report: &Report, table: &Table) -> String {
    let mut lines: Vec<Vec<String>> = vec![
        table
            .columns
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
    ];
    for row in &table.rows {
        lines.push(row.iter().map(|cell| short(shown(report, cell))).collect());
    }
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let right: Vec<bool> = (0..table.columns.len())
        .map(|column| {
            let texts = table.rows.iter().filter_map(|row| row.get(column));
            !texts
                .clone()
                .any(|cell| matches!(cell, Cell::Text(_) | Cell::Moment(_)))
        })
        .collect();
    let mut text = String::new();
    for line in &lines {
        let mut out = String::from("  ");
        for ((cell, width), right) in line.iter().zip(&widths).zip(&right) {
            let pad = " ".repeat(width - cell.chars().count());
            if *right {
                out.push_str(&format!("{pad}{cell}  "));
            } else {
                out.push_str(&format!("{cell}{pad}  "));
            }
        }
        text.push_str(out.trim_end());
        text.push('\n');
    }
    text
}

/// Longest text in a table for a terminal, in characters: one name must not push all others away.
const SHOWN_MAX: usize = 80;

fn short(text: String) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// A value for people.
pub(super) fn shown(report: &Report, cell: &Cell) -> String {
    match cell {
        Cell::None => "-".to_owned(),
        Cell::Text(text) => printable(text),
        Cell::Count(count) => count.to_string(),
        Cell::Millis(ms) => duration(*ms),
        Cell::Ratio(part) => format!("{:.2} %", part * 100.0),
        Cell::Number(number) => format!("{number:.2}"),
        Cell::Moment(at) => moment(report, *at),
    }
}

/// `8.4 s`, `2:05 min`, `1:02:05 h`.
fn duration(ms: f64) -> String {
    let seconds = ms / 1_000.0;
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    // A sum of waits of a century stays below 2^53.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    if hours == 0 {
        format!("{minutes}:{seconds:02} min")
    } else {
        format!("{hours}:{minutes:02}:{seconds:02} h")
    }
}

pub(super) fn moment(report: &Report, at: i64) -> String {
    Timestamp::from_millisecond(at).map_or_else(
        |_| at.to_string(),
        |at| {
            let local = at.to_zoned(report.zone.clone());
            local.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
        },
    )
}

/// RFC 3339 with the offset of the installation's zone.
pub(super) fn rfc3339(report: &Report, at: i64) -> String {
    Timestamp::from_millisecond(at).map_or_else(
        |_| at.to_string(),
        |at| {
            let local = at.to_zoned(report.zone.clone());
            local.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
        },
    )
}

/// CSV (RFC 4180): each table with a line of its name before and an empty line after it. Durations
/// are milliseconds, parts of a whole 0 to 1.
#[must_use]
pub fn csv(report: &Report) -> String {
    let mut text = String::new();
    for table in &report.tables {
        text.push_str(&format!("{}\r\n", table.name));
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(Vec::new());
        // Writing to memory cannot fail, and every row is as long as the heading.
        let _ = writer.write_record(&table.columns);
        for row in &table.rows {
            let _ = writer.write_record(row.iter().map(|cell| plain(report, cell)));
        }
        let written = writer.into_inner().unwrap_or_default();
        text.push_str(&String::from_utf8_lossy(&written));
        text.push_str("\r\n");
    }
    text
}

fn plain(report: &Report, cell: &Cell) -> String {
    match cell {
        Cell::None => String::new(),
        Cell::Text(text) => harmless(text),
        Cell::Count(count) => count.to_string(),
        Cell::Millis(ms) => format!("{ms:.0}"),
        Cell::Ratio(part) => format!("{part:.6}"),
        Cell::Number(number) => format!("{number:.6}"),
        Cell::Moment(at) => rfc3339(report, *at),
    }
}

//! Owns the export of entries as CSV and JSON Lines. Holds a page of calls in memory, not the
//! table, and no read transaction between pages (it would keep SQLite's WAL from shrinking): a
//! call that goes on meanwhile is written as it is when its turn comes.
//!
//! Times are ISO 8601 in UTC with milliseconds; durations stay in milliseconds; ids are as in file
//! names. Every entry column of the schema is there, under its name.
//!
//! CSV is made to be opened in a spreadsheet, where a text that begins with `=`, `+`, `-`, `@`, a
//! tab or a carriage return may run as a formula: such a text gets a leading apostrophe. A
//! telephone number does not: `+` or `-` followed by digits only is a number to a spreadsheet and
//! can do nothing, and numbers must stay usable. Control characters become U+FFFD in CSV; in JSON
//! they are escaped and everything is as it was.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use vocab::{CallId, WallTime};

use crate::db::{Location, Value};
use crate::error::DatabaseError;
use crate::query::{self, Range};
use crate::rows::{
    CallRows, CorrectionRow, EntryRow, FieldRow, LegRow, MessageRow, OfferRow, QueueEntryRow,
    RecordingRow, Row, SegmentRow, TransferRow,
};

/// Calls read at a time.
const PAGE: u32 = 500;

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The output does not take more.
    #[error("the export cannot be written: {0}")]
    Output(io::Error),
}

// By hand: `#[from]` would make it the source as well, and its text would be printed twice.
impl From<io::Error> for ExportError {
    fn from(cause: io::Error) -> Self {
        Self::Output(cause)
    }
}

/// Writes the entries of a range as CSV (RFC 4180) with a header row; returns how many.
///
/// # Errors
/// If the database fails or the output does not take more.
pub async fn csv(
    database: impl Into<Location>,
    range: Range,
    output: impl Write,
) -> Result<u64, ExportError> {
    let mut journal = query::open(database).await?;
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(output);
    writer
        .write_record(EntryRow::TABLE.columns)
        .map_err(into_io)?;
    let (mut after, mut written) = (None, 0);
    loop {
        let page = journal.page(range, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(CallId::from_i64(last.call));
        for row in &page {
            let values = row.values();
            let cells = EntryRow::TABLE.columns.iter().zip(&values);
            writer
                .write_record(cells.map(|(column, value)| cell(column, value)))
                .map_err(into_io)?;
            written += 1;
        }
    }
    writer.flush()?;
    Ok(written)
}

/// Writes the entries of a range as JSON Lines, each with its queue entries, offers, segments,
/// transfers, legs and recordings; returns how many.
///
/// # Errors
/// If the database fails or the output does not take more.
pub async fn jsonl(
    database: impl Into<Location>,
    range: Range,
    output: impl Write,
) -> Result<u64, ExportError> {
    let mut journal = query::open(database).await?;
    let mut writer = io::BufWriter::new(output);
    let (mut after, mut written) = (None, 0);
    loop {
        let page = journal.page(range, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(CallId::from_i64(last.call));
        for row in page {
            let Some(rows) = journal.call(CallId::from_i64(row.call)).await? else {
                continue;
            };
            let line = call_json(&rows).map_err(io::Error::from)?;
            writer.write_all(line.as_bytes())?;
            writer.write_all(b"\n")?;
            written += 1;
        }
    }
    writer.flush()?;
    Ok(written)
}

fn into_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A value as text for people and programs alike, before any care for spreadsheets.
fn plain(column: &str, value: &Value) -> Option<String> {
    match value {
        Value::Null(_) => None,
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Integer(id) if is_id(column) => Some(CallId::from_i64(*id).to_string()),
        Value::Integer(ms) if column.ends_with("_at") => Some(utc(WallTime::from_unix_millis(*ms))),
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.clone()),
    }
}

/// Columns of boot-numbered ids; all of them are written in the same way.
fn is_id(column: &str) -> bool {
    matches!(
        column,
        "call"
            | "offer"
            | "event"
            | "leg"
            | "linked_call"
            | "consultation"
            | "version"
            | "written_version"
    )
}

/// One entry as a JSON value, in the form of the export.
#[must_use]
pub fn entry_value(row: &EntryRow) -> serde_json::Value {
    // A row has nothing that JSON has not.
    serde_json::to_value(Object(row)).unwrap_or_default()
}

/// The lists of rows that an entry has beside its own columns, and the columns of each.
#[must_use]
pub fn lists() -> [(&'static str, &'static [&'static str]); 9] {
    [
        ("queue_list", QueueEntryRow::TABLE.columns),
        ("offer_list", OfferRow::TABLE.columns),
        ("segment_list", SegmentRow::TABLE.columns),
        ("transfer_list", TransferRow::TABLE.columns),
        ("leg_list", LegRow::TABLE.columns),
        ("recording_list", RecordingRow::TABLE.columns),
        ("field_list", FieldRow::TABLE.columns),
        ("correction_list", CorrectionRow::TABLE.columns),
        ("message_list", MessageRow::TABLE.columns),
    ]
}

/// One call with all its rows as a JSON object.
///
/// # Errors
/// None that a row can cause.
pub fn call_json(rows: &CallRows) -> Result<String, serde_json::Error> {
    serde_json::to_string(&CallObject(rows)).map(escaped)
}

/// JSON in which the control characters that JSON lets stand (U+007F to U+009F) are escaped as well: it is
/// shown on terminals too, and some take U+009B for the beginning of a command.
fn escaped(json: String) -> String {
    let stays = |c: char| matches!(c, '\u{7f}'..='\u{9f}');
    if !json.contains(stays) {
        return json;
    }
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if stays(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// ISO 8601, UTC, milliseconds. A time that no calendar has stays a number.
#[must_use]
pub fn utc(time: WallTime) -> String {
    let ms = time.as_unix_millis();
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| ms.to_string(), |time| format!("{time:.3}"))
}

fn cell(column: &str, value: &Value) -> String {
    let text = plain(column, value).unwrap_or_default();
    match value {
        Value::Text(_) => harmless(&text),
        Value::Null(_) | Value::Bool(_) | Value::Integer(_) | Value::Real(_) => text,
    }
}

/// The text as a terminal or a page may have it: what would steer it is shown as U+FFFD.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if steers(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Control characters, those that turn the direction of all that follows (Unicode UAX 9), and those that
/// no XML may have.
pub(crate) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
}

/// The text as a spreadsheet may have it.
pub(crate) fn harmless(text: &str) -> String {
    let mut safe = printable(text);
    // Spreadsheets also take the full-width forms.
    let risky = text
        .trim_start_matches(' ')
        .starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if risky && !is_number(text) {
        safe.insert(0, '\'');
    }
    safe
}

/// `+` or `-` and digits only.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
}

/// A row as a JSON object, in the order of its columns.
struct Object<'a, R>(&'a R);

impl<R: Row> Serialize for Object<'_, R> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        write_cells(&mut map, self.0)?;
        map.end()
    }
}

struct List<'a, R>(&'a [R]);

impl<R: Row> Serialize for List<'_, R> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(self.0.len()))?;
        for row in self.0 {
            list.serialize_element(&Object(row))?;
        }
        list.end()
    }
}

struct CallObject<'a>(&'a CallRows);

impl Serialize for CallObject<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let CallRows {
            entry,
            queue_entries,
            offers,
            segments,
            transfers,
            legs,
            recordings,
            fields,
            corrections,
            messages,
        } = self.0;
        let mut map = to.serialize_map(None)?;
        write_cells(&mut map, entry)?;
        map.serialize_entry("queue_list", &List(queue_entries))?;
        map.serialize_entry("offer_list", &List(offers))?;
        map.serialize_entry("segment_list", &List(segments))?;
        map.serialize_entry("transfer_list", &List(transfers))?;
        map.serialize_entry("leg_list", &List(legs))?;
        map.serialize_entry("recording_list", &List(recordings))?;
        map.serialize_entry("field_list", &List(fields))?;
        map.serialize_entry("correction_list", &List(corrections))?;
        map.serialize_entry("message_list", &List(messages))?;
        map.end()
    }
}

fn write_cells<M: SerializeMap>(map: &mut M, row: &impl Row) -> Result<(), M::Error> {
    let values = row.values();
    let columns = columns_of(row);
    for (column, value) in columns.iter().zip(&values) {
        match value {
            Value::Null(_) => map.serialize_entry(column, &())?,
            Value::Bool(bool) => map.serialize_entry(column, bool)?,
            Value::Integer(number) if !is_id(column) && !column.ends_with("_at") => {
                map.serialize_entry(column, number)?;
            }
            Value::Real(number) => map.serialize_entry(column, number)?,
            Value::Integer(_) | Value::Text(_) => {
                map.serialize_entry(column, &plain(column, value))?;
            }
        }
    }
    Ok(())
}

fn columns_of<R: Row>(_row: &R) -> &'static [&'static str] {
    R::TABLE.columns
}

//! Owns the JSON of a report: an object with an array for each table. What is not known is null.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

use super::render::rfc3339;
use super::{Cell, Report, Table};

/// JSON: the report with an array for each table.
#[must_use]
pub fn json(report: &Report) -> Value {
    // Nothing of a report is what JSON does not have.
    serde_json::to_value(Whole(report)).unwrap_or_default()
}

/// The same as a text, without a value of each cell in between: a table may have a hundred thousand rows.
#[must_use]
pub fn json_text(report: &Report) -> String {
    serde_json::to_string(&Whole(report)).unwrap_or_default()
}

struct Whole<'a>(&'a Report);

impl Serialize for Whole<'_> {
    /// Names are in order, as they are in a [`Value`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("formulas", &report.formulas)?;
        map.serialize_entry("from", &rfc3339(report, report.from))?;
        map.serialize_entry("identity_holds", &report.identity)?;
        map.serialize_entry("made_at", &rfc3339(report, report.made_at))?;
        map.serialize_entry("notes", &report.notes)?;
        map.serialize_entry("report", report.kind.name())?;
        map.serialize_entry("tables", &Tables(report))?;
        map.serialize_entry("to", &rfc3339(report, report.to))?;
        map.end()
    }
}

struct Tables<'a>(&'a Report);

impl Serialize for Tables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.0;
        let mut tables: Vec<&Table> = report.tables.iter().collect();
        tables.sort_by_key(|table| table.name);
        let mut map = serializer.serialize_map(Some(tables.len()))?;
        for table in tables {
            map.serialize_entry(table.name, &Rows { report, table })?;
        }
        map.end()
    }
}

struct Rows<'a> {
    report: &'a Report,
    table: &'a Table,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { report, table } = *self;
        let mut columns: Vec<(usize, &str)> = table.columns.iter().copied().enumerate().collect();
        columns.sort_by_key(|(_, name)| *name);
        let mut rows = serializer.serialize_seq(Some(table.rows.len()))?;
        for cells in &table.rows {
            rows.serialize_element(&Row {
                report,
                columns: &columns,
                cells,
            })?;
        }
        rows.end()
    }
}

struct Row<'a> {
    report: &'a Report,
    /// In order of their names, with the place of each.
    columns: &'a [(usize, &'a str)],
    cells: &'a [Cell],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for (place, name) in self.columns {
            map.serialize_key(name)?;
            match self.cells.get(*place) {
                None | Some(Cell::None) => map.serialize_value(&()),
                Some(Cell::Text(text)) => map.serialize_value(text),
                Some(Cell::Count(count)) => map.serialize_value(count),
                Some(Cell::Millis(number) | Cell::Ratio(number) | Cell::Number(number)) => {
                    map.serialize_value(number)
                }
                Some(Cell::Moment(at)) => map.serialize_value(&rfc3339(self.report, *at)),
            }?;
        }
        map.end()
    }
}

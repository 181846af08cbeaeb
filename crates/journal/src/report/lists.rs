//! Owns how a list is read and cut off: its first rows, and how many there are of it.

use super::source::unsigned;
use super::{LIST_MAX, Report, Table};
use crate::db::{Connection, Readable, Value};

/// The first rows of a list.
#[derive(Debug, Clone)]
pub(crate) struct Listed<T> {
    /// At most [`LIST_MAX`].
    pub(crate) rows: Vec<T>,
    /// How many there are of it.
    pub(crate) all: u64,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            all: 0,
        }
    }
}

/// Reads a list in an order. All of it is counted only if it is too long.
pub(super) async fn read<T: Readable>(
    view: &mut Connection,
    (sql, order): (&str, &str),
    args: &[Value],
) -> Result<Listed<T>, sqlx::Error> {
    let first = format!("{sql} ORDER BY {order} LIMIT {}", LIST_MAX + 1);
    let mut rows: Vec<T> = view.all(&first, args).await?;
    if rows.len() <= LIST_MAX {
        let all = rows.len() as u64;
        return Ok(Listed { rows, all });
    }
    rows.truncate(LIST_MAX);
    let count = format!("SELECT count(*) FROM ({sql}) AS listed");
    let counted: Vec<(i64,)> = view.all(&count, args).await?;
    Ok(Listed {
        rows,
        all: counted.first().map_or(0, |(all,)| unsigned(*all)),
    })
}

/// Says of a list that was cut off how long it would be.
pub(super) fn say_cut_off(report: &mut Report, table: &Table, all: u64) {
    if all > LIST_MAX as u64 {
        report.notes.push(format!(
            "{}: the first {LIST_MAX} of {all}; ask for a shorter range",
            table.name
        ));
    }
}

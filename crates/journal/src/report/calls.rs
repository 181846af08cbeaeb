//! Owns the summary of entries: how they came, which way they went, what became of them.

use std::collections::BTreeMap;

use super::source::unsigned;
use super::{Cell, Table};

/// Entries that came one way, went one way, and of which the same became.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct CallRow {
    channel: String,
    direction: String,
    outcome: Option<String>,
    entries: i64,
    talk: i64,
    duration: i64,
    emergencies: i64,
}

pub(super) const CALLS: &str = "SELECT channel, direction, outcome, count(*) AS entries,
      CAST(coalesce(sum(talk_ms), 0) AS BIGINT) AS talk,
      CAST(coalesce(sum(duration_ms), 0) AS BIGINT) AS duration, count(emergency) AS emergencies
    FROM entries
    WHERE arrived_at >= $1 AND arrived_at < $2 AND ($3 IS NULL OR queue = $3)
    GROUP BY channel, direction, outcome";

/// One row for each channel, direction and outcome.
pub(super) fn summary(calls: &[CallRow]) -> Table {
    let mut sorted: BTreeMap<(&str, &str, &str), &CallRow> = BTreeMap::new();
    for row in calls {
        let outcome = row.outcome.as_deref().unwrap_or("(up)");
        sorted.insert((&row.channel, &row.direction, outcome), row);
    }
    let mut table = Table::new(
        "summary",
        [
            "channel",
            "direction",
            "outcome",
            "entries",
            "talk",
            "duration",
            "emergencies",
        ],
    );
    for ((channel, direction, outcome), row) in sorted {
        table.rows.push(vec![
            Cell::Text(channel.to_owned()),
            Cell::Text(direction.to_owned()),
            Cell::Text(outcome.to_owned()),
            Cell::Count(unsigned(row.entries)),
            Cell::ms(Some(unsigned(row.talk))),
            Cell::ms(Some(unsigned(row.duration))),
            Cell::Count(unsigned(row.emergencies)),
        ]);
    }
    table
}

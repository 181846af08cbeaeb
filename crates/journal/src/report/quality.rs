//! Owns the report of quality: how legs were heard, recordings that are there and those that are not,
//! packets that were lost, marks that callers gave.

use std::collections::BTreeMap;

use super::audio::{self, LegRow};
use super::source::{Source, unsigned};
use super::{Cell, Report, Table, Wanted, lots};
use crate::db::Connection;
use crate::metrics::ratio;

/// Talks of one operator that are over, alike in what is missing of their recordings.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct TalkRow {
    pub(super) operator_id: i64,
    pub(super) operator_name: String,
    pub(super) operator_line: String,
    missing: Option<String>,
    talks: i64,
    to_record: i64,
    recorded: i64,
    incomplete: i64,
    packets: i64,
    lost: i64,
    dropped: i64,
}

/// How often callers gave an operator one mark.
#[derive(Debug, Clone, sqlx::FromRow)]
struct MarkRow {
    operator_name: Option<String>,
    operator_line: Option<String>,
    rating: i64,
    marks: i64,
}

/// What the report of quality is made of, beside what was measured at each end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quality {
    /// In order of the last talk of each.
    talks: Vec<TalkRow>,
    marks: Vec<MarkRow>,
    /// The first legs that were heard badly.
    poor: Vec<LegRow>,
}

impl Quality {
    pub(super) fn talks(&self) -> &[TalkRow] {
        &self.talks
    }

    pub(super) fn poor(&self) -> &[LegRow] {
        &self.poor
    }
}

const TALKS: &str = "SELECT s.operator_id, s.operator_name, s.operator_line, r.missing,
      count(*) AS talks, count(CASE WHEN s.recorded THEN 1 END) AS to_record,
      count(CASE WHEN s.recorded THEN r.path END) AS recorded,
      count(CASE WHEN s.recorded THEN r.missing END) AS incomplete,
      CAST(sum(coalesce(r.caller_packets, 0) + coalesce(r.operator_packets, 0)) AS BIGINT)
        AS packets,
      CAST(sum(coalesce(r.caller_lost, 0) + coalesce(r.operator_lost, 0)) AS BIGINT) AS lost,
      CAST(sum(coalesce(r.dropped, 0)) AS BIGINT) AS dropped
    FROM segments s LEFT JOIN recordings r ON r.call = s.call AND r.segment = s.segment
    WHERE s.started_at >= $1 AND s.started_at < $2 AND s.operator_id IS NOT NULL
      AND s.talk_ms IS NOT NULL
      AND ($3 IS NULL OR s.queue = $3)
    GROUP BY s.operator_id, s.operator_name, s.operator_line, r.missing
    ORDER BY max(s.started_at)";

const MARKS: &str = "SELECT operator_name, operator_line, rating, count(*) AS marks FROM entries
    WHERE arrived_at >= $1 AND arrived_at < $2 AND ($3 IS NULL OR queue = $3)
      AND rating IS NOT NULL AND rating BETWEEN 1 AND 5
    GROUP BY operator_name, operator_line, rating";

pub(super) async fn read(view: &mut Connection, wanted: &Wanted) -> Result<Quality, sqlx::Error> {
    let range = lots::range(wanted);
    Ok(Quality {
        talks: view.all(TALKS, &range).await?,
        marks: view.all(MARKS, &range).await?,
        poor: audio::poor(view, wanted).await?,
    })
}

#[derive(Default)]
struct Kept {
    to_record: u64,
    recorded: u64,
    incomplete: u64,
    packets: u64,
    lost: u64,
    dropped: u64,
}

pub(super) fn tables(report: &mut Report, source: &Source, wanted: &Wanted) {
    let quality = &source.quality;
    audio::tables(report, source, wanted);
    recordings(report, quality);
    report.tables.push(ratings(quality));
}

fn recordings(report: &mut Report, quality: &Quality) {
    let mut kept: BTreeMap<(&str, &str), Kept> = BTreeMap::new();
    let mut missing: BTreeMap<&str, u64> = BTreeMap::new();
    for talks in &quality.talks {
        let key = (talks.operator_name.as_str(), talks.operator_line.as_str());
        let sum = kept.entry(key).or_default();
        sum.to_record += unsigned(talks.to_record);
        sum.recorded += unsigned(talks.recorded);
        sum.incomplete += unsigned(talks.incomplete);
        if let Some(reason) = &talks.missing {
            *missing.entry(reason).or_default() += unsigned(talks.talks);
        }
        sum.packets += unsigned(talks.packets);
        sum.lost += unsigned(talks.lost);
        sum.dropped += unsigned(talks.dropped);
    }
    let mut table = Table::new(
        "recordings",
        [
            "operator",
            "line",
            "to_record",
            "recorded",
            "incomplete",
            "packets",
            "lost",
            "lost_part",
            "dropped",
        ],
    );
    for ((operator, line), sum) in kept {
        table.rows.push(vec![
            Cell::Text(operator.to_owned()),
            Cell::Text(line.to_owned()),
            Cell::Count(sum.to_record),
            Cell::Count(sum.recorded),
            Cell::Count(sum.incomplete),
            Cell::Count(sum.packets),
            Cell::Count(sum.lost),
            Cell::ratio(ratio(sum.lost, sum.packets + sum.lost)),
            Cell::Count(sum.dropped),
        ]);
    }
    report.tables.push(table);
    let mut table = Table::new("recordings_missing", ["reason", "segments"]);
    for (reason, segments) in missing {
        table
            .rows
            .push(vec![Cell::Text(reason.to_owned()), Cell::Count(segments)]);
    }
    report.tables.push(table);
}

fn ratings(quality: &Quality) -> Table {
    let mut marks: BTreeMap<(&str, &str), [u64; 5]> = BTreeMap::new();
    for row in &quality.marks {
        let key = (
            row.operator_name.as_deref().unwrap_or("(none)"),
            row.operator_line.as_deref().unwrap_or_default(),
        );
        let counts = marks.entry(key).or_default();
        let place = usize::try_from(row.rating - 1).ok();
        if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
            *count += unsigned(row.marks);
        }
    }
    let mut table = Table::new(
        "ratings",
        [
            "operator", "line", "marks", "average", "mark_1", "mark_2", "mark_3", "mark_4",
            "mark_5",
        ],
    );
    for ((operator, line), counts) in marks {
        let all: u64 = counts.iter().sum();
        let sum: u64 = (1..).zip(counts).map(|(mark, count)| mark * count).sum();
        let mut row = vec![
            Cell::Text(operator.to_owned()),
            Cell::Text(line.to_owned()),
            Cell::Count(all),
            ratio(sum, all).map_or(Cell::None, Cell::Number),
        ];
        row.extend(counts.map(Cell::Count));
        table.rows.push(row);
    }
    table
}

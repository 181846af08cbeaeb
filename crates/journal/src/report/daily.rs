//! Owns the daily report: everything of a day, or of any range, in a few tables.

use std::collections::BTreeMap;

use super::calls::{self, CallRow};
use super::source::unsigned;
use super::{By, Cell, Report, Table, Wanted, lots, overruns, people, quality, queues};
use crate::db::Connection;
use crate::forms::Forms;
use crate::metrics::{ContactLot, Interval, REPEAT_DAYS, Resolution};
use crate::report::Source;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Entries on one topic.
#[derive(Debug, Clone, sqlx::FromRow)]
struct TopicRow {
    topic: Option<String>,
    entries: i64,
    open: i64,
}

/// Contacts that are alike as far as first-contact resolution goes.
#[derive(Debug, Clone, sqlx::FromRow)]
struct ContactRow {
    again: Option<i64>,
    passed: i64,
    contacts: i64,
}

/// What the daily report shows and no other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Day {
    calls: Vec<CallRow>,
    topics: Vec<TopicRow>,
    contacts: Vec<ContactLot>,
}

const TOPICS: &str = "SELECT topic, count(*) AS entries, count(*) - count(completed_at) AS open
    FROM entries
    WHERE arrived_at >= $1 AND arrived_at < $2 AND ($3 IS NULL OR queue = $3)
      AND to_complete
    GROUP BY topic";

/// Answered calls and other contacts of the range, by the shortest window in which the same person came
/// again for the same matter, and by the longest that has passed at $4. Who comes up to $3 counts. Who
/// has several numbers on a card is one person, whichever is used; to come again to any queue is to come
/// again.
fn contacts_sql() -> String {
    let again: String = REPEAT_DAYS
        .map(|days| {
            let window = i64::from(days) * DAY_MS;
            format!(" WHEN next_at <= at + {window} THEN {days}")
        })
        .concat();
    let mut longest_first = REPEAT_DAYS;
    longest_first.reverse();
    let passed: String = longest_first
        .map(|days| {
            let window = i64::from(days) * DAY_MS;
            format!(" WHEN at + {window} <= $4 THEN {days}")
        })
        .concat();
    format!(
        "SELECT again, passed, count(*) AS contacts FROM (
           SELECT CAST(CASE{again} END AS BIGINT) AS again,
             CAST(CASE{passed} ELSE 0 END AS BIGINT) AS passed
           FROM (
             SELECT at, queue, lead(at) OVER (PARTITION BY person, topic ORDER BY at) AS next_at FROM (
               SELECT e.arrived_at AS at, coalesce(e.topic, '') AS topic, e.queue,
                 coalesce('person ' || CAST(n.person AS TEXT), e.number) AS person
               FROM (
                 SELECT arrived_at, topic, queue, coalesce(nullif(contact_key, ''), party_key) AS number
                 FROM entries
                 WHERE arrived_at >= $1 AND arrived_at <= $3 AND direction = 'inbound'
                   AND outcome IN ('answered', 'contact')
               ) AS e LEFT JOIN person_numbers n ON n.key = e.number
             ) AS contact
             WHERE person <> ''
           ) AS followed
           WHERE at < $2 AND ($5 IS NULL OR queue = $5)
         ) AS class
         GROUP BY again, passed"
    )
}

/// Reads what no other report shows.
pub(super) async fn read(view: &mut Connection, wanted: &Wanted) -> Result<Day, sqlx::Error> {
    let range = lots::range(wanted);
    let window = i64::from(wanted.repeat_days) * DAY_MS;
    let until = [
        wanted.from.into(),
        wanted.to.into(),
        wanted.to.saturating_add(window).into(),
        wanted.now.into(),
        wanted.queue.clone().into(),
    ];
    let contacts: Vec<ContactRow> = view.all(&contacts_sql(), &until).await?;
    let days = |days: i64| u16::try_from(days).unwrap_or(0);
    let contacts = contacts.into_iter().map(|row| ContactLot {
        contacts: unsigned(row.contacts),
        again_within: row.again.map(days),
        passed: days(row.passed),
    });
    Ok(Day {
        calls: view.all(calls::CALLS, &range).await?,
        topics: view.all(TOPICS, &range).await?,
        contacts: contacts.collect(),
    })
}

pub(super) fn tables(report: &mut Report, source: &Source, forms: &Forms, wanted: &Wanted) {
    report.tables.push(calls::summary(&source.day.calls));
    let whole = Wanted {
        interval: Interval::Whole,
        by: By::Queue,
        ..wanted.clone()
    };
    queues::tables(report, source, &whole);
    let hours = Wanted {
        interval: hours_or_days(wanted),
        by: By::All,
        ..wanted.clone()
    };
    let mut by_time = Table::new("by_time", []);
    let mut cut = Report {
        tables: Vec::new(),
        ..report.clone()
    };
    queues::tables(&mut cut, source, &hours);
    if let Some(table) = cut.tables.pop() {
        by_time.columns = table.columns;
        by_time.rows = table.rows;
        by_time.chart = table.chart;
    }
    report.tables.push(by_time);
    people::operators(report, source, &whole);
    report.tables.push(people::line_table(source, wanted));
    report.tables.push(topics(&source.day));
    report.tables.push(repeats(&source.day, wanted));
    overruns::tables(report, &source.overruns, forms, wanted);
    quality::tables(report, source, wanted);
    report.notes.dedup();
}

/// A day is shown by hours, more by days.
pub(super) const fn hours_or_days(wanted: &Wanted) -> Interval {
    const TWO_DAYS: i64 = 2 * 86_400_000;
    if wanted.to - wanted.from <= TWO_DAYS {
        Interval::Hour
    } else {
        Interval::Day
    }
}

fn topics(day: &Day) -> Table {
    let mut topics: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for row in &day.topics {
        let (entries, open) = topics
            .entry(row.topic.as_deref().unwrap_or("(none)"))
            .or_default();
        *entries += unsigned(row.entries);
        *open += unsigned(row.open);
    }
    let mut table = Table::new("topics", ["topic", "entries", "not_completed"]);
    for (topic, (entries, open)) in topics {
        table.rows.push(vec![
            Cell::Text(topic.to_owned()),
            Cell::Count(entries),
            Cell::Count(open),
        ]);
    }
    table
}

/// First-contact resolution, for each window.
fn repeats(day: &Day, wanted: &Wanted) -> Table {
    let mut table = Table::new(
        "first_contact_resolution",
        ["window_days", "judged", "resolved", "not_yet", "rate"],
    );
    for days in REPEAT_DAYS {
        // What was read reaches no further than the window that was asked for.
        if days > wanted.repeat_days {
            continue;
        }
        let found = Resolution::of_lots(&day.contacts, days);
        table.rows.push(vec![
            Cell::Count(u64::from(days)),
            Cell::Count(found.judged),
            Cell::Count(found.resolved),
            Cell::Count(found.pending),
            Cell::ratio(found.rate()),
        ]);
    }
    table
}

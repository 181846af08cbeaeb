//! Owns the daily report: everything of a day, or of any range, in a few tables.

use std::collections::BTreeMap;

use super::calls;
use super::{By, Cell, Report, Table, Wanted, overruns, people, quality, queues};
use crate::forms::Forms;
use crate::metrics::{self, Interval};
use crate::report::Source;

pub(super) fn tables(report: &mut Report, source: &Source, forms: &Forms, wanted: &Wanted) {
    report.tables.push(calls::summary(source));
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
    report.tables.push(topics(source));
    report.tables.push(repeats(source, wanted));
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

fn topics(source: &Source) -> Table {
    let mut topics: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for entry in source
        .entries
        .iter()
        .filter(|entry| entry.talk_ended_at.is_some())
    {
        let topic = entry.topic.as_deref().unwrap_or("(none)");
        let (entries, open) = topics.entry(topic).or_default();
        *entries += 1;
        *open += u64::from(entry.completed_at.is_none());
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
fn repeats(source: &Source, wanted: &Wanted) -> Table {
    let mut table = Table::new(
        "first_contact_resolution",
        ["window_days", "judged", "resolved", "not_yet", "rate"],
    );
    for days in [1, 3, 7] {
        // What was read reaches no further than the window that was asked for.
        if days > wanted.repeat_days {
            continue;
        }
        let range = (wanted.from, wanted.to);
        let found = metrics::first_contact_resolution(&source.contacts, range, days, wanted.now);
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

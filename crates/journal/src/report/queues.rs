//! Owns the report of queues: a row for each interval and each queue, number, trunk, topic, operator
//! or line.

use std::collections::BTreeMap;

use super::source::Source;
use super::{By, Cell, INTERVALS_MAX, Report, Table, Wanted};
use crate::metrics::{Interval, Lot, QueueFigures};

const COLUMNS: [&str; 26] = [
    "interval",
    "name",
    "offered",
    "answered",
    "abandoned",
    "overflowed",
    "timed_out",
    "closed",
    "refused_full",
    "callback_taken",
    "waiting",
    "answered_in_time",
    "abandoned_in_time",
    "answered_only",
    "asterisk_sl2",
    "ignore_abandoned",
    "abandoned_negative",
    "abandoned_positive",
    "average_wait",
    "average_wait_from_arrival",
    "longest_wait",
    "abandonment",
    "short_abandons",
    "abandonment_adjusted",
    "keeps_ordinary",
    "keeps_emergency",
];

pub(super) fn tables(report: &mut Report, source: &Source, wanted: &Wanted) {
    report.notes.push(format!(
        "in time: a wait of at most {} s; short abandons: at most {} s",
        seconds(wanted.threshold_ms),
        seconds(wanted.short_ms)
    ));
    report.tables.push(table(report, source, wanted));
}

pub(super) fn seconds(ms: u64) -> String {
    let (whole, rest) = (ms / 1_000, ms % 1_000);
    if rest == 0 {
        whole.to_string()
    } else {
        format!("{whole}.{rest:03}")
    }
}

/// Rows by interval and name; with more than one name a row for all of each interval.
fn table(report: &Report, source: &Source, wanted: &Wanted) -> Table {
    let mut table = Table::new("queues", COLUMNS);
    let mut groups: BTreeMap<(i64, &str), Vec<&Lot>> = BTreeMap::new();
    let mut intervals: BTreeMap<i64, Vec<&Lot>> = BTreeMap::new();
    let cut = |at| wanted.interval.start(at, wanted.from, &wanted.zone);
    if wanted.interval != Interval::Whole {
        // Intervals in which nothing came are rows as well.
        let (from, to) = (report.from, report.to.min(wanted.now));
        for start in wanted
            .interval
            .starts(from, to, &wanted.zone, INTERVALS_MAX)
        {
            intervals.insert(start, Vec::new());
        }
    }
    for named in &source.stay_lots {
        let start = cut(named.at);
        intervals.entry(start).or_default().push(&named.lot);
        let group = groups.entry((start, shown(&named.name, wanted.by)));
        group.or_default().push(&named.lot);
    }
    let names = groups.keys().map(|(_, name)| name);
    let several = names.collect::<std::collections::BTreeSet<_>>().len() > 1;
    for (start, lots) in &intervals {
        let of_interval = groups.range((*start, "")..(*start + 1, ""));
        if wanted.by != By::All {
            for ((_, name), lots) in of_interval {
                table.rows.push(row(wanted, *start, name, lots));
            }
        }
        if several || lots.is_empty() || wanted.by == By::All {
            table.rows.push(row(wanted, *start, ALL, lots));
        }
    }
    if intervals.len() > 1 && intervals.len() < INTERVALS_MAX {
        let everything: Vec<&Lot> = source.stay_lots.iter().map(|named| &named.lot).collect();
        let mut total = row(wanted, wanted.from, ALL, &everything);
        if let Some(first) = total.first_mut() {
            *first = Cell::Text("total".to_owned());
        }
        table.chart = vec!["offered", "answered", "abandoned"];
        table.rows.push(total);
    }
    table
}

/// The name of a row for all.
const ALL: &str = "all";

/// The name that a row has of what may have none.
fn shown(name: &str, by: By) -> &str {
    match by {
        By::All => ALL,
        _ if name.is_empty() => "(none)",
        _ => name,
    }
}

fn row(wanted: &Wanted, start: i64, name: &str, lots: &[&Lot]) -> Vec<Cell> {
    let figures = QueueFigures::of_lots(lots.iter().copied());
    let counts = figures.counts;
    let level = figures.service_level(wanted.threshold_ms);
    let mut cells = vec![Cell::Moment(start), Cell::Text(name.to_owned())];
    cells.extend(
        [
            counts.offered,
            counts.answered,
            counts.abandoned,
            counts.overflowed,
            counts.timed_out,
            counts.closed,
            counts.refused_full,
            counts.callback_taken,
            counts.waiting,
            figures.answered_within(wanted.threshold_ms),
            figures.abandoned_within(wanted.threshold_ms),
        ]
        .map(Cell::Count),
    );
    cells.extend(
        [
            level.answered_only,
            level.asterisk_sl2,
            level.ignore_abandoned,
            level.abandoned_negative,
            level.abandoned_positive,
        ]
        .map(Cell::ratio),
    );
    cells.extend([
        Cell::millis(figures.asa_ms()),
        Cell::millis(figures.asa_from_arrival_ms()),
        Cell::ms(figures.longest_wait_ms),
        Cell::ratio(figures.abandonment()),
        Cell::Count(figures.abandoned_within(wanted.short_ms)),
        Cell::ratio(figures.abandonment_adjusted(wanted.short_ms)),
    ]);
    for preset in &crate::metrics::PRESETS {
        let keeps = figures
            .keeps(preset)
            .map(|keeps| if keeps { "yes" } else { "no" });
        cells.push(Cell::text(keeps));
    }
    cells
}

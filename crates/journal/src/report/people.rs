//! Owns the reports of operators and of lines.

use std::collections::{BTreeMap, BTreeSet};

use super::lots::EntryLot;
use super::queues::seconds;
use super::source::{Person, Source};
use super::{Cell, Report, Table, Wanted, by_interval};
use crate::metrics::{EntryDelay, LineFigures, WorkFigures};

/// The columns of what an operator did; [`work_cells`] fills them.
pub(super) const WORK: [&str; 8] = [
    "handled",
    "talk",
    "on_hold",
    "wrap_up",
    "average_handling",
    "idle",
    "present",
    "occupancy",
];

pub(super) fn work_cells(figures: &WorkFigures) -> [Cell; WORK.len()] {
    [
        Cell::Count(figures.handled),
        Cell::ms(Some(figures.talk_ms)),
        Cell::ms(Some(figures.held_ms)),
        Cell::ms(Some(figures.wrap_up_ms)),
        Cell::millis(figures.aht_ms()),
        Cell::ms(Some(figures.idle_ms)),
        Cell::ms(Some(figures.present_ms)),
        Cell::ratio(figures.occupancy()),
    ]
}

/// The columns of how a line's telephone was answered; [`ringing_cells`] fills them.
pub(super) const RINGING: [&str; 7] = [
    "offers",
    "answered",
    "unanswered",
    "withdrawn",
    "average_answer_time",
    "longest_ringing",
    "overruns",
];

pub(super) fn ringing_cells(figures: &LineFigures) -> [Cell; RINGING.len()] {
    [
        Cell::Count(figures.offers),
        Cell::Count(figures.answered),
        Cell::Count(figures.unanswered),
        Cell::Count(figures.withdrawn),
        Cell::millis(figures.answer_time_ms()),
        Cell::ms(figures.longest_ms),
        Cell::Count(figures.overruns),
    ]
}

/// The columns of how soon entries were complete; [`delay_cells`] fills them.
pub(super) const DELAYS: [&str; 4] = [
    "entries_due",
    "entries_completed",
    "entries_overdue",
    "average_entry_delay",
];

pub(super) fn delay_cells(delay: &EntryDelay) -> [Cell; DELAYS.len()] {
    [
        Cell::Count(delay.due),
        Cell::Count(delay.completed),
        Cell::Count(delay.overruns),
        Cell::millis(delay.average_ms()),
    ]
}

/// How busy those at some lines were, with all their work.
pub(super) fn occupancy(source: &Source, wanted: &Wanted, asked: &BTreeSet<String>) -> Option<f64> {
    let mut work = WorkFigures::default();
    for span in &source.spans {
        let person = source.people.get(&span.operator);
        if person.is_some_and(|person| asked.contains(&person.line)) {
            work.add_span(span, wanted.from, wanted.to);
        }
    }
    work.occupancy()
}

/// Operators: what they handled, how long it took, how busy they were, their breaks.
pub(super) fn operators(report: &mut Report, source: &Source, wanted: &Wanted) {
    let mut work: BTreeMap<i64, WorkFigures> = BTreeMap::new();
    let mut people = source.people.clone();
    for lot in &source.talk_lots {
        let figures = work.entry(lot.operator).or_default();
        figures.add_talks(&lot.talks);
        people.entry(lot.operator).or_insert_with(|| Person {
            name: lot.name.clone(),
            line: lot.line.clone(),
        });
    }
    for span in &source.spans {
        let figures = work.entry(span.operator).or_default();
        figures.add_span(span, wanted.from, wanted.to);
    }
    let delays = delays(source, |lot| {
        let person = Person {
            name: lot.name.clone()?,
            line: lot.line.clone()?,
        };
        people.entry(lot.operator?).or_insert(person);
        lot.operator
    });
    work.retain(|_, figures| *figures != WorkFigures::default());
    for id in delays.keys() {
        work.entry(*id).or_default();
    }
    let mut table = Table::new(
        "operators",
        ["operator", "line"].into_iter().chain(WORK).chain(DELAYS),
    );
    table.chart = vec!["handled"];
    let mut named: Vec<(&str, &str, i64, &WorkFigures)> = work
        .iter()
        .map(|(id, figures)| {
            let person = people.get(id);
            let name = person.map_or("(unknown)", |person| person.name.as_str());
            (
                name,
                person.map_or("", |person| person.line.as_str()),
                *id,
                figures,
            )
        })
        .collect();
    named.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    for (name, line, id, figures) in named {
        let delay = delays.get(&id).copied().unwrap_or_default();
        let mut row = vec![Cell::Text(name.to_owned()), Cell::Text(line.to_owned())];
        row.extend(work_cells(figures));
        row.extend(delay_cells(&delay));
        table.rows.push(row);
    }
    report.notes.push(
        "occupancy: (talk + hold + wrap-up) / (the same + idle); ringing is neither".to_owned(),
    );
    report.notes.push(
        "breaks: those that ended; by_leave began against the rules, with a supervisor's leave; \
         over_limit: time above the day's limit"
            .to_owned(),
    );
    report.tables.push(table);
    report
        .tables
        .extend(by_interval::operators(source, wanted, &people));
    report.tables.push(breaks(source, &work, people));
}

/// Breaks of one reason that an operator ended.
#[derive(Debug, Clone, Copy, Default)]
struct EndedBreaks {
    count: u64,
    by_leave: u64,
    lasted_ms: u64,
    over_ms: u64,
}

/// What operators spent on breaks, also those of whom no telephone was there.
fn breaks(
    source: &Source,
    work: &BTreeMap<i64, WorkFigures>,
    mut people: BTreeMap<i64, Person>,
) -> Table {
    let mut ended: BTreeMap<(i64, &str), EndedBreaks> = BTreeMap::new();
    for (id, figures) in work {
        for reason in figures.breaks_ms.keys() {
            ended.entry((*id, reason)).or_default();
        }
    }
    for taken in &source.breaks {
        let key = (taken.operator_id, taken.reason.as_str());
        let known = ended.entry(key).or_default();
        known.count += 1;
        known.by_leave += u64::from(taken.by_leave);
        known.lasted_ms += taken.lasted_ms();
        known.over_ms += taken.over_ms();
        people.entry(taken.operator_id).or_insert_with(|| Person {
            name: taken.operator_name.clone(),
            line: taken.operator_line.clone(),
        });
    }
    let mut table = Table::new(
        "breaks",
        [
            "operator",
            "line",
            "reason",
            "time",
            "ended",
            "by_leave",
            "over_limit",
        ],
    );
    let name = |id: &i64| people.get(id).map(|person| (&person.name, &person.line));
    let mut rows: Vec<_> = ended.iter().collect();
    rows.sort_by(|((a, why_a), _), ((b, why_b), _)| (name(a), why_a).cmp(&(name(b), why_b)));
    for ((id, reason), ended) in rows {
        let (name, line) = name(id).map_or(("(unknown)", ""), |(name, line)| (name, line));
        let seen = work
            .get(id)
            .and_then(|figures| figures.breaks_ms.get(*reason));
        table.rows.push(vec![
            Cell::Text(name.to_owned()),
            Cell::Text(line.to_owned()),
            Cell::Text((*reason).to_owned()),
            Cell::ms(Some(seen.copied().unwrap_or(ended.lasted_ms))),
            Cell::Count(ended.count),
            Cell::Count(ended.by_leave),
            Cell::ms(Some(ended.over_ms)),
        ]);
    }
    table
}

/// Entry delays by whatever `key` says of them; entries of no operator are nobody's.
pub(super) fn delays<K: Ord>(
    source: &Source,
    mut key: impl FnMut(&EntryLot) -> Option<K>,
) -> BTreeMap<K, EntryDelay> {
    let mut delays: BTreeMap<K, EntryDelay> = BTreeMap::new();
    for lot in &source.entry_lots {
        if let Some(key) = key(lot) {
            delays.entry(key).or_default().add(&lot.lot);
        }
    }
    delays
}

/// Lines: how soon their telephones were answered, and their entries completed.
pub(super) fn lines(report: &mut Report, source: &Source, wanted: &Wanted) {
    report.notes.push(format!(
        "line answer time: from the start of an offer to the answer; an overrun rings longer than {} s",
        seconds(wanted.ring_limit_ms)
    ));
    report.tables.push(line_table(source, wanted));
    report.tables.extend(by_interval::lines(source, wanted));
}

pub(super) fn line_table(source: &Source, wanted: &Wanted) -> Table {
    let mut lines: BTreeMap<(usize, &str), (LineFigures, &str)> = BTreeMap::new();
    for offers in &source.offer_lots {
        // Numeric lines in order of their numbers.
        let key = (offers.line.len(), offers.line.as_str());
        let (figures, name) = lines.entry(key).or_default();
        figures.add(&offers.lot, wanted.ring_limit_ms);
        *name = &offers.name;
    }
    let delays = delays(source, |lot| lot.line.clone());
    for lot in &source.entry_lots {
        // Whom nothing was offered may have entries all the same: of calls by name, of contacts.
        if let (Some(line), Some(name)) = (&lot.line, &lot.name) {
            lines
                .entry((line.len(), line))
                .or_insert_with(|| (LineFigures::default(), name));
        }
    }
    let mut table = Table::new(
        "lines",
        ["line", "operator"]
            .into_iter()
            .chain(RINGING)
            .chain(DELAYS),
    );
    for ((_, line), (figures, name)) in lines {
        let delay = delays.get(line).copied().unwrap_or_default();
        let mut row = vec![Cell::Text(line.to_owned()), Cell::Text(name.to_owned())];
        row.extend(ringing_cells(&figures));
        row.extend(delay_cells(&delay));
        table.rows.push(row);
    }
    table
}

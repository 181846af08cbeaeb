//! Owns operators and lines cut by intervals: a row for each interval in which there was anything of one.
//! Entries are of the interval in which they arrived.

use std::collections::BTreeMap;

use super::people::{DELAYS, RINGING, WORK, delay_cells, delays, ringing_cells, work_cells};
use super::source::{Person, Source};
use super::{Cell, INTERVALS_MAX, Table, Wanted};
use crate::metrics::{Interval, LineFigures, WorkFigures};

/// The intervals of a range, in order; none where it is not cut.
struct Cut {
    starts: Vec<i64>,
    /// First moment after the last of them.
    end: i64,
}

impl Cut {
    fn of(wanted: &Wanted) -> Option<Self> {
        if wanted.interval == Interval::Whole {
            return None;
        }
        let end = wanted.to.min(wanted.now);
        let starts = wanted
            .interval
            .starts(wanted.from, end, &wanted.zone, INTERVALS_MAX);
        Some(Self { starts, end })
    }

    /// The number of the interval in which a moment lies.
    fn place(&self, at: i64) -> Option<usize> {
        self.starts
            .partition_point(|start| *start <= at)
            .checked_sub(1)
    }

    /// An interval, from its first moment to the first after it.
    fn interval(&self, place: usize) -> Option<(i64, i64)> {
        let from = *self.starts.get(place)?;
        Some((
            from,
            self.starts.get(place + 1).copied().unwrap_or(self.end),
        ))
    }
}

/// Operators: what they handled and how busy they were in each interval.
pub(super) fn operators(
    source: &Source,
    wanted: &Wanted,
    people: &BTreeMap<i64, Person>,
) -> Option<Table> {
    let cut = Cut::of(wanted)?;
    let mut work: BTreeMap<(usize, i64), WorkFigures> = BTreeMap::new();
    for lot in &source.talk_lots {
        if let Some(place) = cut.place(lot.at) {
            let figures = work.entry((place, lot.operator)).or_default();
            figures.add_talks(&lot.talks);
        }
    }
    for span in &source.spans {
        let lasted = i64::try_from(span.lasted_ms).unwrap_or(i64::MAX);
        let over = span.from.saturating_add(lasted);
        // What began before the range goes on in its first interval.
        let mut place = cut.place(span.from).unwrap_or(0);
        while let Some((from, to)) = cut.interval(place).filter(|(from, _)| *from < over) {
            let figures = work.entry((place, span.operator)).or_default();
            figures.add_span(span, from.max(wanted.from), to);
            place += 1;
        }
    }
    let delays = delays(source, |lot| Some((cut.place(lot.at)?, lot.operator?)));
    work.retain(|_, figures| *figures != WorkFigures::default());
    for key in delays.keys() {
        work.entry(*key).or_default();
    }
    let mut table = Table::new(
        "operators_by_interval",
        ["interval", "operator", "line"]
            .into_iter()
            .chain(WORK)
            .chain(DELAYS),
    );
    for ((place, id), figures) in work {
        let delay = delays.get(&(place, id)).copied().unwrap_or_default();
        let person = people.get(&id);
        let mut row = vec![
            Cell::moment(cut.starts.get(place).copied()),
            Cell::text(person.map(|person| person.name.as_str())),
            Cell::text(person.map(|person| person.line.as_str())),
        ];
        row.extend(work_cells(&figures));
        row.extend(delay_cells(&delay));
        table.rows.push(row);
    }
    Some(table)
}

/// Lines: how soon their telephones were answered in each interval.
pub(super) fn lines(source: &Source, wanted: &Wanted) -> Option<Table> {
    let cut = Cut::of(wanted)?;
    let mut lines: BTreeMap<(usize, usize, &str), (LineFigures, &str)> = BTreeMap::new();
    for offers in &source.offer_lots {
        let Some(place) = cut.place(offers.at) else {
            continue;
        };
        // Numeric lines in order of their numbers.
        let key = (place, offers.line.len(), offers.line.as_str());
        let (figures, name) = lines.entry(key).or_default();
        figures.add(&offers.lot, wanted.ring_limit_ms);
        *name = &offers.name;
    }
    for lot in &source.entry_lots {
        if let (Some(place), Some(line), Some(name)) = (cut.place(lot.at), &lot.line, &lot.name) {
            let key = (place, line.len(), line.as_str());
            lines
                .entry(key)
                .or_insert_with(|| (LineFigures::default(), name));
        }
    }
    let delays = delays(source, |lot| Some((cut.place(lot.at)?, lot.line.clone()?)));
    let mut table = Table::new(
        "lines_by_interval",
        ["interval", "line", "operator"]
            .into_iter()
            .chain(RINGING)
            .chain(DELAYS),
    );
    for ((place, _, line), (figures, name)) in lines {
        let delay = delays.get(&(place, line.to_owned())).copied();
        let mut row = vec![
            Cell::moment(cut.starts.get(place).copied()),
            Cell::Text(line.to_owned()),
            Cell::Text(name.to_owned()),
        ];
        row.extend(ringing_cells(&figures));
        row.extend(delay_cells(&delay.unwrap_or_default()));
        table.rows.push(row);
    }
    Some(table)
}

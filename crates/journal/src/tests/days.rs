//! Days that are not 24 hours long, a wall clock that jumps, and the vector of Cisco's guide, all through
//! the journal and the report, not through the formulas alone.

use jiff::civil::{DateTime, date};
use jiff::tz::TimeZone;

use super::*;
use crate::forms::Forms;
use crate::metrics::Interval;
use crate::report::{self, By, Cell, Kind, Report, Wanted};

const TEN_MINUTES: i64 = 600_000;

fn kyiv() -> TimeZone {
    TimeZone::get("Europe/Kyiv").unwrap()
}

fn midnight(day: DateTime) -> i64 {
    let zoned = day.to_zoned(kyiv()).unwrap();
    zoned.timestamp().as_millisecond()
}

/// A stay in a queue, from a moment on.
fn stay(history: &mut History, call: CallId, wait_ms: u64, outcome: QueueOutcome) {
    history.say(arrived(call)).say(queued(call));
    history.after(wait_ms).say(left(call, outcome));
    let (how, by) = match outcome {
        QueueOutcome::Answered => (Outcome::Answered, EndedBy::Operator),
        _ => (Outcome::Abandoned, EndedBy::Caller),
    };
    history.say(ended(call, how, by));
}

fn report(place: &Place, wanted: &Wanted) -> Report {
    let forms = Forms::plain(Duration::from_secs(600));
    block_on(report::make(&place.database(), &forms, wanted)).unwrap()
}

fn cells(report: &Report, column: &str) -> Vec<Cell> {
    let table = &report.tables[0];
    let place = table.columns.iter().position(|name| *name == column);
    table
        .rows
        .iter()
        .map(|row| row[place.unwrap()].clone())
        .collect()
}

/// A call each ten minutes of a day, every third abandoned.
fn day_of_calls(from: i64, to: i64) -> Place {
    let place = Place::new();
    let mut history = History::new(BOOT);
    let mut moments = Vec::new();
    let mut at = from;
    while at < to {
        let n = u32::try_from(moments.len()).unwrap() + 1;
        let before = history.events.len();
        let outcome = match n % 3 {
            0 => QueueOutcome::Abandoned,
            _ => QueueOutcome::Answered,
        };
        stay(&mut history, call(n), 3_000, outcome);
        for event in &mut history.events[before..] {
            event.at = WallTime::from_unix_millis(at);
        }
        moments.push(at);
        at += TEN_MINUTES;
    }
    place.run(BOOT, &history.events);
    place
}

#[test]
fn the_day_of_summer_time_has_23_hours_and_that_of_its_end_25_and_nothing_is_lost() {
    for (day, hours) in [
        (date(2026, 3, 29), 23_usize),
        (date(2026, 10, 25), 25),
        (date(2026, 10, 26), 24),
    ] {
        let from = midnight(day.at(0, 0, 0, 0));
        let to = midnight(day.tomorrow().unwrap().at(0, 0, 0, 0));
        let place = day_of_calls(from, to);
        let wanted = Wanted {
            interval: Interval::Hour,
            by: By::All,
            ..Wanted::new(Kind::Queue, (from, to), to, kyiv())
        };
        let made = report(&place, &wanted);
        assert!(made.identity);
        let offered = cells(&made, "offered");
        assert_eq!(offered.len(), hours + 1, "{day}: its hours, and the total");
        let (total, of_hours) = offered.split_last().unwrap();
        assert!(
            of_hours.iter().all(|count| *count == Cell::Count(6)),
            "{day}"
        );
        assert_eq!(*total, Cell::Count(hours as u64 * 6));
        assert_eq!(
            cells(&made, "answered").last(),
            Some(&Cell::Count(hours as u64 * 4))
        );
        let starts = cells(&made, "interval");
        let distinct: std::collections::BTreeSet<String> =
            starts.iter().map(|start| format!("{start:?}")).collect();
        assert_eq!(
            distinct.len(),
            hours + 1,
            "the hour that comes twice is two"
        );
        let by_day = Wanted {
            interval: Interval::Day,
            ..wanted
        };
        let whole = cells(&report(&place, &by_day), "offered");
        assert_eq!(whole, std::slice::from_ref(total));
    }
}

#[test]
fn a_wall_clock_that_jumps_makes_no_wait_longer_or_shorter() {
    for jump in [-3_600_000, -40_000, 40_000, 7_200_000] {
        let place = Place::new();
        let mut history = History::new(BOOT);
        answered_call(&mut history, call(1));
        stay(&mut history, call(2), 30_000, QueueOutcome::Abandoned);
        // The clock is put on or back while the first one waits.
        let jumped = history
            .events
            .iter()
            .position(|event| matches!(event.fact, Fact::OfferMade { .. }));
        for event in &mut history.events[jumped.unwrap()..] {
            event.at = WallTime::from_unix_millis(event.at.as_unix_millis() + jump);
        }
        history.say(Fact::EngineStopped);
        place.run(BOOT, &history.events);
        assert_eq!(place.problems(), [], "{jump}");
        let rows = place.rows();
        let entry = |n: u32| {
            let found = rows.iter().find(|row| row.entry.call == call(n).as_i64());
            found.unwrap().entry.clone()
        };
        assert_eq!(
            (entry(1).wait_ms, entry(1).talk_ms, entry(1).duration_ms),
            (Some(3_000), Some(20_000), Some(24_200)),
            "{jump}"
        );
        let range = (AT - 8_000_000, AT + 8_000_000);
        let wanted = Wanted::new(Kind::Queue, range, AT + 9_000_000, TimeZone::UTC);
        let made = report(&place, &wanted);
        assert!(made.identity, "{jump}");
        assert_eq!(cells(&made, "longest_wait"), [Cell::Millis(30_000.0)]);
        assert_eq!(cells(&made, "average_wait"), [Cell::Millis(3_000.0)]);
    }
}

#[test]
fn the_vector_of_the_cisco_guide_holds_from_events_to_report() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    let stays = [
        (70, 20_000, QueueOutcome::Answered),
        (10, 20_000, QueueOutcome::Abandoned),
        (12, 20_001, QueueOutcome::Answered),
        (8, 60_000, QueueOutcome::Abandoned),
    ];
    let mut n = 0;
    for (count, wait, outcome) in stays {
        for _ in 0..count {
            n += 1;
            stay(&mut history, call(n), wait, outcome);
        }
    }
    place.run(BOOT, &history.events);
    let range = (AT, AT + 100_000_000);
    let wanted = Wanted::new(Kind::Queue, range, range.1, TimeZone::UTC);
    let made = report(&place, &wanted);
    assert_eq!(cells(&made, "offered"), [Cell::Count(100)]);
    for (column, percent) in [
        ("ignore_abandoned", 77.78),
        ("abandoned_negative", 70.0),
        ("abandoned_positive", 80.0),
    ] {
        let Cell::Ratio(part) = cells(&made, column)[0] else {
            panic!("{column} is no part of a whole");
        };
        assert!((part * 100.0 - percent).abs() < 0.005, "{column}: {part}");
    }
}

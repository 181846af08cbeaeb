//! Reports over a journal with known calls, and with names made to do harm.

use jiff::tz::TimeZone;

use super::*;
use crate::forms::Forms;
use crate::metrics::Interval;
use crate::report::{self, By, Cell, Kind, Report, Wanted, render};

const FORMULA: &str = "=HYPERLINK(\"http://x\")<script>\u{1b}[2J\u{7}";

/// One call answered after 3 s, one abandoned after 30 s, and operators' states around them.
fn place() -> Place {
    let place = Place::new();
    let mut history = History::new(BOOT);
    let turned = |state, status: &str| Fact::OperatorTurned {
        operator: operator(1),
        state,
        status: status.into(),
    };
    history.say(turned(vocab::OperatorState::Free, "available"));
    answered_call(&mut history, call(1));
    history.say(turned(vocab::OperatorState::WrapUp, "available"));
    history.after(10_000).say(Fact::WrapUpEnded {
        call: call(1),
        segment: 1,
    });
    history.say(turned(vocab::OperatorState::Paused, "break: lunch"));
    history.say(arrived(call(2))).say(queued(call(2)));
    history
        .after(30_000)
        .say(left(call(2), QueueOutcome::Abandoned));
    history.say(ended(call(2), Outcome::Abandoned, EndedBy::Caller));
    // The caller comes again and talks.
    history.after(60_000);
    answered_call(&mut history, call(3));
    for event in &mut history.events {
        if let Fact::CallArrived {
            call: id,
            caller,
            caller_name,
            ..
        } = &mut event.fact
        {
            if *id == call(3) {
                *caller = "84242000002".into(); // as another trunk spells the number of call 2
            }
            *caller_name = FORMULA.into();
        }
        if let Fact::OfferMade { operator, .. } | Fact::OperatorTurned { operator, .. } =
            &mut event.fact
        {
            operator.name = FORMULA.into();
        }
        if let Fact::SegmentStarted {
            party: Party::Operator(operator),
            ..
        } = &mut event.fact
        {
            operator.name = FORMULA.into();
        }
    }
    history.say(Fact::EngineStopped);
    place.run(BOOT, &history.events);
    place
}

fn wanted(kind: Kind) -> Wanted {
    let range = (wall(-1_000), wall(600_000));
    Wanted::new(kind, range, wall(1_000_000), TimeZone::UTC)
}

fn made(place: &Place, wanted: &Wanted) -> Report {
    let forms = Forms::plain(Duration::from_secs(600));
    block_on(report::make(&place.database(), &forms, wanted)).unwrap()
}

fn cell<'a>(report: &'a Report, table: &str, row: usize, column: &str) -> &'a Cell {
    let table = report.tables.iter().find(|t| t.name == table).unwrap();
    let place = table
        .columns
        .iter()
        .position(|name| *name == column)
        .unwrap();
    assert!(
        table
            .rows
            .iter()
            .all(|row| row.len() == table.columns.len())
    );
    &table.rows[row][place]
}

#[test]
fn the_report_of_queues_has_the_figures_of_known_calls() {
    let place = place();
    let report = made(&place, &wanted(Kind::Queue));
    assert!(report.identity);
    for (column, expected) in [
        ("offered", Cell::Count(3)),
        ("answered", Cell::Count(2)),
        ("abandoned", Cell::Count(1)),
        ("answered_only", Cell::Ratio(1.0)),
        ("asterisk_sl2", Cell::Ratio(2.0 / 3.0)),
        ("average_wait", Cell::Millis(3_000.0)),
        ("average_wait_from_arrival", Cell::Millis(4_200.0)),
        ("longest_wait", Cell::Millis(30_000.0)),
        ("abandonment", Cell::Ratio(1.0 / 3.0)),
        ("keeps_emergency", Cell::Text("yes".into())),
    ] {
        assert_eq!(cell(&report, "queues", 0, column), &expected, "{column}");
    }
    // The threshold is chosen afterwards.
    let strict = Wanted {
        threshold_ms: 2_999,
        ..wanted(Kind::Queue)
    };
    let report = made(&place, &strict);
    assert_eq!(
        cell(&report, "queues", 0, "answered_only"),
        &Cell::Ratio(0.0)
    );
}

#[test]
fn intervals_in_which_nothing_came_are_rows_and_the_total_is_that_of_all() {
    let place = place();
    let by_minutes = Wanted {
        interval: Interval::Quarter,
        by: By::All,
        to: wall(3_600_000),
        now: wall(3_600_000),
        ..wanted(Kind::Queue)
    };
    let report = made(&place, &by_minutes);
    let table = &report.tables[0];
    assert_eq!(
        table.rows.len(),
        6,
        "15:30 to 16:45 by quarters, and the total"
    );
    assert_eq!(cell(&report, "queues", 2, "offered"), &Cell::Count(0));
    assert_eq!(cell(&report, "queues", 2, "answered_only"), &Cell::None);
    assert_eq!(cell(&report, "queues", 5, "offered"), &Cell::Count(3));
}

#[test]
fn the_report_of_operators_has_handling_time_occupancy_and_breaks() {
    let report = made(&place(), &wanted(Kind::Operator));
    assert_eq!(cell(&report, "operators", 0, "handled"), &Cell::Count(2));
    assert_eq!(
        cell(&report, "operators", 0, "wrap_up"),
        &Cell::Millis(10_300.0)
    );
    assert_eq!(
        cell(&report, "operators", 0, "average_handling"),
        &Cell::Millis(25_150.0)
    );
    assert_eq!(
        cell(&report, "breaks", 0, "reason"),
        &Cell::Text("lunch".into())
    );
}

#[test]
fn an_abandoned_caller_who_came_again_is_known_by_the_number_however_it_is_spelt() {
    let report = made(&place(), &wanted(Kind::Abandoned));
    assert_eq!(report.tables[0].rows.len(), 1);
    let state = cell(&report, "abandoned", 0, "called_back");
    assert_eq!(state, &Cell::Text("called again".into()));
    assert_eq!(
        cell(&report, "abandoned", 0, "waited"),
        &Cell::Millis(30_000.0)
    );
}

#[test]
fn an_entry_that_nobody_completed_is_an_overrun() {
    let report = made(&place(), &wanted(Kind::Overruns));
    assert_eq!(report.tables[0].name, "late_entries");
    assert_eq!(report.tables[0].rows.len(), 2);
    assert_eq!(cell(&report, "late_entries", 0, "completed"), &Cell::None);
}

#[test]
fn hostile_names_come_out_of_every_form_as_text() {
    let place = place();
    for (_, kind) in Kind::NAMES {
        let report = made(&place, &wanted(kind));
        for row in report.tables.iter().flat_map(|table| &table.rows) {
            assert!(row.len() > 1);
        }
        let html = render::html(&report);
        assert!(!html.contains("<script"), "{kind:?}");
        let text = render::text(&report);
        let csv = render::csv(&report);
        for form in [&html, &text, &csv] {
            assert!(
                !form.contains('\u{1b}') && !form.contains('\u{7}'),
                "{kind:?}"
            );
        }
        assert!(
            !csv.contains(",=") && !csv.contains("\n=") && !csv.contains("\"=H"),
            "{kind:?}"
        );
        let json = render::json(&report);
        assert_eq!(json["identity_holds"], true);
        assert_eq!(json["formulas"], 1);
        let book = render::xlsx(&report).unwrap();
        assert_eq!(&book[..2], b"PK", "{kind:?}");
    }
}

#[test]
fn the_operators_name_is_in_the_json_as_it_was() {
    let report = made(&place(), &wanted(Kind::Daily));
    let json = render::json(&report);
    assert_eq!(json["tables"]["operators"][0]["operator"], FORMULA);
    assert_eq!(json["tables"]["lines"][0]["average_answer_time"], 2_000.0);
    assert!(json["tables"]["first_contact_resolution"][0]["rate"].is_null());
}

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

/// A call of operator 1 in queue "operators", whom it leaves for queue "second" and operator 2; there it
/// waits 5 s, rings for the last of them, and talks 7 s.
fn transferred_call(history: &mut History, call: CallId) {
    let in_second = |fact: Fact| match fact {
        Fact::QueueEntered {
            call,
            priority,
            skills,
            ..
        } => Fact::QueueEntered {
            call,
            queue: "second".into(),
            priority,
            skills,
        },
        Fact::QueueLeft { call, outcome, .. } => Fact::QueueLeft {
            call,
            queue: "second".into(),
            outcome,
        },
        Fact::OfferMade {
            call,
            offer,
            operator,
            why,
            considered,
            ..
        } => Fact::OfferMade {
            call,
            offer,
            queue: "second".into(),
            operator,
            why,
            considered,
        },
        other => other,
    };
    history.say(arrived(call)).after(1_000);
    history.say(queued(call)).after(1_000);
    history.say(offered(call, 1, 1)).after(2_000);
    history.say(offer_ended(call, 1, OfferResult::Answered, 200));
    history.say(left(call, QueueOutcome::Answered));
    history.say(talk(call, 1, 1, 1)).after(20_000);
    history.say(talk_ended(call, 1, EndedBy::Operator));
    history.say(in_second(queued(call))).after(4_000);
    history.say(in_second(offered(call, 2, 2))).after(1_000);
    history.say(offer_ended(call, 2, OfferResult::Answered, 200));
    history.say(in_second(left(call, QueueOutcome::Answered)));
    history.say(talk(call, 2, 2, 2)).after(7_000);
    history.say(talk_ended(call, 2, EndedBy::Caller));
    history.say(ended(call, Outcome::Answered, EndedBy::Caller));
    history.say(stored(call, 1)).say(stored(call, 2));
}

#[test]
fn after_a_transfer_each_operator_and_queue_has_its_own() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    transferred_call(&mut history, call(1));
    history.say(arrived(call(2))).say(queued(call(2)));
    history
        .after(2_000)
        .say(left(call(2), QueueOutcome::Abandoned));
    history.say(ended(call(2), Outcome::Abandoned, EndedBy::Caller));
    history.say(Fact::EngineStopped);
    place.run(BOOT, &history.events);
    let row_of = |report: &Report, table: &str, name: &str| {
        let found = report.tables.iter().find(|one| one.name == table).unwrap();
        let named = |row: &Vec<Cell>| row.contains(&Cell::Text(name.into()));
        found.rows.iter().position(named)
    };
    let (first, second) = (operator(1), operator(2));
    for (by, names) in [
        (By::Operator, [&first.name, &second.name]),
        (By::Line, [&first.line, &second.line]),
    ] {
        let report = made(
            &place,
            &Wanted {
                by,
                ..wanted(Kind::Queue)
            },
        );
        assert!(report.identity);
        for (name, answered, abandoned, wait, since_arrival) in [
            (
                names[0].as_str(),
                1,
                0,
                Cell::Millis(3_000.0),
                Cell::Millis(4_000.0),
            ),
            // The talk before is no wait.
            (names[1].as_str(), 1, 0, Cell::Millis(5_000.0), Cell::None),
            ("(none)", 0, 1, Cell::None, Cell::None),
        ] {
            let row = row_of(&report, "queues", name).unwrap();
            let of = |column: &str| cell(&report, "queues", row, column);
            assert_eq!(of("answered"), &Cell::Count(answered), "{by:?} {name}");
            assert_eq!(of("abandoned"), &Cell::Count(abandoned), "{by:?} {name}");
            assert_eq!(of("average_wait"), &wait, "{by:?} {name}");
            assert_eq!(
                of("average_wait_from_arrival"),
                &since_arrival,
                "{by:?} {name}"
            );
        }
    }
    for (queue, operator, other, talk) in [
        ("operators", &first, &second, 20_000.0),
        ("second", &second, &first, 7_000.0),
    ] {
        let of_queue = |kind| Wanted {
            queue: Some(queue.into()),
            ..wanted(kind)
        };
        let report = made(&place, &of_queue(Kind::Operator));
        let row = row_of(&report, "operators", &operator.name).unwrap();
        assert_eq!(cell(&report, "operators", row, "talk"), &Cell::Millis(talk));
        assert_eq!(row_of(&report, "operators", &other.name), None, "{queue}");
        let report = made(&place, &of_queue(Kind::Quality));
        let row = row_of(&report, "recordings", &operator.name).unwrap();
        assert_eq!(
            cell(&report, "recordings", row, "recorded"),
            &Cell::Count(1)
        );
        assert_eq!(row_of(&report, "recordings", &other.name), None, "{queue}");
    }
}

/// Each way to tell queues' rows apart, with the values of known calls.
#[test]
fn rows_are_told_apart_by_number_trunk_and_topic() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    for n in 1..=3 {
        answered_call(&mut history, call(n));
        history.after(1_000);
    }
    for event in &mut history.events {
        if let Fact::CallArrived {
            call: id,
            number,
            trunk,
            ..
        } = &mut event.fact
        {
            let rare = *id == call(3);
            *number = if rare { "1-400" } else { "1-300" }.into();
            *trunk = if rare { "city" } else { "carrier" }.into();
        }
    }
    history.say(Fact::EntryEdited {
        call: call(1),
        by: "maria".into(),
        changes: vec![vocab::FieldChange {
            field: vocab::EntryField::Topic,
            value: Some("doctors".into()),
        }],
    });
    history.say(Fact::EngineStopped);
    place.run(BOOT, &history.events);
    for (by, expected) in [
        (By::Number, [("1-300", 2), ("1-400", 1)]),
        (By::Trunk, [("carrier", 2), ("city", 1)]),
        (By::Topic, [("(none)", 2), ("doctors", 1)]),
        (By::Queue, [("operators", 3), ("", 0)]),
    ] {
        let report = made(
            &place,
            &Wanted {
                by,
                ..wanted(Kind::Queue)
            },
        );
        let table = &report.tables[0];
        for (name, answered) in expected.into_iter().filter(|(name, _)| !name.is_empty()) {
            let named = |row: &&Vec<Cell>| row[1] == Cell::Text(name.into());
            let row = table.rows.iter().find(named).unwrap();
            assert_eq!(
                row[2..4],
                [Cell::Count(answered), Cell::Count(answered)],
                "{name}"
            );
        }
    }
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
    let place = place();
    let report = made(&place, &wanted(Kind::Operator));
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
    let busy = |queue: &str| {
        let wanted = wanted(Kind::Operator);
        block_on(report::occupancy(&place.database(), &wanted, queue)).unwrap()
    };
    let Cell::Ratio(all) = cell(&report, "operators", 0, "occupancy") else {
        panic!("{report:?}");
    };
    assert_eq!(busy("operators"), Some(*all));
    assert_eq!(busy("no such queue"), None);
}

#[test]
fn operators_and_lines_cut_by_intervals_sum_up_to_the_whole() {
    let place = place();
    let cut = |kind| Wanted {
        interval: Interval::Quarter,
        from: wall(-1_000_000),
        ..wanted(kind)
    };
    let sum = |report: &Report, table: &str, column: &str| {
        let found = report.tables.iter().find(|one| one.name == table).unwrap();
        let place = found.columns.iter().position(|name| *name == column);
        let cells = found.rows.iter().map(|row| &row[place.unwrap()]);
        let number = |cell: &Cell| match cell {
            Cell::Count(count) => *count as f64,
            Cell::Millis(ms) => *ms,
            other => panic!("{other:?} is no number"),
        };
        cells.map(number).sum::<f64>()
    };
    let made_of = made(&place, &cut(Kind::Operator));
    for column in [
        "handled",
        "talk",
        "wrap_up",
        "idle",
        "present",
        "entries_due",
        "entries_overdue",
    ] {
        let whole = sum(&made_of, "operators", column);
        assert_eq!(
            sum(&made_of, "operators_by_interval", column),
            whole,
            "{column}"
        );
    }
    let made_of = made(&place, &cut(Kind::Line));
    for column in [
        "offers",
        "answered",
        "unanswered",
        "overruns",
        "entries_due",
    ] {
        let whole = sum(&made_of, "lines", column);
        assert_eq!(
            sum(&made_of, "lines_by_interval", column),
            whole,
            "{column}"
        );
    }
    let uncut = made(&place, &wanted(Kind::Operator));
    let names: Vec<&str> = uncut.tables.iter().map(|table| table.name).collect();
    assert_eq!(names, ["operators", "breaks"]);
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
fn an_entry_may_take_as_long_as_the_form_of_its_queue_says() {
    let place = place();
    let late = |queue: &str, time: &str| {
        let text = format!("[[form]]\nqueues = [\"{queue}\"]\ncomplete_within = \"{time}\"");
        let forms = Forms::parse(&text, Duration::from_secs(3_600)).unwrap();
        let wanted = wanted(Kind::Overruns);
        block_on(report::make(&place.database(), &forms, &wanted)).unwrap()
    };
    let report = late("operators", "10 min");
    assert_eq!(report.tables[0].rows.len(), 2);
    let limit = cell(&report, "late_entries", 1, "limit");
    assert_eq!(limit, &Cell::Millis(600_000.0));
    assert!(late("others", "10 min").tables[0].rows.is_empty());
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
        assert_eq!(json.to_string(), render::json_text(&report));
        assert_eq!(json["identity_holds"], true);
        assert_eq!(json["formulas"], crate::metrics::FORMULAS);
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

/// Audio of a leg of call 1: MOS of what came and went, packets that came, packets that were lost.
pub(super) fn measured(
    leg: u32,
    party: Option<Party>,
    mos: [u16; 2],
    (received, lost): (u64, u64),
) -> Fact {
    let path = |mos| vocab::PathQuality {
        expected: received + lost,
        lost: lost / 2,
        jitter_us: 1_000 * leg,
        jitter_max_us: 9_000,
        mos,
    };
    Fact::LegMeasured {
        call: call(1),
        leg: LegId::new(BOOT, leg),
        party,
        counts: vocab::LegCounts {
            received,
            sent: received + lost,
            lost,
            ..vocab::LegCounts::default()
        },
        quality: vocab::LegQuality {
            codec: None,
            from_peer: Some(path(mos[0])),
            to_peer: Some(path(mos[1])),
            round_trip_us: (leg != 3).then_some(10_000 * leg),
            heard_by_peer: None,
        },
    }
}

#[test]
fn the_report_of_quality_has_best_median_and_worst_of_each_end_and_lists_what_was_heard_badly() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    for (leg, mos, packets) in [
        (1, [430, 420], (900, 100)),
        (2, [410, 359], (1_000, 0)),
        (3, [360, 400], (0, 0)),
        (4, [300, 380], (750, 250)),
    ] {
        history.say(measured(leg, None, mos, packets));
    }
    let at_operator = Some(Party::Operator(operator(1)));
    history.say(measured(5, at_operator, [440, 440], (1_000, 0)));
    history.say(Fact::EngineStopped);
    place.run(BOOT, &history.events);
    let report = made(&place, &wanted(Kind::Quality));
    let row = |table: &str, row: usize| {
        ["end", "direction", "legs", "best", "median", "worst"]
            .map(|column| cell(&report, table, row, column).clone())
    };
    let text = |text: &str| Cell::Text(text.into());
    let (caller, received) = (text("caller"), text("received"));
    let numbers = |best, median, worst| [best, median, worst].map(Cell::Number);
    let expect = |(end, direction, legs): (&Cell, Cell, u64), [best, median, worst]: [Cell; 3]| {
        [
            end.clone(),
            direction,
            Cell::Count(legs),
            best,
            median,
            worst,
        ]
    };
    assert_eq!(
        row("mos", 0),
        expect((&caller, received.clone(), 4), numbers(4.3, 3.85, 3.0))
    );
    assert_eq!(
        row("mos", 1),
        expect((&caller, text("sent"), 4), numbers(4.2, 3.9, 3.59))
    );
    assert_eq!(cell(&report, "mos", 2, "name"), &text("Оператор 1"));
    let loss = [0.0, 0.1, 0.25].map(Cell::Ratio);
    // Where nothing came there is no part of it that was lost.
    assert_eq!(row("loss", 0), expect((&caller, received, 3), loss));
    assert_eq!(
        row("round_trip_ms", 0),
        expect((&caller, text("both"), 3), numbers(10.0, 20.0, 40.0))
    );
    let poor = report.tables.iter().find(|t| t.name == "poor_audio");
    assert_eq!(poor.unwrap().rows.len(), 2, "3.60 is not below 3.60");
    assert_eq!(
        cell(&report, "poor_audio", 0, "mos_sent"),
        &Cell::Number(3.59)
    );
    let mild = Wanted {
        mos_below: 350,
        ..wanted(Kind::Quality)
    };
    assert_eq!(made(&place, &mild).tables[4].rows.len(), 1);
}

#[test]
fn a_stay_that_is_none_of_the_terms_breaks_the_identity() {
    let place = place();
    assert!(made(&place, &wanted(Kind::Line)).identity);
    block_on(async {
        let mut database = crate::store::open(&place.database().into()).await.unwrap();
        let lost = "UPDATE queue_entries SET outcome = NULL WHERE outcome = 'abandoned'";
        assert_eq!(database.run(lost, &[]).await.unwrap(), 1);
        database.close().await;
    });
    for (_, kind) in Kind::NAMES {
        assert!(
            !made(&place, &wanted(kind)).identity,
            "{kind:?}: the call is over, so nothing of it waits"
        );
    }
}

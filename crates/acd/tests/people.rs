//! What operators do besides calls: sign-in, statuses, breaks, wrap-up, hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod floor;

use std::time::Duration;

use acd::{
    Attendance, BreakSettings, BreakTaken, By, Hours, Input, LeaveNeeded, OperatorSettings, Output,
    QueueSettings, Status, WrapUp,
};
use floor::*;
use vocab::{OfferResult, OperatorState};

const HOUR: u64 = 3_600;

fn technical() -> BreakSettings {
    BreakSettings {
        reason: "technical".to_owned(),
        daily_max: Some(Duration::from_secs(600)),
        hours: vec![Hours {
            from: Duration::from_secs(10 * HOUR),
            to: Duration::from_secs(10 * HOUR + 900),
        }],
    }
}

/// One operator at so many seconds after midnight.
fn at(time: u64) -> Floor {
    let mut floor = Floor::new(&[A]);
    floor.tell(Input::Breaks(vec![technical()]));
    floor.tell(Input::Clock {
        day: 1,
        time: Duration::from_secs(time),
    });
    floor
}

fn wanted(floor: &mut Floor, by: By) -> Vec<Output> {
    floor.status(A, Status::on_break("technical"), by)
}

fn refused(because: LeaveNeeded) -> Output {
    let reason = "technical".to_owned();
    Output::NeedsLeave {
        operator: A,
        reason,
        because,
    }
}

fn taken(outputs: &[Output]) -> &BreakTaken {
    let found = outputs.iter().find_map(|output| match output {
        Output::BreakTaken(taken) => Some(taken),
        _ => None,
    });
    found.expect("a break that was taken")
}

#[test]
fn a_break_in_its_hours_needs_nobodys_leave() {
    let mut floor = at(10 * HOUR);
    assert_eq!(wanted(&mut floor, By::Operator).len(), 1);
    assert_eq!(floor.state(A), OperatorState::Paused);
    floor.pass(60_000);
    let outputs = floor.status(A, Status::Available, By::Operator);
    let taken = taken(&outputs);
    assert!(!taken.by_leave && taken.over.is_zero(), "{taken:?}");
    assert!((60..62).contains(&taken.lasted.as_secs()), "{taken:?}");
    assert_eq!(floor.state(A), OperatorState::Free);
}

#[test]
fn a_break_outside_its_hours_needs_leave_and_shows_as_such() {
    let mut floor = at(9 * HOUR);
    assert_eq!(
        wanted(&mut floor, By::Operator),
        [refused(LeaveNeeded::OutsideHours)]
    );
    assert_eq!(floor.state(A), OperatorState::Free, "the status stays");
    assert_eq!(wanted(&mut floor, By::Supervisor).len(), 1);
    assert_eq!(floor.state(A), OperatorState::Paused);
    let outputs = floor.status(A, Status::Available, By::Operator);
    assert!(taken(&outputs).by_leave);
}

#[test]
fn a_break_of_no_known_kind_needs_leave() {
    let mut floor = at(10 * HOUR);
    let outputs = floor.status(A, Status::on_break("smoke"), By::Operator);
    assert!(matches!(
        outputs.as_slice(),
        [Output::NeedsLeave {
            because: LeaveNeeded::UnknownReason,
            ..
        }]
    ));
}

#[test]
fn the_days_limit_is_told_when_used_up_and_counts_over_all_breaks_until_midnight() {
    let mut floor = at(10 * HOUR);
    wanted(&mut floor, By::Operator);
    floor.pass(400_000);
    floor.status(A, Status::Available, By::Operator);
    wanted(&mut floor, By::Operator);
    let outputs = floor.pass(250_000);
    let told = Output::BreakTooLong {
        operator: A,
        reason: "technical".to_owned(),
    };
    assert_eq!(outputs, [told]);
    assert_eq!(
        floor.state(A),
        OperatorState::Paused,
        "people act, not the core"
    );
    let outputs = floor.status(A, Status::Available, By::Operator);
    assert!(
        (49..52).contains(&taken(&outputs).over.as_secs()),
        "{outputs:?}"
    );
    assert_eq!(
        wanted(&mut floor, By::Operator),
        [refused(LeaveNeeded::LimitUsedUp)]
    );
    floor.pass(24 * HOUR * 1_000 - 650_000);
    assert_eq!(wanted(&mut floor, By::Operator).len(), 1, "a new day");
}

#[test]
fn hours_over_midnight_are_hours() {
    let night = Hours {
        from: Duration::from_secs(23 * HOUR),
        to: Duration::from_secs(HOUR),
    };
    for (time, needs_leave) in [(22, true), (23, false), (0, false), (1, true)] {
        let mut floor = at(time * HOUR);
        let hours = vec![night];
        floor.tell(Input::Breaks(vec![BreakSettings {
            hours,
            ..technical()
        }]));
        let outputs = wanted(&mut floor, By::Operator);
        let asked = matches!(outputs.as_slice(), [Output::NeedsLeave { .. }]);
        assert_eq!(asked, needs_leave, "at {time}");
    }
}

#[test]
fn a_status_chosen_in_a_talk_holds_after_it() {
    let mut floor = Floor::new(&[A]);
    let (id, ..) = offer(&floor.enter(1, 0));
    floor.accepted(id);
    floor.status(A, Status::Training, By::Operator);
    assert_eq!(floor.state(A), OperatorState::Talking);
    floor.freed(A);
    floor.pass(WRAP_UP);
    assert_eq!(floor.state(A), OperatorState::Paused);
    assert_eq!(floor.acd.operator_status(A), Some(&Status::Training));
}

fn signs_in(id: vocab::OperatorId) -> OperatorSettings {
    OperatorSettings {
        attendance: Attendance::BySignIn,
        ..operator(id, &[])
    }
}

#[test]
fn a_registered_telephone_alone_does_not_sign_in_one_who_signs_in() {
    let mut floor = Floor::with(vec![queue(Q)], vec![signs_in(A), signs_in(B)]);
    assert_eq!(floor.enter(1, 0), []);
    let line = || "101".to_owned();
    let sign = |operator| Input::SignedIn {
        operator,
        line: line(),
    };
    let outputs = floor.tell(sign(A));
    assert_eq!(offers(&outputs)[0].2, A);
    assert_eq!(floor.acd.operator_line(A), Some("101"));
    let taken = Output::LineTaken {
        operator: B,
        line: line(),
        by: A,
    };
    assert_eq!(floor.tell(sign(B)), [taken]);
    floor.tell(Input::SignedOut { operator: A });
    assert_eq!(floor.acd.operator_status(A), Some(&Status::Off));
    assert_eq!(floor.tell(sign(B)).len(), 1, "the line is free again");
}

fn with_wrap_up(wrap_up: WrapUp) -> Floor {
    let queue = QueueSettings {
        wrap_up,
        ..queue(Q)
    };
    let mut floor = Floor::with(vec![queue], vec![operator(A, &[])]);
    let (id, ..) = offer(&floor.enter(1, 0));
    floor.accepted(id);
    floor
}

#[test]
fn wrap_up_until_the_entry_ends_with_that_entry_and_no_other() {
    let limit = Duration::from_secs(60);
    let complete = |number| Input::EntryComplete {
        operator: A,
        call: call(number),
    };
    let mut floor = with_wrap_up(WrapUp::UntilEntry(limit));
    floor.freed(A);
    floor.tell(complete(9));
    floor.tell(Input::Ready { operator: A });
    assert_eq!(floor.state(A), OperatorState::WrapUp);
    floor.tell(complete(1));
    assert_eq!(floor.state(A), OperatorState::Free);
    let mut floor = with_wrap_up(WrapUp::UntilEntry(limit));
    floor.tell(complete(1));
    floor.freed(A);
    assert_eq!(
        floor.state(A),
        OperatorState::Free,
        "complete before the end"
    );
    let mut floor = with_wrap_up(WrapUp::UntilEntry(limit));
    floor.freed(A);
    floor.pass(59_000);
    assert_eq!(floor.state(A), OperatorState::WrapUp);
    floor.pass(2_000);
    assert_eq!(floor.state(A), OperatorState::Free, "the bound");
}

#[test]
fn an_optional_wrap_up_ends_when_the_operator_says_so() {
    let mut floor = with_wrap_up(WrapUp::Optional(Duration::from_secs(60)));
    floor.freed(A);
    assert_eq!(floor.state(A), OperatorState::WrapUp);
    floor.tell(Input::Ready { operator: A });
    assert_eq!(floor.state(A), OperatorState::Free);
    let mut floor = with_wrap_up(WrapUp::Fixed(Duration::from_secs(60)));
    floor.freed(A);
    floor.tell(Input::Ready { operator: A });
    assert_eq!(floor.state(A), OperatorState::WrapUp, "fixed is fixed");
}

#[test]
fn hold_shows_in_a_talk_and_nowhere_else() {
    let held = |held| Input::Held { operator: A, held };
    let mut floor = with_wrap_up(WrapUp::None);
    floor.tell(held(true));
    assert_eq!(floor.state(A), OperatorState::Held);
    floor.tell(held(false));
    assert_eq!(floor.state(A), OperatorState::Talking);
    floor.tell(held(true));
    floor.freed(A);
    assert_eq!(floor.state(A), OperatorState::Free);
    floor.tell(held(true));
    assert_eq!(floor.state(A), OperatorState::Free);
}

#[test]
fn each_way_to_fail_has_a_consequence_of_its_own() {
    let mut strict = queue(Q);
    strict.wait_max = None;
    strict.failures.rejected.rest_from = 1;
    strict.failures.rejected.rest = Duration::from_secs(50);
    strict.failures.busy.rest_from = 0;
    strict.failures.no_answer.not_ready_from = 2;
    let mut floor = Floor::with(vec![strict], vec![operator(A, &[])]);
    let (id, ..) = offer(&floor.enter(1, 0));
    floor.failed(id, OfferResult::Rejected);
    assert_eq!(floor.state(A), OperatorState::Resting, "set aside at once");
    floor.pass(49_990);
    assert_eq!(floor.state(A), OperatorState::Resting);
    let mut outputs = floor.pass(20);
    for _ in 0..5 {
        let (id, ..) = offer(&outputs);
        assert_eq!(floor.failed(id, OfferResult::Busy), []);
        assert_eq!(
            floor.state(A),
            OperatorState::Free,
            "busy as often as it likes"
        );
        outputs = floor.pass(RETRY);
    }
    // Rings in vain, rests, rings in vain again: not ready until the person is back.
    floor.pass(RING + REST);
    let outputs = floor.pass(RING);
    assert!(
        outputs.contains(&Output::StatusChanged {
            operator: A,
            status: Status::NotReady
        }),
        "{outputs:?}"
    );
    floor.pass(REST);
    assert_eq!(floor.state(A), OperatorState::Paused);
    floor.left(1);
    floor.status(A, Status::Available, By::Operator);
    assert_eq!(offer(&floor.enter(2, 0)).1, 2);
}

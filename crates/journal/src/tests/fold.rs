//! The fold: each kind of call, by its figures.

use std::time::Duration;

use vocab::media::{Codec, Side};
use vocab::{EntryField, FieldChange, LegCounts, LegQuality, PathQuality};

use super::*;
use crate::Entry;

fn entry(history: &History, call: CallId) -> Entry {
    Entry::of(call, &history.events).unwrap()
}

fn sound(history: &History, call: CallId) -> CallRows {
    let entry = entry(history, call);
    assert_eq!(entry.check(), Vec::<String>::new());
    CallRows::of(&entry)
}

/// Arrival, answer, greeting, queue.
fn waiting(call: CallId) -> History {
    let mut history = History::new(BOOT);
    history
        .say(arrived(call))
        .after(100)
        .say(Fact::CallAnswered { call })
        .after(1_400);
    history.say(queued(call));
    history
}

#[test]
fn an_answered_call_has_all_its_figures() {
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    let CallRows {
        entry,
        offers,
        segments,
        recordings,
        queue_entries,
        ..
    } = sound(&history, call(1));
    assert_eq!(entry.number, "1300");
    assert_eq!(entry.caller, "+74242000001");
    assert_eq!(entry.queue.as_deref(), Some("operators"));
    assert_eq!(entry.operator_login.as_deref(), Some("op1"));
    assert_eq!(entry.operator_line.as_deref(), Some("101"));
    assert_eq!(entry.first_operator_login.as_deref(), Some("op1"));
    assert_eq!(entry.arrived_at, Some(wall(0)));
    assert_eq!(entry.answered_by_engine_at, Some(wall(200)));
    assert_eq!(entry.notice_played_at, Some(wall(1_200)));
    assert_eq!(entry.queue_entered_at, Some(wall(1_200)));
    assert_eq!(entry.answered_at, Some(wall(4_200)));
    assert_eq!(entry.ended_at, Some(wall(24_200)));
    assert_eq!(entry.wait_ms, Some(3_000));
    assert_eq!(entry.arrival_wait_ms, Some(4_200));
    assert_eq!(entry.ring_ms, Some(2_000));
    assert_eq!(entry.talk_ms, Some(20_000));
    assert_eq!(entry.duration_ms, Some(24_200));
    assert_eq!(
        (entry.offers, entry.offers_unanswered, entry.segments),
        (1, 0, 1)
    );
    assert_eq!(entry.outcome.as_deref(), Some("answered"));
    assert_eq!(entry.ended_by.as_deref(), Some("caller"));
    assert_eq!(entry.recording_ms, Some(20_000));
    assert_eq!(entry.recording_sha256.as_deref().map(str::len), Some(64));
    assert_eq!(
        (offers[0].ring_ms, offers[0].status),
        (Some(2_000), Some(200))
    );
    assert_eq!(
        (segments[0].talk_ms, segments[0].ring_ms),
        (Some(20_000), Some(2_000))
    );
    assert_eq!(recordings[0].repaired, Some(false));
    assert_eq!(queue_entries[0].outcome.as_deref(), Some("answered"));
}

#[test]
fn time_on_hold_is_part_of_the_talk_and_counted_once() {
    let id = call(1);
    let mut history = waiting(id);
    let hold = |by| Fact::HoldStarted {
        call: id,
        segment: 1,
        by,
    };
    let resume = |by| Fact::HoldEnded {
        call: id,
        segment: 1,
        by,
    };
    history.say(offered(id, 1, 1)).after(1_000);
    history.say(offer_ended(id, 1, OfferResult::Answered, 200));
    history.say(left(id, QueueOutcome::Answered));
    history.say(talk(id, 1, 1, 1)).after(10_000);
    // The operator for 5 s, the caller too for the last two of them and one more.
    history.say(hold(HeldBy::Operator)).after(3_000);
    history.say(hold(HeldBy::Caller)).after(2_000);
    history.say(resume(HeldBy::Operator)).after(1_000);
    history.say(resume(HeldBy::Caller)).after(4_000);
    // And until the end.
    history.say(hold(HeldBy::Operator)).after(2_000);
    history.say(resume(HeldBy::Operator));
    history.say(talk_ended(id, 1, EndedBy::Caller));
    history.say(ended(id, Outcome::Answered, EndedBy::Caller));
    history.say(stored(id, 1));
    let rows = sound(&history, id);
    assert_eq!(rows.entry.talk_ms, Some(22_000));
    assert_eq!(rows.entry.held_ms, Some(8_000));
    assert_eq!(rows.segments[0].held_ms, Some(8_000));
}

#[test]
fn a_caller_who_gives_up_waiting_is_abandoned() {
    let mut history = waiting(call(1));
    history
        .after(9_000)
        .say(left(call(1), QueueOutcome::Abandoned));
    history.say(ended(call(1), Outcome::Abandoned, EndedBy::Caller));
    let row = sound(&history, call(1)).entry;
    assert_eq!(
        (row.wait_ms, row.talk_ms, row.arrival_wait_ms),
        (Some(9_000), None, None)
    );
    assert_eq!((row.operator_login, row.offers), (None, 0));
}

#[test]
fn a_caller_who_gives_up_while_it_rings_takes_the_offer_along() {
    let mut history = waiting(call(1));
    history.say(offered(call(1), 1, 1)).after(4_000);
    history.say(offer_ended(call(1), 1, OfferResult::CallerGone, 487));
    history.say(left(call(1), QueueOutcome::Abandoned));
    history.say(ended(call(1), Outcome::Abandoned, EndedBy::Caller));
    let rows = sound(&history, call(1));
    assert_eq!((rows.entry.offers, rows.entry.offers_unanswered), (1, 1));
    assert_eq!(
        rows.entry.ring_ms, None,
        "line answer time is of answered offers"
    );
    assert_eq!(rows.offers[0].ring_ms, Some(4_000));
    assert_eq!(rows.offers[0].result.as_deref(), Some("caller_gone"));
}

#[test]
fn every_failed_offer_is_told_apart_and_the_wait_goes_on() {
    let id = call(1);
    let mut history = waiting(id);
    let failures = [
        (OfferResult::Busy, 486, 50),
        (OfferResult::Rejected, 603, 3_000),
        (OfferResult::NoAnswer, 0, 15_000),
        (OfferResult::Unreachable, 408, 2_000),
    ];
    for (n, (result, status, ms)) in (1..).zip(failures) {
        history
            .say(offered(id, n, n))
            .after(ms)
            .say(offer_ended(id, n, result, status));
    }
    history.say(offered(id, 5, 5)).after(1_000);
    history.say(offer_ended(id, 5, OfferResult::Answered, 200));
    history
        .say(left(id, QueueOutcome::Answered))
        .say(talk(id, 1, 5, 5))
        .after(60_000);
    history.say(talk_ended(id, 1, EndedBy::Operator));
    history
        .say(ended(id, Outcome::Answered, EndedBy::Operator))
        .say(stored(id, 1));
    let rows = sound(&history, id);
    assert_eq!((rows.entry.offers, rows.entry.offers_unanswered), (5, 4));
    assert_eq!(rows.entry.wait_ms, Some(21_050));
    assert_eq!(rows.entry.ring_ms, Some(1_000));
    assert_eq!(rows.entry.operator_login.as_deref(), Some("op5"));
    let results: Vec<_> = rows
        .offers
        .iter()
        .filter_map(|o| o.result.as_deref())
        .collect();
    assert_eq!(
        results,
        ["busy", "rejected", "no_answer", "unreachable", "answered"]
    );
}

#[test]
fn a_refused_and_an_unknown_number_have_an_entry_too() {
    let mut history = waiting(call(1));
    history.say(left(call(1), QueueOutcome::RefusedFull));
    history.say(ended(call(1), Outcome::RefusedFull, EndedBy::Engine));
    history.say(arrived(call(2))).say(Fact::CallEnded {
        call: call(2),
        outcome: Outcome::UnknownNumber,
        ended_by: EndedBy::Engine,
        status: Some(404),
        reason: "no plan has this number".into(),
    });
    assert_eq!(sound(&history, call(1)).entry.wait_ms, Some(0));
    let row = sound(&history, call(2)).entry;
    assert_eq!((row.status, row.wait_ms), (Some(404), None));
    assert_eq!(row.reason.as_deref(), Some("no plan has this number"));
}

#[test]
fn two_segments_sum_up_and_the_row_names_the_last_operator() {
    let id = call(1);
    let mut history = waiting(id);
    for (n, ms) in [(1, 1_000), (2, 7_000)] {
        let segment = u16::try_from(n).unwrap();
        if n == 2 {
            history.say(queued(id));
        }
        history
            .after(500)
            .say(offered(id, n, n))
            .after(250 * u64::from(n));
        history.say(offer_ended(id, n, OfferResult::Answered, 200));
        history
            .say(left(id, QueueOutcome::Answered))
            .say(talk(id, segment, n, n))
            .after(ms);
        history
            .say(talk_ended(id, segment, EndedBy::Operator))
            .say(stored(id, segment));
    }
    history.say(ended(id, Outcome::Answered, EndedBy::Operator));
    let rows = sound(&history, id);
    assert_eq!(rows.entry.talk_ms, Some(8_000));
    assert_eq!(rows.entry.wait_ms, Some(750 + 1_000));
    assert_eq!(
        rows.entry.arrival_wait_ms,
        Some(1_500 + 750),
        "to the first answer"
    );
    assert_eq!(rows.entry.operator_login.as_deref(), Some("op2"));
    assert_eq!(rows.entry.first_operator_login.as_deref(), Some("op1"));
    assert_eq!(rows.entry.ring_ms, Some(500));
    assert_eq!(rows.recordings.len(), 2);
}

#[test]
fn a_recording_may_be_missing_for_a_reason_or_in_part() {
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    history.events.pop();
    assert_eq!(
        entry(&history, call(1)).check(),
        ["segment 1 has neither recording nor a reason for none"]
    );
    history.say(missing(call(1), 1, MissingReason::DiskFailed));
    let row = sound(&history, call(1)).entry;
    assert_eq!(row.recording_path, None);
    assert_eq!(row.recording_missing.as_deref(), Some("disk_failed"));
    history.say(stored(call(1), 1));
    let row = sound(&history, call(1)).entry;
    assert!(
        row.recording_path.is_some() && row.recording_missing.is_some(),
        "only a part"
    );
}

#[test]
fn a_recording_repaired_in_a_later_boot_changes_no_duration() {
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    let whole = entry(&history, call(1));
    let recording = history.events.pop().unwrap();
    // The next boot's monotonic clock began again.
    let late = Event {
        id: EventId::new(BOOT + 60, 3),
        up: Time::from_millis(10),
        ..recording
    };
    history.events.push(late);
    let repaired = entry(&history, call(1));
    assert_eq!(repaired.check(), Vec::<String>::new());
    assert_eq!(repaired.duration(), whole.duration());
    assert_eq!(repaired.talk(), whole.talk());
    let (repaired, mut whole) = (CallRows::of(&repaired), CallRows::of(&whole));
    whole.entry.version = repaired.entry.version; // the recording's event is another one
    assert_eq!(repaired.entry, whole.entry);
}

#[test]
fn a_jump_of_the_wall_clock_changes_no_duration() {
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    for event in history.events.iter_mut().skip(5) {
        event.at = WallTime::from_unix_millis(event.at.as_unix_millis() - 3_600_000);
    }
    let row = sound(&history, call(1)).entry;
    assert_eq!(
        (row.wait_ms, row.talk_ms, row.duration_ms),
        (Some(3_000), Some(20_000), Some(24_200))
    );
}

#[test]
fn stored_parts_sum_up_to_the_stored_whole_at_any_microsecond() {
    let moment = |us| crate::entry::Moment {
        boot: BOOT,
        at: WallTime::default(),
        up: Time::from_micros(us),
    };
    assert_eq!(moment(1_999).until(moment(3_998)), Duration::from_millis(1));
    assert_eq!(moment(5_000).until(moment(4_000)), Duration::ZERO);
}

#[test]
fn a_call_that_is_up_has_no_outcome_and_check_says_so() {
    let history = waiting(call(1));
    let entry = entry(&history, call(1));
    assert_eq!(CallRows::of(&entry).entry.outcome, None);
    assert_eq!(
        entry.check(),
        ["it has no outcome", "it never left the queue \"operators\""]
    );
}

#[test]
fn events_of_other_calls_are_left_out() {
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    assert_eq!(Entry::of(call(2), &history.events), None);
}

#[test]
fn check_finds_each_broken_invariant() {
    let id = call(1);
    let broken = |change: &dyn Fn(&mut Vec<Event>), expected: &str| {
        let mut history = History::new(BOOT);
        answered_call(&mut history, id);
        change(&mut history.events);
        let problems = entry(&history, id).check().join("; ");
        assert!(
            problems.contains(expected),
            "{expected:?} is not in {problems:?}"
        );
    };
    let set =
        |place: usize, fact: Fact| move |events: &mut Vec<Event>| events[place].fact = fact.clone();
    // 0 arrived 1 answered 2 notice 3 queued 4 offered 5 offer ended 6 left 7 talk 8 talk ended 9 ended
    broken(&|e| drop(e.remove(0)), "it never arrived");
    broken(&|e| drop(e.remove(9)), "it has no outcome");
    broken(&|e| drop(e.remove(6)), "it never left the queue");
    broken(&|e| drop(e.remove(5)), "never ended");
    broken(&|e| drop(e.remove(4)), "comes from no offer");
    broken(&|e| drop(e.remove(8)), "segment 1 never ended");
    broken(&|e| drop(e.remove(7)), "led to 0 segments");
    broken(&|e| drop(e.remove(3)), "without being in it");
    broken(&set(1, arrived(id)), "it arrived twice");
    broken(&set(2, queued(id)), "in two queues at once");
    broken(
        &set(8, ended(id, Outcome::Answered, EndedBy::Caller)),
        "it ended twice",
    );
    broken(
        &set(5, offer_ended(id, 1, OfferResult::Busy, 486)),
        "not answered but led to",
    );
    broken(
        &set(7, talk(id, 1, 1, 2)),
        "not with the operator of its offer",
    );
    broken(&set(7, talk(id, 2, 1, 1)), "stands where 1 is expected");
    broken(
        &set(9, ended(id, Outcome::Abandoned, EndedBy::Caller)),
        "does not fit",
    );
    broken(
        &set(9, ended(id, Outcome::Served, EndedBy::Engine)),
        "does not fit",
    );
    broken(
        &|e| e[9].up = Time::from_millis(6_000),
        "ended after the call",
    );
    broken(&set(10, stored(id, 4)), "belongs to no segment");
}

fn measured(call: CallId, leg: u32, party: Option<Party>, mos: [Option<u16>; 2]) -> Fact {
    let path = |mos: u16| PathQuality {
        expected: 1_000,
        lost: 20,
        jitter_us: 3_000,
        jitter_max_us: 9_000,
        mos,
    };
    Fact::LegMeasured {
        call,
        leg: LegId::new(BOOT, leg),
        party,
        counts: LegCounts {
            received: 980,
            sent: 1_001,
            lost: 20,
            ..LegCounts::default()
        },
        quality: LegQuality {
            codec: Some(Codec::Pcma),
            from_peer: mos[0].map(path),
            to_peer: mos[1].map(path),
            round_trip_us: mos[1].map(|_| 60_000 + leg),
            heard_by_peer: None,
        },
    }
}

#[test]
fn the_worst_direction_of_any_leg_is_the_entrys_and_each_leg_has_a_row() {
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    history.say(measured(call(1), 1, None, [Some(431), Some(405)]));
    let operator = Some(Party::Operator(operator(1)));
    history.say(measured(call(1), 2, operator, [Some(438), None]));
    let CallRows { entry, legs, .. } = sound(&history, call(1));
    assert_eq!((entry.mos, entry.round_trip_ms), (Some(405), Some(60)));
    assert_eq!(entry.one_way_ms, Some(0));
    assert_eq!(legs.len(), 2);
    assert_eq!((legs[0].mos, legs[0].peer_mos), (Some(431), Some(405)));
    assert_eq!(legs[0].codec.as_deref(), Some("pcma"));
    assert_eq!(
        (legs[0].operator_login.as_deref(), legs[0].lost),
        (None, 20)
    );
    assert_eq!(legs[1].operator_login.as_deref(), Some("op1"));
    assert_eq!((legs[1].peer_mos, legs[1].round_trip_us), (None, None));
    assert_eq!((legs[1].received, legs[1].sent), (980, 1_001));
}

#[test]
fn a_call_whose_audio_was_not_measured_has_no_score() {
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    let CallRows { entry, legs, .. } = sound(&history, call(1));
    assert_eq!(
        (entry.mos, entry.round_trip_ms, legs.len()),
        (None, None, 0)
    );
}

#[test]
fn talk_in_which_one_is_not_heard_is_counted_once_and_ends_with_the_segment() {
    let mut history = waiting(call(1));
    let one_way = |began: bool, silent: Side| {
        let (call, segment) = (call(1), 1);
        if began {
            Fact::OneWayStarted {
                call,
                segment,
                silent,
            }
        } else {
            Fact::OneWayEnded {
                call,
                segment,
                silent,
            }
        }
    };
    history.say(offered(call(1), 1, 1)).after(1_000);
    history.say(offer_ended(call(1), 1, OfferResult::Answered, 200));
    history.say(left(call(1), QueueOutcome::Answered));
    history.say(talk(call(1), 1, 1, 1)).after(5_000);
    history.say(one_way(true, Side::Operator)).after(3_000);
    history.say(one_way(true, Side::Caller)).after(1_000);
    history.say(one_way(false, Side::Operator)).after(1_000);
    history.say(one_way(false, Side::Caller)).after(2_000);
    history.say(talk_ended(call(1), 1, EndedBy::Caller));
    history.say(ended(call(1), Outcome::Answered, EndedBy::Caller));
    history.say(stored(call(1), 1));
    let CallRows {
        entry, segments, ..
    } = sound(&history, call(1));
    assert_eq!(
        (entry.one_way_ms, segments[0].one_way_ms),
        (Some(5_000), Some(5_000))
    );
}

#[test]
fn a_leg_that_was_hung_up_on_for_its_silence_says_so() {
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    history.say(Fact::PartySilent {
        call: call(1),
        leg: LegId::new(BOOT, 1),
        party: None,
        silent_ms: 60_000,
    });
    history.say(measured(call(1), 1, None, [Some(431), None]));
    let CallRows { legs, .. } = sound(&history, call(1));
    assert_eq!(legs[0].silent_ms, Some(60_000));
}

#[test]
fn entries_of_who_called_and_who_was_called_back_are_to_be_completed() {
    let talked = |direction: Direction, makes_good: bool| {
        let id = call(1);
        let mut history = History::new(BOOT);
        let mut came = arrived(id);
        if let Fact::CallArrived { direction: way, .. } = &mut came {
            *way = direction;
        }
        history.say(came);
        if makes_good {
            history.say(Fact::CallbackDialled {
                call: id,
                of: call(9),
            });
        }
        history.say(talk(id, 1, 1, 1)).after(5_000);
        history.say(talk_ended(id, 1, EndedBy::Caller));
        history.say(ended(id, Outcome::Answered, EndedBy::Caller));
        CallRows::of(&Entry::of(id, &history.events).unwrap()).entry
    };
    assert!(talked(Direction::Inbound, false).to_complete);
    assert!(talked(Direction::Outbound, true).to_complete);
    assert!(!talked(Direction::Outbound, false).to_complete);
    assert!(!talked(Direction::Internal, false).to_complete);
    // Nobody talked.
    let mut history = waiting(call(1));
    history.say(left(call(1), QueueOutcome::Abandoned));
    history.say(ended(call(1), Outcome::Abandoned, EndedBy::Caller));
    assert!(!sound(&history, call(1)).entry.to_complete);
}

#[test]
fn an_emergency_without_a_time_began_when_it_was_marked() {
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    let edit = |field, value: &str| Fact::EntryEdited {
        call: call(1),
        by: "op1".into(),
        changes: vec![FieldChange {
            field,
            value: (!value.is_empty()).then(|| value.to_owned()),
        }],
    };
    let emergency = |history: &History| {
        let rows = CallRows::of(&Entry::of(call(1), &history.events).unwrap());
        (rows.entry.emergency, rows.entry.emergency_at)
    };
    history
        .after(1_000)
        .say(edit(EntryField::Emergency, "fire"));
    let marked = history.events.last().unwrap().at.as_unix_millis();
    history
        .after(1_000)
        .say(edit(EntryField::Emergency, "fire"));
    assert_eq!(emergency(&history), (Some("fire".into()), Some(marked)));
    let said = "2026-11-22T08:00:00Z";
    history.say(edit(EntryField::EmergencyAt, said));
    let said: jiff::Timestamp = said.parse().unwrap();
    assert_eq!(emergency(&history).1, Some(said.as_millisecond()));
    history.say(edit(EntryField::EmergencyAt, ""));
    history.say(edit(EntryField::Emergency, ""));
    assert_eq!(emergency(&history), (None, None));
    // What a plan says.
    let mut history = History::new(BOOT);
    history.say(arrived(call(1))).after(1_000);
    history.say(Fact::FieldSet {
        call: call(1),
        field: "emergency".into(),
        value: Some("gas".into()),
    });
    let marked = history.events.last().unwrap().at.as_unix_millis();
    assert_eq!(emergency(&history), (Some("gas".into()), Some(marked)));
}

/// Found by 100,000 random calls: the two stood in the fold, and one of them in the table.
#[test]
fn a_field_that_one_event_writes_twice_is_corrected_once() {
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    let edit = |changes: &[(EntryField, &str)]| Fact::EntryEdited {
        call: call(1),
        by: "op1".into(),
        changes: changes
            .iter()
            .map(|(field, value)| FieldChange {
                field: *field,
                value: Some((*value).to_owned()),
            })
            .collect(),
    };
    use EntryField::{Content, Topic};
    history.say(edit(&[(Topic, "a"), (Content, "x")]));
    history.say(edit(&[(Topic, "b"), (Content, "y"), (Topic, "c")]));
    let rows = CallRows::of(&Entry::of(call(1), &history.events).unwrap());
    let told: Vec<_> = rows
        .corrections
        .iter()
        .map(|one| (one.field.as_str(), one.new_value.as_deref().unwrap()))
        .collect();
    assert_eq!(told, [("content", "y"), ("topic", "c")]);
}

//! Owns the tests of messages: what becomes of them in entries, in rows, after a crash, at the desk.

use std::sync::Arc;
use std::time::Duration;

use vocab::{CallId, EndedBy, Fact, MessageEnd, MissingReason, Outcome};

use super::*;
use crate::Entry;
use crate::desk::{Desk, Offline, Wish};
use crate::messages::{Wanted, Watch};
use crate::operators::WaitingMessages;
use crate::query;

fn begun(call: CallId, segment: u16) -> Fact {
    Fact::MessageStarted {
        call,
        segment,
        mailbox: "night".into(),
        waits_for: vec!["op1".into(), "op2".into()],
    }
}

fn over(call: CallId, segment: u16, kept: bool) -> Fact {
    Fact::MessageEnded {
        call,
        segment,
        ended_by: MessageEnd::HungUp,
        kept,
    }
}

/// A call with one message of 4 s.
fn message(history: &mut History, call: CallId, kept: bool) {
    let (outcome, known) = match kept {
        true => (Outcome::Message, stored(call, 1)),
        false => (
            Outcome::AbandonedEarly,
            missing(call, 1, MissingReason::TooShort),
        ),
    };
    history.say(arrived(call));
    history.say(Fact::CallAnswered { call });
    history.after(2_000).say(begun(call, 1));
    history.after(4_000).say(over(call, 1, kept));
    history.say(ended(call, outcome, EndedBy::Caller));
    history.say(known);
}

#[test]
fn a_message_is_no_talk_and_has_a_recording() {
    let mut history = History::new(BOOT);
    message(&mut history, call(1), true);
    message(&mut history, call(2), false);
    let entry = Entry::of(call(1), &history.events).unwrap();
    assert_eq!(entry.check(), [] as [&str; 0]);
    assert_eq!((entry.talk(), entry.segments.len()), (None, 0));
    assert!(entry.is_settled());
    let rows = CallRows::of(&entry);
    assert_eq!(rows.messages[0].length_ms, Some(4_000));
    assert!(rows.messages[0].kept && rows.entry.recording_path.is_some());
    let short = Entry::of(call(2), &history.events).unwrap();
    assert_eq!(short.check(), [] as [&str; 0]);
    let mut events = history.events.clone();
    events.retain(|event| !matches!(event.fact, Fact::RecordingStored { .. }));
    let open = Entry::of(call(1), &events).unwrap();
    assert!(!open.is_settled(), "its recording is awaited");
}

#[test]
fn a_message_that_a_crash_cut_off_is_kept_and_its_recording_awaited() {
    let mut history = History::new(BOOT);
    history.say(arrived(call(1))).say(begun(call(1), 1));
    let (closing, recovery) = crate::close_interrupted(&history.events);
    assert_eq!(recovery.recordings_awaited.len(), 1);
    assert_eq!(recovery.segments_open.len(), 1);
    let kept = |event: &Event| {
        matches!(
            event.fact,
            Fact::MessageEnded {
                kept: true,
                ended_by: MessageEnd::Engine,
                ..
            }
        )
    };
    assert!(closing.iter().any(kept), "{closing:?}");
}

#[tokio::test]
async fn messages_wait_for_their_lines_until_they_are_heard() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    message(&mut history, call(1), true);
    message(&mut history, call(2), false);
    message(&mut history, call(3), true);
    let events = history.events.clone();
    let place = tokio::task::spawn_blocking(move || {
        place.run(BOOT, &events);
        place
    });
    let place = place.await.unwrap();
    let mut watch = Watch::open(place.database()).await.unwrap();
    let waiting = watch.changes().await.unwrap().unwrap();
    let two = WaitingMessages { new: 2, old: 0 };
    assert_eq!(waiting.into_values().collect::<Vec<_>>(), [two, two]);
    assert_eq!(watch.changes().await.unwrap(), None);

    let settings = place.settings();
    let ledger = tokio::task::spawn_blocking(move || Offline::start(settings, "test").unwrap());
    let ledger = Arc::new(ledger.await.unwrap());
    let forms = Arc::new(crate::forms::Forms::parse("", Duration::ZERO).unwrap());
    let desk = Desk::new(place.database(), forms, Arc::clone(&ledger) as _);
    let heard = |call| Wish::Heard {
        call,
        segment: None,
        by: "op2".into(),
    };
    assert!(
        desk.carry_out(heard(call(1)))
            .await
            .unwrap()
            .event
            .is_some()
    );
    assert!(
        desk.carry_out(heard(call(1)))
            .await
            .unwrap()
            .event
            .is_none()
    );
    let refused = desk
        .carry_out(heard(call(2)))
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("left no such message"), "{refused}");
    let waiting = watch.changes().await.unwrap().unwrap();
    assert_eq!(waiting["op1"], WaitingMessages { new: 1, old: 1 });
    let mut journal = query::open(&place.database()).await.unwrap();
    let unheard = journal.messages(&Wanted::default()).await.unwrap();
    let calls: Vec<_> = unheard
        .iter()
        .map(|one| CallId::from_i64(one.call))
        .collect();
    assert_eq!(calls, [call(3)]);
    let all = Wanted {
        heard: true,
        mailbox: Some("night".into()),
        ..Wanted::default()
    };
    let all = journal.messages(&all).await.unwrap();
    assert_eq!(all[0].heard_by.as_deref(), Some("op2"));
    assert_eq!(all.len(), 2, "what was thrown away is in no list");
    let none = Wanted {
        heard: true,
        mailbox: Some("day".into()),
        ..Wanted::default()
    };
    assert!(journal.messages(&none).await.unwrap().is_empty());
    drop(desk);
    let ledger = Arc::into_inner(ledger).unwrap();
    tokio::task::spawn_blocking(|| ledger.stop().lost)
        .await
        .unwrap();
}

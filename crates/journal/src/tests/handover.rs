//! A journal that changes hands while calls are up: to a successor, back from one that died, and from a
//! leaving engine that died.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use vocab::{CallId, EndedBy, Event, EventId, Fact, Outcome, WallTime};

use super::{
    BOOT, Durable, History, Place, answered_call, block_on, call, ended, stored, stored_events,
    talk, talk_ended, until, wall,
};
use crate::{Courier, Journal, Leaving, Recovery};

const NEXT: u32 = BOOT + 1;

/// The successor's end: states what comes under its own ids, as its engine does.
struct Successor {
    journal: Mutex<Option<Journal>>,
    given: Mutex<u32>,
}

impl Successor {
    fn state(&self, mut event: Event) -> EventId {
        let mut given = self.given.lock().unwrap();
        *given += 1;
        event.id = EventId::new(NEXT, *given);
        let id = event.id;
        self.journal.lock().unwrap().as_ref().unwrap().append(event);
        id
    }
}

/// Carries to a successor; `acks` gets the ids that are to be acknowledged.
struct Line {
    to: Arc<Successor>,
    acks: mpsc::Sender<(EventId, EventId)>,
    broken: bool,
}

impl Courier for Line {
    fn carry(&mut self, events: &[Event]) -> std::io::Result<()> {
        if self.broken {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        for event in events {
            let theirs = self.to.state(event.clone());
            let _ = self.acks.send((event.id, theirs));
        }
        Ok(())
    }
}

/// The first half of a call that talks, and the rest.
fn halves() -> (History, Vec<Event>) {
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    let begun = history
        .events
        .iter()
        .position(|event| matches!(event.fact, Fact::SegmentStarted { .. }));
    let rest = history.events.split_off(begun.unwrap() + 1);
    (history, rest)
}

struct Both {
    place: Place,
    leaving: Option<Journal>,
    durable: Durable,
    successor: Arc<Successor>,
    theirs: Durable,
    recovery: Recovery,
    rest: Vec<Event>,
}

/// A journal with a call in talk that was handed over.
fn handed_over() -> Both {
    let place = Place::new();
    let (history, rest) = halves();
    let durable = Durable::default();
    let (leaving, _) = crate::start(place.settings(), BOOT, durable.note()).unwrap();
    for event in &history.events {
        leaving.append(event.clone());
    }
    let lock = leaving.helm().hand_over().unwrap();
    assert_eq!(durable.up_to(), history.events.last().unwrap().id.as_u64());
    assert_eq!(place.rows().len(), 1, "in SQL before the folder goes");
    let settings = crate::Settings {
        leaving: Some(Leaving {
            boot: BOOT,
            lock: Arc::new(lock),
        }),
        ..place.settings()
    };
    let theirs = Durable::default();
    let (journal, recovery) = crate::start(settings, NEXT, theirs.note()).unwrap();
    let successor = Arc::new(Successor {
        journal: Mutex::new(Some(journal)),
        given: Mutex::new(0),
    });
    Both {
        place,
        leaving: Some(leaving),
        durable,
        successor,
        theirs,
        recovery,
        rest,
    }
}

impl Both {
    fn line(&self) -> (Line, mpsc::Receiver<(EventId, EventId)>) {
        let (acks, acknowledged) = mpsc::channel();
        let line = Line {
            to: Arc::clone(&self.successor),
            acks,
            broken: false,
        };
        (line, acknowledged)
    }

    fn leaving(&self) -> &Journal {
        self.leaving.as_ref().unwrap()
    }

    fn stop_leaving(&mut self) {
        let stopped = self.leaving.take().unwrap().stop();
        assert_eq!((stopped.not_in_sql, stopped.lost), (0, 0));
    }

    fn stop_successor(&self) {
        let journal = self.successor.journal.lock().unwrap().take().unwrap();
        let stopped = journal.stop();
        assert_eq!((stopped.not_in_sql, stopped.lost), (0, 0));
    }
}

#[test]
fn a_call_that_is_up_ends_in_the_successors_files_as_if_nothing_had_been() {
    let mut both = handed_over();
    assert_eq!(both.recovery.interrupted, []);
    assert_eq!(both.recovery.recordings_awaited, []);
    // A call of the successor's own, while events wait and before it takes them.
    let (first, later) = both.rest.split_at(1);
    both.leaving().append(first[0].clone());
    let mut own = History::new(NEXT);
    answered_call(&mut own, CallId::new(NEXT, 1));
    for event in own.events {
        both.successor.state(event);
    }
    let (line, acks) = both.line();
    let helm = both.leaving().helm();
    helm.carry(line);
    for event in later {
        both.leaving().append(event.clone());
    }
    for event in &both.rest {
        let (ours, theirs) = acks.recv().unwrap();
        assert_eq!(ours, event.id);
        both.theirs.wait_for(theirs);
        assert!(
            both.durable.up_to() < ours.as_u64(),
            "only by the successor's word"
        );
        helm.durable(ours);
        both.durable.wait_for(ours);
    }
    both.stop_leaving();
    both.stop_successor();
    let rows = both.place.rows();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!(row.entry.talk_ms, Some(20_000));
        assert_eq!(row.entry.outcome.as_deref(), Some("answered"));
        assert_eq!(row.recordings.len(), 1);
    }
    assert_eq!(both.place.problems(), []);
    // Whoever follows by ids has missed nothing, and the next start finds nothing open.
    let ids: Vec<EventId> = stored_events(&both.place)
        .iter()
        .map(|one| one.id)
        .collect();
    assert!(ids.is_sorted());
    assert_eq!(both.place.run(NEXT + 1, &[]).interrupted, []);
    block_on(crate::rebuild(both.place.database())).unwrap();
    assert_eq!(both.place.rows(), rows);
}

#[test]
fn nobody_has_the_folder_while_one_of_the_two_lives() {
    let mut both = handed_over();
    let refused = |boot| {
        let third = crate::start(both.place.settings(), boot, |_| {}).map(drop);
        third.unwrap_err().to_string()
    };
    assert!(refused(NEXT + 1).starts_with("another hotline is running"));
    both.stop_successor();
    assert!(refused(NEXT + 1).starts_with("another hotline is running"));
    both.stop_leaving();
    both.place.run(NEXT + 1, &[]);
}

#[test]
fn calls_of_a_leaving_engine_that_died_are_closed_by_its_successor() {
    let both = handed_over();
    let journal = both.successor.journal.lock().unwrap();
    let helm = journal.as_ref().unwrap().helm();
    drop(journal);
    let now = WallTime::from_unix_millis(wall(10_000));
    let (closing, recovery) = helm.close_boot(BOOT, now);
    assert_eq!(recovery.interrupted, [call(1)]);
    assert_eq!(recovery.recordings_awaited.len(), 1);
    for event in closing {
        both.successor.state(event);
    }
    let mut repaired = History::new(NEXT);
    repaired.say(stored(call(1), 1));
    both.successor.state(repaired.events.remove(0));
    both.stop_successor();
    let row = both.place.rows().remove(0);
    assert_eq!(row.entry.outcome.as_deref(), Some("interrupted"));
    // 200 ms, 1 s, 1 s and 2 s before the talk.
    assert_eq!(row.entry.talk_ms, Some(5_800));
    assert_eq!(both.place.problems(), []);
    assert_eq!(helm.close_boot(BOOT, now).0, []);
}

#[test]
fn what_a_successor_that_died_did_not_acknowledge_is_written_by_the_leaving_engine() {
    let mut both = handed_over();
    let (line, acks) = both.line();
    let helm = both.leaving().helm();
    helm.carry(line);
    let (first, later) = both.rest.split_at(1);
    both.leaving().append(first[0].clone());
    acks.recv().unwrap();
    // Of its own, a call is up; it dies with the acknowledgement on its way.
    let mut own = History::new(NEXT);
    own.say(super::arrived(CallId::new(NEXT, 7)));
    both.successor.state(own.events.remove(0));
    both.stop_successor();
    let broken = Line {
        broken: true,
        ..both.line().0
    };
    helm.carry(broken);
    for event in later {
        both.leaving().append(event.clone());
    }
    helm.take_back().unwrap();
    both.durable.wait_for(both.rest.last().unwrap().id);
    both.stop_leaving();
    let rows = both.place.rows();
    assert_eq!(rows.len(), 2);
    let of = |call: CallId| rows.iter().find(|row| row.entry.call == call.as_i64());
    let ours = &of(call(1)).unwrap().entry;
    assert_eq!((ours.talk_ms, ours.segments), (Some(20_000), 1));
    let cut = &of(CallId::new(NEXT, 7)).unwrap().entry;
    assert_eq!(cut.outcome.as_deref(), Some("interrupted"));
    assert_eq!(both.place.problems(), []);
    let boots: Vec<u32> = stored_events(&both.place)
        .iter()
        .map(|event| event.id.boot())
        .collect();
    assert!(
        boots.is_sorted() && boots.ends_with(&[NEXT + 1]),
        "{boots:?}"
    );
}

#[test]
fn when_both_die_a_call_of_two_boots_is_closed_by_the_clock_of_the_first() {
    let mut both = handed_over();
    let (line, acks) = both.line();
    both.leaving().helm().carry(line);
    // After the talk another begins, which the successor states; its own clock begins at zero.
    let mut more = History::new(BOOT);
    more.after(24_500).all([
        talk_ended(call(1), 1, EndedBy::Operator),
        talk(call(1), 2, 1, 1),
    ]);
    for event in &more.events {
        both.leaving().append(event.clone());
        both.leaving().helm().durable(acks.recv().unwrap().0);
    }
    let mut own = History::new(NEXT);
    own.after(20_000).say(Fact::EngineAlive { calls: 1 });
    let mut alive = own.events.remove(0);
    alive.at = WallTime::from_unix_millis(wall(30_000));
    let last = both.successor.state(alive);
    both.theirs.wait_for(last);
    both.stop_successor();
    drop(both.leaving.take());
    until("the folder is free", || {
        crate::start(both.place.settings(), NEXT + 1, |_| {}).is_ok()
    });
    until("it is free again", || {
        crate::start(both.place.settings(), NEXT + 2, |_| {})
            .map(|(journal, _)| journal.stop())
            .is_ok()
    });
    let row = both.place.rows().remove(0);
    assert_eq!(row.entry.outcome.as_deref(), Some("interrupted"));
    let talks: Vec<Option<i64>> = row.segments.iter().map(|one| one.talk_ms).collect();
    assert_eq!(talks, [Some(20_300), Some(5_500)]);
    assert_eq!(
        ended(call(1), Outcome::Answered, EndedBy::Caller).call(),
        Some(call(1))
    );
}

//! Random valid histories of many calls at once: the fold, its order, and SQL against the fold.

use proptest::prelude::*;
use proptest::sample::Index;
use vocab::{EntryField, FieldChange};

use super::*;
use crate::{Entry, Leaving};

#[derive(Debug, Clone, Copy)]
enum Ending {
    Unknown,
    Early,
    AbandonedWaiting,
    AbandonedRinging,
    TimedOut,
    Closed,
    Full,
    Answered { segments: u16 },
    AnsweredWithout(MissingReason),
}

#[derive(Debug, Clone)]
pub(super) struct Script {
    begin: u64,
    delays: Vec<u64>,
    failed_offers: Vec<OfferResult>,
    ending: Ending,
    recording_delay: u64,
    written: Vec<Written>,
}

/// What a person does to the entry afterwards.
#[derive(Debug, Clone)]
enum Written {
    Edit(Vec<FieldChange>),
    Complete,
    Reopen(String),
}

fn written() -> impl Strategy<Value = Written> {
    let field = prop::sample::select(EntryField::ALL.to_vec());
    let value = prop_oneof![
        Just(None),
        "[a-z\\PC]{1,12}".prop_map(Some),
        Just(Some("2026-11-22T08:00:00Z".to_owned())),
        Just(Some("done".to_owned())),
    ];
    let change = (field, value).prop_map(|(field, value)| FieldChange { field, value });
    prop_oneof![
        prop::collection::vec(change, 0..4).prop_map(Written::Edit),
        Just(Written::Complete),
        "[a-z]{0,8}".prop_map(Written::Reopen),
    ]
}

fn stated(call: CallId, written: &Written) -> Fact {
    let by = "op1".to_owned();
    match written {
        Written::Edit(changes) => Fact::EntryEdited {
            call,
            by,
            changes: changes.clone(),
        },
        Written::Complete => Fact::EntryCompleted { call, by },
        Written::Reopen(reason) => Fact::EntryReopened {
            call,
            by,
            reason: reason.clone(),
        },
    }
}

pub(super) fn script() -> impl Strategy<Value = Script> {
    let failed = prop::sample::select(vec![
        OfferResult::Busy,
        OfferResult::Rejected,
        OfferResult::NoAnswer,
        OfferResult::Unreachable,
    ]);
    let ending = prop_oneof![
        Just(Ending::Unknown),
        Just(Ending::Early),
        Just(Ending::AbandonedWaiting),
        Just(Ending::AbandonedRinging),
        Just(Ending::TimedOut),
        Just(Ending::Closed),
        Just(Ending::Full),
        (1_u16..4).prop_map(|segments| Ending::Answered { segments }),
        Just(Ending::AnsweredWithout(MissingReason::NoAudio)),
    ];
    (
        0_u64..60_000,
        prop::collection::vec(0_u64..20_000, 8),
        prop::collection::vec(failed, 0..4),
        ending,
        0_u64..100_000,
        prop::collection::vec(written(), 0..5),
    )
        .prop_map(
            |(begin, delays, failed_offers, ending, recording_delay, written)| Script {
                begin,
                delays,
                failed_offers,
                ending,
                recording_delay,
                written,
            },
        )
}

/// The script's facts with the moments at which they happen, and what people write afterwards.
pub(super) fn play(script: &Script, id: CallId) -> Vec<(u64, Fact)> {
    let mut facts = play_call(script, id);
    let mut now = facts.iter().map(|(ms, _)| *ms).max().unwrap_or(0);
    for (written, delay) in script.written.iter().zip(script.delays.iter().cycle()) {
        now += delay;
        facts.push((now, stated(id, written)));
    }
    facts
}

fn play_call(script: &Script, id: CallId) -> Vec<(u64, Fact)> {
    use Ending as E;
    let mut now = script.begin;
    let mut delays = script.delays.iter().cycle();
    let mut facts = Vec::new();
    let mut say = |wait: bool, fact: Fact| {
        now += if wait { *delays.next().unwrap() } else { 0 };
        facts.push((now, fact));
        now
    };
    say(false, arrived(id));
    if matches!(script.ending, E::Unknown) {
        say(false, ended(id, Outcome::UnknownNumber, EndedBy::Engine));
        return facts;
    }
    say(true, Fact::CallAnswered { call: id });
    if matches!(script.ending, E::Early) {
        say(true, ended(id, Outcome::AbandonedEarly, EndedBy::Caller));
        return facts;
    }
    say(true, chosen(id));
    say(false, planned(id, "topic"));
    say(true, queued(id));
    let mut n = 0;
    for result in &script.failed_offers {
        n += 1;
        say(true, offered(id, n, n));
        say(true, leg_started(id, n, n));
        say(true, offer_ended(id, n, *result, 0));
    }
    let gone = |outcome, call_outcome, by| [left(id, outcome), ended(id, call_outcome, by)];
    let close = match script.ending {
        E::Unknown | E::Early => return facts,
        E::AbandonedWaiting => gone(QueueOutcome::Abandoned, Outcome::Abandoned, EndedBy::Caller),
        E::AbandonedRinging => {
            say(true, offered(id, n + 1, 1));
            say(true, offer_ended(id, n + 1, OfferResult::CallerGone, 487));
            gone(QueueOutcome::Abandoned, Outcome::Abandoned, EndedBy::Caller)
        }
        E::TimedOut => gone(QueueOutcome::TimedOut, Outcome::TimedOut, EndedBy::Engine),
        E::Closed => gone(QueueOutcome::Closed, Outcome::Closed, EndedBy::Engine),
        E::Full => gone(
            QueueOutcome::RefusedFull,
            Outcome::RefusedFull,
            EndedBy::Engine,
        ),
        E::Answered { .. } | E::AnsweredWithout(_) => {
            let segments = if let E::Answered { segments } = script.ending {
                segments
            } else {
                1
            };
            let mut recordings = Vec::new();
            for segment in 1..=segments {
                n += 1;
                if segment > 1 {
                    say(false, queued(id));
                }
                say(true, offered(id, n, n));
                say(true, offer_ended(id, n, OfferResult::Answered, 200));
                say(false, left(id, QueueOutcome::Answered));
                say(false, talk(id, segment, n, n));
                let over = say(true, talk_ended(id, segment, EndedBy::Operator));
                let fact = match script.ending {
                    E::AnsweredWithout(reason) => missing(id, segment, reason),
                    _ => stored(id, segment),
                };
                recordings.push((over + script.recording_delay, fact));
                let worked = Fact::WrapUpEnded { call: id, segment };
                recordings.push((over + script.recording_delay / 2, worked));
                recordings.push((over, rated(id, segment)));
            }
            say(false, ended(id, Outcome::Answered, EndedBy::Operator));
            facts.extend(recordings);
            return facts;
        }
    };
    for fact in close {
        say(true, fact);
    }
    facts
}

fn chosen(call: CallId) -> Fact {
    Fact::MenuChosen {
        call,
        menu: "main".into(),
        key: "1".into(),
        flow: "doctors".into(),
    }
}

fn planned(call: CallId, field: &str) -> Fact {
    Fact::FieldSet {
        call,
        field: field.into(),
        value: Some("Vaccination".into()),
    }
}

fn rated(call: CallId, segment: u16) -> Fact {
    let mark = u8::try_from(segment % 5).unwrap() + 1;
    Fact::CallRated { call, mark }
}

/// One boot's events of many calls, woven together by time.
fn history(scripts: &[Script]) -> Vec<Event> {
    let mut facts: Vec<(u64, Fact)> = Vec::new();
    for (n, script) in (1..).zip(scripts) {
        facts.extend(play(script, call(n)));
    }
    facts.sort_by_key(|(ms, _)| *ms);
    let mut history = History::new(BOOT);
    let mut now = 0;
    for (ms, fact) in facts {
        history.after(ms - now).say(fact);
        now = ms;
    }
    history.events
}

fn calls(scripts: &[Script]) -> impl Iterator<Item = CallId> {
    (1..=u32::try_from(scripts.len()).unwrap()).map(call)
}

/// Newest first, as `Place::rows` gives them.
fn expected(scripts: &[Script], events: &[Event]) -> Vec<CallRows> {
    let mut rows: Vec<CallRows> = calls(scripts)
        .filter_map(|id| Some(CallRows::of(&Entry::of(id, events)?)))
        .collect();
    rows.reverse();
    rows
}

proptest! {
    #[test]
    fn every_valid_history_is_a_sound_entry(scripts in prop::collection::vec(script(), 1..6)) {
        let events = history(&scripts);
        for id in calls(&scripts) {
            let entry = Entry::of(id, &events).unwrap();
            prop_assert_eq!(entry.check(), Vec::<String>::new());
            let rows = CallRows::of(&entry);
            let sum: Option<i64> = rows.segments.iter().map(|s| s.talk_ms).sum();
            prop_assert_eq!(rows.entry.talk_ms.unwrap_or(0), sum.unwrap());
            // The identity of METRICS.md: each stay has exactly one outcome.
            prop_assert!(rows.queue_entries.iter().all(|q| q.outcome.is_some()));
        }
    }

    #[test]
    fn doubled_and_shuffled_events_give_the_same_entry(
        script in script(),
        doubled in prop::collection::vec(any::<Index>(), 0..10),
        seed in prop::collection::vec(any::<u32>(), 80),
    ) {
        let events = history(std::slice::from_ref(&script));
        let entry = Entry::of(call(1), &events);
        let mut other: Vec<Event> = events.clone();
        other.extend(doubled.iter().map(|index| index.get(&events).clone()));
        let mut keyed: Vec<(u32, Event)> = seed.iter().copied().cycle().zip(other).collect();
        keyed.sort_by_key(|(key, _)| *key);
        let shuffled: Vec<Event> = keyed.into_iter().map(|(_, event)| event).collect();
        prop_assert_eq!(Entry::of(call(1), &shuffled), entry);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// SQL applied batch by batch, over restarts at any point and with a lost checkpoint, has the
    /// rows that the fold of all events has.
    #[test]
    fn sql_rows_are_those_of_the_fold(
        scripts in prop::collection::vec(script(), 1..12),
        cuts in prop::collection::vec(any::<Index>(), 0..3),
        octets in 500_u64..100_000,
    ) {
        let place = Place::new();
        let events = history(&scripts);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(events.len())).collect();
        cuts.sort_unstable();
        // The calls are those of a leaving engine, so that no restart closes them and the whole history
        // is one.
        let mut begun = 0;
        let mut all = Vec::new();
        for cut in cuts.into_iter().chain([events.len()]) {
            run_piece(&place, octets, &events[begun..cut], &mut all);
            begun = cut;
        }
        prop_assert_eq!(&stored_events(&place), &all);
        let rows = place.rows();
        prop_assert_eq!(&rows, &expected(&scripts, &all));
        prop_assert_eq!(place.problems(), vec![]);
        block_on(async {
            let mut connection = crate::sqlite::open(&place.database()).await.unwrap();
            sqlx::query("DELETE FROM applied").execute(&mut connection).await.unwrap();
        });
        run_piece(&place, octets, &[], &mut all);
        prop_assert_eq!(place.rows(), rows);
    }
}

fn run_piece(place: &Place, octets: u64, piece: &[Event], all: &mut Vec<Event>) {
    std::fs::create_dir_all(place.events()).unwrap();
    let boot = crate::choose_boot(&place.events(), WallTime::default()).unwrap();
    let events: Vec<Event> = (1..)
        .zip(piece)
        .map(|(n, event)| Event {
            id: EventId::new(boot, n),
            ..event.clone()
        })
        .collect();
    let leaving = Leaving {
        boot: BOOT,
        lock: Arc::new(tempfile::tempfile().unwrap()),
    };
    let settings = Settings {
        leaving: Some(leaving),
        ..place.settings()
    };
    run_with(settings, octets, boot, &events);
    all.extend(events);
}

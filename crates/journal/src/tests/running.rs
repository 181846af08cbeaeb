//! The running journal: grouping, replay, readers, stop.

use std::sync::mpsc;

use super::*;

#[test]
fn what_is_durable_can_be_read_from_the_file_at_once() {
    let place = Place::new();
    let (report, reported) = mpsc::channel();
    let events = place.events();
    let (journal, _) = crate::start(place.settings(), BOOT, move |id| {
        let from = crate::files::FileId::FIRST.at(0);
        let mut reader = crate::files::Reader::new(&events, from);
        let mut last = None;
        while let Some(event) = reader.next(None).unwrap() {
            last = Some(event.id);
        }
        report.send((id, last)).unwrap();
    })
    .unwrap();
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    for event in &history.events {
        journal.append(event.clone());
    }
    let _ = journal.stop();
    let reports: Vec<_> = reported.iter().collect();
    assert!(
        reports.iter().all(|(id, last)| *last >= Some(*id)),
        "{reports:?}"
    );
    assert_eq!(reports.last().unwrap().0, history.events.last().unwrap().id);
    assert!(reports.is_sorted());
}

#[test]
fn syncs_are_grouped() {
    let place = Place::new();
    let mut settings = place.settings();
    settings.group = Duration::from_millis(20);
    let durable = Durable::default();
    let (journal, _) = crate::start(settings, BOOT, durable.note()).unwrap();
    let mut history = History::new(BOOT);
    for n in 1..=100 {
        answered_call(&mut history, call(n));
    }
    let begun = Instant::now();
    for event in &history.events {
        journal.append(event.clone());
    }
    durable.wait_for(history.events.last().unwrap().id);
    let allowed = begun.elapsed().as_millis() / 20 + 2;
    assert!(
        u128::from(journal.health().syncs) <= allowed,
        "{:?}",
        journal.health()
    );
    let _ = journal.stop();
}

#[test]
fn flushed_means_that_a_reader_sees_it_while_the_journal_runs() {
    let place = Place::new();
    let (journal, _) = place.start(BOOT);
    let mut history = History::new(BOOT);
    block_on(async {
        for n in 1..=5 {
            let before = history.events.len();
            answered_call(&mut history, call(n));
            for event in &history.events[before..] {
                journal.append(event.clone());
            }
            journal.flushed().await;
            assert_eq!(journal.lag(), 0);
            let mut reader = query::open(&place.database()).await.unwrap();
            let newest = reader.newest(None, 1).await.unwrap();
            assert_eq!(newest[0].call, call(n).as_i64());
            assert_eq!(newest[0].recording_ms, Some(20_000));
        }
    });
    let _ = journal.stop();
}

#[test]
fn dropping_the_journal_loses_nothing_on_disk() {
    let place = Place::new();
    let durable = Durable::default();
    let (journal, _) = crate::start(place.settings(), BOOT, durable.note()).unwrap();
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    for event in &history.events {
        journal.append(event.clone());
    }
    drop(journal);
    durable.wait_for(history.events.last().unwrap().id);
    // The file thread lets the folder go when it is done.
    until("the folder's lock", || {
        crate::start(place.settings(), BOOT + 1, |_| {}).is_ok()
    });
    until("the free folder", || {
        crate::start(place.settings(), BOOT + 2, |_| {}).is_ok()
    });
    until("the rows", || {
        place.rows().len() == 1 && place.problems().is_empty()
    });
}

#[test]
fn a_deleted_database_is_rebuilt_from_the_files() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    for n in 1..=20 {
        answered_call(&mut history, call(n));
    }
    place.run_in_files(3_000, BOOT, &history.events);
    let rows = place.rows();
    std::fs::remove_file(place.database()).unwrap();
    place.run(BOOT + 1, &[]);
    assert_eq!(place.rows(), rows);
}

#[test]
fn the_summary_counts_by_outcome_and_range() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    answered_call(&mut history, call(2));
    let late = wall(48_000);
    history
        .say(arrived(call(3)))
        .say(queued(call(3)))
        .after(500);
    history.say(left(call(3), QueueOutcome::Abandoned));
    history
        .say(ended(call(3), Outcome::Abandoned, EndedBy::Caller))
        .say(arrived(call(4)));
    place.run(BOOT, &history.events);
    let summary = |range| {
        block_on(async {
            let mut journal = query::open(&place.database()).await.unwrap();
            journal.summary(range).await.unwrap()
        })
    };
    let all = summary(query::Range::default());
    assert_eq!(all.calls, 4);
    assert_eq!(
        (all.outcomes["answered"], all.outcomes["abandoned"]),
        (2, 1)
    );
    assert_eq!((all.segments_to_record, all.recordings), (2, 2));
    assert_eq!(all.answered_wait_ms_average, Some(3_000.0));
    assert_eq!((all.wait_ms_max, all.talk_ms), (Some(3_000), 40_000));
    let from = Some(WallTime::from_unix_millis(late));
    let later = summary(query::Range { from, to: None });
    assert_eq!((later.calls, later.recordings, later.talk_ms), (2, 0, 0));
    assert_eq!(
        later.answered_wait_ms_average, None,
        "a zero denominator gives none"
    );
    let earlier = summary(query::Range {
        from: None,
        to: from,
    });
    assert_eq!(earlier.calls, 2);
}

#[test]
fn the_kind_of_an_event_in_sql_is_its_tag_in_json() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    history.say(Fact::EngineStarted {
        version: "1".into(),
    });
    answered_call(&mut history, call(1));
    history
        .say(missing(call(1), 1, MissingReason::NoAudio))
        .say(Fact::EngineAlive { calls: 0 });
    history.say(Fact::OperatorReachable {
        operator: operator(1),
        reachable: true,
    });
    history.say(Fact::EngineStopped);
    place.run(BOOT, &history.events);
    let (kinds, equal): (i64, i64) = block_on(async {
        let mut connection =
            crate::sqlite::open_existing(&place.database(), crate::db::Access::Read)
                .await
                .unwrap();
        sqlx::query_as(
            "SELECT count(DISTINCT kind), min(kind = json_extract(json, '$.fact.fact')) FROM events",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap()
    });
    assert_eq!((kinds, equal), (16, 1), "every fact there is");
}

#[test]
fn the_handle_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Journal>();
}

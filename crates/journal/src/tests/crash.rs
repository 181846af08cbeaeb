//! Crashes: copies of a running journal's folder, torn tails, damage, and what start makes of them.

use std::fs;
use std::path::Path;

use super::*;
use crate::files;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else if fs::read(&path)
            .and_then(|bytes| fs::write(target, bytes))
            .is_err()
        {
            // SQLite removes its WAL when the last connection closes.
        }
    }
}

/// One call in each stage of its life, none of them ended.
fn calls_up() -> History {
    let mut h = History::new(BOOT);
    h.say(Fact::EngineStarted {
        version: "1".into(),
    });
    h.all([arrived(call(1))]).after(100);
    h.all([arrived(call(2)), queued(call(2))]).after(100);
    h.all([arrived(call(3)), queued(call(3)), offered(call(3), 1, 3)])
        .after(100);
    h.all([arrived(call(4)), queued(call(4)), offered(call(4), 1, 4)])
        .after(400);
    h.all([offer_ended(call(4), 1, OfferResult::Answered, 200)]);
    h.all([
        left(call(4), QueueOutcome::Answered),
        talk(call(4), 1, 1, 4),
    ])
    .after(100);
    h.after(7_000).say(Fact::EngineAlive { calls: 4 });
    h
}

#[test]
fn calls_cut_off_are_interrupted_at_the_last_known_moment() {
    let place = Place::new();
    let history = calls_up();
    place.run(BOOT, &history.events);
    let (journal, recovery) = place.start(BOOT + 60);
    assert_eq!(recovery.interrupted, [call(1), call(2), call(3), call(4)]);
    let key = vocab::media::RecordingKey {
        call: call(4),
        segment: 1,
    };
    assert_eq!(recovery.segments_open, [key]);
    assert_eq!(recovery.recordings_awaited, [key]);
    assert_eq!(
        recovery.last_event_at,
        Some(WallTime::from_unix_millis(wall(7_800)))
    );
    let _ = journal.stop();

    let mut rows = place.rows();
    rows.reverse();
    for row in &rows {
        assert_eq!(row.entry.outcome.as_deref(), Some("interrupted"));
        assert_eq!(row.entry.ended_by.as_deref(), Some("engine"));
        assert_eq!(row.entry.ended_at, Some(wall(7_800)));
    }
    assert_eq!(rows[1].queue_entries[0].outcome.as_deref(), Some("closed"));
    assert_eq!(rows[1].entry.wait_ms, Some(7_700));
    assert_eq!(rows[2].offers[0].result.as_deref(), Some("withdrawn"));
    assert_eq!(rows[3].entry.talk_ms, Some(7_100));
    assert_eq!(rows[3].segments[0].ended_by.as_deref(), Some("engine"));
    let expected = "segment 1 has neither recording nor a reason for none";
    assert_eq!(place.problems(), [(call(4), vec![expected.to_owned()])]);

    // The recorder's repair reports in the next boot, which is then a third one.
    let mut repair = History::new(BOOT + 120);
    repair.say(stored(call(4), 1));
    let recovery = place.run(BOOT + 120, &repair.events);
    assert!(recovery.interrupted.is_empty());
    assert_eq!(
        recovery.recordings_awaited,
        [key],
        "carried over a boot that did not bring it"
    );
    assert_eq!(place.problems(), []);
    let (journal, recovery) = place.start(BOOT + 180);
    assert_eq!(recovery.recordings_awaited, []);
    let _ = journal.stop();
}

#[test]
fn an_orderly_end_leaves_nothing_to_recover() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    history.say(Fact::EngineStopped);
    place.run(BOOT, &history.events);
    let recovery = place.run(BOOT + 1, &[]);
    assert!(recovery.interrupted.is_empty() && recovery.recordings_awaited.is_empty());
    assert_eq!((recovery.torn, recovery.damaged), (0, 0));
    assert_eq!(place.rows().len(), 1);
}

#[test]
fn a_kill_at_any_moment_keeps_what_was_durable_and_closes_every_call() {
    let place = Place::new();
    let durable = Durable::default();
    let (journal, _) = start_with(place.settings(), 4_000, BOOT, durable.note()).unwrap();
    let mut history = History::new(BOOT);
    for n in 1..=40 {
        answered_call(&mut history, call(n));
        history
            .say(arrived(call(1_000 + n)))
            .say(queued(call(1_000 + n)));
    }
    let mut copies = Vec::new();
    for (n, event) in history.events.iter().enumerate() {
        journal.append(event.clone());
        // Every 37th event at whatever stage the two threads are.
        if n % 37 == 36 {
            // Once in the middle something is surely on the disk, however slow it is.
            if n > history.events.len() / 2 && copies.iter().all(|(up_to, _)| *up_to == 0) {
                durable.wait_for(event.id);
            }
            let up_to = durable.up_to();
            let folder = tempfile::tempdir().unwrap();
            copy(place.folder.path(), folder.path());
            copies.push((up_to, folder));
        }
    }
    durable.wait_for(history.events.last().unwrap().id);
    let _ = journal.stop();
    assert!(copies.iter().any(|(up_to, _)| *up_to > 0));
    for (up_to, folder) in copies {
        after_a_kill(&history, up_to, Place { folder });
    }
}

fn after_a_kill(history: &History, up_to: u64, place: Place) {
    // A file-by-file copy of a database that is written to is not what a crash leaves (a crash
    // leaves one moment of all files), so each copy is recovered with and without it.
    for with_database in [true, false] {
        if !with_database {
            for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
                let _ = fs::remove_file(place.folder.path().join(name));
            }
        }
        let boot = crate::choose_boot(&place.events(), WallTime::default()).unwrap();
        let started = crate::start(place.settings(), boot, |_| {});
        let Ok((journal, recovery)) = started else {
            assert!(with_database, "{:?}", started.err());
            continue;
        };
        assert_eq!(recovery.damaged, 0);
        assert_eq!(journal.stop().not_in_sql, 0);
        let rows = place.rows();
        let kept = stored_events(&place);
        let durable = history
            .events
            .iter()
            .filter(|event| event.id.as_u64() <= up_to);
        for event in durable {
            assert!(kept.contains(event), "{} was durable", event.id);
            let call = event.fact.call().unwrap();
            let row = rows
                .iter()
                .find(|row| row.entry.call == call.as_i64())
                .unwrap();
            assert!(row.entry.outcome.is_some(), "{call} was left open");
        }
        for (call, problems) in place.problems() {
            for problem in problems {
                assert!(
                    problem.contains("neither recording nor"),
                    "{call}: {problem}"
                );
            }
        }
    }
}

#[test]
fn a_file_torn_at_any_octet_is_read_up_to_there() {
    let place = Place::new();
    let history = calls_up();
    place.run(BOOT, &history.events);
    let path = files::FileId {
        boot: BOOT,
        number: 1,
    }
    .path(&place.events());
    let whole = fs::read(&path).unwrap();
    for cut in (0..whole.len()).step_by(61) {
        for tail in [&b""[..], &[0; 40][..], b"\xff\xff\x00\x00 nonsense"] {
            let torn = Place::new();
            fs::create_dir(torn.events()).unwrap();
            let target = files::FileId {
                boot: BOOT,
                number: 1,
            }
            .path(&torn.events());
            fs::write(&target, [&whole[..cut], tail].concat()).unwrap();
            let mut reader = files::Reader::new(&torn.events(), files::FileId::FIRST.at(0));
            let mut read = Vec::new();
            while let Some(event) = reader.next(None).unwrap() {
                read.push(event);
            }
            assert_eq!(read, history.events[..read.len()], "cut at {cut}");
            assert_eq!(reader.damage.lost, 0);
        }
    }
}

#[test]
fn a_torn_tail_is_followed_by_the_closing_events_with_fresh_ids() {
    let place = Place::new();
    let history = calls_up();
    place.run(BOOT, &history.events);
    let path = files::FileId {
        boot: BOOT,
        number: 1,
    }
    .path(&place.events());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let _ = fs::remove_file(place.database());
    let recovery = place.run(BOOT + 1, &[]);
    assert!(recovery.torn > 0);
    assert_eq!(recovery.interrupted.len(), 4);
    assert_eq!(place.problems().len(), 1, "only the recording is awaited");
}

#[test]
fn damage_in_the_middle_loses_only_what_it_covers() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    for n in 1..=3 {
        answered_call(&mut history, call(n));
    }
    place.run(BOOT, &history.events);
    let path = files::FileId {
        boot: BOOT,
        number: 1,
    }
    .path(&place.events());
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3].fill(0xaa);
    fs::write(&path, bytes).unwrap();
    fs::remove_file(place.database()).unwrap();
    let mut reader = files::Reader::new(&place.events(), files::FileId::FIRST.at(0));
    let mut read = 0;
    while reader.next(None).unwrap().is_some() {
        read += 1;
    }
    assert_eq!(read, history.events.len() - 1);
    assert!(reader.damage.lost > 0);
    place.run(BOOT + 1, &[]);
    assert_eq!(place.rows().len(), 3);
}

#[test]
fn a_crash_in_the_middle_of_a_recovery_is_just_another_restart() {
    let place = Place::new();
    place.run(BOOT, &calls_up().events);
    // As if the first recovery wrote its closing file and died before the new boot's first file.
    let (journal, _) = place.start(BOOT + 1);
    let _ = journal.stop();
    fs::remove_file(
        files::FileId {
            boot: BOOT + 1,
            number: 1,
        }
        .path(&place.events()),
    )
    .unwrap();
    let rows = place.rows();
    let (journal, recovery) = place.start(BOOT + 2);
    let _ = journal.stop();
    assert!(recovery.interrupted.is_empty(), "they were closed already");
    assert_eq!(place.rows(), rows);

    // And as if it died while writing that file: nothing but a temporary name is left.
    let place = Place::new();
    place.run(BOOT, &calls_up().events);
    fs::write(place.events().join("events-0cff0000-000002.new"), "half").unwrap();
    assert_eq!(place.run(BOOT + 1, &[]).interrupted.len(), 4);
}

#[test]
fn recovery_reads_only_from_the_oldest_call_that_is_not_settled() {
    let place = Place::new();
    let mut history = History::new(BOOT);
    history.say(arrived(call(900)));
    for n in 1..=50 {
        answered_call(&mut history, call(n));
    }
    history.say(ended(call(900), Outcome::AbandonedEarly, EndedBy::Caller));
    let long = history.events.len();
    for n in 51..=60 {
        answered_call(&mut history, call(n));
    }
    history.say(arrived(call(901)));
    let durable = Durable::default();
    let (journal, _) = start_with(place.settings(), 2_000, BOOT, durable.note()).unwrap();
    for group in history.events.chunks(20) {
        for event in group {
            journal.append(event.clone());
        }
        durable.wait_for(group.last().unwrap().id);
    }
    let _ = journal.stop();
    let files = files::list(&place.events()).unwrap();
    assert!(files.len() > 5, "{} files after {long} events", files.len());
    let from = files::header(&place.events(), *files.last().unwrap())
        .unwrap()
        .unwrap();
    assert!(from.unsettled_from > files[1], "{from:?}");
    let recovery = place.run(BOOT + 1, &[]);
    assert_eq!(recovery.interrupted, [call(901)]);
}

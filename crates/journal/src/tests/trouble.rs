//! Disks and databases that fail, and starts that must be refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::StartError;

fn refused(settings: Settings, boot: u32) -> String {
    let error = crate::start(settings, boot, |_| {})
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(
        !error.contains('\n') && error.len() < 300,
        "one plain sentence: {error}"
    );
    error
}

#[test]
fn a_locked_database_delays_sql_and_loses_and_doubles_nothing() {
    let place = Place::new();
    let durable = Durable::default();
    let (journal, _) = crate::start(place.settings(), BOOT, durable.note()).unwrap();
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    block_on(async {
        for event in &history.events {
            journal.append(event.clone());
        }
        journal.flushed().await;
        let mut other = crate::sqlite::open(&place.database()).await.unwrap();
        sqlx::query("BEGIN EXCLUSIVE")
            .execute(&mut other)
            .await
            .unwrap();
        let begun = history.events.len();
        for n in 2..=50 {
            answered_call(&mut history, call(n));
        }
        for event in &history.events[begun..] {
            journal.append(event.clone());
        }
        durable.wait_for(history.events.last().unwrap().id);
        assert!(journal.lag() > 0);
        until("a failed batch", || journal.health().database_errors > 0);
        assert!(journal.health().database_failing);
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        journal.flushed().await;
        assert!(!journal.health().database_failing);
    });
    assert_eq!(
        journal.stop(),
        crate::Stopped {
            not_in_sql: 0,
            lost: 0
        }
    );
    assert_eq!(place.rows().len(), 50);
    assert_eq!(place.problems(), []);
}

#[test]
fn a_database_locked_at_the_start_does_not_stop_it() {
    let place = Place::new();
    place.run(BOOT, &[]);
    let mut history = History::new(BOOT + 1);
    answered_call(&mut history, CallId::new(BOOT + 1, 1));
    let journal = block_on(async {
        let mut other = crate::sqlite::open(&place.database()).await.unwrap();
        sqlx::query("BEGIN EXCLUSIVE")
            .execute(&mut other)
            .await
            .unwrap();
        let (journal, _) = place.start(BOOT + 1);
        for event in &history.events {
            journal.append(event.clone());
        }
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        journal
    });
    let _ = journal.stop();
    assert_eq!(place.rows().len(), 1);
}

#[test]
fn a_disk_that_refuses_a_write_is_tried_again_in_a_new_file() {
    use crate::health::Counters;
    use crate::writer::{Writer, Writing};
    let place = Place::new();
    fs::create_dir(place.events()).unwrap();
    let writing = Writing {
        dir: place.events(),
        boot: BOOT,
        group: Duration::from_millis(1),
        file_octets: 1 << 20,
    };
    let (durable, counters) = (Durable::default(), Arc::new(Counters::default()));
    let unsettled = crate::unsettled::Unsettled::default();
    let (mut writer, mark) =
        Writer::create(writing, unsettled, durable.note(), Arc::clone(&counters)).unwrap();
    let mut history = History::new(BOOT);
    answered_call(&mut history, call(1));
    let (first, second) = history.events.split_at(4);
    writer.write_group(first.to_vec());
    assert_eq!(durable.up_to(), first.last().unwrap().id.as_u64());
    writer.break_file();
    writer.write_group(second.to_vec());
    assert_eq!(durable.up_to(), second.last().unwrap().id.as_u64());
    let health = counters.health(0, 0);
    assert_eq!(
        (health.disk_errors, health.disk_failing, health.lost),
        (1, false, 0)
    );
    assert_eq!(mark.borrow().file.number, 2);
    let mut reader = crate::files::Reader::new(&place.events(), crate::files::FileId::FIRST.at(0));
    let mut read = Vec::new();
    while let Some(event) = reader.next(Some(*mark.borrow())).unwrap() {
        read.push(event);
    }
    assert_eq!(read, history.events);
}

#[test]
fn a_folder_in_use_is_refused() {
    let place = Place::new();
    let (journal, _) = place.start(BOOT);
    let error = refused(place.settings(), BOOT + 1);
    assert!(error.starts_with("another hotline is running"), "{error}");
    let _ = journal.stop();
    place.run(BOOT + 1, &[]);
}

#[test]
fn a_boot_number_is_never_used_twice() {
    let place = Place::new();
    let now = WallTime::from_unix_millis((1_577_836_800 + i64::from(BOOT)) * 1_000);
    assert_eq!(crate::choose_boot(&place.events(), now).unwrap(), BOOT);
    place.run(BOOT, &[]);
    assert_eq!(crate::choose_boot(&place.events(), now).unwrap(), BOOT + 1);
    let yesterday = WallTime::from_unix_millis(now.as_unix_millis() - 86_400_000);
    assert_eq!(
        crate::choose_boot(&place.events(), yesterday).unwrap(),
        BOOT + 1
    );
    let error = crate::start(place.settings(), BOOT, |_| {})
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(error, StartError::BootTaken { last: BOOT, .. }),
        "{error}"
    );
}

#[test]
fn a_broken_database_is_refused_in_one_sentence() {
    let place = Place::new();
    fs::write(place.database(), vec![7_u8; 8_192]).unwrap();
    let error = refused(place.settings(), BOOT);
    assert!(
        error.contains("is not a journal database or is damaged"),
        "{error}"
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_refused_in_one_sentence() {
    let place = Place::new();
    let file = place.folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = refused(Settings::new(file.join("events"), place.database()), BOOT);
    assert!(error.contains("event files in"), "{error}");
    let error = refused(Settings::new(place.events(), file.join("journal.db")), BOOT);
    assert!(error.contains("database cannot write"), "{error}");
}

/// Runs `test` on a thread that mode bits bind: a user's other than root, whose threads inherit it.
fn as_a_user(folder: &Path, test: impl FnOnce() + Send + 'static) {
    const NOBODY: u32 = 65_534;
    let root = rustix::process::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let run = move || {
        if root {
            rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(NOBODY)).unwrap();
        }
        test();
    };
    std::thread::spawn(run).join().unwrap();
}

/// What `start` (or `migrate`) says when `file` of a place has this mode. Each in a place of its
/// own, since a connection that is dropped is closed, and its files tidied, a moment later.
fn refuses_for(file: &'static str, mode: u32, starting: bool) {
    let place = Place::new();
    let folder = place.folder.path().to_path_buf();
    as_a_user(&folder, move || {
        block_on(async {
            let made = crate::sqlite::open(&place.database()).await.unwrap();
            sqlx::Connection::close(made).await.unwrap();
        });
        fs::create_dir(place.events()).unwrap();
        let file = place.folder.path().join(file);
        if !file.exists() {
            fs::write(&file, vec![0; 32_768]).unwrap();
        }
        let chmod = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        chmod(mode);
        let error = if starting {
            refused(place.settings(), BOOT)
        } else {
            let migrated = block_on(crate::migrate(&place.database()));
            migrated.unwrap_err().to_string()
        };
        chmod(0o700);
        let named = file.display().to_string();
        let named = named.trim_end_matches('/');
        let expected = format!("cannot write {named}: Permission denied");
        assert!(error.contains(&expected), "starting {starting}: {error}");
    });
}

#[test]
fn a_database_that_can_be_written_again_is_used_at_once() {
    let place = Place::new();
    let folder = place.folder.path().to_path_buf();
    as_a_user(&folder, move || {
        let made = block_on(crate::sqlite::open(&place.database())).unwrap();
        block_on(sqlx::Connection::close(made)).unwrap();
        let chmod = |file: &Path, mode| {
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        };
        chmod(&place.database(), 0o444);
        refused(place.settings(), BOOT);
        chmod(&place.database(), 0o600);
        // SQLite left its files with the mode above; it repairs that of the empty WAL itself.
        let index = place.folder.path().join("journal.db-shm");
        if index.exists() {
            let error = refused(place.settings(), BOOT);
            assert!(
                error.contains("cannot write") && error.contains("journal.db-shm:"),
                "{error}"
            );
            chmod(&index, 0o600);
        }
        place.run(BOOT, &[]);
    });
}

#[test]
fn a_database_that_cannot_be_written_is_refused_and_the_file_at_fault_named() {
    for starting in [true, false] {
        refuses_for("journal.db", 0o444, starting);
        // As a start with the mode above leaves them.
        refuses_for("journal.db-wal", 0o444, starting);
        refuses_for("journal.db-shm", 0o444, starting);
        refuses_for("", 0o555, starting);
    }
}

#[test]
fn event_files_are_private() {
    let place = Place::new();
    place.run(BOOT, &[]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.events()), 0o700);
    let file = crate::files::FileId {
        boot: BOOT,
        number: 1,
    }
    .path(&place.events());
    assert_eq!(mode(&file), 0o600);
}

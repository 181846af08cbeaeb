//! The same journal over SQLite and over PostgreSQL: rows, reports, pages, operators and telephones
//! are the same in both, and a server that goes away for a while loses nothing.

use jiff::tz::TimeZone;
use vocab::{EntryField, FieldChange, Registration};

use super::reports::measured;
use super::server::Server;
use super::*;
use crate::forms::Forms;
use crate::operators::{self, Operator, OperatorError, Watch};
use crate::report::{self, Kind, Wanted, render};
use crate::search::Filter;
use crate::{Location, bindings};

/// Calls of many kinds, one with a name that PostgreSQL cannot hold.
fn history() -> Vec<Event> {
    let mut history = History::new(BOOT);
    history.say(Fact::OperatorTurned {
        operator: operator(1),
        state: vocab::OperatorState::Free,
        status: "available".into(),
    });
    for n in 1..=60 {
        if n % 3 == 0 {
            history
                .say(arrived(call(n)))
                .say(queued(call(n)))
                .after(7_000);
            history.say(left(call(n), QueueOutcome::Abandoned));
            history.say(ended(call(n), Outcome::Abandoned, EndedBy::Caller));
        } else {
            answered_call(&mut history, call(n));
            history.say(Fact::WrapUpEnded {
                call: call(n),
                segment: 1,
            });
        }
        history.say(Fact::FieldSet {
            call: call(n),
            field: "топик".into(),
            value: None,
        });
        history.say(Fact::EntryEdited {
            call: call(n),
            by: "op1".into(),
            changes: vec![
                FieldChange {
                    field: EntryField::Topic,
                    value: Some(if n % 2 == 0 { "a / b" } else { "a" }.into()),
                },
                FieldChange {
                    field: EntryField::FullName,
                    value: Some("'); DROP TABLE entries; --".into()),
                },
            ],
        });
        history.say(Fact::EntryEdited {
            call: call(n),
            by: "op2".into(),
            changes: vec![FieldChange {
                field: EntryField::FullName,
                value: Some("Їжак".into()),
            }],
        });
    }
    for (leg, party) in [
        (1, None),
        (2, Some(Party::Operator(operator(1)))),
        (3, None),
    ] {
        history.say(measured(leg, party, [300, 420], (900, 100)));
    }
    history.say(Fact::TelephoneRegistered {
        registration: Box::new(registration()),
    });
    for event in &mut history.events {
        if let Fact::CallArrived { caller_name, .. } = &mut event.fact {
            *caller_name = "nul\0 and \u{1f994}".into();
        }
    }
    history.events
}

fn registration() -> Registration {
    Registration {
        login: "op1".into(),
        key: "k".into(),
        contact: "sip:op1@192.0.2.1".into(),
        params: String::new(),
        transport: "UDP".into(),
        local: "192.0.2.2:5060".into(),
        remote: "192.0.2.1:5060".into(),
        path: Vec::new(),
        q: 1_000,
        call_id: "c".into(),
        cseq: 1,
        until: WallTime::from_unix_millis(wall(1_000_000)),
        secret: "s".into(),
    }
}

fn settings(place: &Place, database: &Location) -> Settings {
    Settings {
        database: database.clone(),
        ..place.settings()
    }
}

fn run(place: &Place, database: &Location, boot: u32, events: &[Event]) {
    let (journal, _) = crate::start(settings(place, database), boot, |_| {}).unwrap();
    for event in events {
        journal.append(event.clone());
    }
    let stopped = journal.stop();
    assert_eq!((stopped.not_in_sql, stopped.lost), (0, 0));
}

async fn rows(database: &Location) -> Vec<CallRows> {
    let mut journal = query::open(database).await.unwrap();
    let mut rows = Vec::new();
    for entry in journal.newest(None, 1_000).await.unwrap() {
        let call = CallId::from_i64(entry.call);
        let mut one = journal.call(call).await.unwrap().unwrap();
        one.entry.caller_name = one.entry.caller_name.replace('\0', "\u{fffd}");
        rows.push(one);
    }
    rows
}

/// The views for other programs, as docs/reports.md names them.
const VIEWS: [&str; 9] = [
    "bi_entries",
    "bi_queue_stays",
    "bi_offers",
    "bi_segments",
    "bi_operator_turns",
    "bi_corrections",
    "bi_legs",
    "bi_recordings",
    "bi_breaks",
];

/// All that is read of the journal, as text to be compared.
async fn everything(database: &Location) -> Vec<String> {
    let mut told = Vec::new();
    let mut journal = query::open(database).await.unwrap();
    assert_eq!(journal.check(query::Range::default(), 9).await.unwrap(), []);
    let summary = journal.summary(query::Range::default()).await.unwrap();
    told.push(format!("{summary:?}"));
    let filter = Filter {
        topic: Some("a".into()),
        person: Some("8 (424) 200-00-04".into()),
        completed: Some(false),
        ..Filter::default()
    };
    let page = journal.find(&filter, None, 10).await.unwrap();
    assert_eq!(page.entries.len(), 1);
    for (text, found) in [
        ("Їжак", 60),
        ("їжА", 60),
        ("їжак doctors", 0),
        ("DROP TABLE", 0),
        ("\"' OR 1=1 --", 0),
        ("a & ! | :* ( b", 30),
    ] {
        let filter = Filter {
            text: Some(text.into()),
            ..Filter::default()
        };
        let page = journal.find(&filter, None, 100).await.unwrap();
        assert_eq!(page.entries.len(), found, "{text}");
    }
    let (mut after, mut calls) = (None, Vec::new());
    loop {
        let page = journal.find(&Filter::default(), after, 7).await.unwrap();
        calls.extend(page.entries.iter().map(|row| row.call));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(calls.len(), 60, "each entry on one page");
    assert!(calls.is_sorted_by(|a, b| a > b));
    for view in VIEWS {
        let sql = format!("SELECT count(*) FROM {view}");
        let rows: Option<(i64,)> = journal.connection.first(&sql, &[]).await.unwrap();
        told.push(format!("{view}: {rows:?}"));
        let first = format!("SELECT 1 FROM {view} WHERE call_id = '0cff0000-00000001'");
        if view != "bi_operator_turns" && view != "bi_breaks" {
            let _: Vec<(i32,)> = journal.connection.all(&first, &[]).await.unwrap();
        }
        // Also where the role may write to the tables beneath it.
        let mut owner = crate::store::open_writer(database).await.unwrap();
        let harm = format!("DELETE FROM {view}");
        match owner.run(&harm, &[]).await {
            Ok(_) => assert_eq!(rows, Some((0,)), "{view}: what was there is gone"),
            Err(refused) => assert!(refused.to_string().contains(view), "{refused}"),
        }
    }
    let form = "[[form]]\nqueues = [\"operators\"]\ncomplete_within = \"5 min\"";
    let forms = Forms::parse(form, Duration::from_secs(600)).unwrap();
    for (_, kind) in Kind::NAMES {
        let range = (wall(-1_000), wall(10_000_000));
        let wanted = Wanted::new(kind, range, wall(20_000_000), TimeZone::UTC);
        let made = report::make(database, &forms, &wanted).await.unwrap();
        assert!(made.identity);
        told.push(render::json(&made).to_string());
    }
    told
}

/// Operators are told apart without regard to case, their numbers never given twice, changes seen.
async fn people(database: &Location) {
    let person = |login: &str, line: &str| Operator {
        id: OperatorId(0),
        login: login.into(),
        name: "Мария".into(),
        line: line.into(),
        ha1_sha256: "a".repeat(64),
        ha1_md5: "b".repeat(32),
        skills: [("health".to_owned(), 80)].into(),
        enabled: true,
        address: None,
    };
    let mut watch = Watch::open(database).await.unwrap();
    assert_eq!(watch.changes().await.unwrap().unwrap(), []);
    let ten = operators::add(database, person("maria", "10"))
        .await
        .unwrap();
    let two = operators::add(database, person("ivan", "2")).await.unwrap();
    assert_eq!(
        watch.changes().await.unwrap().unwrap(),
        [two.clone(), ten.clone()]
    );
    assert!(watch.changes().await.unwrap().is_none());
    let taken = operators::add(database, person("Maria", "11"))
        .await
        .unwrap_err();
    assert!(matches!(taken, OperatorError::LoginTaken(_)), "{taken}");
    let taken = operators::add(database, person("petr", "10"))
        .await
        .unwrap_err();
    assert!(matches!(taken, OperatorError::LineTaken { .. }), "{taken}");
    operators::set_enabled(database, "MARIA", false)
        .await
        .unwrap();
    assert_eq!(operators::waiting(database).await.unwrap().len(), 1);
    operators::remove(database, "maria").await.unwrap();
    let again = operators::add(database, person("maria", "10"))
        .await
        .unwrap();
    assert!(again.id > ten.id && again.id > two.id);
}

#[test]
fn both_databases_hold_the_same_and_a_server_that_goes_away_loses_nothing() {
    let mut server = Server::start();
    let events = history();
    let (sqlite, postgres) = (Place::new(), Place::new());
    let file = Location::from(sqlite.database());
    let url = Location::parse(&server.database("one"));
    let all = crate::sqlite::MIGRATIONS.iter().count();
    assert_eq!(block_on(crate::migrate(&url)).unwrap().len(), all);
    assert!(block_on(crate::migrate(&url)).unwrap().is_empty());
    run(&sqlite, &file, BOOT, &events);
    run(&postgres, &url, BOOT, &events);
    assert_eq!(block_on(rows(&file)), block_on(rows(&url)));
    assert_eq!(block_on(everything(&file)), block_on(everything(&url)));
    for (place, database) in [(&sqlite, &file), (&postgres, &url)] {
        block_on(people(database));
        let found = block_on(bindings::load(&place.events(), database, BOOT + 1)).unwrap();
        assert_eq!(found, [registration()]);
        assert_eq!(block_on(crate::rebuild(database)).unwrap(), 60);
    }
    assert_eq!(
        block_on(rows(&file)),
        block_on(rows(&url)),
        "after the rebuild"
    );
    copied(&server, &file, &url);
    goes_away(&mut server);
}

/// From SQLite to PostgreSQL and back: all rows, operators and telephones are those of the first.
fn copied(server: &Server, file: &Location, url: &Location) {
    let there = Location::parse(&server.database("three"));
    let folder = tempfile::tempdir().unwrap();
    let back = Location::from(folder.path().join("back.db"));
    let done = block_on(crate::copy(file, &there)).unwrap();
    assert_eq!((done.entries, done.operators), (60, 2));
    assert_eq!(
        block_on(crate::copy(file, &there)).unwrap(),
        done,
        "again changes nothing"
    );
    block_on(crate::copy(&there, &back)).unwrap();
    for database in [&there, &back] {
        assert_eq!(block_on(rows(database)), block_on(rows(file)));
        let people = block_on(operators::list(database)).unwrap();
        assert_eq!(people, block_on(operators::list(file)).unwrap());
    }
    let new = Operator {
        login: "new".into(),
        line: "3".into(),
        ..block_on(operators::list(file)).unwrap().remove(0)
    };
    let highest = block_on(operators::list(file))
        .unwrap()
        .iter()
        .map(|o| o.id)
        .max();
    let new = block_on(operators::add(&there, new)).unwrap();
    assert!(Some(new.id) > highest, "a number is never given twice");
    let other = block_on(crate::copy(url, url)).unwrap_err();
    assert!(
        other.to_string().contains("expected two databases"),
        "{other}"
    );
    let longer = Place::new();
    let mut events = history();
    let first = events[0].clone();
    events.extend((9_000..9_002).map(|n| Event {
        id: EventId::new(BOOT, n),
        ..first.clone()
    }));
    run(&longer, &Location::from(longer.database()), BOOT, &events);
    let other = block_on(crate::copy(file, longer.database())).unwrap_err();
    assert!(other.to_string().contains("another journal"), "{other}");
}

/// How long the server is away: `HOTLINE_POSTGRES_AWAY=60` is a minute.
fn away() -> Duration {
    let seconds = std::env::var("HOTLINE_POSTGRES_AWAY");
    Duration::from_secs(seconds.map_or(1, |seconds| seconds.parse().unwrap()))
}

/// The server is killed, or stands still, in the middle of a run. For as long as it is away, events go on
/// into the file as fast as ever; afterwards SQL catches up, and nothing is lost or doubled.
fn goes_away(server: &mut Server) {
    for (name, standing_still) in [("two", false), ("four", true)] {
        let place = Place::new();
        let url = Location::parse(&server.database(name));
        let events = history();
        let (first, second) = events.split_at(events.len() / 2);
        let durable = Durable::default();
        let (journal, _) = crate::start(settings(&place, &url), BOOT, durable.note()).unwrap();
        for event in first {
            journal.append(event.clone());
        }
        until("applied", || journal.lag() == 0);
        if standing_still {
            server.pause();
        } else {
            server.stop();
        }
        let between = away() / u32::try_from(second.len()).unwrap();
        for event in second {
            journal.append(event.clone());
            durable.wait_for(event.id);
            std::thread::sleep(between);
        }
        let lag = journal.lag();
        assert!(lag >= second.len() as u64 - 1, "the lag is shown: {lag}");
        if standing_still {
            server.go_on();
        } else {
            until("failing", || journal.health().database_failing);
            server.start_again();
        }
        until("caught up", || journal.lag() == 0);
        until("well", || !journal.health().database_failing);
        assert_eq!(journal.stop().not_in_sql, 0);
        assert_eq!(block_on(rows(&url)).len(), 60);
        block_on(everything(&url));
    }
}

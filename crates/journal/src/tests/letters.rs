//! The letters of webhooks over SQLite and PostgreSQL: none lost, none twice but when it must be.

use super::server::Server;
use super::*;
use crate::letters::{self, Fate, Letters};
use crate::{Location, copy};

const NOW: WallTime = WallTime::from_unix_millis(AT);

fn append(place: &Place, database: &Location, boot: u32, calls: std::ops::Range<u32>) {
    let settings = Settings {
        database: database.clone(),
        ..place.settings()
    };
    let (journal, _) = crate::start(settings, boot, |_| {}).unwrap();
    let mut history = History::new(boot);
    for n in calls {
        answered_call(&mut history, call(n));
    }
    for event in history.events {
        journal.append(event);
    }
    assert_eq!(journal.stop().not_in_sql, 0);
}

async fn put_down(letters: &mut Letters) {
    while letters.put_down(&["call_ended"], NOW).await.unwrap() {}
}

async fn counts(database: &Location) -> (i64, i64) {
    let standings = letters::standings(database).await.unwrap();
    standings
        .first()
        .map_or((0, 0), |one| (one.waiting, one.dead))
}

/// What is the same in both stores.
fn letters_are_kept_until_taken(place: &Place, database: &Location) {
    append(place, database, BOOT, 1..4);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        // A new one begins with what comes next.
        let mut letters = Letters::open(database, "crm").await.unwrap();
        put_down(&mut letters).await;
        assert_eq!(counts(database).await, (0, 0));
    });
    append(place, database, BOOT + 1, 4..9);
    runtime.block_on(async {
        let mut letters = Letters::open(database, "crm").await.unwrap();
        put_down(&mut letters).await;
        // As after a kill between putting down and sending, and with the cursor anywhere.
        let mut letters = Letters::open(database, "crm").await.unwrap();
        put_down(&mut letters).await;
        assert_eq!(counts(database).await, (5, 0));
        let due = letters.due(NOW, 3).await.unwrap();
        let ids: Vec<EventId> = due.iter().map(|letter| letter.event.id).collect();
        assert_eq!(ids.len(), 3);
        assert!(ids.is_sorted(), "the oldest first: {ids:?}");
        let problem = "away".to_owned();
        let later = WallTime::from_unix_millis(AT + 60_000);
        let fates = [
            (ids[0], Fate::Taken),
            (
                ids[1],
                Fate::Later {
                    due: later,
                    problem: problem.clone(),
                },
            ),
            (ids[2], Fate::Dead { at: NOW, problem }),
        ];
        letters.settle(&fates).await.unwrap();
        assert_eq!(counts(database).await, (3, 1));
        let due = letters.due(NOW, 10).await.unwrap();
        assert_eq!(due.len(), 2, "one waits, one is dead");
        let due = letters.due(later, 10).await.unwrap();
        assert_eq!((due.len(), due.last().unwrap().attempts), (3, 1));
        let dead = letters::dead(database, Some("crm")).await.unwrap();
        assert_eq!(
            (dead.len(), dead[0].event, dead[0].attempts),
            (1, ids[2], 1)
        );
        assert!(
            letters::dead(database, Some("other"))
                .await
                .unwrap()
                .is_empty()
        );
        for (events, sent) in [(Some([].as_slice()), 0), (Some(&ids[..1]), 0), (None, 1)] {
            let again = letters::send_again(database, "crm", events, NOW).await;
            assert_eq!(again.unwrap(), sent, "{events:?}");
        }
        assert_eq!(counts(database).await, (4, 0));
    });
    let copied = Location::from(&place.folder.path().join("copy.db"));
    runtime.block_on(async {
        copy(database, &copied).await.unwrap();
        assert_eq!(
            counts(&copied).await,
            (4, 0),
            "a copy has what is still to be told"
        );
    });
}

#[test]
fn letters_are_kept_until_taken_in_sqlite() {
    let place = Place::new();
    let database = place.settings().database;
    letters_are_kept_until_taken(&place, &database);
}

#[test]
fn letters_are_kept_until_taken_in_postgres() {
    let server = Server::start();
    letters_are_kept_until_taken(&Place::new(), &Location::parse(&server.database("letters")));
}

//! Cards of persons over SQLite and PostgreSQL: written, merged, split; the history follows the card.

use std::sync::Arc;

use vocab::PersonCard;

use super::server::Server;
use super::*;
use crate::desk::{CardChange, Desk, Offline, Refusal, Wish};
use crate::forms::Forms;
use crate::personal::{self, Destruction};
use crate::persons::Person;
use crate::report::{self, Kind, Wanted, render};
use crate::{Location, rebuild};

fn card(name: &str, numbers: &[&str]) -> PersonCard {
    PersonCard {
        name: name.into(),
        notes: String::new(),
        numbers: numbers.iter().map(|number| (*number).to_owned()).collect(),
    }
}

async fn write(desk: &Desk, person: Option<EventId>, card: PersonCard) -> Result<EventId, Refusal> {
    write_seen(desk, person, card, None).await
}

async fn write_seen(
    desk: &Desk,
    person: Option<EventId>,
    card: PersonCard,
    seen: Option<EventId>,
) -> Result<EventId, Refusal> {
    let change = CardChange {
        name: Some(card.name),
        notes: Some(card.notes),
        numbers: Some(card.numbers),
    };
    let wish = Wish::WritePerson {
        person,
        by: "anna".into(),
        change,
        seen,
    };
    Ok(desk.carry_out(wish).await?.person.unwrap())
}

async fn found(database: &Location, text: &str) -> Vec<Person> {
    let mut journal = query::open(database).await.unwrap();
    journal.persons(text, None, 10).await.unwrap()
}

async fn history(database: &Location, number: &str) -> usize {
    let mut journal = query::open(database).await.unwrap();
    journal.history(number, 50).await.unwrap().entries.len()
}

/// Contacts that no other of the same person followed within three days.
async fn resolved(database: &Location) -> u64 {
    let (from, now) = (AT - 1, AT + 10 * 86_400_000);
    let wanted = Wanted::new(Kind::Daily, (from, now), now, jiff::tz::TimeZone::UTC);
    let forms = Forms::plain(Duration::from_secs(600));
    let report = report::make(database, &forms, &wanted).await.unwrap();
    let json = render::json(&report);
    let rows = json["tables"]["first_contact_resolution"].clone();
    rows[0]["resolved"]
        .as_u64()
        .unwrap_or_else(|| panic!("{json}"))
}

async fn life_of_cards(desk: &Desk, database: &Location) {
    // Calls 1 to 3 came from +7424200000N.
    let ivanova = card("Иванова Анна", &["8 (4242) 00-00-01", "+74242000002"]);
    let first = write(desk, None, ivanova).await.unwrap();
    assert_eq!(
        history(database, "+74242000001").await,
        2,
        "both numbers of the card"
    );
    let taken = write(desk, None, card("x", &["74242000002"])).await;
    assert!(matches!(taken, Err(Refusal::Unfit { .. })), "{taken:?}");
    let second = write(desk, None, card("", &["+74242000003"]))
        .await
        .unwrap();
    assert_eq!(found(database, "иванова 000001").await[0].person, first);
    assert!(found(database, "%").await.is_empty(), "no pattern of LIKE");

    let before = resolved(database).await;
    let (by, from) = ("anna".to_owned(), second);
    let merge = Wish::MergePersons {
        person: first,
        from,
        by: by.clone(),
    };
    desk.carry_out(merge.clone()).await.unwrap();
    assert_eq!(history(database, "+74242000003").await, 3);
    assert!(
        resolved(database).await < before,
        "a call of another number is a repeat"
    );
    let again = desk.carry_out(merge).await;
    assert!(matches!(again, Err(Refusal::Unfit { .. })), "{again:?}");
    assert_eq!(found(database, "").await.len(), 1);

    let all = card("Пётр", &["+74242000001", "+74242000002", "+74242000003"]);
    let split = |card| Wish::SplitPerson {
        person: first,
        by: by.clone(),
        card,
    };
    let refused = desk.carry_out(split(all)).await;
    assert!(matches!(refused, Err(Refusal::Unfit { .. })), "{refused:?}");
    let some = card("Пётр", &["+74242000001"]);
    let third = desk.carry_out(split(some)).await.unwrap().person.unwrap();
    let having: Vec<EventId> = found(database, "000001")
        .await
        .iter()
        .map(|person| person.person)
        .collect();
    assert_eq!(having, [third], "the old card is not found by it any more");
    assert_eq!(history(database, "+74242000001").await, 1);
    assert_eq!(history(database, "+74242000003").await, 2);
    write(desk, Some(third), card("Пётр Ильич", &[]))
        .await
        .unwrap();
    assert_eq!(
        history(database, "+74242000001").await,
        1,
        "the number is on no card now"
    );
    let mut journal = query::open(database).await.unwrap();
    let written = journal.person_events(first).await.unwrap();
    assert_eq!(written.len(), 3, "made, merged, split");
    assert_eq!(journal.person_events(third).await.unwrap().len(), 2);
    let seen = journal.person(third).await.unwrap().unwrap().version;
    let (one, other) = tokio::join!(
        write_seen(
            desk,
            Some(third),
            card("Пётр", &["+74242000009"]),
            Some(seen)
        ),
        write_seen(
            desk,
            Some(third),
            card("Павел", &["+74242000008"]),
            Some(seen)
        ),
    );
    assert_eq!(one, Ok(third));
    assert!(matches!(other, Err(Refusal::Changed { .. })), "{other:?}");
    let nobody = write(desk, Some(EventId::new(1, 1)), card("x", &[])).await;
    assert!(
        matches!(nobody, Err(Refusal::NoPerson { .. })),
        "{nobody:?}"
    );
}

fn cards_live_in(place: &Place, database: &Location) {
    let settings = Settings {
        database: database.clone(),
        ..place.settings()
    };
    let (journal, _) = crate::start(settings.clone(), BOOT, |_| {}).unwrap();
    let mut calls = History::new(BOOT);
    for n in 1..4 {
        answered_call(&mut calls, call(n));
    }
    for event in calls.events {
        journal.append(event);
    }
    assert_eq!(journal.stop().not_in_sql, 0);
    let ledger = Arc::new(Offline::start(settings, "test").unwrap());
    let forms = Arc::new(Forms::plain(Duration::from_secs(600)));
    let desk = Desk::new(database, forms, Arc::clone(&ledger) as _);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(life_of_cards(&desk, database));
    drop(desk);
    assert_eq!(Arc::into_inner(ledger).unwrap().stop().not_in_sql, 0);
    runtime.block_on(async {
        let before = found(database, "").await;
        assert_eq!(before.len(), 2);
        rebuild(database).await.unwrap();
        assert_eq!(
            found(database, "").await,
            before,
            "computed anew they are the same"
        );
        cards_go(database).await;
    });
}

/// What stands in the tables of cards, and in their events.
async fn everything_of_cards(database: &Location) -> String {
    let mut connection = crate::store::open(database).await.unwrap();
    let mut text = String::new();
    for sql in [
        "SELECT name || notes || words FROM persons",
        "SELECT key || number FROM person_numbers",
        "SELECT json FROM events WHERE kind = 'person_written'",
    ] {
        let rows: Vec<(String,)> = connection.all(sql, &[]).await.unwrap();
        text.extend(rows.into_iter().map(|(row,)| row + "\n"));
    }
    connection.close().await;
    text
}

/// A card goes when no entry has anything personal of its numbers any more.
async fn cards_go(database: &Location) {
    let later = WallTime::from_unix_millis(4_000_000_000_000);
    let due = async || {
        let mut journal = query::open(database).await.unwrap();
        journal.cards_unused(later, None).await.unwrap()
    };
    let long_ago = WallTime::from_unix_millis(AT);
    let mut journal = query::open(database).await.unwrap();
    assert_eq!(journal.cards_unused(long_ago, None).await.unwrap(), []);
    assert_eq!(due().await.len(), 1, "one has no number at all");
    let why = Destruction {
        at: later,
        act: "20990101-030000".into(),
        reason: "kept for 1 d".into(),
    };
    for n in 1..4 {
        personal::destroy(database, call(n), &why).await.unwrap();
    }
    let cards: Vec<EventId> = due().await.iter().map(|card| card.person).collect();
    assert_eq!(cards.len(), 2);
    for secret in ["Пётр", "7424200000"] {
        assert!(everything_of_cards(database).await.contains(secret));
    }
    personal::destroy_cards(database, &cards[..1], &why)
        .await
        .unwrap();
    assert_eq!(found(database, "").await.len(), 1, "the other one stays");
    personal::destroy_cards(database, &cards, &why)
        .await
        .unwrap();
    for _ in 0..2 {
        let left = everything_of_cards(database).await;
        for secret in ["Пётр", "пётр", "7424200000", "4242000"] {
            assert!(!left.contains(secret), "{secret} in {left}");
        }
        rebuild(database).await.unwrap();
    }
    assert_eq!(due().await, []);
}

#[test]
fn cards_are_written_merged_and_split_in_sqlite() {
    let place = Place::new();
    let database = place.settings().database;
    cards_live_in(&place, &database);
}

#[test]
fn cards_are_written_merged_and_split_in_postgres() {
    let server = Server::start();
    cards_live_in(&Place::new(), &Location::parse(&server.database("persons")));
}

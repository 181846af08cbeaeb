//! Owns the destruction of cards of persons. A card is personal data for as long as some entry still
//! has something personal of one of its numbers; after that it is due.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use vocab::{EventId, WallTime, number_key};

use super::{Destruction, PAGE};
use crate::apply;
use crate::db::{Connection, Location};
use crate::error::DatabaseError;
use crate::query::Journal;
use crate::store;

/// A card to which nothing personal of any entry refers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCard {
    /// Which.
    pub person: EventId,
    /// When it was written last.
    pub written_at: WallTime,
}

impl Journal {
    /// Cards that were last written before a moment and of whose numbers no entry that has its
    /// personal fields speaks, in order, after `after`; at most a page of them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn cards_unused(
        &mut self,
        before: WallTime,
        after: Option<EventId>,
    ) -> Result<Vec<KeptCard>, DatabaseError> {
        // A destroyed entry has no number any more, so whatever is found has its personal fields.
        let sql = "SELECT p.person, p.written_at FROM persons p
            WHERE p.merged_into IS NULL AND p.written_at < $1 AND p.person > $2
              AND NOT EXISTS (SELECT 1 FROM person_numbers n JOIN entries e ON e.party_key = n.key
                              WHERE n.person = p.person)
              AND NOT EXISTS (SELECT 1 FROM person_numbers n JOIN entries e ON e.contact_key = n.key
                              WHERE n.person = p.person)
            ORDER BY p.person LIMIT $3";
        let args = [
            before.as_unix_millis().into(),
            after.map_or(-1, EventId::as_i64).into(),
            PAGE.into(),
        ];
        let found: Result<Vec<(i64, i64)>, _> = self.connection.all(sql, &args).await;
        let found = found.map_err(|error| self.failed(error))?;
        let card = |(person, written_at)| KeptCard {
            person: EventId::from_i64(person),
            written_at: WallTime::from_unix_millis(written_at),
        };
        Ok(found.into_iter().map(card).collect())
    }
}

/// Destroys cards, and those that became a part of them, in one transaction: in the tables and in the
/// events. An engine may run. Again it does nothing.
///
/// # Errors
/// If the database fails; then nothing was changed.
pub async fn destroy_cards(
    database: impl Into<Location>,
    cards: &[EventId],
    why: &Destruction,
) -> Result<(), DatabaseError> {
    let database = database.into();
    let mut connection = store::open(&database).await?;
    let done = destroy_in(&mut connection, cards, why).await;
    if done.is_err() {
        connection.roll_back().await;
    }
    connection.close().await;
    done.map_err(|error| DatabaseError::of(&database, error))
}

/// What is to go: cards, and the numbers that are on nobody else's.
struct Doomed {
    cards: BTreeSet<i64>,
    numbers: BTreeSet<String>,
}

async fn destroy_in(
    connection: &mut Connection,
    cards: &[EventId],
    why: &Destruction,
) -> Result<(), sqlx::Error> {
    if !connection.is_postgres() {
        connection.run("PRAGMA secure_delete = ON", &[]).await?;
    }
    connection.begin().await?;
    let doomed = doomed(connection, cards).await?;
    for person in &doomed.cards {
        let of = [(*person).into()];
        for sql in [
            "DELETE FROM person_numbers WHERE person = $1",
            "DELETE FROM persons WHERE person = $1",
        ] {
            connection.run(sql, &of).await?;
        }
    }
    for number in &doomed.numbers {
        let sql = "DELETE FROM person_numbers WHERE key = $1 AND person IS NULL";
        connection.run(sql, &[number.into()]).await?;
    }
    strip_events(connection, &doomed).await?;
    for person in cards {
        let args = [
            person.as_i64().into(),
            why.at.as_unix_millis().into(),
            (&why.act).into(),
            (&why.reason).into(),
        ];
        let sql = "INSERT INTO cards_destroyed (person, destroyed_at, act, reason)
            VALUES ($1, $2, $3, $4) ON CONFLICT (person) DO NOTHING";
        connection.run(sql, &args).await?;
    }
    connection.commit().await
}

/// The cards with all that were merged into them, and every number that any of their events ever had
/// and that is on no other card now.
async fn doomed(connection: &mut Connection, cards: &[EventId]) -> Result<Doomed, sqlx::Error> {
    let mut doomed = Doomed {
        cards: cards.iter().map(|person| person.as_i64()).collect(),
        numbers: BTreeSet::new(),
    };
    let merged: Vec<(i64, i64)> = connection
        .all(
            "SELECT person, merged_into FROM persons WHERE merged_into IS NOT NULL",
            &[],
        )
        .await?;
    loop {
        let size = doomed.cards.len();
        for (person, into) in &merged {
            if doomed.cards.contains(into) {
                doomed.cards.insert(*person);
            }
        }
        if doomed.cards.len() == size {
            break;
        }
    }
    for (_, person, event) in events(connection).await? {
        if doomed.cards.contains(&person) {
            doomed.numbers.extend(numbers(&event));
        }
    }
    let taken: Vec<(String, i64)> = connection
        .all(
            "SELECT key, person FROM person_numbers WHERE person IS NOT NULL",
            &[],
        )
        .await?;
    for (key, person) in taken {
        if !doomed.cards.contains(&person) {
            doomed.numbers.remove(&key);
        }
    }
    Ok(doomed)
}

/// Every event of a card: its id, the card, its JSON. Cards are few beside calls.
async fn events(connection: &mut Connection) -> Result<Vec<(i64, i64, Json)>, sqlx::Error> {
    let rows: Vec<(i64, String)> = connection
        .all(
            "SELECT id, json FROM events WHERE kind = 'person_written' ORDER BY id",
            &[],
        )
        .await?;
    let mut events = Vec::with_capacity(rows.len());
    for (id, json) in rows {
        let event: Json =
            serde_json::from_str(&json).map_err(|error| sqlx::Error::Decode(error.into()))?;
        let named = event.pointer("/fact/person").and_then(Json::as_str);
        let named = named.and_then(|id| id.parse().ok());
        events.push((id, named.map_or(id, EventId::as_i64), event));
    }
    Ok(events)
}

/// Takes the doomed cards out of their events, and their numbers out of all.
async fn strip_events(connection: &mut Connection, doomed: &Doomed) -> Result<(), sqlx::Error> {
    for (id, person, mut event) in events(connection).await? {
        let before = event.clone();
        let gone = doomed.cards.contains(&person);
        let Some(card) = event.pointer_mut("/fact/card") else {
            continue;
        };
        if gone {
            *card = json!({ "name": "", "notes": "", "numbers": [] });
        } else if let Some(numbers) = card.get_mut("numbers").and_then(Json::as_array_mut) {
            numbers.retain(|number| {
                let key = number.as_str().map(number_key).unwrap_or_default();
                !doomed.numbers.contains(&key)
            });
        }
        if event == before {
            continue;
        }
        let text = event.to_string();
        if apply::read(&text).is_none() {
            let what = format!("event {id} cannot be read without the card in it");
            return Err(sqlx::Error::Decode(what.into()));
        }
        let sql = "UPDATE events SET json = $1 WHERE id = $2";
        connection.run(sql, &[text.into(), id.into()]).await?;
    }
    Ok(())
}

fn numbers(event: &Json) -> Vec<String> {
    let numbers = event.pointer("/fact/card/numbers").and_then(Json::as_array);
    let numbers = numbers.into_iter().flatten().filter_map(Json::as_str);
    numbers.map(number_key).collect()
}

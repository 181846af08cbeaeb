//! Owns the cards of persons: the fold of what people wrote into the tables `persons` and
//! `person_numbers`, and the reading of them.
//!
//! A number is of one card: a card that is written with it takes it from any other. So merging is
//! writing one card with the numbers of both, and splitting is writing a new one with some of them.

use vocab::{Event, EventId, Fact, PersonCard, number_key};

use crate::apply;
use crate::db::{Connection, Value};
use crate::error::DatabaseError;
use crate::query::Journal;

/// Events that a rebuild takes at a time, and most cards of a page.
const PAGE: u32 = 500;

/// Words of a search that count.
const WORDS_MAX: usize = 10;

/// A card as it stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Person {
    /// The id of the card.
    pub person: EventId,
    /// What stands in it.
    #[serde(flatten)]
    pub card: PersonCard,
    /// When it was last written, ms since 1970-01-01T00:00:00Z.
    pub written_at: i64,
    /// By whom.
    pub written_by: String,
    /// The card that it became a part of.
    pub merged_into: Option<EventId>,
    /// The last event about it.
    pub version: EventId,
}

/// Brings the tables up to a batch of events.
pub(crate) async fn write(connection: &mut Connection, batch: &[Event]) -> Result<(), sqlx::Error> {
    for event in batch {
        if let Fact::PersonWritten {
            person,
            by,
            card,
            merged,
            ..
        } = &event.fact
        {
            // What was destroyed left an empty card in its events; no one that is written is empty.
            if card.name.is_empty() && card.numbers.is_empty() {
                continue;
            }
            let person = person.unwrap_or(event.id);
            write_card(connection, event, person, (by, card)).await?;
            write_numbers(connection, event.id, person, card).await?;
            for other in merged {
                write_merged(connection, event.id, (*other, person)).await?;
            }
        }
    }
    Ok(())
}

async fn write_card(
    connection: &mut Connection,
    event: &Event,
    person: EventId,
    (by, card): (&str, &PersonCard),
) -> Result<(), sqlx::Error> {
    let args: [Value; 7] = [
        person.as_i64().into(),
        (&card.name).into(),
        (&card.notes).into(),
        format!("{}\n{}", card.name, card.notes)
            .to_lowercase()
            .into(),
        event.at.as_unix_millis().into(),
        by.into(),
        event.id.as_i64().into(),
    ];
    connection
        .run(
            "INSERT INTO persons (person, name, notes, words, written_at, written_by, version)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (person) DO UPDATE
             SET name = excluded.name, notes = excluded.notes, words = excluded.words,
                 written_at = excluded.written_at, written_by = excluded.written_by,
                 merged_into = NULL, version = excluded.version
             WHERE persons.version < excluded.version",
            &args,
        )
        .await
        .map(drop)
}

async fn write_numbers(
    connection: &mut Connection,
    event: EventId,
    person: EventId,
    card: &PersonCard,
) -> Result<(), sqlx::Error> {
    for number in &card.numbers {
        let args: [Value; 4] = [
            number_key(number).into(),
            number.into(),
            person.as_i64().into(),
            event.as_i64().into(),
        ];
        connection
            .run(
                "INSERT INTO person_numbers (key, number, person, version) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (key) DO UPDATE SET number = excluded.number,
                     person = excluded.person, version = excluded.version
                 WHERE person_numbers.version < excluded.version",
                &args,
            )
            .await?;
    }
    // Those that the card has no more.
    let args = [person.as_i64().into(), event.as_i64().into()];
    connection
        .run(
            "UPDATE person_numbers SET person = NULL, version = $2
             WHERE person = $1 AND version < $2",
            &args,
        )
        .await
        .map(drop)
}

async fn write_merged(
    connection: &mut Connection,
    event: EventId,
    (person, into): (EventId, EventId),
) -> Result<(), sqlx::Error> {
    let args = [
        person.as_i64().into(),
        into.as_i64().into(),
        event.as_i64().into(),
    ];
    connection
        .run(
            "UPDATE persons SET merged_into = $2, version = $3 WHERE person = $1 AND version < $3",
            &args,
        )
        .await?;
    let args = [person.as_i64().into(), event.as_i64().into()];
    let freed = "UPDATE person_numbers SET person = NULL, version = $2
                 WHERE person = $1 AND version < $2";
    connection.run(freed, &args).await.map(drop)
}

/// Computes the tables anew from the stored events.
pub(crate) async fn rebuild(connection: &mut Connection) -> Result<(), sqlx::Error> {
    connection.begin().await?;
    connection.run("DELETE FROM person_numbers", &[]).await?;
    connection.run("DELETE FROM persons", &[]).await?;
    let mut after = -1;
    loop {
        let page: Vec<(i64, String)> = connection
            .all(
                "SELECT id, json FROM events WHERE id > $1 AND kind = 'person_written'
                 ORDER BY id LIMIT $2",
                &[Value::Integer(after), PAGE.into()],
            )
            .await?;
        let Some((last, _)) = page.last() else {
            return connection.commit().await;
        };
        after = *last;
        let events: Vec<Event> = page
            .iter()
            .filter_map(|(_, json)| apply::read(json))
            .collect();
        write(connection, &events).await?;
    }
}

/// Who has each number that is on a card, by the number's key.
pub(crate) async fn by_number(
    connection: &mut Connection,
) -> Result<std::collections::BTreeMap<String, i64>, sqlx::Error> {
    let rows: Vec<(String, i64)> = connection
        .all(
            "SELECT key, person FROM person_numbers WHERE person IS NOT NULL",
            &[],
        )
        .await?;
    Ok(rows.into_iter().collect())
}

type Found = (i64, String, String, i64, String, Option<i64>, i64);

const COLUMNS: &str = "person, name, notes, written_at, written_by, merged_into, version";

impl Journal {
    /// A card, also one that was merged into another.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn person(&mut self, person: EventId) -> Result<Option<Person>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM persons WHERE person = $1");
        let args = [person.as_i64().into()];
        let found: Result<Option<Found>, _> = self.connection.first(&sql, &args).await;
        let found = found.map_err(|error| self.failed(error))?;
        match found {
            Some(found) => self.whole(found).await.map(Some),
            None => Ok(None),
        }
    }

    /// The card that has a number, however it is spelt.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn person_with(&mut self, number: &str) -> Result<Option<Person>, DatabaseError> {
        let sql = "SELECT person FROM person_numbers WHERE key = $1 AND person IS NOT NULL";
        let args = [number_key(number).into()];
        let found: Result<Option<(i64,)>, _> = self.connection.first(sql, &args).await;
        match found.map_err(|error| self.failed(error))? {
            Some((person,)) => self.person(EventId::from_i64(person)).await,
            None => Ok(None),
        }
    }

    /// What people wrote about a card, oldest first: its own writing, what became a part of it, what was
    /// split off.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn person_events(&mut self, person: EventId) -> Result<Vec<Event>, DatabaseError> {
        let sql = "SELECT json FROM events WHERE kind = 'person_written'
            AND (id = $1 OR json LIKE $2) ORDER BY id";
        let args: [Value; 2] = [person.as_i64().into(), format!("%\"{person}\"%").into()];
        let found: Result<Vec<(String,)>, _> = self.connection.all(sql, &args).await;
        let found = found.map_err(|error| self.failed(error))?;
        let events = found.iter().filter_map(|(json,)| apply::read(json));
        Ok(events.filter(|event| is_about(event, person)).collect())
    }

    /// Cards in which all words of a text stand, in names, notes or numbers; by their ids, after one,
    /// at most 500.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn persons(
        &mut self,
        text: &str,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<Person>, DatabaseError> {
        let mut sql =
            format!("SELECT {COLUMNS} FROM persons WHERE merged_into IS NULL AND person > $1");
        let after = after.map_or(-1, EventId::as_i64);
        let mut args: Vec<Value> = vec![after.into(), limit.clamp(1, PAGE).into()];
        for word in text.split_whitespace().take(WORDS_MAX) {
            args.push(pattern(word).into());
            let like = format!("LIKE ${} ESCAPE '!'", args.len());
            sql.push_str(&format!(
                " AND (words {like} OR EXISTS (
                   SELECT 1 FROM person_numbers n WHERE n.person = persons.person AND n.key {like}
                 ))"
            ));
        }
        sql.push_str(" ORDER BY person LIMIT $2");
        let found: Result<Vec<Found>, _> = self.connection.all(&sql, &args).await;
        let mut persons = Vec::new();
        for found in found.map_err(|error| self.failed(error))? {
            persons.push(self.whole(found).await?);
        }
        Ok(persons)
    }

    /// The keys of all numbers of whoever has this one; the number's own where it is on no card.
    pub(crate) async fn keys_of(&mut self, number: &str) -> Result<Vec<String>, DatabaseError> {
        let card = self.person_with(number).await?;
        let numbers = card.map_or_else(|| vec![number.to_owned()], |person| person.card.numbers);
        Ok(numbers.iter().map(|number| number_key(number)).collect())
    }

    async fn whole(&mut self, found: Found) -> Result<Person, DatabaseError> {
        let (person, name, notes, written_at, written_by, merged_into, version) = found;
        let sql = "SELECT number FROM person_numbers WHERE person = $1 ORDER BY key";
        let numbers: Result<Vec<(String,)>, _> = self.connection.all(sql, &[person.into()]).await;
        let numbers = numbers.map_err(|error| self.failed(error))?;
        Ok(Person {
            person: EventId::from_i64(person),
            card: PersonCard {
                name,
                notes,
                numbers: numbers.into_iter().map(|(number,)| number).collect(),
            },
            written_at,
            written_by,
            merged_into: merged_into.map(EventId::from_i64),
            version: EventId::from_i64(version),
        })
    }
}

/// Text that people wrote may hold the id of any card.
fn is_about(event: &Event, card: EventId) -> bool {
    let Fact::PersonWritten {
        person,
        merged,
        split_from,
        ..
    } = &event.fact
    else {
        return false;
    };
    person.unwrap_or(event.id) == card || merged.contains(&card) || *split_from == Some(card)
}

/// A pattern of LIKE for a word anywhere; of a number for its digits that count.
fn pattern(word: &str) -> String {
    let number = word
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '(' | ')'));
    let word = if number {
        number_key(word)
    } else {
        word.to_lowercase()
    };
    let mut pattern = "%".to_owned();
    for c in word.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

//! Owns what people do to cards of persons: write, merge, split. Judges each wish against the cards as
//! they are.

use vocab::{EventId, Fact, PersonCard, number_key};

use super::{CardChange, Desk, Done, Refusal, check};
use crate::persons::Person;
use crate::query;

/// Longest name and notes, in characters, and most numbers of a card.
const NAME_MAX: usize = 200;
const NOTES_MAX: usize = 4_000;
const NUMBERS_MAX: usize = 20;
const NUMBER_MAX: usize = 64;

impl Desk {
    /// Writes a card over an old one, or a new one.
    pub(super) async fn write_person(
        &self,
        person: Option<EventId>,
        by: String,
        change: CardChange,
        seen: Option<EventId>,
    ) -> Result<Done, Refusal> {
        let by = check::by(by)?;
        let old = match person {
            Some(person) => Some(self.live(person).await?),
            None => None,
        };
        let version = old.as_ref().map(|old| old.version);
        if seen.is_some() && seen != version {
            return Err(Refusal::Changed { version });
        }
        let old = old.map(|old| old.card).unwrap_or_default();
        let card = normal(change.over(old))?;
        for number in &card.numbers {
            let other = self.with(number).await?.map(|other| other.person);
            if let Some(other) = other.filter(|other| Some(*other) != person) {
                return Err(unfit(format!(
                    "the number {number} is on the card {other}; merge the two, or split it off there"
                )));
            }
        }
        let fact = Fact::PersonWritten {
            person,
            by,
            card: Box::new(card),
            merged: Vec::new(),
            split_from: None,
        };
        self.state_person(fact, person).await
    }

    /// Makes one card of two: the first stays, with the notes and numbers of both.
    pub(super) async fn merge_persons(
        &self,
        person: EventId,
        from: EventId,
        by: String,
    ) -> Result<Done, Refusal> {
        let by = check::by(by)?;
        if person == from {
            return Err(unfit("expected two cards, found one".to_owned()));
        }
        let (kept, gone) = (self.live(person).await?.card, self.live(from).await?.card);
        let either = |one: String, other: String| if one.is_empty() { other } else { one };
        let notes = [kept.notes, gone.notes];
        let notes: Vec<String> = notes
            .into_iter()
            .filter(|notes| !notes.is_empty())
            .collect();
        let card = normal(PersonCard {
            name: either(kept.name, gone.name),
            notes: notes.join("\n"),
            numbers: [kept.numbers, gone.numbers].concat(),
        })?;
        let fact = Fact::PersonWritten {
            person: Some(person),
            by,
            card: Box::new(card),
            merged: vec![from],
            split_from: None,
        };
        self.state_person(fact, Some(person)).await
    }

    /// Gives some numbers of a card to a new one.
    pub(super) async fn split_person(
        &self,
        person: EventId,
        by: String,
        card: PersonCard,
    ) -> Result<Done, Refusal> {
        let by = check::by(by)?;
        let old = self.live(person).await?.card;
        let card = normal(card)?;
        let keys = |card: &PersonCard| -> Vec<String> {
            card.numbers
                .iter()
                .map(|number| number_key(number))
                .collect()
        };
        let (had, taken) = (keys(&old), keys(&card));
        let theirs = taken.iter().all(|key| had.contains(key));
        if taken.is_empty() || !theirs || taken.len() == had.len() {
            return Err(unfit(format!(
                "expected some numbers of the card {person}, but not all of them: {}",
                old.numbers.join(", ")
            )));
        }
        let fact = Fact::PersonWritten {
            person: None,
            by,
            card: Box::new(card),
            merged: Vec::new(),
            split_from: Some(person),
        };
        self.state_person(fact, None).await
    }

    async fn state_person(&self, fact: Fact, person: Option<EventId>) -> Result<Done, Refusal> {
        let done = self.state(fact).await?;
        let person = person.or(done.event);
        Ok(Done { person, ..done })
    }

    async fn live(&self, person: EventId) -> Result<Person, Refusal> {
        let mut journal = query::open(&self.database).await.map_err(unavailable)?;
        let found = journal.person(person).await.map_err(unavailable)?;
        let found = found.ok_or(Refusal::NoPerson { person })?;
        match found.merged_into {
            Some(into) => Err(unfit(format!("the card {person} is a part of {into} now"))),
            None => Ok(found),
        }
    }

    async fn with(&self, number: &str) -> Result<Option<Person>, Refusal> {
        let mut journal = query::open(&self.database).await.map_err(unavailable)?;
        journal.person_with(number).await.map_err(unavailable)
    }
}

fn unavailable(error: crate::DatabaseError) -> Refusal {
    Refusal::Unavailable {
        cause: error.to_string(),
    }
}

fn unfit(message: String) -> Refusal {
    Refusal::Unfit { message }
}

/// A card in its normal form: trimmed, each number once.
fn normal(card: PersonCard) -> Result<PersonCard, Refusal> {
    let (name, notes) = (card.name.trim(), card.notes.trim());
    if name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(unfit(format!(
            "name: expected at most {NAME_MAX} characters, none of them control characters"
        )));
    }
    let unprintable = |c: char| c.is_control() && c != '\n' && c != '\t';
    if notes.chars().count() > NOTES_MAX || notes.chars().any(unprintable) {
        return Err(unfit(format!(
            "notes: expected at most {NOTES_MAX} characters, no control characters"
        )));
    }
    let mut numbers: Vec<String> = Vec::new();
    for number in card.numbers {
        let number = number.trim().to_owned();
        let key = number_key(&number);
        let plain = !number.chars().any(char::is_control) && number.chars().count() <= NUMBER_MAX;
        if key.is_empty() || !plain {
            return Err(unfit(format!(
                "numbers: expected a number, found {number:?}"
            )));
        }
        if !numbers.iter().any(|other| number_key(other) == key) {
            numbers.push(number);
        }
    }
    if numbers.len() > NUMBERS_MAX {
        return Err(unfit(format!("numbers: expected at most {NUMBERS_MAX}")));
    }
    if name.is_empty() && numbers.is_empty() {
        return Err(unfit("expected a name or a number".to_owned()));
    }
    Ok(PersonCard {
        name: name.to_owned(),
        notes: notes.to_owned(),
        numbers,
    })
}

//! Owns `hotline person`: the cards of persons.

use std::process::ExitCode;

use anyhow::Context;
use journal::desk::{CardChange, Wish};
use journal::persons::Person;
use journal::{export, query};
use vocab::{Event, EventId, Fact, PersonCard};

use super::entry::{carry_out, printable, who};
use super::journal::block_on;
use crate::cli::{CardFields, PersonCommand, PersonEdit, PersonHistory};
use crate::settings::Settings;

/// Cards shown at once.
const SHOWN: u32 = 50;

pub(super) fn run(command: PersonCommand) -> anyhow::Result<ExitCode> {
    let text = match command {
        PersonCommand::Find(what) => {
            let settings = super::load(&what.config.config)?;
            let text = what.text.join(" ");
            let found = block_on(async {
                let mut journal = query::open(&settings.journal.database).await?;
                journal.persons(&text, None, SHOWN).await
            })??;
            found.iter().map(line).collect()
        }
        PersonCommand::Add(new) => {
            let settings = super::load(&new.config.config)?;
            written(
                &settings,
                Wish::WritePerson {
                    person: None,
                    by: who(new.by),
                    change: new.card.into(),
                    seen: None,
                },
            )?
        }
        PersonCommand::Edit(PersonEdit {
            id,
            card,
            by,
            config,
        }) => {
            let settings = super::load(&config.config)?;
            written(
                &settings,
                Wish::WritePerson {
                    person: Some(id),
                    by: who(by),
                    change: card.into(),
                    seen: None,
                },
            )?
        }
        PersonCommand::History(PersonHistory { id, config }) => {
            let settings = super::load(&config.config)?;
            let events = block_on(async {
                let mut journal = query::open(&settings.journal.database).await?;
                journal.person_events(id).await
            })??;
            if events.is_empty() {
                anyhow::bail!("there is no card of a person {id}");
            }
            events.iter().map(writing).collect()
        }
        PersonCommand::Merge(which) => {
            let settings = super::load(&which.config.config)?;
            let (person, from, by) = (which.id, which.other, who(which.by));
            written(&settings, Wish::MergePersons { person, from, by })?
        }
        PersonCommand::Split(PersonEdit {
            id: person,
            card,
            by,
            config,
        }) => {
            let settings = super::load(&config.config)?;
            let (by, card) = (who(by), CardChange::from(card).over(PersonCard::default()));
            written(&settings, Wish::SplitPerson { person, by, card })?
        }
    };
    super::print_out(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn written(settings: &Settings, wish: Wish) -> anyhow::Result<String> {
    let done = carry_out(settings, wish)?;
    let person: EventId = done.person.context("nothing was written")?;
    Ok(format!("{person}\n"))
}

impl From<CardFields> for CardChange {
    fn from(given: CardFields) -> Self {
        Self {
            name: given.name,
            notes: given.notes,
            numbers: Some(given.number).filter(|numbers| !numbers.is_empty()),
        }
    }
}

/// One writing about a card: when, who, what stands in it since, and what it did to others.
fn writing(event: &Event) -> String {
    let Fact::PersonWritten {
        by,
        card,
        merged,
        split_from,
        ..
    } = &event.fact
    else {
        return String::new();
    };
    let parts = merged.iter().map(|other| format!("with {other}"));
    let parts = parts.chain(split_from.map(|whole| format!("split from {whole}")));
    let how: Vec<String> = parts.collect();
    let who = format!("{}\t{by}\t{}", export::utc(event.at), how.join(", "));
    row(&format!("{who}\t{}", text(card)))
}

fn text(card: &PersonCard) -> String {
    let PersonCard {
        name,
        notes,
        numbers,
    } = card;
    format!("{name}\t{}\t{notes}", numbers.join(", "))
}

fn line(person: &Person) -> String {
    row(&format!("{}\t{}", person.person, text(&person.card)))
}

fn row(text: &str) -> String {
    // Tabs are ours; what people wrote has none that steers a terminal.
    let shown: Vec<String> = text.split('\t').map(printable).collect();
    format!("{}\n", shown.join("\t"))
}

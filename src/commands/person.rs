//! Owns `hotline person`: the cards of persons.

use std::process::ExitCode;

use anyhow::Context;
use journal::desk::Wish;
use journal::persons::Person;
use journal::query;
use vocab::{EventId, PersonCard};

use super::entry::{carry_out, printable, who};
use super::journal::block_on;
use crate::cli::{CardFields, PersonCommand, PersonEdit};
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
            let card = over(PersonCard::default(), new.card);
            let (person, by) = (None, who(new.by));
            written(&settings, Wish::WritePerson { person, by, card })?
        }
        PersonCommand::Edit(PersonEdit {
            id,
            card,
            by,
            config,
        }) => {
            let settings = super::load(&config.config)?;
            let found = block_on(async {
                let mut journal = query::open(&settings.journal.database).await?;
                journal.person(id).await
            })??;
            let old = found.with_context(|| format!("there is no card of a person {id}"))?;
            let (person, by) = (Some(id), who(by));
            let card = over(old.card, card);
            written(&settings, Wish::WritePerson { person, by, card })?
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
            let (by, card) = (who(by), over(PersonCard::default(), card));
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

/// A card with what was given in place of what it had.
fn over(old: PersonCard, given: CardFields) -> PersonCard {
    PersonCard {
        name: given.name.unwrap_or(old.name),
        notes: given.notes.unwrap_or(old.notes),
        numbers: if given.number.is_empty() {
            old.numbers
        } else {
            given.number
        },
    }
}

fn line(person: &Person) -> String {
    let PersonCard {
        name,
        notes,
        numbers,
    } = &person.card;
    let text = format!("{}\t{name}\t{}\t{notes}", person.person, numbers.join(", "));
    // Tabs are ours; what people wrote has none that steers a terminal.
    let shown: Vec<String> = text.split('\t').map(printable).collect();
    format!("{}\n", shown.join("\t"))
}

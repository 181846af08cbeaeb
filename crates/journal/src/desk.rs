//! Owns what people do to entries: write fields, complete, open again, write down contacts that were
//! no call. Judges each wish against the entry as it is and against the form of its queue, and then
//! states facts; the database follows from those, as it does from the engine's own.
//!
//! One face for the command line, the HTTP API and the engine. Where facts go is a [`Ledger`]: that of
//! the running engine, or [`Offline`] where none runs.

mod check;
mod offline;
mod persons;
mod turns;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vocab::{CallId, Contact, EntryField, EventId, Fact, FieldChange, PersonCard, SessionChange};

use crate::db::Location;
use crate::entry::Entry;
use crate::forms::Forms;
use crate::query;

pub use offline::Offline;

use turns::{Subject, Turn, Turns};

/// How long a wish waits for the database to have what was written: after that the answer goes out
/// all the same, for the fact is on the disk.
const SQL_WAIT: Duration = Duration::from_secs(2);

/// What somebody wants of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Wish {
    /// Write fields of an entry.
    Edit {
        /// Which entry.
        call: CallId,
        /// Who: a login, or the user of a command line.
        by: String,
        /// The new values.
        changes: Vec<FieldChange>,
        /// What the writer saw: [`crate::written::Written::version`]. With another one nothing is
        /// written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Seen>,
    },
    /// Write fields and mark the entry as completed.
    Complete {
        /// Which entry.
        call: CallId,
        /// Who.
        by: String,
        /// New values.
        changes: Vec<FieldChange>,
        /// What the writer saw.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Seen>,
    },
    /// Take the mark of completion back.
    Reopen {
        /// Which entry.
        call: CallId,
        /// Who.
        by: String,
        /// Why, in words.
        reason: String,
    },
    /// Note that a message of a caller was heard.
    Heard {
        /// Which call.
        call: CallId,
        /// Which message of it; none: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        segment: Option<u16>,
        /// Who: a login, or the user of a command line.
        by: String,
    },
    /// Set the emergency switch of a plan.
    Emergency {
        /// Which plan, by name.
        plan: String,
        /// On or off; none: as the plan's file says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<bool>,
        /// Who: a login, or the user of a command line.
        by: String,
    },
    /// Write down that somebody signed in to the API, tried to in vain, or signed out.
    Session {
        /// The login, as it was given.
        login: String,
        /// What happened.
        change: SessionChange,
        /// From which address; empty if that is not known.
        from: String,
    },
    /// Write down a contact that was no call.
    Add {
        /// What is known of it.
        contact: Box<Contact>,
        /// Whether its entry is complete with that.
        complete: bool,
    },
    /// Write the card of a person.
    WritePerson {
        /// Which; none makes a new one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<EventId>,
        /// Who writes.
        by: String,
        /// What is to stand in it.
        change: CardChange,
        /// What the writer saw: [`crate::persons::Person::version`]. With another one nothing is
        /// written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<EventId>,
    },
    /// Make one card of two.
    MergePersons {
        /// The one that stays.
        person: EventId,
        /// The one that becomes a part of it.
        from: EventId,
        /// Who.
        by: String,
    },
    /// Give some numbers of a card to a new one.
    SplitPerson {
        /// The one that has them.
        person: EventId,
        /// Who.
        by: String,
        /// The new one.
        card: PersonCard,
    },
    /// Write down that somebody is given a recording to hear.
    Hear {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
        /// Who.
        by: String,
    },
}

/// What is to stand in a card; what is not given stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardChange {
    /// Full name.
    pub name: Option<String>,
    /// What whoever answers should know.
    pub notes: Option<String>,
    /// All numbers.
    pub numbers: Option<Vec<String>>,
}

impl CardChange {
    /// A card with what was given in place of what it had.
    #[must_use]
    pub fn over(self, old: PersonCard) -> PersonCard {
        PersonCard {
            name: self.name.unwrap_or(old.name),
            notes: self.notes.unwrap_or(old.notes),
            numbers: self.numbers.unwrap_or(old.numbers),
        }
    }
}

/// The version of what people wrote in an entry: none if nobody wrote anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seen(pub Option<EventId>);

/// What came of a wish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The entry.
    pub call: CallId,
    /// The last event of what people wrote in it; none if all was as wished already.
    pub event: Option<EventId>,
    /// The card, where the wish was about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<EventId>,
    /// Whether the database has it. If not it will, and the fact is on the disk.
    pub in_sql: bool,
}

/// Why a wish was not carried out. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refused", rename_all = "snake_case")]
pub enum Refusal {
    /// There is no such entry.
    #[error("there is no entry {call}")]
    Unknown {
        /// Which.
        call: CallId,
    },
    /// There is no such card.
    #[error("there is no card of a person {person}")]
    NoPerson {
        /// Which.
        person: EventId,
    },
    /// A value that the field cannot have.
    #[error("{}: {message}", .field.name())]
    Value {
        /// Which field.
        field: EntryField,
        /// What was expected and what came.
        message: String,
    },
    /// Something else in the wish cannot be.
    #[error("{message}")]
    Unfit {
        /// What was expected and what came.
        message: String,
    },
    /// Fields are missing without which the entry cannot be completed.
    #[error("the entry cannot be completed without {}", names(.fields))]
    Missing {
        /// Which.
        fields: Vec<EntryField>,
    },
    /// Somebody else wrote in it meanwhile.
    #[error("somebody else wrote in it meanwhile: look at it again")]
    Changed {
        /// The version of what stands there now.
        version: Option<EventId>,
    },
    /// The entry is completed: for all but what goes on after that ([`EntryField::goes_on`]) it is
    /// opened again first.
    #[error("the entry is completed; open it again to change its fields (journal reopen)")]
    Completed,
    /// It is not completed, so it cannot be opened again.
    #[error("the entry is not completed")]
    NotCompleted,
    /// The journal does not take it now.
    #[error("{cause}")]
    Unavailable {
        /// Why.
        cause: String,
    },
}

fn names(fields: &[EntryField]) -> String {
    let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
    names.join(", ")
}

/// What a wish is judged against; none: it is not.
const fn subject(wish: &Wish) -> Option<Subject> {
    match wish {
        Wish::Edit { call, .. }
        | Wish::Complete { call, .. }
        | Wish::Reopen { call, .. }
        | Wish::Heard { call, .. } => Some(Subject::Entry(*call)),
        Wish::WritePerson { .. } | Wish::MergePersons { .. } | Wish::SplitPerson { .. } => {
            Some(Subject::Cards)
        }
        Wish::Emergency { .. } | Wish::Session { .. } | Wish::Add { .. } | Wish::Hear { .. } => {
            None
        }
    }
}

/// What a ledger is given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one is made for each thing that a person writes, and lives for a moment"
)]
pub enum Statement {
    /// A fact about an entry that exists.
    Fact(Fact),
    /// A contact; the ledger gives it its id.
    Contact(Box<Contact>),
}

/// What a ledger gives back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    /// The event.
    pub event: EventId,
    /// The entry it is about.
    pub call: CallId,
}

/// A future of a ledger.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where facts of people go.
pub trait Ledger: Send + Sync {
    /// Writes it, and answers when it is on its way to the disk.
    fn state(&self, statement: Statement) -> Answer<'_, Result<Stated, String>>;
    /// Waits until the database has the event.
    fn in_sql(&self, event: EventId) -> Answer<'_, ()>;
}

/// Where wishes are judged and carried out.
#[derive(Clone)]
pub struct Desk {
    database: Location,
    forms: Arc<Forms>,
    ledger: Arc<dyn Ledger>,
    turns: Arc<Turns>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// A desk over a journal.
    pub fn new(database: impl Into<Location>, forms: Arc<Forms>, ledger: Arc<dyn Ledger>) -> Self {
        Self {
            database: database.into(),
            forms,
            ledger,
            turns: Arc::default(),
        }
    }

    /// What entries must have.
    #[must_use]
    pub fn forms(&self) -> &Forms {
        &self.forms
    }

    /// Carries out a wish.
    ///
    /// # Errors
    /// Why not; then nothing was written.
    pub async fn carry_out(&self, wish: Wish) -> Result<Done, Refusal> {
        let Some(subject) = subject(&wish) else {
            return self.judge_and_state(wish).await;
        };
        let mut turn = self.turns.take(subject).await;
        self.catch_up(&mut turn).await?;
        let done = self.judge_and_state(wish).await?;
        if !done.in_sql {
            *turn = done.event;
        }
        Ok(done)
    }

    /// Waits until the database has what was written before about the same.
    async fn catch_up(&self, turn: &mut Turn) -> Result<(), Refusal> {
        let Some(event) = **turn else { return Ok(()) };
        let in_sql = tokio::time::timeout(SQL_WAIT, self.ledger.in_sql(event)).await;
        in_sql.map_err(|_| Refusal::Unavailable {
            cause: "the database does not have yet what was written before; try again".to_owned(),
        })?;
        **turn = None;
        Ok(())
    }

    async fn judge_and_state(&self, wish: Wish) -> Result<Done, Refusal> {
        match wish {
            Wish::Edit {
                call,
                by,
                changes,
                seen,
            } => {
                let entry = self.entry(call).await?;
                let changes = self.judge(&entry, &by, changes, seen)?;
                self.edit(call, by, changes).await
            }
            Wish::Complete {
                call,
                by,
                changes,
                seen,
            } => {
                let entry = self.entry(call).await?;
                let changes = self.judge(&entry, &by, changes, seen)?;
                if entry.written.completed.is_some() {
                    return Err(Refusal::Completed);
                }
                let form = self.forms.of(check::queue(&entry));
                check::complete(form, &changes, |field| entry.field(field))?;
                self.edit(call, by.clone(), changes).await?;
                self.state(Fact::EntryCompleted { call, by }).await
            }
            Wish::Reopen { call, by, reason } => {
                let by = check::by(by)?;
                let entry = self.entry(call).await?;
                if entry.written.completed.is_none() {
                    return Err(Refusal::NotCompleted);
                }
                let reason = check::reason(&reason)?;
                self.state(Fact::EntryReopened { call, by, reason }).await
            }
            Wish::Emergency { plan, on, by } => {
                let by = check::by(by)?;
                self.state(Fact::EmergencySwitched { plan, on, by }).await
            }
            Wish::Session {
                login,
                change,
                from,
            } => {
                let login = check::by(login)?;
                self.state(Fact::SessionChanged {
                    login,
                    change,
                    from,
                })
                .await
            }
            Wish::Heard { call, segment, by } => self.heard(call, segment, by).await,
            Wish::Add { contact, complete } => self.add(*contact, complete).await,
            Wish::WritePerson {
                person,
                by,
                change,
                seen,
            } => self.write_person(person, by, change, seen).await,
            Wish::MergePersons { person, from, by } => self.merge_persons(person, from, by).await,
            Wish::SplitPerson { person, by, card } => self.split_person(person, by, card).await,
            Wish::Hear { call, segment, by } => {
                let by = check::by(by)?;
                self.state(Fact::RecordingHeard { call, segment, by }).await
            }
        }
    }

    /// Messages that were heard already stay as they are.
    async fn heard(&self, call: CallId, segment: Option<u16>, by: String) -> Result<Done, Refusal> {
        let by = check::by(by)?;
        let entry = self.entry(call).await?;
        let kept = entry.messages.iter().filter(|message| {
            message.is_kept() && segment.is_none_or(|wanted| wanted == message.segment)
        });
        let kept: Vec<_> = kept.collect();
        if kept.is_empty() {
            return Err(Refusal::Unfit {
                message: format!("the call {call} left no such message"),
            });
        }
        let mut done = Done {
            call,
            event: None,
            person: None,
            in_sql: true,
        };
        for message in kept.into_iter().filter(|message| message.heard.is_none()) {
            let (segment, by) = (message.segment, by.clone());
            let fact = Fact::MessageHeard { call, segment, by };
            done = self.state(fact).await?;
        }
        Ok(done)
    }

    async fn add(&self, contact: Contact, complete: bool) -> Result<Done, Refusal> {
        let contact = check::contact(contact, &self.forms)?;
        let by = contact.by.clone();
        if complete {
            let form = self.forms.of(Some(&contact.queue));
            check::complete(form, &contact.fields, |_| None)?;
        }
        let added = self.write(Statement::Contact(Box::new(contact))).await?;
        if complete {
            let call = added.call;
            return self.state(Fact::EntryCompleted { call, by }).await;
        }
        Ok(self.done(added).await)
    }

    /// The changes that are any, if the entry may be changed.
    fn judge(
        &self,
        entry: &Entry,
        by: &str,
        changes: Vec<FieldChange>,
        seen: Option<Seen>,
    ) -> Result<Vec<FieldChange>, Refusal> {
        check::by(by.to_owned())?;
        let version = entry.written.version;
        if seen.is_some_and(|seen| seen.0 != version) {
            return Err(Refusal::Changed { version });
        }
        let completed = entry.written.completed.is_some();
        if completed && !changes.iter().all(|change| change.field.goes_on()) {
            return Err(Refusal::Completed);
        }
        let form = self.forms.of(check::queue(entry));
        let mut changes = check::changes(form, changes)?;
        changes.retain(|change| entry.field(change.field) != change.value);
        if completed {
            // It stays complete.
            check::complete(form, &changes, |field| entry.field(field))?;
        }
        Ok(changes)
    }

    async fn edit(
        &self,
        call: CallId,
        by: String,
        changes: Vec<FieldChange>,
    ) -> Result<Done, Refusal> {
        if changes.is_empty() {
            return Ok(Done {
                call,
                event: None,
                person: None,
                in_sql: true,
            });
        }
        self.state(Fact::EntryEdited { call, by, changes }).await
    }

    async fn state(&self, fact: Fact) -> Result<Done, Refusal> {
        let stated = self.write(Statement::Fact(fact)).await?;
        Ok(self.done(stated).await)
    }

    async fn write(&self, statement: Statement) -> Result<Stated, Refusal> {
        let stated = self.ledger.state(statement).await;
        stated.map_err(|cause| Refusal::Unavailable { cause })
    }

    async fn done(&self, stated: Stated) -> Done {
        let in_sql = tokio::time::timeout(SQL_WAIT, self.ledger.in_sql(stated.event)).await;
        Done {
            call: stated.call,
            event: Some(stated.event),
            person: None,
            in_sql: in_sql.is_ok(),
        }
    }

    async fn entry(&self, call: CallId) -> Result<Entry, Refusal> {
        let unavailable = |error: crate::DatabaseError| Refusal::Unavailable {
            cause: error.to_string(),
        };
        let mut journal = query::open(&self.database).await.map_err(unavailable)?;
        let entry = journal.entry(call).await.map_err(unavailable)?;
        entry.ok_or(Refusal::Unknown { call })
    }
}

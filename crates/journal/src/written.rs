//! Owns what people wrote into an entry: its fields, the mark of completion, and every value that
//! was written over another one. Pure, like the fold it is a part of.

use std::collections::BTreeMap;

use vocab::{Contact, EntryField, Event, EventId, Fact, WallTime};

use crate::entry::Moment;

/// A value that was written over another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The event that wrote the new one.
    pub event: EventId,
    /// Which field: a column of `entries`, or `completed`.
    pub field: &'static str,
    /// What stood there.
    pub old: Option<String>,
    /// What stands there since.
    pub new: Option<String>,
    /// Who wrote it.
    pub by: String,
    /// When.
    pub at: WallTime,
    /// Why, where it was said.
    pub reason: Option<String>,
}

/// What people wrote into one entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// The contact, if the entry is of one that was no call, and when it was written down.
    pub contact: Option<(Contact, Moment)>,
    /// When it was completed, and by whom.
    pub completed: Option<(Moment, String)>,
    /// When the execution became what it is.
    pub execution_since: Option<Moment>,
    /// When the kind of emergency became what it is.
    pub emergency_since: Option<Moment>,
    /// The last event by which people wrote something; none if nobody did.
    pub version: Option<EventId>,
    /// Old values, in the order in which they were written over.
    pub corrections: Vec<Correction>,
    fields: BTreeMap<EntryField, Option<String>>,
}

impl Written {
    /// The value of a field, if a person wrote it; `Some(None)` if a person took it away.
    #[must_use]
    pub fn field(&self, field: EntryField) -> Option<Option<&str>> {
        self.fields.get(&field).map(Option::as_deref)
    }

    /// Takes in an event of this entry. `planned` is what the plan of the call says of a field: the
    /// value that stands there while no person wrote one.
    pub(crate) fn apply(&mut self, event: &Event, planned: impl Fn(EntryField) -> Option<String>) {
        let moment = Moment::of(event);
        self.version = Some(event.id);
        match &event.fact {
            Fact::ContactAdded { contact, .. } if self.contact.is_none() => {
                for change in &contact.fields {
                    self.set(moment, change.field, change.value.clone());
                }
                self.contact = Some(((**contact).clone(), moment));
            }
            Fact::EntryEdited { by, changes, .. } => {
                for change in changes {
                    let old = match self.fields.get(&change.field) {
                        Some(old) => old.clone(),
                        None => planned(change.field),
                    };
                    // What was empty is filled in; what is as it was is no correction.
                    if old.is_some() && old != change.value {
                        self.correct(event, change.field.name(), (old, change.value.clone()), by);
                    }
                    self.set(moment, change.field, change.value.clone());
                }
            }
            Fact::EntryCompleted { by, .. } => {
                self.completed.get_or_insert((moment, by.clone()));
            }
            Fact::EntryReopened { by, reason, .. } => {
                if let Some((at, who)) = self.completed.take() {
                    let old = format!("{} {who}", crate::export::utc(at.at));
                    self.correct(event, "completed", (Some(old), None), by);
                    if let Some(last) = self.corrections.last_mut() {
                        last.reason = Some(reason.clone()).filter(|reason| !reason.is_empty());
                    }
                }
            }
            // Facts that the engine states are the entry's own business.
            _ => {}
        }
    }

    fn set(&mut self, moment: Moment, field: EntryField, value: Option<String>) {
        if self.fields.get(&field) != Some(&value) {
            match field {
                EntryField::Execution => self.execution_since = Some(moment),
                EntryField::Emergency => self.emergency_since = Some(moment),
                _ => {}
            }
        }
        self.fields.insert(field, value);
    }

    fn correct(
        &mut self,
        event: &Event,
        field: &'static str,
        (old, new): (Option<String>, Option<String>),
        by: &str,
    ) {
        let of_event = self.corrections.iter_mut().rev();
        let mut of_event = of_event.take_while(|known| known.event == event.id);
        if let Some(known) = of_event.find(|known| known.field == field) {
            known.new = new; // one event that writes a field twice is one correction
            return;
        }
        self.corrections.push(Correction {
            event: event.id,
            field,
            old,
            new,
            by: by.to_owned(),
            at: event.at,
            reason: None,
        });
    }
}

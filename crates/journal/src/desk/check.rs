//! Owns what a value may be. Refuses to look anything up.

use vocab::{Channel, Contact, EXECUTIONS, EntryField, FieldChange};

use super::Refusal;
use crate::entry::Entry;
use crate::forms::{Form, Forms};

/// Longest name of a writer, and longest reason, in characters.
const NAME_MAX: usize = 128;
const REASON_MAX: usize = 1_000;

/// The queue whose form an entry follows: the last it was in.
pub(super) fn queue(entry: &Entry) -> Option<&str> {
    let last = entry.queues.last().map(|queue| queue.queue.as_str());
    let contact = entry.written.contact.as_ref();
    last.or_else(|| contact.map(|(contact, _)| contact.queue.as_str()))
}

/// Who writes.
pub(super) fn by(name: String) -> Result<String, Refusal> {
    let length = name.chars().count();
    if name.trim().is_empty() || length > NAME_MAX || name.chars().any(char::is_control) {
        return Err(unfit(format!(
            "expected who writes: 1 to {NAME_MAX} characters, none of them control characters, found {name:?}"
        )));
    }
    Ok(name)
}

/// Why something is done.
pub(super) fn reason(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.chars().count() > REASON_MAX || text.chars().any(is_unprintable) {
        return Err(unfit(format!(
            "expected a reason of at most {REASON_MAX} characters, no control characters"
        )));
    }
    Ok(text.to_owned())
}

/// The changes in their normal form: each field once, the last value of it, in the order of a form.
pub(super) fn changes(form: &Form, changes: Vec<FieldChange>) -> Result<Vec<FieldChange>, Refusal> {
    let mut normal: Vec<FieldChange> = Vec::new();
    for change in changes {
        let change = value(form, change)?;
        normal.retain(|earlier| earlier.field != change.field);
        normal.push(change);
    }
    normal.sort_by_key(|change| change.field);
    Ok(normal)
}

fn value(form: &Form, change: FieldChange) -> Result<FieldChange, Refusal> {
    let FieldChange { field, value } = change;
    let refused = |message: String| Refusal::Value { field, message };
    let value = value.map(|value| value.trim().to_owned());
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(FieldChange { field, value: None });
    };
    let (length, longest) = (value.chars().count(), field.longest());
    if length > longest {
        return Err(refused(format!(
            "expected at most {longest} characters, found {length}"
        )));
    }
    let lines = matches!(field, EntryField::Content | EntryField::Action);
    let bad = |c: char| {
        if lines {
            is_unprintable(c)
        } else {
            c.is_control()
        }
    };
    if value.chars().any(bad) {
        return Err(refused(
            "expected text without control characters".to_owned(),
        ));
    }
    let value = match field {
        EntryField::Topic if !form.has_topic(&value) => {
            return Err(refused(format!(
                "expected a topic of the queue's form, found {value:?}"
            )));
        }
        EntryField::Execution if !EXECUTIONS.contains(&value.as_str()) => {
            return Err(refused(format!(
                "expected one of {}, found {value:?}",
                EXECUTIONS.join(", ")
            )));
        }
        EntryField::Deadline | EntryField::EmergencyAt => {
            let moment: Result<jiff::Timestamp, _> = value.parse();
            let moment = moment.map_err(|_| {
                refused(format!(
                    "expected a moment such as 2026-11-22T08:00:00+10:00, found {value:?}"
                ))
            })?;
            moment.to_string()
        }
        EntryField::FullName
        | EntryField::ContactNumber
        | EntryField::Topic
        | EntryField::Content
        | EntryField::Action
        | EntryField::Department
        | EntryField::Execution
        | EntryField::Crm
        | EntryField::Emergency => value,
    };
    Ok(FieldChange {
        field,
        value: Some(value),
    })
}

/// A control character that is no line break and no tab.
fn is_unprintable(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

/// Whether nothing required is missing.
pub(super) fn complete(
    form: &Form,
    changes: &[FieldChange],
    stands: impl Fn(EntryField) -> Option<String>,
) -> Result<(), Refusal> {
    let has = |field: EntryField| {
        let change = changes.iter().find(|change| change.field == field);
        match change {
            Some(change) => change.value.is_some(),
            None => stands(field).is_some(),
        }
    };
    let missing = form.required.iter().copied().filter(|field| !has(*field));
    let fields: Vec<EntryField> = missing.collect();
    if fields.is_empty() {
        Ok(())
    } else {
        Err(Refusal::Missing { fields })
    }
}

/// A contact in its normal form.
pub(super) fn contact(contact: Contact, forms: &Forms) -> Result<Contact, Refusal> {
    if contact.channel == Channel::Call {
        return Err(unfit(
            "expected another channel than `call`: calls are written down by the engine".to_owned(),
        ));
    }
    if contact.queue.chars().count() > NAME_MAX || contact.queue.chars().any(char::is_control) {
        return Err(unfit(format!(
            "expected a queue's name of at most {NAME_MAX} characters, found {:?}",
            contact.queue
        )));
    }
    let form = forms.of(Some(&contact.queue));
    Ok(Contact {
        by: by(contact.by)?,
        fields: changes(form, contact.fields)?,
        ..contact
    })
}

const fn unfit(message: String) -> Refusal {
    Refusal::Unfit { message }
}

//! Owns what people write into the journal: the fields of an entry, and contacts that came another
//! way than by telephone.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{OperatorRef, WallTime};

/// How somebody reached us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// By a call that the engine carried.
    #[default]
    Call,
    /// By a form on a web page.
    WebForm,
    /// By e-mail.
    Email,
    /// By chat or a messenger.
    Chat,
    /// In person.
    InPerson,
    /// By letter.
    Letter,
    /// By a call that another exchange carried.
    OtherCall,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Call,
        Self::WebForm,
        Self::Email,
        Self::Chat,
        Self::InPerson,
        Self::Letter,
        Self::OtherCall,
    ];

    /// Its spelling in the journal.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::WebForm => "web_form",
            Self::Email => "email",
            Self::Chat => "chat",
            Self::InPerson => "in_person",
            Self::Letter => "letter",
            Self::OtherCall => "other_call",
        }
    }
}

/// A contact that a person wrote down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// How it came; never [`Channel::Call`].
    pub channel: Channel,
    /// When it came, which may be long before it was written down.
    pub at: WallTime,
    /// The queue whose form it follows; empty if none does.
    pub queue: String,
    /// Who wrote it down: a login, or the user of a command line.
    pub by: String,
    /// The operator who served it, if that is one of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<OperatorRef>,
    /// What the entry begins with.
    pub fields: Vec<FieldChange>,
}

/// A field's new value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Which.
    pub field: EntryField,
    /// The value; `None` takes the old one away. Moments are RFC 3339 in UTC.
    pub value: Option<String>,
}

/// A field of an entry that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryField {
    /// The caller's full name.
    FullName,
    /// The number under which the caller can be reached.
    ContactNumber,
    /// What it was about: a place in the tree of topics, ` / ` between its parts.
    Topic,
    /// What was asked.
    Content,
    /// Short description of what was done.
    Action,
    /// The department that is responsible.
    Department,
    /// By when the department is to have done it.
    Deadline,
    /// How far it is: `assigned`, `in_progress`, `done` or `declined`.
    Execution,
    /// A link to the matter in another system.
    Crm,
    /// The kind of emergency.
    Emergency,
    /// When the emergency began, or was handed on.
    EmergencyAt,
}

/// What [`EntryField::Execution`] may be.
pub const EXECUTIONS: [&str; 4] = ["assigned", "in_progress", "done", "declined"];

/// Text that is no field of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownField;

impl fmt::Display for UnknownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a field of an entry: ")?;
        for (place, field) in EntryField::ALL.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{}", field.name())?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownField {}

impl EntryField {
    /// All of them, in the order of a form.
    pub const ALL: [Self; 11] = [
        Self::FullName,
        Self::ContactNumber,
        Self::Topic,
        Self::Content,
        Self::Action,
        Self::Department,
        Self::Deadline,
        Self::Execution,
        Self::Crm,
        Self::Emergency,
        Self::EmergencyAt,
    ];

    /// Whether it goes on after the entry is complete: a department does its part days later.
    #[must_use]
    pub const fn goes_on(self) -> bool {
        matches!(
            self,
            Self::Department | Self::Deadline | Self::Execution | Self::Crm
        )
    }

    /// Its spelling in the journal, in files and on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullName => "full_name",
            Self::ContactNumber => "contact_number",
            Self::Topic => "topic",
            Self::Content => "content",
            Self::Action => "action",
            Self::Department => "department",
            Self::Deadline => "deadline",
            Self::Execution => "execution",
            Self::Crm => "crm",
            Self::Emergency => "emergency",
            Self::EmergencyAt => "emergency_at",
        }
    }

    /// Whether its value is a moment.
    #[must_use]
    pub const fn is_moment(self) -> bool {
        matches!(self, Self::Deadline | Self::EmergencyAt)
    }

    /// Longest value, in characters.
    #[must_use]
    pub const fn longest(self) -> usize {
        match self {
            Self::Content | Self::Action => 8_000,
            Self::Crm => 500,
            Self::FullName
            | Self::ContactNumber
            | Self::Topic
            | Self::Department
            | Self::Deadline
            | Self::Execution
            | Self::Emergency
            | Self::EmergencyAt => 250,
        }
    }
}

impl FromStr for EntryField {
    type Err = UnknownField;

    fn from_str(text: &str) -> Result<Self, UnknownField> {
        Self::ALL
            .into_iter()
            .find(|field| field.name() == text)
            .ok_or(UnknownField)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_json() {
        for field in EntryField::ALL {
            let json = serde_json::to_string(&field).unwrap();
            assert_eq!(json, format!("\"{}\"", field.name()));
            assert_eq!(field.name().parse(), Ok(field));
        }
        for channel in Channel::ALL {
            let json = serde_json::to_string(&channel).unwrap();
            assert_eq!(json, format!("\"{}\"", channel.name()));
        }
        assert_eq!("fullname".parse::<EntryField>(), Err(UnknownField));
    }
}

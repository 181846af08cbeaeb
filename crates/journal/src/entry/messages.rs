//! Owns the messages of an entry: what callers said to nobody, and whether somebody has heard it.

use std::time::Duration;

use vocab::{Event, Fact, MessageEnd};

use super::{Entry, Moment};

/// One message of a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Number of its recording within the call.
    pub segment: u16,
    /// Where it is kept.
    pub mailbox: String,
    /// Logins of the operators for whom it waits.
    pub waits_for: Vec<String>,
    /// When it began.
    pub started: Moment,
    /// When and by what it ended, and whether it is kept; `None` while it is left.
    pub ended: Option<(Moment, MessageEnd, bool)>,
    /// When it was heard first, and by whom.
    pub heard: Option<(Moment, String)>,
    /// The last event of it.
    pub version: vocab::EventId,
}

impl Message {
    /// How long it is; `None` while it is left.
    #[must_use]
    pub fn length(&self) -> Option<Duration> {
        self.ended.map(|(ended, ..)| self.started.until(ended))
    }

    /// Whether somebody is to listen to it, or did.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.ended.is_some_and(|(_, _, kept)| kept)
    }
}

impl Entry {
    /// Takes an event of a message.
    pub(super) fn message(&mut self, event: &Event) {
        let moment = Moment::of(event);
        let version = event.id;
        if let Fact::MessageStarted {
            segment,
            mailbox,
            waits_for,
            ..
        } = &event.fact
        {
            self.messages.push(Message {
                segment: *segment,
                mailbox: mailbox.clone(),
                waits_for: waits_for.clone(),
                started: moment,
                ended: None,
                heard: None,
                version,
            });
            return;
        }
        let (Fact::MessageEnded { segment, .. } | Fact::MessageHeard { segment, .. }) = &event.fact
        else {
            return;
        };
        let known = self.messages.iter_mut().find(|one| one.segment == *segment);
        match (&event.fact, known) {
            (Fact::MessageEnded { ended_by, kept, .. }, Some(open)) if open.ended.is_none() => {
                open.ended = Some((moment, *ended_by, *kept));
                open.version = version;
            }
            (Fact::MessageHeard { by, .. }, Some(message)) => {
                message.heard.get_or_insert_with(|| (moment, by.clone()));
                message.version = version;
            }
            _ => self.oddities.push(format!(
                "message {segment} ended or was heard without being there"
            )),
        }
    }
}

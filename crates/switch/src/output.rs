//! Owns what the switch wants done.

use core::time::Duration;
use std::collections::BTreeSet;

use sip::{Flow, Question};
use vocab::media::{MediaCommand, PromptId};
use vocab::{CallId, Event, EventId};

use crate::handover::Word;

/// What to do.
#[derive(Debug)]
pub enum Output {
    /// Nothing will play these prompts any more: their audio need not be kept.
    ForgetPrompts(BTreeSet<PromptId>),
    /// Send a datagram.
    Send {
        /// Where.
        flow: Flow,
        /// What.
        bytes: Vec<u8>,
        /// Not before this event is on disk (or the wait for it was given up), and nothing to
        /// the same place may overtake it.
        after: Option<EventId>,
    },
    /// A TLS connection that is opened for this flow is to show a certificate of this name.
    ExpectName {
        /// Which.
        flow: Flow,
        /// The domain.
        name: String,
    },
    /// Find out, and come back with [`crate::Input::Resolved`].
    Resolve {
        /// What.
        question: Question,
    },
    /// Ask a web service, and come back with [`crate::Input::Fetched`].
    Fetch {
        /// For which call.
        call: CallId,
        /// Which of its questions.
        question: u32,
        /// Where.
        url: String,
        /// A JSON object to be sent by POST; a GET without one.
        body: Option<String>,
        /// After which nobody waits for the reply any more.
        timeout: Duration,
    },
    /// Tell the media plane.
    Media(MediaCommand),
    /// Write into the journal.
    Record(Event),
    /// Tell the other engine of a handover, which gets it as [`crate::Input::Told`]: in order, and all of it
    /// while both live.
    Tell(Word),
}

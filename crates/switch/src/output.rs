//! Owns what the switch wants done.

use sip::{Flow, Question};
use vocab::media::MediaCommand;
use vocab::{Event, EventId};

/// What to do.
#[derive(Debug)]
pub enum Output {
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
    /// Tell the media plane.
    Media(MediaCommand),
    /// Write into the journal.
    Record(Event),
}

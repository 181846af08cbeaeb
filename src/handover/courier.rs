//! Owns the way of events from a leaving engine to its successor.

use std::io;

use vocab::Event;

use super::{Peer, Told};

/// Brings events of a leaving engine's journal to the successor.
pub(super) struct ToSuccessor(pub(super) Peer);

impl journal::Courier for ToSuccessor {
    fn carry(&mut self, events: &[Event]) -> io::Result<()> {
        if self.0.tell(Told::Events(events.to_vec())) {
            Ok(())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
}

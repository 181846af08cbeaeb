//! Owns transactions: RFC 3261 §17 with RFC 6026. Requests and responses are paired; over
//! UDP lost ones are repeated and repeated ones absorbed, over connections the loss of the flow
//! ends what waits on it.
//!
//! Refuses to do: sockets, clocks, randomness (the caller gives time and branches), dialogs, and
//! the decision what to answer.
//!
//! Four machines, each with its table: `client` (INVITE, other) and `server` (INVITE, other).
//! `table` leads the user's wishes and the timers to them, `receive` what the network brings.

mod client;
mod deadlines;
mod flow;
mod key;
mod receive;
mod routing;
mod server;
mod slab;
mod table;

use vocab::Time;

use crate::wire::Message;

pub use deadlines::Timers;
pub use flow::{Flow, Transport};
pub use key::stateless_tag;
pub use routing::address_response;
pub use table::Transactions;

use deadlines::Armed;

/// A request of ours and its responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientTx(u64);

/// A peer's request and our responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerTx(u64);

/// What the transaction layer wants done or known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Hand these octets to the socket of the flow.
    Send {
        /// From where to where.
        flow: Flow,
        /// The message.
        bytes: Vec<u8>,
        /// The server transaction whose response this is; `None` for requests, ACKs, the
        /// automatic 100 and answers made without the user (200 to CANCEL, 481, 482, 503).
        tx: Option<ServerTx>,
        /// True for the first transmission of a response that the user gave; such a one may be
        /// held back until the journal is on disk.
        first: bool,
    },
    /// A new request, neither ACK nor CANCEL. Answer it with [`Transactions::respond`].
    Request {
        /// For the answer.
        tx: ServerTx,
        /// Where it came from (not necessarily where the response goes).
        flow: Flow,
        /// The request; its topmost Via carries `received` and `rport`.
        request: Message,
    },
    /// The ACK for our 2xx, once.
    Ack {
        /// The INVITE.
        tx: ServerTx,
        /// With the peer's SDP answer if our 2xx held the offer.
        ack: Message,
    },
    /// CANCEL for an INVITE without final response; it was answered 200. Answer the INVITE 487.
    Cancelled {
        /// The INVITE.
        tx: ServerTx,
    },
    /// No ACK came within 64*T1 of our 2xx: end the call with BYE (RFC 3261 §13.3.1.4).
    AckMissing {
        /// The INVITE.
        tx: ServerTx,
    },
    /// A response other than 100. One final response per transaction; for INVITE also the 2xx of
    /// further branches, told by their To tags.
    Response {
        /// The request that it answers.
        tx: ClientTx,
        /// The response, validated by nobody but the parser.
        response: Message,
    },
    /// No final response came (timer B or F, or 64*T1 after CANCEL). Treat like 408.
    TimedOut {
        /// The request.
        tx: ClientTx,
    },
    /// The flow was lost, or never came to be, before a final response (RFC 3261 §17.1.4,
    /// §8.1.3.1). Treat like 503: another way may be open.
    Failed {
        /// The request.
        tx: ClientTx,
    },
}

/// One step of a machine: what it is told besides its input, and what it wants done.
#[derive(Debug)]
struct Turn<'a, Id> {
    tx: Id,
    now: Time,
    /// When the timer that fired was due: retransmissions keep their schedule although the caller
    /// was late. `now` for all other inputs.
    due: Time,
    timers: Timers,
    flow: Flow,
    armed: Armed,
    out: &'a mut std::collections::VecDeque<Output>,
}

impl<Id> Turn<'_, Id> {
    /// Arms the retransmission timer.
    fn retransmit_in(&mut self, interval: std::time::Duration) {
        let exact = self.due + interval;
        // Stalled for longer than the interval: no burst of what was missed.
        let at = if exact > self.now {
            exact
        } else {
            self.now + interval
        };
        self.armed.retransmit = Some(at);
    }

    /// Arms the timer that ends the state.
    fn end_in(&mut self, life: std::time::Duration) {
        self.armed.end = Some(self.now + life);
    }

    /// Over a connection the peer has what was sent: nothing is repeated.
    fn is_reliable(&self) -> bool {
        self.flow.transport.is_reliable()
    }

    fn stop(&mut self) {
        self.armed = Armed::default();
    }
}

//! Owns the two server machines: a peer's INVITE (RFC 3261 §17.2.1 with RFC 6026 §7.1) and any
//! other request (§17.2.2). Refuses to choose responses or to look into messages.

use core::time::Duration;

use super::{Output, ServerTx, Turn};
use crate::wire::Message;

/// RFC 3261 §13.3.1.1: "MUST send a non-100 provisional response at every minute", else proxies
/// on the way drop the pending call.
const PROVISIONAL_REFRESH: Duration = Duration::from_secs(60);

/// What can happen to a server transaction.
#[derive(Debug)]
pub(super) enum Input {
    /// The same request came again.
    Again,
    /// An ACK that belongs to this INVITE.
    Ack(Box<Message>),
    /// The user answers.
    Respond {
        /// Its status code.
        status: u16,
        /// The whole response.
        bytes: Vec<u8>,
    },
    /// The retransmission timer fired.
    Retransmit,
    /// The timer of the state fired.
    End,
}

/// One of the two machines.
#[derive(Debug)]
pub(super) enum Server {
    Invite(Invite),
    Other(Other),
}

impl Server {
    pub(super) fn handle(self, input: Input, turn: &mut Turn<'_, ServerTx>) -> Self {
        match self {
            Self::Invite(invite) => Self::Invite(invite.handle(input, turn)),
            Self::Other(other) => Self::Other(other.handle(input, turn)),
        }
    }

    pub(super) const fn is_terminated(&self) -> bool {
        matches!(
            self,
            Self::Invite(Invite::Terminated) | Self::Other(Other::Terminated)
        )
    }
}

/// INVITE server transaction, RFC 3261 figure 7 as changed by RFC 6026 figure 4.
///
/// | state | INVITE again | ACK | 1xx | 2xx | 3xx-6xx | Retransmit | End |
/// |---|---|---|---|---|---|---|---|
/// | Proceeding | last 1xx | ignore | send | send → Accepted | send → Completed | last 1xx (1 min) | - |
/// | Completed | response | → Confirmed | ignore | ignore | ignore | response (G) | → Terminated (H) |
/// | Confirmed | ignore | ignore | ignore | ignore | ignore | - | → Terminated (I) |
/// | Accepted, no ACK | ignore | show | ignore | ignore | ignore | 2xx (§13.3.1.4) | AckMissing → Terminated (L) |
/// | Accepted, ACK came | ignore | ignore | ignore | ignore | ignore | - | → Terminated (L) |
///
/// Over a connection timer G is not set and I is zero: Confirmed is over at once. The 2xx is
/// repeated over any transport: a proxy behind the next hop may use UDP (§13.3.1.4).
#[derive(Debug)]
pub(super) enum Invite {
    /// The user has not decided. `last`: the newest provisional response.
    Proceeding { last: Vec<u8> },
    /// Refused; waits for the ACK.
    Completed {
        response: Vec<u8>,
        interval: Duration,
    },
    /// The ACK for the refusal came; absorbs its copies.
    Confirmed,
    /// Accepted with a 2xx. `pending`: what is repeated until the ACK, and its interval.
    Accepted {
        pending: Option<(Vec<u8>, Duration)>,
    },
    /// Nothing left to do.
    Terminated,
}

impl Invite {
    fn handle(self, input: Input, turn: &mut Turn<'_, ServerTx>) -> Self {
        match self {
            Self::Proceeding { last } => Self::proceeding(last, input, turn),
            Self::Completed { response, interval } => {
                Self::completed(response, interval, input, turn)
            }
            Self::Confirmed => match input {
                // Absorbs what was under way when the ACK came (§17.2.1).
                Input::Again | Input::Ack(_) | Input::Respond { .. } | Input::Retransmit => {
                    Self::Confirmed
                }
                Input::End => Self::terminate(turn),
            },
            Self::Accepted { pending } => Self::accepted(pending, input, turn),
            Self::Terminated => Self::Terminated,
        }
    }

    fn proceeding(last: Vec<u8>, input: Input, turn: &mut Turn<'_, ServerTx>) -> Self {
        match input {
            Input::Again => {
                turn.send_again(last.clone());
                Self::Proceeding { last }
            }
            Input::Retransmit => {
                turn.send_again(last.clone());
                turn.retransmit_in(PROVISIONAL_REFRESH);
                Self::Proceeding { last }
            }
            Input::Respond { status: 100, .. } => Self::Proceeding { last }, // Sent already.
            Input::Respond { status, bytes } if status < 200 => {
                turn.send_first(bytes.clone());
                turn.retransmit_in(PROVISIONAL_REFRESH);
                Self::Proceeding { last: bytes }
            }
            Input::Respond { status, bytes } => {
                turn.send_first(bytes.clone());
                turn.armed.retransmit = None;
                turn.end_in(turn.timers.life());
                let interval = turn.timers.t1;
                if status < 300 || !turn.is_reliable() {
                    turn.retransmit_in(interval);
                }
                if status < 300 {
                    Self::Accepted {
                        pending: Some((bytes, interval)),
                    }
                } else {
                    Self::Completed {
                        response: bytes,
                        interval,
                    }
                }
            }
            // An ACK before any final response confirms nothing; no End is armed here: how long
            // a call may ring is the user's policy.
            Input::Ack(_) | Input::End => Self::Proceeding { last },
        }
    }

    fn completed(
        response: Vec<u8>,
        interval: Duration,
        input: Input,
        turn: &mut Turn<'_, ServerTx>,
    ) -> Self {
        match input {
            Input::Again => {
                turn.send_again(response.clone());
                Self::Completed { response, interval }
            }
            Input::Retransmit => {
                turn.send_again(response.clone());
                let interval = doubled(interval, turn.timers.t2);
                turn.retransmit_in(interval);
                Self::Completed { response, interval }
            }
            Input::Ack(_) => {
                turn.stop();
                if turn.is_reliable() {
                    return Self::Terminated;
                }
                turn.end_in(turn.timers.t4); // Timer I
                Self::Confirmed
            }
            Input::Respond { .. } => Self::Completed { response, interval }, // One final only.
            // The TU has nothing to undo after a refusal that was not confirmed.
            Input::End => Self::terminate(turn),
        }
    }

    fn accepted(
        pending: Option<(Vec<u8>, Duration)>,
        input: Input,
        turn: &mut Turn<'_, ServerTx>,
    ) -> Self {
        match (input, pending) {
            // The 2xx has its own schedule of retransmissions (RFC 6026 §7.1).
            (Input::Again | Input::Respond { .. }, pending) => Self::Accepted { pending },
            (Input::Ack(ack), Some(_)) => {
                turn.armed.retransmit = None;
                turn.out.push_back(Output::Ack {
                    tx: turn.tx,
                    ack: *ack,
                });
                Self::Accepted { pending: None }
            }
            (Input::Ack(_) | Input::Retransmit, None) => Self::Accepted { pending: None },
            (Input::Retransmit, Some((bytes, interval))) => {
                turn.send_again(bytes.clone());
                let interval = doubled(interval, turn.timers.t2);
                turn.retransmit_in(interval);
                Self::Accepted {
                    pending: Some((bytes, interval)),
                }
            }
            (Input::End, pending) => {
                if pending.is_some() {
                    turn.out.push_back(Output::AckMissing { tx: turn.tx });
                }
                Self::terminate(turn)
            }
        }
    }

    fn terminate(turn: &mut Turn<'_, ServerTx>) -> Self {
        turn.stop();
        Self::Terminated
    }
}

/// Non-INVITE server transaction, RFC 3261 figure 8.
///
/// | state | request again | 1xx | final | End |
/// |---|---|---|---|---|
/// | Trying | ignore | send → Proceeding | send → Completed | → Terminated |
/// | Proceeding | last 1xx | send | send → Completed | → Terminated |
/// | Completed | response | ignore | ignore | → Terminated (J) |
///
/// Over a connection J is zero: Completed is over at once. No ACK and no Retransmit come here. End
/// in Trying and Proceeding is not in the figure: after 64*T1 the peer's timer F has fired and a
/// response is of no use (RFC 4320 §4.2).
#[derive(Debug)]
pub(super) enum Other {
    /// The user has said nothing.
    Trying,
    /// `last`: the newest provisional response.
    Proceeding { last: Vec<u8> },
    /// Answered.
    Completed { response: Vec<u8> },
    /// Nothing left to do.
    Terminated,
}

impl Other {
    fn handle(self, input: Input, turn: &mut Turn<'_, ServerTx>) -> Self {
        match (input, self) {
            (Input::Again, Self::Proceeding { last }) => {
                turn.send_again(last.clone());
                Self::Proceeding { last }
            }
            (Input::Again, Self::Completed { response }) => {
                turn.send_again(response.clone());
                Self::Completed { response }
            }
            (Input::Respond { status, bytes }, Self::Trying | Self::Proceeding { .. }) => {
                turn.send_first(bytes.clone());
                if status < 200 {
                    return Self::Proceeding { last: bytes };
                }
                if turn.is_reliable() {
                    return Self::terminate(turn);
                }
                turn.end_in(turn.timers.life()); // Timer J
                Self::Completed { response: bytes }
            }
            (Input::End, _) => Self::terminate(turn),
            // Again in Trying: the user is still thinking. Respond in Completed: one final only.
            // ACK and Retransmit do not exist here; Terminated hears nothing.
            (
                Input::Again | Input::Respond { .. } | Input::Ack(_) | Input::Retransmit,
                same @ (Self::Trying
                | Self::Proceeding { .. }
                | Self::Completed { .. }
                | Self::Terminated),
            ) => same,
        }
    }

    fn terminate(turn: &mut Turn<'_, ServerTx>) -> Self {
        turn.stop();
        Self::Terminated
    }
}

/// Timer G and the retransmission of a 2xx: doubled up to T2.
fn doubled(interval: Duration, most: Duration) -> Duration {
    interval.saturating_mul(2).min(most)
}

impl Turn<'_, ServerTx> {
    fn send_first(&mut self, bytes: Vec<u8>) {
        self.send(bytes, true);
    }

    fn send_again(&mut self, bytes: Vec<u8>) {
        self.send(bytes, false);
    }

    fn send(&mut self, bytes: Vec<u8>, first: bool) {
        self.out.push_back(Output::Send {
            flow: self.flow,
            bytes,
            tx: Some(self.tx),
            first,
        });
    }
}

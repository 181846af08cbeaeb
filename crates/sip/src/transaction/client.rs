//! Owns the two client machines: our INVITE (RFC 3261 §17.1.1 with RFC 6026 §7.2) and any other
//! request of ours (§17.1.2). Refuses to read bodies or to decide what to do after a response.

use core::time::Duration;

use super::{ClientTx, Flow, Output, Turn};
use crate::wire::{HeaderName, Message, Method};

/// Branches of a forked INVITE whose 2xx are told apart. A 2xx beyond it is dropped: the branch
/// gives up by itself, its 2xx being never confirmed.
const FORKS_MAX: usize = 16;

/// What can happen to a client transaction.
#[derive(Debug)]
pub(super) enum Input {
    /// A response came.
    Response {
        /// Its status code.
        status: u16,
        /// The whole of it.
        response: Message,
    },
    /// The user wants the INVITE withdrawn.
    Cancel,
    /// The user confirms the 2xx with this To tag.
    Ack {
        /// Of the dialog.
        to_tag: String,
        /// Where it goes.
        flow: Flow,
        /// The whole ACK.
        bytes: Vec<u8>,
    },
    /// The retransmission timer fired.
    Retransmit,
    /// The timer of the state fired.
    End,
    /// The flow is lost.
    FlowLost,
}

/// One of the two machines.
#[derive(Debug)]
pub(super) enum Client {
    Invite(Invite),
    Other(Other),
}

impl Client {
    pub(super) fn handle(self, input: Input, turn: &mut Turn<'_, ClientTx>) -> Self {
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

    /// Whether the next hop has said anything at all, be it 100.
    pub(super) const fn is_heard(&self) -> bool {
        !matches!(
            self,
            Self::Invite(Invite::Calling { .. }) | Self::Other(Other::Trying { .. })
        )
    }

    /// Takes the CANCEL that the machine wants sent; the table makes a transaction of it.
    pub(super) fn take_cancel(&mut self) -> Option<Message> {
        match self {
            Self::Invite(Invite::Proceeding {
                cancel: cancel @ Cancel::Due(_),
                ..
            }) => match core::mem::replace(cancel, Cancel::Sent) {
                Cancel::Due(message) => Some(*message),
                Cancel::No | Cancel::Sent => None,
            },
            Self::Invite(_) | Self::Other(_) => None,
        }
    }
}

/// Whether the user wants the INVITE withdrawn, and how far that has come.
#[derive(Debug)]
pub(super) enum Cancel {
    No,
    Due(Box<Message>),
    Sent,
}

/// A 2xx of one branch of the INVITE.
#[derive(Debug)]
pub(super) struct Fork {
    to_tag: String,
    ack: Option<(Flow, Vec<u8>)>,
}

/// INVITE client transaction, RFC 3261 figure 5 as changed by RFC 6026 figure 5.
///
/// | state | 1xx | 2xx | 3xx-6xx | Cancel | Ack | Retransmit | End | FlowLost |
/// |---|---|---|---|---|---|---|---|---|
/// | Calling | show → Proceeding, CANCEL if wanted | show → Accepted | ACK, show → Completed | remember | send | INVITE (A) | TimedOut → Terminated (B) | Failed → Terminated |
/// | Proceeding | show | show → Accepted | ACK, show → Completed | CANCEL, once | send | - | TimedOut → Terminated (after CANCEL) | Failed → Terminated |
/// | Completed | ignore | ignore | ACK | ignore | send | - | → Terminated (D) | ignore |
/// | Accepted | ignore | show if new To tag, else ACK again | ignore | ignore | send and keep | - | → Terminated (M) | ignore |
///
/// Over a connection timer A is not set, and D is zero: Completed is over at once.
///
/// A 100 moves the machine but is not shown. CANCEL is not sent before the first provisional
/// response (§9.1); a 2xx that crosses it is shown, and the user ends that call with BYE.
#[derive(Debug)]
pub(super) enum Invite {
    /// Nothing heard. `head`: the request without body, from which ACK and CANCEL are made.
    Calling {
        bytes: Vec<u8>,
        head: Box<Message>,
        interval: Duration,
        cancel: bool,
    },
    /// A provisional response came.
    Proceeding { head: Box<Message>, cancel: Cancel },
    /// Refused and confirmed; `ack` again for each copy of the refusal.
    Completed { ack: Vec<u8> },
    /// Accepted by one or more branches.
    Accepted { forks: Vec<Fork> },
    /// Nothing left to do.
    Terminated,
}

impl Invite {
    /// Sends the request for the first time.
    pub(super) fn start(mut request: Message, turn: &mut Turn<'_, ClientTx>) -> Self {
        let bytes = request.to_bytes();
        request.body = Vec::new();
        turn.send(bytes.clone());
        let interval = turn.timers.t1;
        turn.repeat_in(interval); // Timer A
        turn.end_in(turn.timers.life()); // Timer B
        Self::Calling {
            bytes,
            head: Box::new(request),
            interval,
            cancel: false,
        }
    }

    fn handle(self, input: Input, turn: &mut Turn<'_, ClientTx>) -> Self {
        match self {
            Self::Calling {
                bytes,
                head,
                interval,
                cancel,
            } => match input {
                Input::Response { status, response } => {
                    Self::answered(head, Cancel::No, cancel, status, response, turn)
                }
                Input::Retransmit => {
                    turn.send(bytes.clone());
                    let interval = interval.saturating_mul(2); // Timer A has no upper bound.
                    turn.retransmit_in(interval);
                    Self::Calling {
                        bytes,
                        head,
                        interval,
                        cancel,
                    }
                }
                Input::Cancel => Self::Calling {
                    bytes,
                    head,
                    interval,
                    cancel: true,
                },
                Input::Ack {
                    flow, bytes: ack, ..
                } => {
                    turn.send_to(flow, ack);
                    Self::Calling {
                        bytes,
                        head,
                        interval,
                        cancel,
                    }
                }
                Input::End => Self::time_out(turn),
                Input::FlowLost => Self::fail(turn),
            },
            Self::Proceeding { head, cancel } => match input {
                Input::Response { status, response } => {
                    Self::answered(head, cancel, false, status, response, turn)
                }
                Input::Cancel => Self::withdraw(head, cancel, turn),
                Input::Ack { flow, bytes, .. } => {
                    turn.send_to(flow, bytes);
                    Self::Proceeding { head, cancel }
                }
                Input::End => Self::time_out(turn),
                Input::FlowLost => Self::fail(turn),
                Input::Retransmit => Self::Proceeding { head, cancel }, // Not armed.
            },
            Self::Completed { ack } => Self::completed(ack, input, turn),
            Self::Accepted { forks } => Self::accepted(forks, input, turn),
            Self::Terminated => Self::Terminated,
        }
    }

    /// A response while none of them was final.
    fn answered(
        head: Box<Message>,
        cancel: Cancel,
        cancel_wanted: bool,
        status: u16,
        response: Message,
        turn: &mut Turn<'_, ClientTx>,
    ) -> Self {
        match status {
            ..200 => {
                turn.armed.retransmit = None;
                if !matches!(cancel, Cancel::Sent) {
                    turn.armed.end = None;
                }
                turn.show(status, response);
                if cancel_wanted {
                    Self::withdraw(head, cancel, turn)
                } else {
                    Self::Proceeding { head, cancel }
                }
            }
            200..300 => {
                turn.stop();
                turn.end_in(turn.timers.life()); // Timer M
                let forks = vec![Fork {
                    to_tag: to_tag(&response),
                    ack: None,
                }];
                turn.show(status, response);
                Self::Accepted { forks }
            }
            300.. => {
                turn.stop();
                let ack = refusal_ack(*head, &response).to_bytes();
                turn.send(ack.clone());
                turn.show(status, response);
                if turn.is_reliable() {
                    return Self::Terminated;
                }
                turn.end_in(turn.timers.life()); // Timer D: "at least 32 seconds" with UDP
                Self::Completed { ack }
            }
        }
    }

    /// Asks for a CANCEL and bounds the wait for the final response (§9.1).
    fn withdraw(head: Box<Message>, cancel: Cancel, turn: &mut Turn<'_, ClientTx>) -> Self {
        if !matches!(cancel, Cancel::No) {
            return Self::Proceeding { head, cancel };
        }
        turn.end_in(turn.timers.life());
        let cancel = Cancel::Due(Box::new(cancel_of(&head)));
        Self::Proceeding { head, cancel }
    }

    fn completed(ack: Vec<u8>, input: Input, turn: &mut Turn<'_, ClientTx>) -> Self {
        match input {
            Input::Response { status: 300.., .. } => turn.send(ack.clone()),
            Input::Ack { flow, bytes, .. } => turn.send_to(flow, bytes),
            // The INVITE is over: provisional and 2xx responses of other branches come too late
            // and nothing is left to cancel, repeat or lose.
            Input::Response { .. } | Input::Cancel | Input::Retransmit | Input::FlowLost => {}
            Input::End => {
                turn.stop();
                return Self::Terminated;
            }
        }
        Self::Completed { ack }
    }

    fn accepted(mut forks: Vec<Fork>, input: Input, turn: &mut Turn<'_, ClientTx>) -> Self {
        match input {
            Input::Response {
                status: 200..300,
                response,
            } => {
                let tag = to_tag(&response);
                match forks.iter().find(|fork| fork.to_tag == tag) {
                    Some(Fork {
                        ack: Some((flow, bytes)),
                        ..
                    }) => {
                        turn.send_to(*flow, bytes.clone());
                    }
                    Some(Fork { ack: None, .. }) => {} // The user has yet to confirm it.
                    None if forks.len() < FORKS_MAX => {
                        forks.push(Fork {
                            to_tag: tag,
                            ack: None,
                        });
                        turn.show(200, response);
                    }
                    None => {}
                }
            }
            Input::Ack {
                to_tag,
                flow,
                bytes,
            } => {
                if let Some(fork) = forks.iter_mut().find(|fork| fork.to_tag == to_tag) {
                    fork.ack = Some((flow, bytes.clone()));
                }
                turn.send_to(flow, bytes);
            }
            // RFC 6026 §8.4: only 2xx matter now, and they may come on another connection. A CANCEL
            // would come too late.
            Input::Response { .. } | Input::Cancel | Input::Retransmit | Input::FlowLost => {}
            Input::End => {
                turn.stop();
                return Self::Terminated;
            }
        }
        Self::Accepted { forks }
    }

    fn time_out(turn: &mut Turn<'_, ClientTx>) -> Self {
        turn.stop();
        turn.out.push_back(Output::TimedOut { tx: turn.tx });
        Self::Terminated
    }

    fn fail(turn: &mut Turn<'_, ClientTx>) -> Self {
        turn.stop();
        turn.out.push_back(Output::Failed { tx: turn.tx });
        Self::Terminated
    }
}

/// Non-INVITE client transaction, RFC 3261 figure 6.
///
/// | state | 1xx | final | Retransmit | End | FlowLost |
/// |---|---|---|---|---|---|
/// | Trying | show → Proceeding | show → Completed | request (E: doubled up to T2) | TimedOut → Terminated (F) | Failed → Terminated |
/// | Proceeding | show | show → Completed | request (E: T2) | TimedOut → Terminated (F) | Failed → Terminated |
/// | Completed | ignore | ignore | - | → Terminated (K) | ignore |
///
/// Over a connection timer E is not set, and K is zero: Completed is over at once.
///
/// Cancel and Ack do nothing here. A quiet transaction (a CANCEL of ours) shows nothing: its
/// outcome is seen on the INVITE.
#[derive(Debug)]
pub(super) enum Other {
    /// Nothing heard.
    Trying {
        bytes: Vec<u8>,
        interval: Duration,
        quiet: bool,
    },
    /// A provisional response came.
    Proceeding { bytes: Vec<u8>, quiet: bool },
    /// Answered; absorbs copies.
    Completed,
    /// Nothing left to do.
    Terminated,
}

impl Other {
    /// Sends the request for the first time.
    pub(super) fn start(request: &Message, quiet: bool, turn: &mut Turn<'_, ClientTx>) -> Self {
        let bytes = request.to_bytes();
        turn.send(bytes.clone());
        let interval = turn.timers.t1;
        turn.repeat_in(interval); // Timer E
        turn.end_in(turn.timers.life()); // Timer F
        Self::Trying {
            bytes,
            interval,
            quiet,
        }
    }

    fn handle(self, input: Input, turn: &mut Turn<'_, ClientTx>) -> Self {
        match (input, self) {
            (
                Input::Retransmit,
                Self::Trying {
                    bytes,
                    interval,
                    quiet,
                },
            ) => {
                turn.send(bytes.clone());
                let interval = interval.saturating_mul(2).min(turn.timers.t2);
                turn.retransmit_in(interval);
                Self::Trying {
                    bytes,
                    interval,
                    quiet,
                }
            }
            (Input::Retransmit, Self::Proceeding { bytes, quiet }) => {
                turn.send(bytes.clone());
                turn.retransmit_in(turn.timers.t2);
                Self::Proceeding { bytes, quiet }
            }
            (
                Input::Response { status, response },
                Self::Trying { bytes, quiet, .. } | Self::Proceeding { bytes, quiet },
            ) => {
                if !quiet {
                    turn.show(status, response);
                }
                if status < 200 {
                    // Timer E runs on; from its next firing on the interval is T2.
                    return Self::Proceeding { bytes, quiet };
                }
                turn.stop();
                if turn.is_reliable() {
                    return Self::Terminated;
                }
                turn.end_in(turn.timers.t4); // Timer K
                Self::Completed
            }
            (Input::End, Self::Trying { quiet, .. } | Self::Proceeding { quiet, .. }) => {
                turn.stop();
                if !quiet {
                    turn.out.push_back(Output::TimedOut { tx: turn.tx });
                }
                Self::Terminated
            }
            (Input::FlowLost, Self::Trying { quiet, .. } | Self::Proceeding { quiet, .. }) => {
                turn.stop();
                if !quiet {
                    turn.out.push_back(Output::Failed { tx: turn.tx });
                }
                Self::Terminated
            }
            (Input::End, Self::Completed) => {
                turn.stop();
                Self::Terminated
            }
            (Input::Response { .. } | Input::Retransmit | Input::FlowLost, Self::Completed) => {
                Self::Completed
            }
            // Only an INVITE can be cancelled or confirmed.
            (
                Input::Cancel | Input::Ack { .. },
                same @ (Self::Trying { .. } | Self::Proceeding { .. } | Self::Completed),
            ) => same,
            (
                Input::Response { .. }
                | Input::Cancel
                | Input::Ack { .. }
                | Input::Retransmit
                | Input::End
                | Input::FlowLost,
                Self::Terminated,
            ) => Self::Terminated,
        }
    }
}

impl Turn<'_, ClientTx> {
    /// Arms the retransmission timer where something can be lost.
    fn repeat_in(&mut self, interval: Duration) {
        if !self.is_reliable() {
            self.retransmit_in(interval);
        }
    }

    fn send(&mut self, bytes: Vec<u8>) {
        self.send_to(self.flow, bytes);
    }

    fn send_to(&mut self, flow: Flow, bytes: Vec<u8>) {
        self.out.push_back(Output::Send {
            flow,
            bytes,
            tx: None,
            first: false,
        });
    }

    /// 100 says only that the next hop lives; the machine has noted that.
    fn show(&mut self, status: u16, response: Message) {
        if status != 100 {
            self.out.push_back(Output::Response {
                tx: self.tx,
                response,
            });
        }
    }
}

fn to_tag(message: &Message) -> String {
    message
        .to()
        .ok()
        .and_then(|to| to.tag().map(str::to_owned))
        .unwrap_or_default()
}

/// The ACK for a refusal (RFC 3261 §17.1.1.3): everything from the INVITE, To from the response.
fn refusal_ack(head: Message, response: &Message) -> Message {
    let mut ack = hop_by_hop(&head, Method::Ack);
    if let Some(to) = response.headers.first(&HeaderName::To) {
        ack.headers.set(HeaderName::To, to);
    }
    ack
}

/// The CANCEL for an INVITE (RFC 3261 §9.1).
fn cancel_of(head: &Message) -> Message {
    hop_by_hop(head, Method::Cancel)
}

/// A request to the next hop alone: same Request-URI, topmost Via, Route, From, To, Call-ID and
/// CSeq number as the INVITE, and no body.
fn hop_by_hop(head: &Message, method: Method) -> Message {
    let mut request = match head.request_uri() {
        Some(uri) => Message::request(method.clone(), uri.clone()),
        // Cannot be: only requests begin transactions.
        None => head.clone(),
    };
    let number = head.cseq().map_or(0, |cseq| cseq.number);
    for (name, value) in head.headers.iter() {
        match name {
            HeaderName::Via
            | HeaderName::Route
            | HeaderName::From
            | HeaderName::To
            | HeaderName::CallId => request.headers.push(name.clone(), value),
            _ => {}
        }
    }
    request
        .headers
        .set(HeaderName::CSeq, format!("{number} {method}"));
    request.headers.set(HeaderName::MaxForwards, "70");
    request
}

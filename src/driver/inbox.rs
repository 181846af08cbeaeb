//! Owns the way into the driver, for any thread: what the network brings, in its order and bounded, and
//! everything else, of which nothing is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};
use dialplan::Plans;
use journal::desk::{Stated, Statement};
use media::Audio;
use sip::Flow;
use switch::Input;
use tokio::sync::oneshot;
use transport::{Datagram, Sink};
use vocab::media::PromptId;
use vocab::{CallId, Event, EventId, Instruction, OrderRefusal, Time};

use crate::input_log::Sources;

/// Messages of the network that may wait for the driver. At 4,000 calls a second this is a quarter
/// of a second.
const SIGNALS: usize = 16_384;

/// What the network brings, in its order: what came on a connection is handled before its end.
pub(super) enum Signal {
    Message(Datagram),
    Closed(Flow),
}

/// What else reaches the driver.
pub(super) enum Message {
    Input(Input),
    Durable(EventId),
    /// What a person states, and where its event's id goes.
    Write(Statement, oneshot::Sender<Stated>),
    /// What a person orders, and where its event's id goes.
    Order(Instruction, oneshot::Sender<Result<EventId, OrderRefusal>>),
    /// New plans with the audio that is new in them.
    Plans {
        plans: Plans,
        sources: Sources,
        prompts: BTreeMap<(String, String), PromptId>,
        audio: BTreeMap<PromptId, Audio>,
    },
    Leave(oneshot::Sender<Left>),
    Adopt(Vec<Event>),
    Settled(oneshot::Sender<()>),
    Exit,
}

/// The way into the driver, for any thread.
#[derive(Clone)]
pub struct Inbox {
    epoch: Instant,
    signals: Sender<(Time, Signal)>,
    pub(super) messages: Sender<Message>,
}

impl Inbox {
    /// The time that the whole process shares.
    #[must_use]
    pub fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Hands in anything else. It is never dropped.
    pub fn input(&self, input: Input) {
        // The driver is gone only when the process ends.
        let _ = self.messages.send(Message::Input(input));
    }

    /// Puts plans in force, with the texts they were read from; the media plane gets their audio first.
    pub fn plans(
        &self,
        (plans, sources): (Plans, Sources),
        prompts: BTreeMap<(String, String), PromptId>,
        audio: BTreeMap<PromptId, Audio>,
    ) {
        let message = Message::Plans {
            plans,
            sources,
            prompts,
            audio,
        };
        let _ = self.messages.send(message);
    }

    /// Hands in what a person states. No answer comes if the driver ends first.
    #[must_use]
    pub fn write(&self, statement: Statement) -> oneshot::Receiver<Stated> {
        let (answer, stated) = oneshot::channel();
        let _ = self.messages.send(Message::Write(statement, answer));
        stated
    }

    /// Hands in what a person orders. No answer comes if the driver ends first.
    #[must_use]
    pub fn order(&self, wanted: Instruction) -> oneshot::Receiver<Result<EventId, OrderRefusal>> {
        let (answer, carried_out) = oneshot::channel();
        let _ = self.messages.send(Message::Order(wanted, answer));
        carried_out
    }

    /// Everything up to this event is on disk.
    pub fn durable(&self, event: EventId) {
        let _ = self.messages.send(Message::Durable(event));
    }

    /// Tells that a successor takes over, after all that came from the network until now, and asks for what the
    /// successor must know. No answer comes if the driver ends first.
    #[must_use]
    pub fn leave(&self) -> oneshot::Receiver<Left> {
        let (answer, left) = oneshot::channel();
        let _ = self.messages.send(Message::Leave(answer));
        left
    }

    /// Hands in what a leaving engine stated of its calls, for our journal. It hears when it is durable.
    pub fn adopt(&self, events: Vec<Event>) {
        let _ = self.messages.send(Message::Adopt(events));
    }

    /// The answer comes when all that was handed in before is handled.
    #[must_use]
    pub fn settled(&self) -> oneshot::Receiver<()> {
        let (answer, settled) = oneshot::channel();
        let _ = self.messages.send(Message::Settled(answer));
        settled
    }
}

/// What a successor must know of a leaving engine.
#[derive(Debug, Clone, Default)]
pub struct Left {
    /// The SIP Call-IDs of its calls.
    pub calls: BTreeSet<String>,
    /// The callbacks that it is about.
    pub callbacks: BTreeSet<CallId>,
}

impl Sink for Inbox {
    fn message(&self, message: Datagram) -> Result<(), Datagram> {
        match self
            .signals
            .try_send((self.now(), Signal::Message(message)))
        {
            Err(TrySendError::Full((_, Signal::Message(message)))) => {
                tracing::debug!("the driver is behind");
                Err(message)
            }
            // The driver is gone only when the process ends.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Ok(()),
        }
    }

    fn closed(&self, flow: Flow) {
        if let Err(TrySendError::Full(_)) =
            self.signals.try_send((self.now(), Signal::Closed(flow)))
        {
            // Never lost, though it may overtake what came before it.
            self.input(Input::FlowClosed { flow });
        }
    }
}

/// The receiving end, before the thread runs.
pub struct Intake {
    pub(super) epoch: Instant,
    pub(super) signals: Receiver<(Time, Signal)>,
    pub(super) messages: Receiver<Message>,
}

/// The inbox of a driver that will run with `epoch` as time zero.
#[must_use]
pub fn inbox(epoch: Instant) -> (Inbox, Intake) {
    let (signals, signals_out) = bounded(SIGNALS);
    let (messages, messages_out) = unbounded();
    (
        Inbox {
            epoch,
            signals,
            messages,
        },
        Intake {
            epoch,
            signals: signals_out,
            messages: messages_out,
        },
    )
}

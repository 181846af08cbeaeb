//! Owns the facts of the journal: everything a report may ever ask is a function of these.
//!
//! A fact says what happened, in the past tense. Times are in [`Event`]: `at` for people,
//! `up` for durations (the wall clock may jump, the monotonic one does not).

use serde::{Deserialize, Serialize};

use crate::media::Side;
use crate::tagged::tagged;
use crate::{
    CallId, Callback, CallbackResult, Contact, Duty, EndedBy, EventId, FieldChange, HeldBy,
    LegCounts, LegId, LegQuality, MessageEnd, MissingReason, OfferId, OfferResult, OperatorId,
    OperatorState, Order, Outcome, PauseReason, PersonCard, QueueOutcome, Rank, RecordingFile,
    Registration, SessionChange, SupervisionEnd, SupervisionMode, Time, WallTime,
};

/// A fact with its id and its two times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unique over restarts; ids of one boot are consecutive.
    pub id: EventId,
    /// Wall-clock time, UTC.
    pub at: WallTime,
    /// Monotonic time within the boot of `id`; subtract two of one boot for a duration. What a successor states
    /// of a call of a leaving engine has the time of the call's boot, but for [`Fact::is_of_recording`].
    pub up: Time,
    /// What happened.
    pub fact: Fact,
}

/// An operator as named in the journal: readable without any other table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRef {
    /// Row in `operators`.
    pub id: OperatorId,
    /// Sign-in name, which is also the SIP user.
    pub login: String,
    /// Full name for people.
    pub name: String,
    /// Number of the operator's workplace ("линия оператора").
    pub line: String,
}

/// An operator who was free and did not get a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotChosen {
    /// Who.
    pub operator: OperatorRef,
    /// Why not, in words.
    pub why_not: String,
}

/// Which way a call goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the outer network to us.
    #[default]
    Inbound,
    /// From an operator to the outer network.
    Outbound,
    /// From an operator to an operator, a queue or a plan.
    Internal,
}

/// Whom we call: who talks to the first party of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// An operator.
    Operator(OperatorRef),
    /// Somebody in the outer network.
    Outer {
        /// The number called.
        number: String,
        /// The trunk by which.
        trunk: String,
    },
}

/// What a call is transferred to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum TransferTarget {
    /// An operator.
    Operator {
        /// Number of the workplace.
        line: String,
    },
    /// A queue.
    Queue {
        /// Its name.
        queue: String,
    },
    /// A number that a plan serves.
    Plan {
        /// The number.
        number: String,
    },
    /// A number of the outer network.
    Outer {
        /// The number.
        number: String,
    },
}

/// How a transfer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferKind {
    /// Without talking to the target first.
    Blind,
    /// After a consultation with the target.
    Attended,
}

/// How a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferResult {
    /// The target has the call.
    Done,
    /// The target is busy.
    Busy,
    /// The target declined, or is closed to this call.
    Rejected,
    /// It rang in vain.
    NoAnswer,
    /// The target cannot be reached.
    Unreachable,
    /// The party to be transferred hung up first.
    CallerGone,
    /// The engine stopped, or the call ended otherwise.
    Withdrawn,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "snake_case")]
pub enum Fact {
    /// The engine began to take calls.
    EngineStarted {
        /// Version of the program.
        version: String,
    },
    /// Written once a second while calls are up, so that a crash is dated to the second.
    EngineAlive {
        /// Calls up at that moment.
        calls: u32,
    },
    /// The engine stopped in an orderly way.
    EngineStopped,
    /// An INVITE of a known trunk (or operator) reached the engine.
    CallArrived {
        /// The new call.
        call: CallId,
        /// The number that was dialled, normalised.
        number: String,
        /// The caller's number, normalised; empty if withheld.
        caller: String,
        /// The caller's display name; may be empty.
        caller_name: String,
        /// The trunk that brought the call, or `operator:LOGIN`.
        trunk: String,
        /// The plan that serves the number; empty if none does.
        plan: String,
        /// The Call-ID of the caller's INVITE, to find the call in a SIP trace.
        sip_call_id: String,
        /// Which way it goes.
        #[serde(default)]
        direction: Direction,
        /// The operator who called, if one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operator: Option<OperatorRef>,
        /// The call in which that operator was when this one was made: it is a consultation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        consults: Option<CallId>,
    },
    /// An INVITE of ours went out for a leg. A leg whose first telephone is dead has one for each
    /// telephone that was tried. The caller's leg is in `CallArrived`.
    LegStarted {
        /// Which call.
        call: CallId,
        /// Which leg of it.
        leg: LegId,
        /// Whom the INVITE goes to.
        party: Party,
        /// The Call-ID of the INVITE, to find the leg in a SIP trace.
        sip_call_id: String,
    },
    /// The engine answered the caller (200 OK to the caller's INVITE).
    CallAnswered {
        /// Which call.
        call: CallId,
    },
    /// The notice that the call is recorded was played to its end.
    NoticePlayed {
        /// Which call.
        call: CallId,
        /// Name of the prompt.
        prompt: String,
    },
    /// The plan gave a field of the call a value, or the caller did by keys.
    FieldSet {
        /// Which call.
        call: CallId,
        /// Which field.
        field: String,
        /// The value; none if it is personal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
    /// The caller chose at a menu, or was let go on without a choice.
    MenuChosen {
        /// Which call.
        call: CallId,
        /// The flow in which the menu stands.
        menu: String,
        /// The key; empty if the caller never pressed one that means something.
        key: String,
        /// The flow that follows; empty if the menu's own goes on.
        flow: String,
    },
    /// The caller gave the call a mark.
    CallRated {
        /// Which call.
        call: CallId,
        /// From 1, the worst, to 5.
        mark: u8,
    },
    /// The call began to wait in a queue.
    QueueEntered {
        /// Which call.
        call: CallId,
        /// Which queue, by name.
        queue: String,
        /// Priority; higher is served first.
        priority: u8,
        /// What the call asks of an operator besides what the queue asks: skill and least level.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        skills: Vec<(String, u8)>,
    },
    /// A call began to ring at an operator.
    OfferMade {
        /// Which call.
        call: CallId,
        /// The new offer.
        offer: OfferId,
        /// The queue it came from; empty if the operator was called or transferred to directly.
        queue: String,
        /// To whom.
        operator: OperatorRef,
        /// Why this operator and not another, in words for a supervisor.
        why: String,
        /// Others who were free and considered, and why not they; a few at most.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        considered: Vec<NotChosen>,
    },
    /// An offer came to an end.
    OfferEnded {
        /// Which call.
        call: CallId,
        /// Which offer.
        offer: OfferId,
        /// How.
        result: OfferResult,
        /// Final SIP status of the operator's telephone, if it sent one.
        status: Option<u16>,
    },
    /// The call left the queue.
    QueueLeft {
        /// Which call.
        call: CallId,
        /// Which queue, by name.
        queue: String,
        /// How, in the terms of METRICS.md.
        outcome: QueueOutcome,
    },
    /// Somebody and the first party of the call began to talk.
    SegmentStarted {
        /// Which call.
        call: CallId,
        /// Number of the segment within the call, from 1.
        segment: u16,
        /// Who talks to the first party: the caller, or whom the operator called who has left.
        #[serde(flatten)]
        party: Party,
        /// The operator who is the first party, if one is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        with: Option<OperatorRef>,
        /// The offer that was accepted; none for an outer number, and where a talk is taken up
        /// again after a transfer that failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offer: Option<OfferId>,
        /// Whether the segment is to be recorded.
        recorded: bool,
    },
    /// One of them put the other on hold.
    HoldStarted {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
        /// Who wanted no audio any more.
        by: HeldBy,
    },
    /// And took the talk up again; a segment that ends on hold has it right before its end.
    HoldEnded {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
        /// Who wants audio again.
        by: HeldBy,
    },
    /// Nothing is heard of one party of a talk while the other speaks.
    OneWayStarted {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
        /// Of whom nothing is heard.
        silent: Side,
    },
    /// The party is heard again; a segment that ends so has it right before its end.
    OneWayEnded {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
        /// Of whom nothing was heard.
        silent: Side,
    },
    /// A party sent no audio for longer than the settings allow, and was hung up on.
    PartySilent {
        /// Which call.
        call: CallId,
        /// Which leg of it.
        leg: LegId,
        /// Who; none for the caller.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        party: Option<Party>,
        /// How long nothing came, milliseconds.
        silent_ms: u64,
    },
    /// The audio of a leg is over; what was measured of it. Comes after the end of the call, or
    /// before it for a leg that leaves sooner.
    LegMeasured {
        /// Which call.
        call: CallId,
        /// Which leg of it.
        leg: LegId,
        /// Who was there; none for the caller.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        party: Option<Party>,
        /// What came and went.
        counts: LegCounts,
        /// How well.
        quality: LegQuality,
    },
    /// They stopped.
    SegmentEnded {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
        /// Who ended it.
        ended_by: EndedBy,
    },
    /// The operator's work after a segment is done; it began with the segment's end.
    WrapUpEnded {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
    },
    /// An operator asked for the other party to be put through to somebody else.
    TransferRequested {
        /// Which call.
        call: CallId,
        /// Number of the transfer within the call, from 1.
        transfer: u16,
        /// Who asked.
        by: OperatorRef,
        /// With or without a consultation.
        kind: TransferKind,
        /// To what.
        target: TransferTarget,
        /// The call in which the operator talked to the target before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        consultation: Option<CallId>,
    },
    /// The transfer came to an end. After any other than `Done` the call went back.
    TransferEnded {
        /// Which call.
        call: CallId,
        /// Which transfer of it.
        transfer: u16,
        /// How.
        result: TransferResult,
        /// Final SIP status of the target, if it sent one.
        status: Option<u16>,
    },
    /// Somebody more came into a talk, which is a conference with that.
    ConferenceJoined {
        /// Which call.
        call: CallId,
        /// The segment that goes on with them.
        segment: u16,
        /// Their leg.
        leg: LegId,
        /// Who.
        party: Party,
        /// The call in which an operator talked to them before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        consultation: Option<CallId>,
    },
    /// One who came into a talk has gone. Who stays when the segment's own party leaves has a
    /// segment of their own from then on, and no such fact.
    ConferenceLeft {
        /// Which call.
        call: CallId,
        /// The segment under way.
        segment: u16,
        /// Their leg.
        leg: LegId,
        /// Who.
        party: Party,
        /// Who ended it.
        ended_by: EndedBy,
    },
    /// A supervisor's telephone is in a talk from now on.
    SupervisionStarted {
        /// Which call.
        call: CallId,
        /// The segment under way, or the last one.
        segment: u16,
        /// Who supervises.
        supervisor: OperatorRef,
        /// How.
        mode: SupervisionMode,
    },
    /// The supervisor takes part in another way from now on.
    SupervisionTurned {
        /// Which call.
        call: CallId,
        /// The segment under way, or the last one.
        segment: u16,
        /// Who supervises.
        supervisor: OperatorRef,
        /// How.
        mode: SupervisionMode,
    },
    /// The supervision is over. If the telephone was not answered, it never began.
    SupervisionEnded {
        /// Which call.
        call: CallId,
        /// Who supervised.
        supervisor: OperatorRef,
        /// By what.
        ended_by: SupervisionEnd,
    },
    /// A consultation became part of the call it was about; it ends with this.
    CallJoined {
        /// The consultation.
        call: CallId,
        /// The call that goes on.
        into: CallId,
    },
    /// The call is over. Exactly one per call.
    CallEnded {
        /// Which call.
        call: CallId,
        /// The call's one outcome.
        outcome: Outcome,
        /// Who ended it.
        ended_by: EndedBy,
        /// Final SIP status sent to or by the caller, if the call was never answered.
        status: Option<u16>,
        /// Why, in words, where outcome and party do not say it.
        reason: String,
    },
    /// What the caller says and hears while waiting goes into a recording from now on, until the call
    /// leaves the queue.
    WaitRecorded {
        /// Which call.
        call: CallId,
        /// Number of the recording within the call; talks, messages and waits are counted together.
        segment: u16,
        /// The queue in which it waits.
        queue: String,
    },
    /// The caller began to leave a message: after the tone.
    MessageStarted {
        /// Which call.
        call: CallId,
        /// Number of its recording within the call; talks, messages and waits are counted together.
        segment: u16,
        /// Where it is kept.
        mailbox: String,
        /// Logins of the operators for whom it waits.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        waits_for: Vec<String>,
    },
    /// The message is over.
    MessageEnded {
        /// Which call.
        call: CallId,
        /// Which recording of it.
        segment: u16,
        /// By what.
        ended_by: MessageEnd,
        /// False: less was said than the plan wants, and it is thrown away.
        kept: bool,
    },
    /// A person listened to a message, or says so.
    MessageHeard {
        /// Which call.
        call: CallId,
        /// Which recording of it.
        segment: u16,
        /// Who: a login, or the user of a command line.
        by: String,
    },
    /// Nothing more of a segment is recorded until it is resumed, or to its end.
    RecordingPaused {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
        /// What was about to be said.
        reason: PauseReason,
    },
    /// The segment is recorded again.
    RecordingResumed {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
        /// Because the pause lasted as long as one may, and not by the operator.
        automatic: bool,
    },
    /// A recording is on disk, whole and readable.
    RecordingStored {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
        /// What and where.
        file: RecordingFile,
    },
    /// A segment that should have audio has none, or not all of it.
    RecordingMissing {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
        /// Why.
        reason: MissingReason,
    },
    /// Somebody reached us another way than by a call, and a person wrote it down.
    ContactAdded {
        /// The new entry; its id is of the same numbers as those of calls.
        call: CallId,
        /// What is known of it.
        contact: Box<Contact>,
    },
    /// A person wrote fields of an entry. What stood there before is in earlier events.
    EntryEdited {
        /// Which entry.
        call: CallId,
        /// Who: a login, or the user of a command line.
        by: String,
        /// The new values.
        changes: Vec<FieldChange>,
    },
    /// A person marked an entry as completed.
    EntryCompleted {
        /// Which entry.
        call: CallId,
        /// Who.
        by: String,
    },
    /// A person took the mark of completion back.
    EntryReopened {
        /// Which entry.
        call: CallId,
        /// Who.
        by: String,
        /// Why, in words.
        reason: String,
    },
    /// A person wrote the card of a caller. What stood there before is in earlier events. Its numbers
    /// are taken from any other card.
    PersonWritten {
        /// Which card; none of a new one, whose id is that of this event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<EventId>,
        /// Who wrote.
        by: String,
        /// All that stands in it now.
        card: Box<PersonCard>,
        /// Cards that became a part of it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        merged: Vec<EventId>,
        /// The card that its numbers were on before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        split_from: Option<EventId>,
    },
    /// Somebody was given a recording to hear.
    RecordingHeard {
        /// Which call.
        call: CallId,
        /// Which segment of it.
        segment: u16,
        /// Who.
        by: String,
    },
    /// What an operator does changed, or what the operator chose.
    OperatorTurned {
        /// Who.
        operator: OperatorRef,
        /// What the engine observes from now on. `Reserved` counts as `Ringing`, `Held` as `Talking`.
        state: OperatorState,
        /// What the person chose: `available`, `break: REASON`, `training`, `after_call_work`,
        /// `not_ready`, `off`.
        status: String,
    },
    /// Somebody gave an order to the queues, and it was carried out.
    Ordered {
        /// Who.
        by: String,
        /// As whom.
        rank: Rank,
        /// What.
        order: Order,
    },
    /// Somebody signed in to the HTTP API with login and password, tried to in vain, or signed out.
    SessionChanged {
        /// The login, as it was given.
        login: String,
        /// What happened.
        change: SessionChange,
        /// From which address; empty if that is not known.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        from: String,
    },
    /// A caller is owed a call of ours; told anew after each attempt in vain.
    CallbackOwed {
        /// The call that was promised it.
        call: CallId,
        /// What is owed.
        callback: Box<Callback>,
    },
    /// A call of ours began that makes good another one.
    CallbackDialled {
        /// Ours.
        call: CallId,
        /// The one that was promised it.
        of: CallId,
    },
    /// A callback is over.
    CallbackSettled {
        /// The call that was promised it.
        call: CallId,
        /// How it ended.
        result: CallbackResult,
    },
    /// An operator signed in or out, or another status holds.
    OperatorOnDuty {
        /// Who.
        operator: OperatorRef,
        /// All that was chosen.
        duty: Box<Duty>,
        /// Who chose it: the operator, a supervisor, or `engine` after offers that nobody took.
        by: String,
    },
    /// A break came to its end.
    BreakTaken {
        /// Who was on it.
        operator: OperatorRef,
        /// The reason.
        reason: String,
        /// How long it lasted, milliseconds.
        lasted_ms: u64,
        /// Whether the rules did not permit it, and a supervisor did.
        by_leave: bool,
        /// By how much the day's limit was overrun, milliseconds.
        over_ms: u64,
    },
    /// A telephone registered, is reached another way, or stays longer than was written.
    TelephoneRegistered {
        /// Which, and the way to it.
        registration: Box<Registration>,
    },
    /// A telephone is not registered any more.
    TelephoneUnregistered {
        /// The operator's login.
        login: String,
        /// `key` of the registration.
        key: String,
    },
    /// A person set the emergency switch of a plan: it wins over what the plan's file says.
    EmergencySwitched {
        /// Which plan, by name.
        plan: String,
        /// On or off; none: as the file says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<bool>,
        /// Who: a login, or the user of a command line.
        by: String,
    },
    /// A telephone of an operator became reachable or stopped being so.
    OperatorReachable {
        /// Who.
        operator: OperatorRef,
        /// Whether there is at least one live registration.
        reachable: bool,
    },
}

tagged!(Fact, "fact");

impl Fact {
    /// What became of a recording. It may be stated by a later boot than the one whose call it is of, with the
    /// time of that.
    #[must_use]
    pub const fn is_of_recording(&self) -> bool {
        matches!(
            self,
            Self::RecordingStored { .. } | Self::RecordingMissing { .. }
        )
    }

    /// The call the fact belongs to, if it belongs to one.
    #[must_use]
    pub const fn call(&self) -> Option<CallId> {
        match self {
            Self::EngineStarted { .. }
            | Self::EngineAlive { .. }
            | Self::EngineStopped
            | Self::TelephoneRegistered { .. }
            | Self::TelephoneUnregistered { .. }
            | Self::OperatorReachable { .. }
            | Self::EmergencySwitched { .. }
            | Self::SessionChanged { .. }
            | Self::OperatorTurned { .. }
            | Self::OperatorOnDuty { .. }
            | Self::BreakTaken { .. }
            | Self::PersonWritten { .. } => None,
            Self::Ordered { order, .. } => order.call(),
            Self::CallArrived { call, .. }
            | Self::LegStarted { call, .. }
            | Self::CallAnswered { call }
            | Self::NoticePlayed { call, .. }
            | Self::FieldSet { call, .. }
            | Self::MenuChosen { call, .. }
            | Self::CallRated { call, .. }
            | Self::QueueEntered { call, .. }
            | Self::OfferMade { call, .. }
            | Self::OfferEnded { call, .. }
            | Self::QueueLeft { call, .. }
            | Self::SegmentStarted { call, .. }
            | Self::HoldStarted { call, .. }
            | Self::HoldEnded { call, .. }
            | Self::OneWayStarted { call, .. }
            | Self::OneWayEnded { call, .. }
            | Self::PartySilent { call, .. }
            | Self::LegMeasured { call, .. }
            | Self::SegmentEnded { call, .. }
            | Self::WrapUpEnded { call, .. }
            | Self::TransferRequested { call, .. }
            | Self::TransferEnded { call, .. }
            | Self::CallJoined { call, .. }
            | Self::ConferenceJoined { call, .. }
            | Self::ConferenceLeft { call, .. }
            | Self::SupervisionStarted { call, .. }
            | Self::SupervisionTurned { call, .. }
            | Self::SupervisionEnded { call, .. }
            | Self::CallEnded { call, .. }
            | Self::WaitRecorded { call, .. }
            | Self::MessageStarted { call, .. }
            | Self::MessageEnded { call, .. }
            | Self::MessageHeard { call, .. }
            | Self::RecordingPaused { call, .. }
            | Self::RecordingResumed { call, .. }
            | Self::RecordingStored { call, .. }
            | Self::RecordingMissing { call, .. }
            | Self::RecordingHeard { call, .. }
            | Self::ContactAdded { call, .. }
            | Self::EntryEdited { call, .. }
            | Self::EntryCompleted { call, .. }
            | Self::CallbackOwed { call, .. }
            | Self::CallbackDialled { call, .. }
            | Self::CallbackSettled { call, .. }
            | Self::EntryReopened { call, .. } => Some(*call),
        }
    }
}

//! Owns the live picture that screens show: counts, queues and operators' states at one moment.

use serde::{Deserialize, Serialize};

use crate::{OperatorId, QueueOutcome, WallTime};

/// What the engine observes of an operator. Derived from live legs, timers and registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorState {
    /// No telephone is registered.
    Unreachable,
    /// Registered and free to take a call.
    Free,
    /// An offer was decided; the telephone does not ring yet.
    Reserved,
    /// The telephone rings.
    Ringing,
    /// In talk with a caller.
    Talking,
    /// In a talk in which one put the other on hold.
    Held,
    /// In a call that no queue gave: called directly, transferred to, or calling.
    OtherCall,
    /// Finishing the work of the last call.
    WrapUp,
    /// Set aside for a while after offers that went unanswered.
    Resting,
    /// Reachable, but the person chose not to take calls.
    Paused,
}

impl OperatorState {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Unreachable,
        Self::Free,
        Self::Reserved,
        Self::Ringing,
        Self::Talking,
        Self::Held,
        Self::OtherCall,
        Self::WrapUp,
        Self::Resting,
        Self::Paused,
    ];
}

/// One operator in the live picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveOperator {
    /// Who.
    pub id: OperatorId,
    /// Full name, or the sign-in name where there is none.
    pub name: String,
    /// Number of the workplace: the line signed in to, else the operator's own.
    pub line: String,
    /// Whether the line is this operator's now; not if it is the own one and somebody else is signed
    /// in there. A line has one operator at most.
    #[serde(default)]
    pub at_line: bool,
    /// What the person chose, as [`crate::Fact::OperatorTurned`] spells it.
    #[serde(default)]
    pub status: String,
    /// What the engine observes.
    pub state: OperatorState,
    /// How long the state has lasted, milliseconds.
    pub since_ms: u64,
}

/// One queue in the live picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveQueue {
    /// Its name.
    pub name: String,
    /// Whether it is open: in the settings, and closed by nobody.
    pub open: bool,
    /// How it would refuse a call that came now; none if it would take it.
    pub refuses: Option<QueueOutcome>,
    /// Callers who wait in it, those included whose call rings at an operator.
    pub waiting: u32,
    /// The longest wait of those callers, from their entry into this queue, milliseconds.
    pub longest_wait_ms: u64,
    /// People who are owed a callback; they wait on no line.
    pub callbacks: u32,
    /// Operators who are free and would get a call of it at once.
    pub free: u32,
    /// Operators who take its calls, be it after what they do now.
    pub serving: u32,
}

/// Totals since the start and figures of this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveCounts {
    /// Calls up now.
    pub calls: u32,
    /// Calls in a queue now.
    pub waiting: u32,
    /// Calls in talk now.
    pub talking: u32,
    /// Talks now in which one party is not heard.
    pub one_way: u32,
    /// How often one party of a talk was not heard any more, since the start.
    #[serde(default)]
    pub one_way_begun: u64,
    /// The longest wait of the calls in a queue now, milliseconds.
    pub longest_wait_ms: u64,
    /// Calls that arrived since the start.
    pub arrived: u64,
    /// Calls an operator answered since the start.
    pub answered: u64,
    /// Calls whose caller hung up while waiting, since the start.
    pub abandoned: u64,
    /// Calls refused since the start: unknown number, engine full, unfit INVITE.
    pub refused: u64,
    /// Wrong passwords since the start.
    pub auth_failures: u64,
    /// Requests of unknown addresses that got no answer, since the start: scanners, floods, and
    /// whatever the policy drops.
    pub dropped: u64,
    /// Malformed packets since the start.
    pub malformed: u64,
    /// Broken invariants since the start. Always zero, or there is a bug.
    pub bugs: u64,
}

/// Our registration with a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationState {
    /// Asked for, or about to be.
    Trying,
    /// The trunk sends its calls here.
    Registered,
    /// Refused or not answered; it is tried again.
    Failed,
    /// Taken back at a stop.
    Closed,
}

impl RegistrationState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Trying, Self::Registered, Self::Failed, Self::Closed];
}

/// One trunk in the live picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveTrunk {
    /// Its name.
    pub name: String,
    /// Our registration; none where it needs none.
    pub registration: Option<RegistrationState>,
    /// Its servers: address, and whether calls may go there now.
    pub servers: Vec<(String, bool)>,
    /// Calls that it brought and that are up.
    pub calls_in: u32,
    /// Calls to it that are up.
    pub calls_out: u32,
}

/// How recording is: totals since the start and figures of this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveRecording {
    /// Recordings stored since the start.
    pub stored: u64,
    /// Recordings that were begun and will not be there, since the start.
    pub missing: u64,
    /// Packets that reached the engine and could not be kept, since the start.
    pub dropped: u64,
    /// Octets written to the spool since the start.
    pub spool_bytes: u64,
    /// Recordings that are over and are not stored yet.
    pub waiting: u64,
    /// How long the one of them that waits longest has waited.
    pub lag_ms: u64,
    /// Whether spool or recordings cannot be written.
    pub disk_failing: bool,
    /// Recordings that are in the archive and not in the bucket.
    pub uploads_waiting: u64,
    /// How long the oldest of them has waited.
    pub uploads_oldest_ms: u64,
    /// Uploads, and deletions in the bucket, that failed since the start.
    pub upload_failures: u64,
}

/// How the process around the calls is: totals since its start and figures of this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveProcess {
    /// When it started.
    pub started: WallTime,
    /// Whether it takes no new calls, since it is about to stop.
    pub draining: bool,
    /// A media thread has ended: its calls have no audio, and the process is to be started anew.
    pub media_dead: bool,
    /// Commands that found their media thread too far behind, since the start.
    pub media_late: u64,
    /// Answers that went out before the disk had their facts, since the start.
    pub overdue_answers: u64,
    /// Messages that the SIP trace had no room for, since the start.
    pub trace_dropped: u64,
    /// Datagrams that the kernel did not take, since the start.
    pub datagrams_unsent: u64,
    /// Connections of signalling that came to grief, since the start.
    pub connections: LiveConnections,
}

/// Connections of signalling that came to grief, by what it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveConnections {
    /// Turned away because there were too many, in all or of one address.
    pub turned_away: u64,
    /// Closed because the peer did not read.
    pub queue_full: u64,
    /// Closed because a message or a handshake was not complete in time.
    pub slow: u64,
    /// Closed because nobody could say any more where the next message begins.
    pub framing_lost: u64,
    /// TLS or WebSocket handshakes that failed.
    pub handshakes_failed: u64,
    /// Ours that could not be opened.
    pub unconnected: u64,
}

/// The live picture at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Totals and figures of this moment.
    pub counts: LiveCounts,
    /// Every queue, in the order of the settings.
    #[serde(default)]
    pub queues: Vec<LiveQueue>,
    /// Every operator of the settings, in order of their lines.
    pub operators: Vec<LiveOperator>,
    /// Every trunk, in the order of the settings.
    pub trunks: Vec<LiveTrunk>,
}

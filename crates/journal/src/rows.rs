//! Owns the rows computed from an entry: one definition per table gives the struct, the columns
//! and the values, so that the fold, the SQL and the exports cannot drift apart.

mod fill;

use vocab::{Event, Fact};

use crate::db::Value;

use fill::clamp;
pub(crate) use fill::word;

/// Names of the columns of an entry.
#[must_use]
pub fn entry_columns() -> &'static [&'static str] {
    EntryRow::TABLE.columns
}

/// Outcome of an entry that was no call.
pub(crate) const CONTACT: &str = "contact";

/// A table and its columns. All of it is constant text, never input.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) key: &'static [&'static str],
    pub(crate) columns: &'static [&'static str],
}

/// A row of a table.
pub(crate) trait Row {
    const TABLE: Table;
    fn values(&self) -> Vec<Value>;
}

macro_rules! row {
    ($(#[$doc:meta])* $name:ident in $table:literal key [$($key:literal),+] {
        $( $(#[$field_doc:meta])* $field:ident : $type:ty ),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
        pub struct $name { $( $(#[$field_doc])* pub $field: $type ),+ }

        impl Row for $name {
            const TABLE: Table = Table {
                name: $table,
                key: &[$($key),+],
                columns: &[$(stringify!($field)),+],
            };
            fn values(&self) -> Vec<Value> {
                vec![$(self.$field.clone().into()),+]
            }
        }
    };
}

row! {
    /// One call, flat. Columns are explained in `migrations/sqlite/0001_journal.sql`.
    EntryRow in "entries" key ["call"] {
        /// The call; [`vocab::CallId::from_i64`] gives the id.
        call: i64,
        /// The number dialled.
        number: String,
        /// The caller's number; empty if withheld.
        caller: String,
        /// The caller's display name.
        caller_name: String,
        /// The trunk that brought it.
        trunk: String,
        /// The plan that served it.
        plan: String,
        /// Call-ID of the caller's INVITE.
        sip_call_id: String,
        /// The last queue entered.
        queue: Option<String>,
        /// Operator of the last segment that has one.
        operator_id: Option<i64>,
        /// Operator of the last segment.
        operator_login: Option<String>,
        /// Operator of the last segment.
        operator_name: Option<String>,
        /// Line of the operator of the last segment.
        operator_line: Option<String>,
        /// Operator of the first segment.
        first_operator_login: Option<String>,
        /// Arrival, UTC ms.
        arrived_at: Option<i64>,
        /// The engine's answer, UTC ms.
        answered_by_engine_at: Option<i64>,
        /// End of the notice of recording, UTC ms.
        notice_played_at: Option<i64>,
        /// Entry to the first queue, UTC ms.
        queue_entered_at: Option<i64>,
        /// Start of the first segment, UTC ms.
        answered_at: Option<i64>,
        /// End of the call, UTC ms.
        ended_at: Option<i64>,
        /// Wait in queues.
        wait_ms: Option<i64>,
        /// Wait from arrival to the first segment.
        arrival_wait_ms: Option<i64>,
        /// Line answer time of the last segment's offer.
        ring_ms: Option<i64>,
        /// Talk in all segments.
        talk_ms: Option<i64>,
        /// What of it was on hold.
        held_ms: Option<i64>,
        /// Arrival to end.
        duration_ms: Option<i64>,
        /// Offers made.
        offers: i64,
        /// Offers that ended in any way but `answered`.
        offers_unanswered: i64,
        /// Segments.
        segments: i64,
        /// [`vocab::Outcome`] in its JSON spelling; none while the call is up.
        outcome: Option<String>,
        /// [`vocab::EndedBy`] in its JSON spelling.
        ended_by: Option<String>,
        /// Final SIP status of a call never answered.
        status: Option<i64>,
        /// Why it ended, in words.
        reason: Option<String>,
        /// Recording of the first segment.
        recording_path: Option<String>,
        /// Its SHA-256.
        recording_sha256: Option<String>,
        /// Its length.
        recording_ms: Option<i64>,
        /// Why it is missing or not whole.
        recording_missing: Option<String>,
        /// [`vocab::Direction`] in its JSON spelling.
        direction: String,
        /// The operator who called.
        caller_operator_login: Option<String>,
        /// The call it consulted about or became part of.
        linked_call: Option<i64>,
        /// Transfers that came about.
        transfers: i64,
        /// The worst direction of any leg, hundredths of a MOS.
        mos: Option<i64>,
        /// The longest round trip of any leg.
        round_trip_ms: Option<i64>,
        /// Talk in which one party was not heard.
        one_way_ms: Option<i64>,
        /// Flow and key of each menu: `main 1 > doctors 2`.
        menu_path: Option<String>,
        /// The caller's mark.
        rating: Option<i64>,
        /// Work after segments.
        wrap_up_ms: Option<i64>,
        /// [`vocab::Channel`] in its JSON spelling.
        channel: String,
        /// Who wrote down a contact that was no call.
        written_by: Option<String>,
        /// And when, UTC ms.
        written_at: Option<i64>,
        /// The caller's full name.
        full_name: Option<String>,
        /// Where the caller can be reached.
        contact_number: Option<String>,
        /// A place in the tree of topics.
        topic: Option<String>,
        /// What was asked.
        content: Option<String>,
        /// What was done.
        action: Option<String>,
        /// The department that is responsible.
        department: Option<String>,
        /// By when it is to have done it, UTC ms.
        deadline_at: Option<i64>,
        /// How far it is.
        execution: Option<String>,
        /// When it became done or declined, UTC ms.
        executed_at: Option<i64>,
        /// Link to the matter in another system.
        crm: Option<String>,
        /// The kind of emergency.
        emergency: Option<String>,
        /// When it began or was handed on, UTC ms.
        emergency_at: Option<i64>,
        /// When the entry was completed, UTC ms.
        completed_at: Option<i64>,
        /// By whom.
        completed_by: Option<String>,
        /// From the end of talk to completion.
        entry_delay_ms: Option<i64>,
        /// End of the last talk with an operator, UTC ms.
        talk_ended_at: Option<i64>,
        /// Whether it is one that is to be completed, be that done or not.
        to_complete: bool,
        /// Values that were written over.
        corrections: i64,
        /// The last event of the entry.
        version: i64,
        /// The last event by which people wrote something; 0 if nobody did.
        written_version: i64,
        /// [`vocab::number_key`] of who called, or whom we called; empty if withheld.
        party_key: String,
        /// The same of `contact_number`.
        contact_key: Option<String>,
    }
}

row! {
    /// One stay in a queue.
    QueueEntryRow in "queue_entries" key ["event"] {
        /// The event that entered it.
        event: i64,
        /// The call.
        call: i64,
        /// The queue.
        queue: String,
        /// Higher is served first.
        priority: i64,
        /// What the call asked for: `health 50, uk 1`.
        skills: String,
        /// UTC ms.
        entered_at: i64,
        /// UTC ms; none while waiting.
        left_at: Option<i64>,
        /// How long it waited.
        wait_ms: Option<i64>,
        /// [`vocab::QueueOutcome`] in its JSON spelling.
        outcome: Option<String>,
        /// Who answered, if one of ours did.
        operator_id: Option<i64>,
        /// The same.
        operator_login: Option<String>,
        /// The same.
        operator_name: Option<String>,
        /// At which line.
        operator_line: Option<String>,
        /// From the call's arrival to the answer, if it was the call's first.
        arrival_wait_ms: Option<i64>,
        /// The number of the recording of the wait, if it is recorded.
        recording: Option<i64>,
    }
}

row! {
    /// One ringing at an operator.
    OfferRow in "offers" key ["offer"] {
        /// Its id.
        offer: i64,
        /// The call.
        call: i64,
        /// The queue it came from.
        queue: String,
        /// To whom.
        operator_id: i64,
        /// To whom.
        operator_login: String,
        /// To whom.
        operator_name: String,
        /// Where it rang.
        operator_line: String,
        /// Why this operator.
        why: String,
        /// UTC ms.
        made_at: i64,
        /// UTC ms; none while it rings.
        ended_at: Option<i64>,
        /// How long it rang.
        ring_ms: Option<i64>,
        /// [`vocab::OfferResult`] in its JSON spelling.
        result: Option<String>,
        /// Final SIP status of the operator's telephone.
        status: Option<i64>,
    }
}

row! {
    /// One message of a caller.
    MessageRow in "messages" key ["call", "segment"] {
        /// The call.
        call: i64,
        /// Number of its recording within the call.
        segment: i64,
        /// Where it is kept.
        mailbox: String,
        /// Logins for whom it waits, with a comma between two.
        waits_for: String,
        /// UTC ms.
        started_at: i64,
        /// UTC ms; none while it is left.
        ended_at: Option<i64>,
        /// How long it is.
        length_ms: Option<i64>,
        /// [`vocab::MessageEnd`] in its JSON spelling.
        ended_by: Option<String>,
        /// Whether it is over and somebody is to hear it.
        kept: bool,
        /// UTC ms; none: nobody has heard it.
        heard_at: Option<i64>,
        /// Who heard it first.
        heard_by: Option<String>,
        /// The last event of it.
        version: i64,
    }
}

row! {
    /// One talk with an operator.
    SegmentRow in "segments" key ["call", "segment"] {
        /// The call.
        call: i64,
        /// Number within the call, from 1.
        segment: i64,
        /// The last queue entered before it.
        queue: Option<String>,
        /// The operator who talked, if one of ours did.
        operator_id: Option<i64>,
        /// The same.
        operator_login: Option<String>,
        /// The same.
        operator_name: Option<String>,
        /// At which line.
        operator_line: Option<String>,
        /// The number called in the outer network.
        outer_number: Option<String>,
        /// The trunk by which.
        outer_trunk: Option<String>,
        /// The offer that was accepted, if one was.
        offer: Option<i64>,
        /// Whether it was to be recorded.
        recorded: bool,
        /// UTC ms.
        started_at: i64,
        /// UTC ms; none while they talk.
        ended_at: Option<i64>,
        /// Line answer time.
        ring_ms: Option<i64>,
        /// How long they talked.
        talk_ms: Option<i64>,
        /// What of it was on hold.
        held_ms: Option<i64>,
        /// [`vocab::EndedBy`] in its JSON spelling.
        ended_by: Option<String>,
        /// The operator's work after it.
        wrap_up_ms: Option<i64>,
        /// What of it one party was not heard.
        one_way_ms: Option<i64>,
    }
}

row! {
    /// One leg whose audio is over. Columns are explained in `migrations/sqlite/0007_audio_quality.sql`.
    LegRow in "legs" key ["leg"] {
        /// The leg; [`vocab::LegId::from_i64`] gives the id.
        leg: i64,
        /// The call.
        call: i64,
        /// The operator at it, if one was.
        operator_id: Option<i64>,
        /// The same.
        operator_login: Option<String>,
        /// The number called in the outer network.
        outer_number: Option<String>,
        /// The trunk by which.
        outer_trunk: Option<String>,
        /// UTC ms.
        closed_at: i64,
        /// [`vocab::media::Codec`] in its JSON spelling.
        codec: Option<String>,
        /// RTP packets of the peer.
        received: i64,
        /// RTP packets to the peer.
        sent: i64,
        /// Missing in the peer's numbers.
        lost: i64,
        /// Came after a newer one.
        reordered: i64,
        /// Came twice.
        duplicates: i64,
        /// Thrown away.
        refused: i64,
        /// Mean jitter of what came.
        jitter_us: Option<i64>,
        /// The highest.
        jitter_max_us: Option<i64>,
        /// Of what came, hundredths of a MOS.
        mos: Option<i64>,
        /// Lost of what we sent, as the peer reported.
        peer_lost: Option<i64>,
        /// Mean jitter that the peer reported.
        peer_jitter_us: Option<i64>,
        /// Of what we sent, hundredths of a MOS.
        peer_mos: Option<i64>,
        /// Mean round trip.
        round_trip_us: Option<i64>,
        /// The silence after which it was hung up on.
        silent_ms: Option<i64>,
    }
}

row! {
    /// One transfer that an operator asked for.
    TransferRow in "transfers" key ["call", "transfer"] {
        /// The call.
        call: i64,
        /// Number within the call, from 1.
        transfer: i64,
        /// Who asked.
        operator_id: i64,
        /// Who asked.
        operator_login: String,
        /// Who asked.
        operator_name: String,
        /// At which line.
        operator_line: String,
        /// [`vocab::TransferKind`] in its JSON spelling.
        kind: String,
        /// `operator`, `queue`, `plan` or `outer`.
        target_kind: String,
        /// The line, name or number.
        target: String,
        /// The call in which the operator talked to the target before.
        consultation: Option<i64>,
        /// UTC ms.
        requested_at: i64,
        /// UTC ms; none while it goes on.
        ended_at: Option<i64>,
        /// [`vocab::TransferResult`] in its JSON spelling.
        result: Option<String>,
        /// Final SIP status of the target.
        status: Option<i64>,
    }
}

row! {
    /// The recording of one talk, message or wait, or why there is none.
    RecordingRow in "recordings" key ["call", "segment"] {
        /// The call.
        call: i64,
        /// Number within the call.
        segment: i64,
        /// Path below the root of recordings.
        path: Option<String>,
        /// SHA-256 of the file.
        sha256: Option<String>,
        /// Size of the file.
        bytes: Option<i64>,
        /// Length of the audio.
        duration_ms: Option<i64>,
        /// Packets of the caller's side.
        caller_packets: Option<i64>,
        /// Packets lost of the caller's side.
        caller_lost: Option<i64>,
        /// Packets of the operator's side.
        operator_packets: Option<i64>,
        /// Packets lost of the operator's side.
        operator_lost: Option<i64>,
        /// Packets that could not be kept.
        dropped: Option<i64>,
        /// Whether it was put together after a crash.
        repaired: Option<bool>,
        /// [`vocab::MissingReason`] in its JSON spelling.
        missing: Option<String>,
        /// When the journal heard of it, UTC ms.
        known_at: i64,
        /// SHA-256 of the audio before it was encrypted.
        audio_sha256: Option<String>,
        /// `alaw`, `pcm_s16le` or `opus`.
        encoding: Option<String>,
        /// Whether the file is encrypted.
        encrypted: Option<bool>,
        /// Time in which it was paused.
        paused_ms: Option<i64>,
        /// Time in which packets could not be kept.
        gaps_ms: Option<i64>,
        /// Time in which the caller spoke.
        caller_speech_ms: Option<i64>,
        /// Time in which the caller did not.
        caller_silence_ms: Option<i64>,
        /// Level of the caller's speech, tenths of dBov.
        caller_level: Option<i64>,
        /// Highest sample of the caller, tenths of dBov.
        caller_peak: Option<i64>,
        /// Samples of the caller at the end of the scale.
        caller_clipped: Option<i64>,
        /// Time in which the operator spoke.
        operator_speech_ms: Option<i64>,
        /// Time in which the operator did not.
        operator_silence_ms: Option<i64>,
        /// Level of the operator's speech, tenths of dBov.
        operator_level: Option<i64>,
        /// Highest sample of the operator, tenths of dBov.
        operator_peak: Option<i64>,
        /// Samples of the operator at the end of the scale.
        operator_clipped: Option<i64>,
        /// Silences of both sides of at least three seconds, added up.
        dead_air_ms: Option<i64>,
        /// The longest silence of both sides.
        dead_air_longest_ms: Option<i64>,
        /// Time in which both spoke.
        talk_over_ms: Option<i64>,
        /// [`vocab::Unheard`] in its JSON spelling.
        unheard: Option<String>,
    }
}

row! {
    /// A field that the plan of a call set.
    FieldRow in "entry_fields" key ["call", "field"] {
        /// The call.
        call: i64,
        /// Its name.
        field: String,
        /// The last value; none if it is personal.
        value: Option<String>,
        /// UTC ms.
        set_at: i64,
    }
}

row! {
    /// A value that a person wrote over another one.
    CorrectionRow in "corrections" key ["event", "field"] {
        /// The event that wrote the new one.
        event: i64,
        /// A column of `entries`, or `completed`.
        field: String,
        /// The call.
        call: i64,
        /// What stood there.
        old_value: Option<String>,
        /// What stands there since.
        new_value: Option<String>,
        /// Who.
        written_by: String,
        /// UTC ms.
        written_at: i64,
        /// Why, where it was said.
        reason: Option<String>,
    }
}

row! {
    /// What an operator began to do, or chose.
    TurnRow in "operator_turns" key ["event"] {
        /// The event.
        event: i64,
        /// Who.
        operator_id: i64,
        /// Who.
        operator_login: String,
        /// Who.
        operator_name: String,
        /// At which line.
        operator_line: String,
        /// [`vocab::OperatorState`] in its JSON spelling.
        state: String,
        /// What the person chose.
        status: String,
        /// UTC ms.
        began_at: i64,
        /// Monotonic clock of the boot, microseconds.
        up: i64,
    }
}

impl TurnRow {
    /// The row of an event, if it is of an operator's turn.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        let Fact::OperatorTurned {
            operator,
            state,
            status,
        } = &event.fact
        else {
            return None;
        };
        Some(Self {
            event: event.id.as_i64(),
            operator_id: i64::from(operator.id.0),
            operator_login: operator.login.clone(),
            operator_name: operator.name.clone(),
            operator_line: operator.line.clone(),
            state: word(state),
            status: status.clone(),
            began_at: event.at.as_unix_millis(),
            up: clamp(event.up.as_micros()),
        })
    }
}

row! {
    /// A break that an operator has ended.
    BreakRow in "breaks_taken" key ["event"] {
        /// The event.
        event: i64,
        /// Who.
        operator_id: i64,
        /// Who.
        operator_login: String,
        /// Who.
        operator_name: String,
        /// At which line.
        operator_line: String,
        /// The reason.
        reason: String,
        /// When it ended, UTC ms.
        ended_at: i64,
        /// How long it lasted.
        lasted_ms: i64,
        /// Whether a supervisor permitted what the rules did not.
        by_leave: bool,
        /// By how much the day's limit was overrun.
        over_ms: i64,
    }
}

impl BreakRow {
    /// The row of an event, if it is of a break.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let Fact::BreakTaken {
            operator,
            reason,
            lasted_ms,
            by_leave,
            over_ms,
        } = &event.fact
        else {
            return None;
        };
        Some(Self {
            event: event.id.as_i64(),
            operator_id: i64::from(operator.id.0),
            operator_login: operator.login.clone(),
            operator_name: operator.name.clone(),
            operator_line: operator.line.clone(),
            reason: reason.clone(),
            ended_at: event.at.as_unix_millis(),
            lasted_ms: i64::try_from(*lasted_ms).unwrap_or(i64::MAX),
            by_leave: *by_leave,
            over_ms: i64::try_from(*over_ms).unwrap_or(i64::MAX),
        })
    }
}

/// All rows of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRows {
    /// The call itself.
    pub entry: EntryRow,
    /// Its stays in queues.
    pub queue_entries: Vec<QueueEntryRow>,
    /// Its offers.
    pub offers: Vec<OfferRow>,
    /// Its segments.
    pub segments: Vec<SegmentRow>,
    /// Its messages.
    pub messages: Vec<MessageRow>,
    /// Its transfers.
    pub transfers: Vec<TransferRow>,
    /// Its legs.
    pub legs: Vec<LegRow>,
    /// Its recordings.
    pub recordings: Vec<RecordingRow>,
    /// Fields that its plan set.
    pub fields: Vec<FieldRow>,
    /// Values that people wrote over others.
    pub corrections: Vec<CorrectionRow>,
}

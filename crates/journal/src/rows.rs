//! Owns the rows computed from an entry: one definition per table gives the struct, the columns
//! and the values, so that the fold, the SQL and the exports cannot drift apart.

use std::time::Duration;

use serde::Serialize;
use vocab::{CallId, OfferResult, OperatorRef, Party, PathQuality, TransferResult, TransferTarget};

use crate::audio::Leg;
use crate::entry::{Entry, Moment, Recording};

/// One SQL value on its way into or out of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Text(String),
}

macro_rules! value_from {
    ($($from:ty => $make:expr),+ $(,)?) => { $(
        impl From<$from> for Value {
            fn from(value: $from) -> Self { ($make)(value) }
        }
        impl From<Option<$from>> for Value {
            fn from(value: Option<$from>) -> Self { value.map_or(Self::Null, $make) }
        }
    )+ };
}
value_from!(bool => Value::Bool, i64 => Value::Integer, String => Value::Text);

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
        /// UTC ms.
        entered_at: i64,
        /// UTC ms; none while waiting.
        left_at: Option<i64>,
        /// How long it waited.
        wait_ms: Option<i64>,
        /// [`vocab::QueueOutcome`] in its JSON spelling.
        outcome: Option<String>,
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
    /// One talk with an operator.
    SegmentRow in "segments" key ["call", "segment"] {
        /// The call.
        call: i64,
        /// Number within the call, from 1.
        segment: i64,
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
    /// The recording of one segment, or why there is none.
    RecordingRow in "recordings" key ["call", "segment"] {
        /// The call.
        call: i64,
        /// Segment of the call.
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
    /// Its transfers.
    pub transfers: Vec<TransferRow>,
    /// Its legs.
    pub legs: Vec<LegRow>,
    /// Its recordings.
    pub recordings: Vec<RecordingRow>,
}

impl CallRows {
    /// The rows of an entry.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        Self {
            entry: entry_row(entry),
            queue_entries: queue_entry_rows(entry),
            offers: offer_rows(entry),
            segments: segment_rows(entry),
            transfers: transfer_rows(entry),
            legs: leg_rows(entry),
            recordings: entry
                .recordings
                .values()
                .map(|r| recording_row(entry, r))
                .collect(),
        }
    }
}

fn entry_row(entry: &Entry) -> EntryRow {
    let arrival = entry.arrival.as_ref();
    let last = entry
        .segments
        .iter()
        .rfind(|segment| segment.operator().is_some());
    let operator = last.and_then(|segment| segment.operator());
    let end = entry.end.as_ref();
    let recording = entry.recordings.get(&1);
    let file = recording.and_then(|recording| recording.file.as_ref());
    let text = |pick: fn(&crate::entry::Arrival) -> &String| {
        arrival.map(pick).cloned().unwrap_or_default()
    };
    let person = |pick: fn(&OperatorRef) -> &String| operator.map(pick).cloned();
    EntryRow {
        call: entry.call.as_i64(),
        number: text(|a| &a.number),
        caller: text(|a| &a.caller),
        caller_name: text(|a| &a.caller_name),
        trunk: text(|a| &a.trunk),
        plan: text(|a| &a.plan),
        sip_call_id: text(|a| &a.sip_call_id),
        queue: entry.queues.last().map(|queue| queue.queue.clone()),
        operator_id: operator.map(|operator| i64::from(operator.id.0)),
        operator_login: person(|o| &o.login),
        operator_name: person(|o| &o.name),
        operator_line: person(|o| &o.line),
        first_operator_login: entry
            .segments
            .iter()
            .find_map(|segment| Some(segment.operator()?.login.clone())),
        arrived_at: arrival.map(|a| at(a.moment)),
        answered_by_engine_at: entry.answered_by_engine.map(at),
        notice_played_at: entry.notice_played.map(at),
        queue_entered_at: entry.queues.first().map(|queue| at(queue.entered)),
        answered_at: entry.segments.first().map(|segment| at(segment.started)),
        ended_at: end.map(|end| at(end.moment)),
        wait_ms: entry.wait().map(ms),
        arrival_wait_ms: entry.wait_from_arrival().map(ms),
        ring_ms: last.and_then(|segment| entry.ring_of(segment)).map(ms),
        talk_ms: entry.talk().map(ms),
        held_ms: entry.held().map(ms),
        duration_ms: entry.duration().map(ms),
        offers: count(entry.offers.len()),
        offers_unanswered: count(
            entry
                .offers
                .iter()
                .filter_map(|o| o.ended.as_ref())
                .filter(|e| e.result != OfferResult::Answered)
                .count(),
        ),
        segments: count(entry.segments.len()),
        outcome: end.map(|end| word(&end.outcome)),
        ended_by: end.map(|end| word(&end.ended_by)),
        status: end.and_then(|end| end.status).map(i64::from),
        reason: end.map(|end| end.reason.clone()),
        recording_path: file.map(|file| file.path.clone()),
        recording_sha256: file.map(|file| file.sha256.clone()),
        recording_ms: file.map(|file| clamp(file.duration_ms)),
        recording_missing: recording
            .and_then(|r| r.missing)
            .map(|reason| word(&reason)),
        direction: word(&arrival.map(|arrival| arrival.direction).unwrap_or_default()),
        caller_operator_login: arrival
            .and_then(|arrival| arrival.operator.as_ref())
            .map(|operator| operator.login.clone()),
        linked_call: entry.linked().map(CallId::as_i64),
        transfers: count(
            entry
                .transfers
                .iter()
                .filter_map(|transfer| transfer.ended)
                .filter(|(_, result, _)| *result == TransferResult::Done)
                .count(),
        ),
        mos: entry.mos().map(i64::from),
        round_trip_ms: entry.round_trip().map(ms),
        one_way_ms: entry.one_way().map(ms),
    }
}

fn queue_entry_rows(entry: &Entry) -> Vec<QueueEntryRow> {
    let row = |queue: &crate::entry::QueueEntry| QueueEntryRow {
        event: queue.event.as_i64(),
        call: entry.call.as_i64(),
        queue: queue.queue.clone(),
        priority: i64::from(queue.priority),
        entered_at: at(queue.entered),
        left_at: queue.left.map(|(left, _)| at(left)),
        wait_ms: queue.wait().map(ms),
        outcome: queue.left.map(|(_, outcome)| word(&outcome)),
    };
    entry.queues.iter().map(row).collect()
}

fn offer_rows(entry: &Entry) -> Vec<OfferRow> {
    let row = |offer: &crate::entry::Offer| OfferRow {
        offer: offer.offer.as_i64(),
        call: entry.call.as_i64(),
        queue: offer.queue.clone(),
        operator_id: i64::from(offer.operator.id.0),
        operator_login: offer.operator.login.clone(),
        operator_name: offer.operator.name.clone(),
        operator_line: offer.operator.line.clone(),
        why: offer.why.clone(),
        made_at: at(offer.made),
        ended_at: offer.ended.as_ref().map(|end| at(end.moment)),
        ring_ms: offer.ring().map(ms),
        result: offer.ended.as_ref().map(|end| word(&end.result)),
        status: offer
            .ended
            .as_ref()
            .and_then(|end| end.status)
            .map(i64::from),
    };
    entry.offers.iter().map(row).collect()
}

fn segment_rows(entry: &Entry) -> Vec<SegmentRow> {
    let row = |segment: &crate::entry::Segment| SegmentRow {
        call: entry.call.as_i64(),
        segment: i64::from(segment.number),
        operator_id: segment.operator().map(|operator| i64::from(operator.id.0)),
        operator_login: segment.operator().map(|operator| operator.login.clone()),
        operator_name: segment.operator().map(|operator| operator.name.clone()),
        operator_line: segment.operator().map(|operator| operator.line.clone()),
        outer_number: outer(segment).map(|(number, _)| number.clone()),
        outer_trunk: outer(segment).map(|(_, trunk)| trunk.clone()),
        offer: segment.offer.map(vocab::OfferId::as_i64),
        recorded: segment.recorded,
        started_at: at(segment.started),
        ended_at: segment.ended.map(|(ended, _)| at(ended)),
        ring_ms: entry.ring_of(segment).map(ms),
        talk_ms: segment.talk().map(ms),
        held_ms: segment.held().map(ms),
        ended_by: segment.ended.map(|(_, by)| word(&by)),
        one_way_ms: segment.one_way().map(ms),
    };
    entry.segments.iter().map(row).collect()
}

fn leg_rows(entry: &Entry) -> Vec<LegRow> {
    let row = |leg: &Leg| {
        let (operator, outer) = match &leg.party {
            Some(Party::Operator(operator)) => (Some(operator), None),
            Some(Party::Outer { number, trunk }) => (None, Some((number, trunk))),
            None => (None, None),
        };
        let (counts, quality) = (&leg.counts, &leg.quality);
        let came = |pick: fn(&PathQuality) -> u64| quality.from_peer.as_ref().map(pick).map(clamp);
        let went = |pick: fn(&PathQuality) -> u64| quality.to_peer.as_ref().map(pick).map(clamp);
        LegRow {
            leg: leg.leg.as_i64(),
            call: entry.call.as_i64(),
            operator_id: operator.map(|operator| i64::from(operator.id.0)),
            operator_login: operator.map(|operator| operator.login.clone()),
            outer_number: outer.map(|(number, _)| number.clone()),
            outer_trunk: outer.map(|(_, trunk)| trunk.clone()),
            closed_at: at(leg.closed),
            codec: quality.codec.map(|codec| word(&codec)),
            received: clamp(counts.received),
            sent: clamp(counts.sent),
            lost: clamp(counts.lost),
            reordered: clamp(counts.reordered),
            duplicates: clamp(counts.duplicates),
            refused: clamp(counts.refused),
            jitter_us: came(|path| path.jitter_us.into()),
            jitter_max_us: came(|path| path.jitter_max_us.into()),
            mos: came(|path| path.mos.into()),
            peer_lost: went(|path| path.lost),
            peer_jitter_us: went(|path| path.jitter_us.into()),
            peer_mos: went(|path| path.mos.into()),
            round_trip_us: quality.round_trip_us.map(i64::from),
            silent_ms: leg.silent.map(ms),
        }
    };
    entry.legs.iter().map(row).collect()
}

/// Number and trunk of a talk with the outer network.
const fn outer(segment: &crate::entry::Segment) -> Option<(&String, &String)> {
    match &segment.party {
        Party::Outer { number, trunk } => Some((number, trunk)),
        Party::Operator(_) => None,
    }
}

fn transfer_rows(entry: &Entry) -> Vec<TransferRow> {
    let row = |transfer: &crate::entry::Transfer| {
        let (target_kind, target) = match &transfer.target {
            TransferTarget::Operator { line } => ("operator", line),
            TransferTarget::Queue { queue } => ("queue", queue),
            TransferTarget::Plan { number } => ("plan", number),
            TransferTarget::Outer { number } => ("outer", number),
        };
        TransferRow {
            call: entry.call.as_i64(),
            transfer: i64::from(transfer.number),
            operator_id: i64::from(transfer.by.id.0),
            operator_login: transfer.by.login.clone(),
            operator_name: transfer.by.name.clone(),
            operator_line: transfer.by.line.clone(),
            kind: word(&transfer.kind),
            target_kind: target_kind.to_owned(),
            target: target.clone(),
            consultation: transfer.consultation.map(CallId::as_i64),
            requested_at: at(transfer.requested),
            ended_at: transfer.ended.map(|(ended, _, _)| at(ended)),
            result: transfer.ended.map(|(_, result, _)| word(&result)),
            status: transfer
                .ended
                .and_then(|(_, _, status)| status)
                .map(i64::from),
        }
    };
    entry.transfers.iter().map(row).collect()
}

fn recording_row(entry: &Entry, recording: &Recording) -> RecordingRow {
    let file = recording.file.as_ref();
    let number = |pick: fn(&vocab::RecordingFile) -> u64| file.map(pick).map(clamp);
    let sound = file.and_then(|file| file.sound.as_deref());
    let heard = sound.map(|sound| &sound.heard);
    let [caller, operator] = [
        heard.map(|heard| &heard.caller),
        heard.map(|heard| &heard.operator),
    ];
    let level = |level: Option<i16>| level.map(i64::from);
    RecordingRow {
        call: entry.call.as_i64(),
        segment: i64::from(recording.segment),
        path: file.map(|file| file.path.clone()),
        sha256: file.map(|file| file.sha256.clone()),
        bytes: number(|f| f.bytes),
        duration_ms: number(|f| f.duration_ms),
        caller_packets: number(|f| f.caller_packets),
        caller_lost: number(|f| f.caller_lost),
        operator_packets: number(|f| f.operator_packets),
        operator_lost: number(|f| f.operator_lost),
        dropped: number(|f| f.dropped),
        repaired: file.map(|file| file.repaired),
        missing: recording.missing.map(|reason| word(&reason)),
        known_at: at(recording.known),
        audio_sha256: sound.map(|sound| sound.audio_sha256.clone()),
        encoding: sound.map(|sound| sound.encoding.clone()),
        encrypted: sound.map(|sound| sound.encrypted),
        paused_ms: sound.map(|sound| clamp(sound.paused_ms)),
        gaps_ms: sound.map(|sound| clamp(sound.gaps_ms)),
        caller_speech_ms: caller.map(|side| clamp(side.speech_ms)),
        caller_silence_ms: caller.map(|side| clamp(side.silence_ms)),
        caller_level: caller.and_then(|side| level(side.level)),
        caller_peak: caller.and_then(|side| level(side.peak)),
        caller_clipped: caller.map(|side| clamp(side.clipped)),
        operator_speech_ms: operator.map(|side| clamp(side.speech_ms)),
        operator_silence_ms: operator.map(|side| clamp(side.silence_ms)),
        operator_level: operator.and_then(|side| level(side.level)),
        operator_peak: operator.and_then(|side| level(side.peak)),
        operator_clipped: operator.map(|side| clamp(side.clipped)),
        dead_air_ms: heard.map(|heard| clamp(heard.dead_air_ms)),
        dead_air_longest_ms: heard.map(|heard| clamp(heard.dead_air_longest_ms)),
        talk_over_ms: heard.map(|heard| clamp(heard.talk_over_ms)),
        unheard: heard.and_then(|heard| heard.unheard.map(|unheard| word(&unheard))),
    }
}

/// The JSON spelling of one of vocab's enums, which is also its spelling in SQL.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(), // no enum of vocab that is stored has fields
    }
}

const fn at(moment: Moment) -> i64 {
    moment.at.as_unix_millis()
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn clamp(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

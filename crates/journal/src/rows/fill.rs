//! Owns the computing of rows from an entry.

use std::time::Duration;

use serde::Serialize;
use vocab::{
    CallId, Direction, EntryField, OfferResult, OperatorRef, Party, PathQuality, TransferResult,
    TransferTarget, number_key,
};

use super::{
    CONTACT, CallRows, CorrectionRow, EntryRow, FieldRow, LegRow, MessageRow, OfferRow,
    QueueEntryRow, RecordingRow, SegmentRow, TransferRow,
};
use crate::audio::Leg;
use crate::entry::{Entry, Moment, Recording, Segment};

impl CallRows {
    /// The rows of an entry.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        Self {
            entry: entry_row(entry),
            queue_entries: queue_entry_rows(entry),
            offers: offer_rows(entry),
            segments: segment_rows(entry),
            messages: message_rows(entry),
            transfers: transfer_rows(entry),
            legs: leg_rows(entry),
            recordings: entry
                .recordings
                .values()
                .map(|r| recording_row(entry, r))
                .collect(),
            fields: field_rows(entry),
            corrections: correction_rows(entry),
        }
    }
}

/// What people wrote, and what a call has of it from its plan.
fn entry_row(entry: &Entry) -> EntryRow {
    let field = |field| entry.field(field);
    let contact = entry.written.contact.as_ref();
    let completed = entry.written.completed.as_ref();
    let execution = field(EntryField::Execution);
    let over = matches!(execution.as_deref(), Some("done" | "declined"));
    let since = entry.written.execution_since.filter(|_| over);
    EntryRow {
        channel: word(&entry.channel()),
        written_by: contact.map(|(contact, _)| contact.by.clone()),
        written_at: contact.map(|(_, moment)| at(*moment)),
        full_name: field(EntryField::FullName),
        contact_number: field(EntryField::ContactNumber),
        topic: field(EntryField::Topic),
        content: field(EntryField::Content),
        action: field(EntryField::Action),
        department: field(EntryField::Department),
        deadline_at: field(EntryField::Deadline).as_deref().and_then(moment),
        execution,
        executed_at: since.map(at),
        crm: field(EntryField::Crm),
        emergency: field(EntryField::Emergency),
        emergency_at: field(EntryField::EmergencyAt)
            .as_deref()
            .and_then(moment)
            .or_else(|| entry.marked_as_emergency().map(at)),
        completed_at: completed.map(|(moment, _)| at(*moment)),
        completed_by: completed.map(|(_, by)| by.clone()),
        entry_delay_ms: entry.entry_delay().map(ms),
        talk_ended_at: entry.talk_ended().map(at),
        to_complete: entry.is_to_be_completed(),
        corrections: count(entry.written.corrections.len()),
        version: entry.version.as_i64(),
        contact_key: field(EntryField::ContactNumber).as_deref().map(number_key),
        written_version: entry.written.version.map_or(0, vocab::EventId::as_i64),
        ..call_row(entry)
    }
}

/// A moment that a person or a plan gave, RFC 3339.
fn moment(text: &str) -> Option<i64> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    Some(moment.as_millisecond())
}

fn menu_path(entry: &Entry) -> Option<String> {
    let choice = |choice: &crate::entry::MenuChoice| {
        let key = if choice.key.is_empty() {
            "-"
        } else {
            &choice.key
        };
        format!("{} {key}", choice.menu)
    };
    let path: Vec<String> = entry.menus.iter().map(choice).collect();
    (!path.is_empty()).then(|| path.join(" > "))
}

/// The number of the other side: who called, or whom we called.
fn party(arrival: &crate::entry::Arrival) -> &str {
    match arrival.direction {
        Direction::Inbound | Direction::Internal => &arrival.caller,
        Direction::Outbound => &arrival.number,
    }
}

/// What the engine tells of a call. Of a contact that was no call: who served it, when it came.
fn call_row(entry: &Entry) -> EntryRow {
    let contact = entry.written.contact.as_ref().map(|(contact, _)| contact);
    let arrival = entry.arrival.as_ref();
    let last = entry
        .segments
        .iter()
        .rfind(|segment| segment.operator().is_some());
    let operator = last
        .and_then(|segment| segment.operator())
        .or_else(|| contact?.operator.as_ref());
    let end = entry.end.as_ref();
    let recording = entry.first_recording();
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
        queue: entry
            .queues
            .last()
            .map(|queue| queue.queue.clone())
            .or_else(|| {
                let queue = contact.map(|contact| contact.queue.clone());
                queue.filter(|queue| !queue.is_empty())
            }),
        operator_id: operator.map(|operator| i64::from(operator.id.0)),
        operator_login: person(|o| &o.login),
        operator_name: person(|o| &o.name),
        operator_line: person(|o| &o.line),
        first_operator_login: entry
            .segments
            .iter()
            .find_map(|segment| Some(segment.operator()?.login.clone())),
        arrived_at: arrival
            .map(|a| at(a.moment))
            .or_else(|| Some(contact?.at.as_unix_millis())),
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
        outcome: end
            .map(|end| word(&end.outcome))
            .or_else(|| contact.map(|_| CONTACT.to_owned())),
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
        menu_path: menu_path(entry),
        rating: entry.rating.map(i64::from),
        wrap_up_ms: entry.wrap_up().map(ms),
        channel: String::new(),
        written_by: None,
        written_at: None,
        full_name: None,
        contact_number: None,
        topic: None,
        content: None,
        action: None,
        department: None,
        deadline_at: None,
        execution: None,
        executed_at: None,
        crm: None,
        emergency: None,
        emergency_at: None,
        completed_at: None,
        completed_by: None,
        entry_delay_ms: None,
        talk_ended_at: None,
        to_complete: false,
        corrections: 0,
        version: 0,
        written_version: 0,
        party_key: arrival.map(party).map(number_key).unwrap_or_default(),
        contact_key: None,
        mos: entry.mos().map(i64::from),
        round_trip_ms: entry.round_trip().map(ms),
        one_way_ms: entry.one_way().map(ms),
    }
}

fn queue_entry_rows(entry: &Entry) -> Vec<QueueEntryRow> {
    let row = |queue: &crate::entry::QueueEntry| {
        let answer = entry.answer_of(queue);
        let operator = answer.and_then(Segment::operator);
        let first = answer.filter(|answer| entry.segments.first() == Some(answer));
        QueueEntryRow {
            event: queue.event.as_i64(),
            call: entry.call.as_i64(),
            queue: queue.queue.clone(),
            priority: i64::from(queue.priority),
            skills: skills(&queue.skills),
            entered_at: at(queue.entered),
            left_at: queue.left.map(|(left, _)| at(left)),
            wait_ms: queue.wait().map(ms),
            outcome: queue.left.map(|(_, outcome)| word(&outcome)),
            operator_id: operator.map(|operator| i64::from(operator.id.0)),
            operator_login: operator.map(|operator| operator.login.clone()),
            operator_name: operator.map(|operator| operator.name.clone()),
            operator_line: operator.map(|operator| operator.line.clone()),
            arrival_wait_ms: first.and_then(|_| entry.wait_from_arrival()).map(ms),
            recording: queue.recording.map(i64::from),
        }
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
    let row = |segment: &Segment| SegmentRow {
        call: entry.call.as_i64(),
        segment: i64::from(segment.number),
        queue: entry.queue_of(segment).map(|queue| queue.queue.clone()),
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
        wrap_up_ms: segment.wrap_up().map(ms),
        one_way_ms: segment.one_way().map(ms),
    };
    entry.segments.iter().map(row).collect()
}

fn message_rows(entry: &Entry) -> Vec<MessageRow> {
    let row = |message: &crate::entry::Message| MessageRow {
        call: entry.call.as_i64(),
        segment: i64::from(message.segment),
        mailbox: message.mailbox.clone(),
        waits_for: message.waits_for.join(","),
        started_at: at(message.started),
        ended_at: message.ended.map(|(ended, ..)| at(ended)),
        length_ms: message.length().map(ms),
        ended_by: message.ended.map(|(_, by, _)| word(&by)),
        kept: message.is_kept(),
        heard_at: message.heard.as_ref().map(|(heard, _)| at(*heard)),
        heard_by: message.heard.as_ref().map(|(_, by)| by.clone()),
        version: message.version.as_i64(),
    };
    entry.messages.iter().map(row).collect()
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

fn field_rows(entry: &Entry) -> Vec<FieldRow> {
    let row = |(field, (value, set)): (&String, &(Option<String>, Moment))| FieldRow {
        call: entry.call.as_i64(),
        field: field.clone(),
        value: value.clone(),
        set_at: at(*set),
    };
    entry.plan_fields.iter().map(row).collect()
}

fn correction_rows(entry: &Entry) -> Vec<CorrectionRow> {
    let row = |correction: &crate::written::Correction| CorrectionRow {
        event: correction.event.as_i64(),
        field: correction.field.to_owned(),
        call: entry.call.as_i64(),
        old_value: correction.old.clone(),
        new_value: correction.new.clone(),
        written_by: correction.by.clone(),
        written_at: correction.at.as_unix_millis(),
        reason: correction.reason.clone(),
    };
    let mut rows: Vec<_> = entry.written.corrections.iter().map(row).collect();
    rows.sort_by(|a, b| (a.event, &a.field).cmp(&(b.event, &b.field)));
    rows
}

fn skills(skills: &[(String, u8)]) -> String {
    let one = |(skill, level): &(String, u8)| format!("{skill} {level}");
    skills.iter().map(one).collect::<Vec<_>>().join(", ")
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

pub(super) fn clamp(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

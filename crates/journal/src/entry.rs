//! Owns the fold from a call's events to its entry: the one place where the journal's figures of
//! a call are computed. Pure: no SQL, no clock, no file.
//!
//! The fold is idempotent and does not depend on the order in which events are handed in: they
//! are sorted by id and doubled ones are dropped. A recording may become known long after the
//! call ended, even in a later boot.
//!
//! Durations are differences of `up` within one boot. Should the two events be of different boots
//! (a damaged file), the wall clock is used, never below zero.

mod figures;
mod messages;

use std::collections::BTreeMap;
use std::time::Duration;

use vocab::{
    CallId, Direction, EndedBy, Event, EventId, Fact, HeldBy, LegId, MissingReason, OfferId,
    OfferResult, OperatorRef, Outcome, Party, QueueOutcome, RecordingFile, Time, TransferKind,
    TransferResult, TransferTarget, WallTime,
};

use crate::audio::{Leg, OneWay};
use crate::written::Written;

use figures::planned;
pub use messages::Message;

/// When something happened, in both times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The boot in which `up` counts.
    pub boot: u32,
    /// Wall-clock time.
    pub at: WallTime,
    /// Monotonic time.
    pub up: Time,
}

impl Moment {
    /// The moment of an event.
    #[must_use]
    pub const fn of(event: &Event) -> Self {
        Self {
            boot: event.id.boot(),
            at: event.at,
            up: event.up,
        }
    }

    /// Whether it is earlier than `other`, by the monotonic clock of one boot.
    pub(crate) fn is_before(self, other: Self) -> bool {
        (self.boot, self.up) < (other.boot, other.up)
    }

    /// How long after this `later` is, in whole milliseconds rounded down, so that stored parts
    /// sum up to the stored whole; zero if it is not after it.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        if self.boot == later.boot {
            let us = later.up.as_micros().saturating_sub(self.up.as_micros());
            return Duration::from_millis(us / 1_000);
        }
        let ms = later
            .at
            .as_unix_millis()
            .saturating_sub(self.at.as_unix_millis());
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }
}

/// One stay in a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// The event that entered it.
    pub event: EventId,
    /// Name of the queue.
    pub queue: String,
    /// Priority; higher is served first.
    pub priority: u8,
    /// What it asked of an operator: skill and least level.
    pub skills: Vec<(String, u8)>,
    /// When the wait began.
    pub entered: Moment,
    /// When and how it ended; `None` while waiting.
    pub left: Option<(Moment, QueueOutcome)>,
    /// The number of the recording of the wait, if it is recorded.
    pub recording: Option<u16>,
}

/// One ringing at an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its id.
    pub offer: OfferId,
    /// The queue it came from; empty if the operator was called by name.
    pub queue: String,
    /// To whom.
    pub operator: OperatorRef,
    /// Why this operator.
    pub why: String,
    /// When ringing began.
    pub made: Moment,
    /// When and how it ended; `None` while it rings.
    pub ended: Option<OfferEnd>,
}

/// How an offer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferEnd {
    /// When.
    pub moment: Moment,
    /// How.
    pub result: OfferResult,
    /// Final SIP status of the operator's telephone, if any.
    pub status: Option<u16>,
}

/// One talk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Number within the call, from 1.
    pub number: u16,
    /// Who talked to the first party.
    pub party: Party,
    /// The operator who was the first party, if one was.
    pub with: Option<OperatorRef>,
    /// The offer that was accepted, if one was.
    pub offer: Option<OfferId>,
    /// Whether it was to be recorded.
    pub recorded: bool,
    /// When the talk began.
    pub started: Moment,
    /// When and by whom it ended; `None` while they talk.
    pub ended: Option<(Moment, EndedBy)>,
    /// Times on hold, in the order in which they began.
    pub holds: Vec<Hold>,
    /// Times in which one of them was not heard, in the order in which they began.
    pub one_way: Vec<OneWay>,
    /// When the operator's work after it was done, if there was any.
    pub wrapped_up: Option<Moment>,
}

/// A time in which one of the two had put the other on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Who wanted no audio.
    pub by: HeldBy,
    /// Since when.
    pub from: Moment,
    /// Until when; `None` while it lasts.
    pub until: Option<Moment>,
}

/// One transfer that an operator asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Number within the call, from 1.
    pub number: u16,
    /// Who asked.
    pub by: OperatorRef,
    /// With or without a consultation.
    pub kind: TransferKind,
    /// To what.
    pub target: TransferTarget,
    /// The call in which the operator talked to the target before.
    pub consultation: Option<CallId>,
    /// When it was asked for.
    pub requested: Moment,
    /// When and how it ended, and what the target said; `None` while it goes on.
    pub ended: Option<(Moment, TransferResult, Option<u16>)>,
}

/// What is known of a segment's recording. Both fields are set when only a part was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Segment of the call.
    pub segment: u16,
    /// When the journal first heard of it.
    pub known: Moment,
    /// The file.
    pub file: Option<RecordingFile>,
    /// Why there is none, or not all of it.
    pub missing: Option<MissingReason>,
}

/// How the call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// When.
    pub moment: Moment,
    /// The call's one outcome.
    pub outcome: Outcome,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// Final SIP status, if the call was never answered.
    pub status: Option<u16>,
    /// Why, in words.
    pub reason: String,
}

/// What `CallArrived` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// When.
    pub moment: Moment,
    /// The number dialled.
    pub number: String,
    /// The caller's number; empty if withheld.
    pub caller: String,
    /// The caller's display name; may be empty.
    pub caller_name: String,
    /// The trunk that brought it.
    pub trunk: String,
    /// The plan that serves the number; empty if none does.
    pub plan: String,
    /// Call-ID of the caller's INVITE.
    pub sip_call_id: String,
    /// Which way the call goes.
    pub direction: Direction,
    /// The operator who called, if one did.
    pub operator: Option<OperatorRef>,
    /// The call about which that operator consulted.
    pub consults: Option<CallId>,
}

/// What a caller chose at a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuChoice {
    /// The flow in which the menu stands.
    pub menu: String,
    /// The key; empty if none that means something was pressed.
    pub key: String,
    /// The flow that followed; empty if the menu's own went on.
    pub flow: String,
}

/// One entry of the electronic journal: a call, or a contact that came another way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which call.
    pub call: CallId,
    /// How it came; `None` only if that event was lost.
    pub arrival: Option<Arrival>,
    /// When the engine answered the caller.
    pub answered_by_engine: Option<Moment>,
    /// When the caller had heard that the call is recorded.
    pub notice_played: Option<Moment>,
    /// Stays in queues, in order.
    pub queues: Vec<QueueEntry>,
    /// Offers, in order.
    pub offers: Vec<Offer>,
    /// Segments, in order.
    pub segments: Vec<Segment>,
    /// Messages, in order.
    pub messages: Vec<Message>,
    /// Transfers, in order.
    pub transfers: Vec<Transfer>,
    /// Legs whose audio is over, in the order in which they ended.
    pub legs: Vec<Leg>,
    /// Legs that were hung up on for their silence, and how long that was.
    pub(crate) silences: BTreeMap<LegId, Duration>,
    /// The call of which it became part.
    pub joined: Option<CallId>,
    /// The missed call that it makes good.
    pub makes_good: Option<CallId>,
    /// Recordings by segment.
    pub recordings: BTreeMap<u16, Recording>,
    /// What was chosen at menus, in order.
    pub menus: Vec<MenuChoice>,
    /// Fields that the plan set: the last value of each, none if it is personal, and when.
    pub plan_fields: BTreeMap<String, (Option<String>, Moment)>,
    /// The caller's mark, the last one.
    pub rating: Option<u8>,
    /// What people wrote.
    pub written: Written,
    /// The last event of the entry.
    pub version: EventId,
    /// The end; `None` while the call is up.
    pub end: Option<End>,
    /// Events that fit nothing, in words; each is a bug of the engine or a damaged file.
    pub(crate) oddities: Vec<String>,
}

impl Entry {
    /// Folds the events of one call. Events of other calls and doubled ones are left out; `None`
    /// if nothing remains.
    #[must_use]
    pub fn of<'a>(call: CallId, events: impl IntoIterator<Item = &'a Event>) -> Option<Self> {
        let mut sorted: Vec<&Event> = events
            .into_iter()
            .filter(|event| event.fact.call() == Some(call))
            .collect();
        if !sorted.is_sorted_by(|one, next| one.id < next.id) {
            sorted.sort_by_key(|event| event.id);
            sorted.dedup_by_key(|event| event.id);
        }
        let version = sorted.last()?.id;
        let mut entry = Self {
            call,
            arrival: None,
            answered_by_engine: None,
            notice_played: None,
            queues: Vec::new(),
            offers: Vec::new(),
            segments: Vec::new(),
            messages: Vec::new(),
            transfers: Vec::new(),
            legs: Vec::new(),
            silences: BTreeMap::new(),
            joined: None,
            makes_good: None,
            recordings: BTreeMap::new(),
            menus: Vec::new(),
            plan_fields: BTreeMap::new(),
            rating: None,
            written: Written::default(),
            version,
            end: None,
            oddities: Vec::new(),
        };
        for event in sorted {
            entry.apply(event);
        }
        Some(entry)
    }

    fn apply(&mut self, event: &Event) {
        let moment = Moment::of(event);
        match &event.fact {
            Fact::EngineStarted { .. }
            | Fact::EngineAlive { .. }
            | Fact::EngineStopped
            | Fact::OperatorReachable { .. }
            | Fact::EmergencySwitched { .. }
            | Fact::SessionChanged { .. }
            | Fact::OperatorTurned { .. }
            | Fact::OperatorOnDuty { .. }
            | Fact::BreakTaken { .. }
            | Fact::PersonWritten { .. }
            | Fact::TelephoneRegistered { .. }
            | Fact::TelephoneUnregistered { .. } => {} // of no call, so filtered out by `of`
            Fact::CallArrived { .. } => self.arrived(moment, &event.fact),
            // For the SIP trace, and for who asks who ordered what; no figure of an entry comes of it.
            Fact::LegStarted { .. }
            | Fact::Ordered { .. }
            | Fact::RecordingHeard { .. }
            | Fact::CallbackOwed { .. }
            | Fact::CallbackSettled { .. } => {}
            Fact::CallbackDialled { of, .. } => self.makes_good = Some(*of),
            Fact::CallAnswered { .. } => {
                self.answered_by_engine.get_or_insert(moment);
            }
            Fact::FieldSet { field, value, .. } => {
                let known = (value.clone(), moment);
                self.plan_fields.insert(field.clone(), known);
            }
            Fact::CallRated { mark, .. } => self.rating = Some(*mark),
            Fact::MenuChosen {
                menu, key, flow, ..
            } => self.menus.push(MenuChoice {
                menu: menu.clone(),
                key: key.clone(),
                flow: flow.clone(),
            }),
            Fact::ContactAdded { .. }
            | Fact::EntryEdited { .. }
            | Fact::EntryCompleted { .. }
            | Fact::EntryReopened { .. } => {
                let plan_fields = &self.plan_fields;
                self.written
                    .apply(event, |field| planned(plan_fields, field));
            }
            Fact::NoticePlayed { .. } => {
                self.notice_played.get_or_insert(moment);
            }
            Fact::QueueEntered {
                queue,
                priority,
                skills,
                ..
            } => self.queues.push(QueueEntry {
                event: event.id,
                queue: queue.clone(),
                priority: *priority,
                skills: skills.clone(),
                entered: moment,
                left: None,
                recording: None,
            }),
            Fact::QueueLeft { queue, outcome, .. } => self.left_queue(moment, queue, *outcome),
            Fact::OfferMade { .. } => self.offer_made(moment, &event.fact),
            Fact::OfferEnded {
                offer,
                result,
                status,
                ..
            } => {
                self.offer_ended(
                    *offer,
                    OfferEnd {
                        moment,
                        result: *result,
                        status: *status,
                    },
                );
            }
            Fact::SegmentStarted { .. } => self.segment_started(moment, &event.fact),
            Fact::HoldStarted { segment, by, .. } => self.hold_started(moment, *segment, *by),
            Fact::HoldEnded { segment, by, .. } => self.hold_ended(moment, *segment, *by),
            Fact::OneWayStarted {
                segment, silent, ..
            } => self.one_way_started(moment, *segment, *silent),
            Fact::OneWayEnded {
                segment, silent, ..
            } => self.one_way_ended(moment, *segment, *silent),
            Fact::PartySilent { leg, silent_ms, .. } => {
                self.silences
                    .insert(*leg, Duration::from_millis(*silent_ms));
            }
            Fact::LegMeasured { .. } => self.leg_measured(moment, &event.fact),
            Fact::SegmentEnded {
                segment, ended_by, ..
            } => {
                self.segment_ended(moment, *segment, *ended_by);
            }
            Fact::WrapUpEnded { segment, .. } => self.wrapped_up(moment, *segment),
            Fact::TransferRequested { .. } => self.transfer_requested(moment, &event.fact),
            Fact::TransferEnded {
                transfer,
                result,
                status,
                ..
            } => self.transfer_ended(*transfer, (moment, *result, *status)),
            Fact::CallJoined { into, .. } => {
                self.joined.get_or_insert(*into);
            }
            Fact::CallEnded {
                outcome,
                ended_by,
                status,
                reason,
                ..
            } => self.ended(End {
                moment,
                outcome: *outcome,
                ended_by: *ended_by,
                status: *status,
                reason: reason.clone(),
            }),
            Fact::WaitRecorded { segment, queue, .. } => self.wait_recorded(*segment, queue),
            Fact::MessageStarted { .. } | Fact::MessageEnded { .. } | Fact::MessageHeard { .. } => {
                self.message(event)
            }
            // In the events alone: the file that is stored says how long the pauses were.
            Fact::RecordingPaused { .. } | Fact::RecordingResumed { .. } => {}
            // In the events alone: nobody's part of the talk is longer or shorter by them.
            Fact::ConferenceJoined { .. }
            | Fact::ConferenceLeft { .. }
            | Fact::SupervisionStarted { .. }
            | Fact::SupervisionTurned { .. }
            | Fact::SupervisionEnded { .. } => {}
            Fact::RecordingStored { segment, file, .. } => {
                self.recording(*segment, moment).file = Some(file.clone());
            }
            Fact::RecordingMissing {
                segment, reason, ..
            } => {
                self.recording(*segment, moment).missing = Some(*reason);
            }
        }
    }

    fn offer_made(&mut self, moment: Moment, fact: &Fact) {
        let Fact::OfferMade {
            offer,
            queue,
            operator,
            why,
            ..
        } = fact
        else {
            return;
        };
        self.offers.push(Offer {
            offer: *offer,
            queue: queue.clone(),
            operator: operator.clone(),
            why: why.clone(),
            made: moment,
            ended: None,
        });
    }

    fn segment_started(&mut self, moment: Moment, fact: &Fact) {
        let Fact::SegmentStarted {
            segment,
            party,
            with,
            offer,
            recorded,
            ..
        } = fact
        else {
            return;
        };
        self.segments.push(Segment {
            number: *segment,
            party: party.clone(),
            with: with.clone(),
            offer: *offer,
            recorded: *recorded,
            started: moment,
            ended: None,
            holds: Vec::new(),
            one_way: Vec::new(),
            wrapped_up: None,
        });
    }

    fn transfer_requested(&mut self, moment: Moment, fact: &Fact) {
        let Fact::TransferRequested {
            transfer,
            by,
            kind,
            target,
            consultation,
            ..
        } = fact
        else {
            return;
        };
        self.transfers.push(Transfer {
            number: *transfer,
            by: by.clone(),
            kind: *kind,
            target: target.clone(),
            consultation: *consultation,
            requested: moment,
            ended: None,
        });
    }

    fn transfer_ended(&mut self, transfer: u16, end: (Moment, TransferResult, Option<u16>)) {
        match self
            .transfers
            .iter_mut()
            .find(|t| t.number == transfer && t.ended.is_none())
        {
            Some(open) => open.ended = Some(end),
            None => self
                .oddities
                .push(format!("transfer {transfer} ended without being open")),
        }
    }

    fn hold_started(&mut self, moment: Moment, segment: u16, by: HeldBy) {
        let open = self
            .segments
            .iter_mut()
            .find(|s| s.number == segment && s.ended.is_none());
        match open {
            Some(open) => open.holds.push(Hold {
                by,
                from: moment,
                until: None,
            }),
            None => self
                .oddities
                .push(format!("segment {segment} was on hold without being open")),
        }
    }

    fn hold_ended(&mut self, moment: Moment, segment: u16, by: HeldBy) {
        let open = self
            .segments
            .iter_mut()
            .filter(|s| s.number == segment)
            .flat_map(|s| &mut s.holds)
            .find(|hold| hold.by == by && hold.until.is_none());
        match open {
            Some(hold) => hold.until = Some(moment),
            None => self
                .oddities
                .push(format!("a hold in segment {segment} ended that was not")),
        }
    }

    fn arrived(&mut self, moment: Moment, fact: &Fact) {
        let Fact::CallArrived {
            number,
            caller,
            caller_name,
            trunk,
            plan,
            sip_call_id,
            direction,
            operator,
            consults,
            ..
        } = fact
        else {
            return;
        };
        if self.arrival.is_some() {
            self.oddities.push("it arrived twice".to_owned());
            return;
        }
        self.arrival = Some(Arrival {
            moment,
            number: number.clone(),
            caller: caller.clone(),
            caller_name: caller_name.clone(),
            trunk: trunk.clone(),
            plan: plan.clone(),
            sip_call_id: sip_call_id.clone(),
            direction: *direction,
            operator: operator.clone(),
            consults: *consults,
        });
    }

    fn wait_recorded(&mut self, number: u16, queue: &str) {
        match self.queues.last_mut() {
            Some(stay) if stay.queue == queue && stay.left.is_none() => {
                stay.recording = Some(number);
            }
            _ => self
                .oddities
                .push(format!("a wait in {queue} is recorded without being there")),
        }
    }

    fn left_queue(&mut self, moment: Moment, queue: &str, outcome: QueueOutcome) {
        let open = self
            .queues
            .iter_mut()
            .rev()
            .find(|q| q.left.is_none() && q.queue == queue);
        match open {
            Some(entry) => entry.left = Some((moment, outcome)),
            None => self
                .oddities
                .push(format!("it left the queue {queue:?} without being in it")),
        }
    }

    fn offer_ended(&mut self, offer: OfferId, end: OfferEnd) {
        match self
            .offers
            .iter_mut()
            .find(|o| o.offer == offer && o.ended.is_none())
        {
            Some(open) => open.ended = Some(end),
            None => self
                .oddities
                .push(format!("offer {offer} ended without being open")),
        }
    }

    fn segment_ended(&mut self, moment: Moment, segment: u16, ended_by: EndedBy) {
        match self
            .segments
            .iter_mut()
            .find(|s| s.number == segment && s.ended.is_none())
        {
            Some(open) => open.ended = Some((moment, ended_by)),
            None => self
                .oddities
                .push(format!("segment {segment} ended without being open")),
        }
    }

    fn wrapped_up(&mut self, moment: Moment, segment: u16) {
        let over = self
            .segments
            .iter_mut()
            .find(|s| s.number == segment && s.ended.is_some() && s.wrapped_up.is_none());
        match over {
            Some(over) => over.wrapped_up = Some(moment),
            None => self.oddities.push(format!(
                "the work after segment {segment} was done without having begun"
            )),
        }
    }

    fn ended(&mut self, end: End) {
        if self.end.is_some() {
            self.oddities.push("it ended twice".to_owned());
            return;
        }
        self.end = Some(end);
    }

    fn recording(&mut self, segment: u16, known: Moment) -> &mut Recording {
        self.recordings.entry(segment).or_insert(Recording {
            segment,
            known,
            file: None,
            missing: None,
        })
    }
}

//! Owns the figures of an entry: durations, and what stands in its fields.

use std::collections::BTreeMap;
use std::time::Duration;

use vocab::{CallId, Channel, Direction, EntryField, OperatorRef, Party, QueueOutcome};

use super::{Entry, Moment, Offer, QueueEntry, Recording, Segment};

/// What the plan says of a field of that name.
pub(super) fn planned(
    fields: &BTreeMap<String, (Option<String>, Moment)>,
    field: EntryField,
) -> Option<String> {
    let (value, _) = fields.get(field.name())?;
    value.clone().filter(|value| !value.is_empty())
}

/// Figures.
impl Entry {
    /// Time in queues, all stays that ended together; `None` if it never entered one.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        (!self.queues.is_empty()).then(|| self.queues.iter().filter_map(QueueEntry::wait).sum())
    }

    /// From arrival to the start of the first segment; `None` if no operator answered.
    #[must_use]
    pub fn wait_from_arrival(&self) -> Option<Duration> {
        let arrival = self.arrival.as_ref()?;
        Some(arrival.moment.until(self.segments.first()?.started))
    }

    /// Time with operators, all segments that ended together; `None` if there were none.
    #[must_use]
    pub fn talk(&self) -> Option<Duration> {
        (!self.segments.is_empty()).then(|| self.segments.iter().filter_map(Segment::talk).sum())
    }

    /// Time on hold, all segments that ended together; `None` if there were none.
    #[must_use]
    pub fn held(&self) -> Option<Duration> {
        (!self.segments.is_empty()).then(|| self.segments.iter().filter_map(Segment::held).sum())
    }

    /// Work after talks, all segments together; `None` if there was none.
    #[must_use]
    pub fn wrap_up(&self) -> Option<Duration> {
        let mut done = self.segments.iter().filter_map(Segment::wrap_up).peekable();
        done.peek()?;
        Some(done.sum())
    }

    /// How it came.
    #[must_use]
    pub fn channel(&self) -> Channel {
        let contact = self.written.contact.as_ref();
        contact.map_or(Channel::Call, |(contact, _)| contact.channel)
    }

    /// What stands in a field: what a person wrote, else the plan's field of that name.
    #[must_use]
    pub fn field(&self, field: EntryField) -> Option<String> {
        match self.written.field(field) {
            Some(written) => written.map(str::to_owned),
            None => planned(&self.plan_fields, field),
        }
    }

    /// The end of the last talk with an operator, or the writing down of a contact that was no call:
    /// from then on the entry is to be completed.
    #[must_use]
    pub fn talk_ended(&self) -> Option<Moment> {
        if let Some((_, written)) = &self.written.contact {
            return Some(*written);
        }
        let talks = self.segments.iter().filter(|s| s.operator().is_some());
        talks
            .filter_map(|segment| segment.ended)
            .map(|(at, _)| at)
            .next_back()
    }

    /// Whether the entry is to be completed, once done it still is: an operator talked with someone who
    /// called or was called back, or wrote down a contact.
    #[must_use]
    pub fn is_to_be_completed(&self) -> bool {
        let arrival = self.arrival.as_ref();
        let made_by_us = arrival.is_some_and(|arrival| arrival.direction != Direction::Inbound);
        self.talk_ended().is_some() && (!made_by_us || self.makes_good.is_some())
    }

    /// When somebody, or the plan, said that it is an emergency; `None` if it is not.
    #[must_use]
    pub fn marked_as_emergency(&self) -> Option<Moment> {
        match self.written.field(EntryField::Emergency) {
            Some(kind) => self.written.emergency_since.filter(|_| kind.is_some()),
            None => {
                let (kind, said) = self.plan_fields.get(EntryField::Emergency.name())?;
                let marked = kind.as_ref().is_some_and(|kind| !kind.is_empty());
                marked.then_some(*said)
            }
        }
    }

    /// The entry delay of METRICS.md: from the end of talk to completion; `None` before that, and
    /// zero for an entry that was completed during the talk.
    #[must_use]
    pub fn entry_delay(&self) -> Option<Duration> {
        let (completed, _) = self.written.completed.as_ref()?;
        Some(self.talk_ended()?.until(*completed))
    }

    /// From arrival to end.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        Some(
            self.arrival
                .as_ref()?
                .moment
                .until(self.end.as_ref()?.moment),
        )
    }

    /// How long the offer of a segment rang: the line answer time of METRICS.md. `None` for a talk
    /// that no offer began.
    #[must_use]
    pub fn ring_of(&self, segment: &Segment) -> Option<Duration> {
        let wanted = segment.offer?;
        self.offers
            .iter()
            .find(|offer| offer.offer == wanted)?
            .ring()
    }

    /// The talk that began when a stay was answered; `None` if it was not.
    #[must_use]
    pub fn answer_of(&self, stay: &QueueEntry) -> Option<&Segment> {
        let (left, outcome) = stay.left?;
        let its = |segment: &&Segment| {
            let queue = self.queue_of(segment);
            let came_from = queue.is_some_and(|queue| queue.event == stay.event);
            came_from && !segment.started.is_before(left)
        };
        let answered = outcome == QueueOutcome::Answered;
        answered.then(|| self.segments.iter().find(its)).flatten()
    }

    /// The last stay that began before a talk; `None` if none did.
    #[must_use]
    pub fn queue_of(&self, segment: &Segment) -> Option<&QueueEntry> {
        let mut stays = self.queues.iter();
        stays.rfind(|stay| !segment.started.is_before(stay.entered))
    }

    /// The call with which this one belongs together: it became part of it, or it was made to
    /// consult about it.
    #[must_use]
    pub fn linked(&self) -> Option<CallId> {
        let consults = self.arrival.as_ref().and_then(|arrival| arrival.consults);
        self.joined.or(consults).or(self.makes_good)
    }

    /// The recording that stands for the call: of its first talk or message.
    #[must_use]
    pub fn first_recording(&self) -> Option<&Recording> {
        let mut all = self.recordings.values();
        let waits: Vec<u16> = self.recorded_waits().collect();
        let is_wait = |number: &u16| waits.contains(number);
        all.find(|one| !is_wait(&one.segment))
            // Not that of a later talk while nothing is known of the first.
            .filter(|found| (1..found.segment).all(|number| is_wait(&number)))
    }

    /// Numbers of the recordings of waits.
    pub fn recorded_waits(&self) -> impl Iterator<Item = u16> {
        self.queues.iter().filter_map(|queue| queue.recording)
    }

    /// Talks, messages and waits that are to have a recording and of which nothing is known yet.
    pub fn recordings_awaited(&self) -> impl Iterator<Item = u16> {
        let talks = self.segments.iter().filter(|segment| segment.recorded);
        let talks = talks.map(|segment| segment.number);
        let messages = self.messages.iter().map(|message| message.segment);
        let wanted = talks.chain(messages).chain(self.recorded_waits());
        wanted.filter(|number| !self.recordings.contains_key(number))
    }

    /// Whether no more events are to be expected.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.end.is_some() && self.recordings_awaited().next().is_none()
    }
}

impl QueueEntry {
    /// How long the call waited; `None` while it waits.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        self.left.map(|(left, _)| self.entered.until(left))
    }
}

impl Offer {
    /// How long it rang; `None` while it rings.
    #[must_use]
    pub fn ring(&self) -> Option<Duration> {
        self.ended.as_ref().map(|end| self.made.until(end.moment))
    }
}

impl Segment {
    /// The operator of ours who talked: the one the caller was put through to, or the one who called.
    /// `None` if a caller was put through to the outer network.
    #[must_use]
    pub const fn operator(&self) -> Option<&OperatorRef> {
        match &self.party {
            Party::Operator(operator) => Some(operator),
            Party::Outer { .. } => self.with.as_ref(),
        }
    }

    /// How long they talked; `None` while they talk.
    #[must_use]
    pub fn talk(&self) -> Option<Duration> {
        self.ended.map(|(ended, _)| self.started.until(ended))
    }

    /// The operator's work after it; `None` while it goes on, and if there was none.
    #[must_use]
    pub fn wrap_up(&self) -> Option<Duration> {
        Some(self.ended?.0.until(self.wrapped_up?))
    }

    /// How much of the talk at least one of them was on hold; `None` while they talk.
    #[must_use]
    pub fn held(&self) -> Option<Duration> {
        let (end, _) = self.ended?;
        let times = self.holds.iter().map(|hold| (hold.from, hold.until));
        Some(self.covered(times, end))
    }

    /// How much of the segment these times cover, in the order in which they began; where two are at
    /// once it counts once.
    pub(crate) fn covered(
        &self,
        times: impl Iterator<Item = (Moment, Option<Moment>)>,
        end: Moment,
    ) -> Duration {
        let mut sum = Duration::ZERO;
        // Up to where the time is counted already.
        let mut counted = Duration::ZERO;
        for (from, until) in times {
            let from = self.started.until(from).max(counted);
            let until = self.started.until(until.unwrap_or(end));
            sum += until.saturating_sub(from);
            counted = counted.max(until);
        }
        sum
    }
}

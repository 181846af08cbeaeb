//! Owns the invariants of a finished entry. Judges facts; repairs nothing.
//!
//! Call it when the call is over and its recordings are finalised: a call that is still up, or a
//! recording that is still being made, is reported as a problem.

use vocab::{OfferResult, Outcome, Party, QueueOutcome};

use crate::entry::{Entry, Message, Moment, Segment};

impl Entry {
    /// Says, in words, each invariant that does not hold. Empty for a sound entry.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        let mut problems = self.oddities.clone();
        if self.written.contact.is_some() {
            return problems; // of a contact that was no call there is nothing else
        }
        if self.arrival.is_none() {
            problems.push("it never arrived".to_owned());
        }
        if self.end.is_none() {
            problems.push("it has no outcome".to_owned());
        }
        self.check_queues(&mut problems);
        self.check_offers(&mut problems);
        self.check_segments(&mut problems);
        self.check_transfers(&mut problems);
        self.check_outcome(&mut problems);
        self.check_recordings(&mut problems);
        problems
    }

    /// Every stay has exactly one outcome (the identity of METRICS.md) and they do not overlap.
    fn check_queues(&self, problems: &mut Vec<String>) {
        for queue in &self.queues {
            if queue.left.is_none() {
                problems.push(format!("it never left the queue {:?}", queue.queue));
            }
        }
        for (first, second) in self.queues.iter().zip(self.queues.iter().skip(1)) {
            if first
                .left
                .is_none_or(|(left, _)| after(left, second.entered))
            {
                problems.push(format!("it was in two queues at once, {:?}", second.queue));
            }
        }
    }

    /// Every offer ended, and each answered one became one segment, unless a crash or a failure
    /// came between the two.
    fn check_offers(&self, problems: &mut Vec<String>) {
        let broken_off = self
            .end
            .as_ref()
            .is_some_and(|end| matches!(end.outcome, Outcome::Interrupted | Outcome::Failed));
        for (place, offer) in self.offers.iter().enumerate() {
            let id = offer.offer;
            if self
                .offers
                .iter()
                .take(place)
                .any(|earlier| earlier.offer == id)
            {
                problems.push(format!("offer {id} was made twice"));
            }
            let segments = self.segments.iter().filter(|s| s.offer == Some(id)).count();
            match offer.ended.as_ref().map(|end| end.result) {
                None => problems.push(format!("offer {id} never ended")),
                Some(OfferResult::Answered) if segments == 1 || (segments == 0 && broken_off) => {}
                Some(OfferResult::Answered) => {
                    problems.push(format!(
                        "offer {id} was answered but led to {segments} segments"
                    ));
                }
                Some(_) if segments != 0 => {
                    problems.push(format!("offer {id} was not answered but led to a segment"));
                }
                Some(_) => {}
            }
        }
    }

    /// Segments are numbered from 1, follow each other, and lie within the call.
    fn check_segments(&self, problems: &mut Vec<String>) {
        let messages = self.messages.iter().map(|message| message.segment);
        let talks = self.segments.iter().map(|segment| segment.number);
        let waits = self.recorded_waits();
        let mut numbers: Vec<u16> = talks.chain(messages).chain(waits).collect();
        numbers.sort_unstable();
        for (number, expected) in numbers.into_iter().zip(1_u16..) {
            if number != expected {
                problems.push(format!(
                    "segment {number} stands where {expected} is expected"
                ));
            }
        }
        for message in self.messages.iter().filter(|one| one.ended.is_none()) {
            problems.push(format!("message {} never ended", message.segment));
        }
        for segment in &self.segments {
            let number = segment.number;
            self.check_offer_of(segment, problems);
            let Some((ended, _)) = segment.ended else {
                problems.push(format!("segment {number} never ended"));
                continue;
            };
            if self
                .end
                .as_ref()
                .is_some_and(|end| after(ended, end.moment))
            {
                problems.push(format!("segment {number} ended after the call"));
            }
        }
        for (first, second) in self.segments.iter().zip(self.segments.iter().skip(1)) {
            if first
                .ended
                .is_some_and(|(ended, _)| after(ended, second.started))
            {
                problems.push(format!(
                    "segment {} began before the one before it ended",
                    second.number
                ));
            }
        }
        if let (Some(talk), Some(whole)) = (self.talk(), self.duration())
            && talk > whole
        {
            problems.push("its segments sum up to more than the call".to_owned());
        }
    }

    /// A segment that comes from an offer is with the operator of it.
    fn check_offer_of(&self, segment: &Segment, problems: &mut Vec<String>) {
        let Some(wanted) = segment.offer else { return };
        let number = segment.number;
        let offer = self.offers.iter().find(|offer| offer.offer == wanted);
        match (offer, &segment.party) {
            (Some(offer), Party::Operator(operator)) if offer.operator.id == operator.id => {}
            (None, _) => problems.push(format!("segment {number} comes from no offer")),
            (Some(_), _) => problems.push(format!(
                "segment {number} is not with the operator of its offer"
            )),
        }
    }

    /// Transfers are numbered from 1 and each has an end.
    fn check_transfers(&self, problems: &mut Vec<String>) {
        for (transfer, expected) in self.transfers.iter().zip(1_u16..) {
            let number = transfer.number;
            if number != expected {
                problems.push(format!(
                    "transfer {number} stands where {expected} is expected"
                ));
            }
            if transfer.ended.is_none() {
                problems.push(format!("transfer {number} never ended"));
            }
        }
    }

    fn check_outcome(&self, problems: &mut Vec<String>) {
        let Some(end) = &self.end else { return };
        let talked = !self.segments.is_empty();
        let left = |wanted| {
            self.queues
                .iter()
                .any(|q| q.left.is_some_and(|(_, o)| o == wanted))
        };
        let fits = match end.outcome {
            // Somebody called by name was in no queue.
            Outcome::Answered => talked && (self.is_by_name() || left(QueueOutcome::Answered)),
            Outcome::Unreached => !talked && self.is_by_name(),
            Outcome::Abandoned => !talked && left(QueueOutcome::Abandoned),
            Outcome::TimedOut => !talked && left(QueueOutcome::TimedOut),
            Outcome::Closed => !talked,
            Outcome::Message => !talked && self.messages.iter().any(Message::is_kept),
            Outcome::RefusedFull => !talked && !left(QueueOutcome::Answered),
            Outcome::AbandonedEarly | Outcome::Served | Outcome::UnknownNumber => {
                !talked && self.queues.is_empty() && self.offers.is_empty()
            }
            Outcome::Failed | Outcome::Interrupted => true, // may happen at any point
        };
        if !fits {
            problems.push(format!(
                "its outcome {:?} does not fit {} segments and {} queue entries",
                end.outcome,
                self.segments.len(),
                self.queues.len()
            ));
        }
    }

    /// Whether an operator called.
    fn is_by_name(&self) -> bool {
        self.arrival
            .as_ref()
            .is_some_and(|arrival| arrival.operator.is_some())
    }

    fn check_recordings(&self, problems: &mut Vec<String>) {
        for segment in self.recordings_awaited() {
            problems.push(format!(
                "segment {segment} has neither recording nor a reason for none"
            ));
        }
        for (number, recording) in &self.recordings {
            let talk = self.segments.iter().any(|one| one.number == *number);
            let message = self.messages.iter().any(|one| one.segment == *number);
            if !talk && !message && !self.recorded_waits().any(|wait| wait == *number) {
                problems.push(format!("a recording belongs to no segment: {number}"));
            }
            if let Some(file) = &recording.file
                && (file.path.is_empty() || file.sha256.len() != 64)
            {
                problems.push(format!(
                    "the recording of segment {number} has no path or no SHA-256"
                ));
            }
        }
    }
}

/// Whether `a` is later than `b`, as far as one boot's clock can tell.
fn after(a: Moment, b: Moment) -> bool {
    a.boot == b.boot && a.up > b.up
}

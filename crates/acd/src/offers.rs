//! Owns the live offers: rung, answered, failed, withdrawn. An offer binds an operator and dies
//! with its end; what is said of it later is ignored, and a late answer is told as stale.

use vocab::{CallId, OfferId, OfferResult, OperatorId, Time};

use crate::operator::{Happened, Talk};
use crate::settings::{Consequence, Failures, PAUSE_AFTER_FAILURE_MIN, QueueSettings};
use crate::status::Status;
use crate::timers::Timer;
use crate::{Acd, Output};

/// A live offer.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) call: CallId,
    pub(crate) operator: OperatorId,
    pub(crate) made: Time,
    pub(crate) ring_until: Time,
    /// A callback is dialled; the operator is only reserved.
    pub(crate) dials: bool,
}

impl Failures {
    const fn of(&self, result: OfferResult) -> &Consequence {
        match result {
            OfferResult::Busy => &self.busy,
            OfferResult::Rejected => &self.rejected,
            OfferResult::Unreachable => &self.unreachable,
            // The last three are nobody's failure, and have no consequence.
            OfferResult::NoAnswer
            | OfferResult::Answered
            | OfferResult::CallerGone
            | OfferResult::Withdrawn => &self.no_answer,
        }
    }
}

impl Acd {
    pub(crate) fn ringing(&mut self, now: Time, offer: OfferId) {
        // A late 180 of a dead offer says nothing.
        let Some(operator) = self.offers.get(&offer).map(|offer| offer.operator) else {
            return;
        };
        self.happened(now, operator, Happened::Ringing);
    }

    pub(crate) fn accepted(&mut self, now: Time, id: OfferId) {
        let Some(offer) = self.end_offer(id) else {
            self.outputs.push_back(Output::Stale { offer: id });
            return;
        };
        // The others at whom it rings hear of it first.
        let freed = self.withdraw_all(now, offer.call, OfferResult::Withdrawn);
        let Some(call) = self.forget_call(offer.call) else {
            return;
        };
        let mut wrap_up = crate::WrapUp::None;
        if let Some(queue) = self.queues.get_mut(&call.queue) {
            wrap_up = queue.settings.wrap_up;
            let (waited, rang) = (now.since(call.entered), now.since(offer.made));
            queue.estimates.answered(call.forecast, waited, rang);
        }
        if call.callback.is_none() {
            self.regulars
                .served(now, &call.arrival.caller, offer.operator);
        }
        let talk = Talk {
            call: offer.call,
            queue: call.queue,
            wrap_up,
            since: now,
            held: false,
            complete: false,
        };
        self.callback_answered(offer.call, call, offer.operator);
        self.happened(now, offer.operator, Happened::Accepted(talk));
        self.settle_all(now, freed);
    }

    pub(crate) fn rang_too_long(&mut self, now: Time, id: OfferId) {
        let Some(Offer { call, operator, .. }) = self.offers.get(&id) else {
            return;
        };
        let (call, operator, result) = (*call, *operator, OfferResult::NoAnswer);
        self.outputs.push_back(Output::Withdraw {
            offer: id,
            call,
            operator,
            result,
        });
        self.failed(now, id, result);
    }

    /// The offer is over without an answer; the call goes to the next operator at once.
    pub(crate) fn failed(&mut self, now: Time, id: OfferId, result: OfferResult) {
        // The end of an offer that we withdrew ourselves is no news.
        let Some(offer) = self.end_offer(id) else {
            return;
        };
        let Offer { call, operator, .. } = offer;
        if offer.dials {
            // Not the operator's doing: whom to call back was not reached.
            self.happened(now, operator, Happened::Withdrawn);
            self.callback_missed(now, call);
            self.settle(now, operator);
            return;
        }
        let Some(queue) = self.queue_of(call) else {
            return;
        };
        let consequence = *queue.failures.of(result);
        let retry = consequence.retry.max(PAUSE_AFTER_FAILURE_MIN);
        let rest = consequence.rest.max(PAUSE_AFTER_FAILURE_MIN);
        self.disown(call);
        if let Some(waiting) = self.calls.get_mut(&call) {
            let until = now + retry;
            if let Some(before) = waiting.failed_with.insert(operator, until) {
                self.timers.cancel(before, Timer::Retry(call, operator));
            }
            self.timers.set(until, Timer::Retry(call, operator));
        }
        let mut not_ready = false;
        self.alter(now, operator, |record| {
            not_ready = record.offer_failed(now, result, &consequence, rest);
        });
        if not_ready {
            self.set_status(now, operator, Status::NotReady);
        }
        self.unshelve(call);
        self.shelve(call);
        self.offer_call(now, call);
        self.settle(now, operator);
    }

    /// Removes a live offer. Its operator is still bound, its call not yet on a shelf again.
    pub(crate) fn end_offer(&mut self, id: OfferId) -> Option<Offer> {
        let offer = self.offers.remove(&id)?;
        self.timers.cancel(offer.ring_until, Timer::Ring(id));
        if let Some(call) = self.calls.get_mut(&offer.call) {
            call.offers.retain(|(one, _)| *one != id);
        }
        Some(offer)
    }

    fn queue_of(&self, call: CallId) -> Option<&QueueSettings> {
        let call = self.calls.get(&call)?;
        Some(&self.queues.get(&call.queue)?.settings)
    }
}

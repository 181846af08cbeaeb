//! Owns the moment in which a call and an operator find each other, and what is told about it.

use vocab::{CallId, OfferId, OperatorId, Time};

use crate::decision::{Considered, Decision, Occasion};
use crate::group::{Extra, Found};
use crate::offers::Offer;
use crate::operator::Happened;
use crate::timers::Timer;
use crate::{Acd, Output};

/// Who gets a call, and by what.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) operator: OperatorId,
    pub(crate) occasion: Occasion,
    /// The group in which they met; `None` if by name.
    pub(crate) group: Option<usize>,
    pub(crate) level: u8,
    pub(crate) considered: Vec<Considered>,
}

impl Choice {
    /// By name, whatever the skills.
    pub(crate) const fn by_name(operator: OperatorId, occasion: Occasion) -> Self {
        Self {
            operator,
            occasion,
            group: None,
            level: 0,
            considered: Vec::new(),
        }
    }
}

impl Acd {
    /// Offers a waiting call to the best free operator, and to as many more as it may ring at.
    /// Those passed over are operators with whom an offer of this very call failed a moment ago,
    /// so the search is short.
    pub(crate) fn offer_call(&mut self, now: Time, id: CallId) {
        loop {
            let Some(call) = self.calls.get(&id) else {
                return;
            };
            if call.callback.is_some() && call.offers.is_empty() && self.lease.is_leaving() {
                self.leave_callback(id);
                return;
            }
            if call.is_asleep() || call.offers.len() >= call.offers_max {
                return;
            }
            let choice = match call.own {
                Some((owner, _)) => {
                    let free = self.operators.get(&owner).is_some_and(|who| who.pooled);
                    (free && !call.is_barred(owner))
                        .then_some(Choice::by_name(owner, Occasion::OwnOperator))
                }
                None => self.best_for(id),
            };
            match choice {
                Some(choice) => self.offer(now, id, choice),
                None => return,
            }
        }
    }

    /// The best free operator for a call.
    fn best_for(&self, id: CallId) -> Option<Choice> {
        let call = self.calls.get(&id)?;
        let (number, shelf) = call.shelf?;
        let found = self.best_on(number, shelf, |operator| call.is_barred(operator))?;
        let occasion = if call.offers.is_empty() {
            Occasion::CallWaited
        } else {
            Occasion::RingsOn
        };
        Some(Choice {
            operator: found.operator,
            occasion,
            group: Some(number),
            level: found.level,
            considered: found.considered,
        })
    }

    /// The best free operator for a shelf of a group.
    pub(crate) fn best_on(
        &self,
        number: usize,
        shelf: usize,
        excluded: impl Fn(OperatorId) -> bool,
    ) -> Option<Found> {
        let levels = |operator: OperatorId| self.levels(operator, number);
        let group = self.pool.groups.get(number)?;
        group.best_operator(shelf, levels, excluded)
    }

    /// The levels of an operator in the skills that a group requires.
    pub(crate) fn levels(&self, operator: OperatorId, group: usize) -> Option<&[u8]> {
        let places = &self.operators.get(&operator)?.places;
        let place = places.iter().find(|place| place.group == group)?;
        Some(&*place.levels)
    }

    /// An operator who has just become free gets this call; `place`: the place by which, `None`
    /// if the call waited for this operator.
    pub(crate) fn offer_next(
        &mut self,
        now: Time,
        call: CallId,
        operator: OperatorId,
        place: Option<usize>,
        extra: Extra,
    ) {
        let place = place.and_then(|index| self.operators.get(&operator)?.places.get(index));
        let choice = match place {
            None => Choice::by_name(operator, Occasion::OwnOperator),
            Some(place) => Choice {
                operator,
                occasion: match extra {
                    Extra::Silent => Occasion::OperatorFree,
                    Extra::Ringing => Occasion::RingsOn,
                },
                group: Some(place.group),
                level: place.tier.level(),
                considered: Vec::new(),
            },
        };
        self.offer(now, call, choice);
    }

    /// Makes an offer.
    pub(crate) fn offer(&mut self, now: Time, id: CallId, choice: Choice) {
        let (to, group) = (choice.operator, choice.group);
        let why = self.explain_choice(now, id, choice);
        let (Some(call), Some(operator)) = (self.calls.get(&id), self.operators.get(&to)) else {
            return;
        };
        let Some(queue) = self.queues.get(&call.queue) else {
            return;
        };
        if let Some(group) = group {
            self.pool.chosen(group, operator);
        }
        let ring_time = operator.ring_time_in(&queue.settings);
        let offer = OfferId::new(self.boot, self.offers_made);
        self.offers_made = self.offers_made.wrapping_add(1);
        self.happened(now, to, Happened::Offered { offer });
        self.unshelve(id);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.offers.push((offer, to));
        let dials = call.callback.as_ref().is_some_and(|one| one.dials_first());
        let ring_until = now + ring_time;
        self.timers.set(ring_until, Timer::Ring(offer));
        let record = Offer {
            call: id,
            operator: to,
            made: now,
            ring_until,
            dials,
        };
        self.offers.insert(offer, record);
        let number = call
            .callback
            .as_ref()
            .map(|callback| callback.number.clone());
        let (call, queue, operator) = (id, call.queue, to);
        self.outputs.push_back(match number {
            Some(number) if dials => Output::Dial {
                offer,
                call,
                queue,
                operator,
                number,
                why,
            },
            callback => Output::Offer {
                offer,
                call,
                queue,
                operator,
                callback,
                why,
            },
        });
        self.set_more_timer(now, id);
        self.shelve(id);
    }

    pub(crate) fn explain_choice(&self, now: Time, id: CallId, choice: Choice) -> Box<Decision> {
        let call = self.calls.get(&id);
        let number = choice.group.or_else(|| Some(self.stage(id)?.group));
        let group = number.and_then(|number| self.pool.groups.get(number));
        let idle_since = self
            .operators
            .get(&choice.operator)
            .map_or(now, |who| who.idle_since);
        let queue = call.and_then(|call| self.queues.get(&call.queue));
        let itself = |who: &&crate::operator::Operator| who.pooled;
        let counted = self
            .operators
            .get(&choice.operator)
            .filter(itself)
            .is_some();
        Box::new(Decision {
            occasion: choice.occasion,
            skills: group.map(|group| group.label.clone()).unwrap_or_default(),
            strategy: queue
                .map(|queue| queue.settings.strategy)
                .unwrap_or_default(),
            levels: queue.map(|queue| queue.settings.levels).unwrap_or_default(),
            level: choice.level,
            idle: now.since(idle_since),
            waited: call.map(|call| now.since(call.entered)).unwrap_or_default(),
            waiting: group.map_or(0, |group| group.silent.count),
            others_free: group.map_or(0, |group| {
                group.free.len().saturating_sub(usize::from(counted))
            }),
            steps: self.stage(id).map_or(0, |stage| stage.steps),
            considered: choice.considered,
        })
    }
}

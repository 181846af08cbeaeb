//! Owns what is known of callers before they call: lists with a priority, a waiting credit, an owner, or
//! a refusal. Refuses to read files and tables; numbers are compared in the form that trunks give them.

use core::time::Duration;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sip::{Message, ServerTx};
use vocab::{
    Direction, EndedBy, Fact, KeptPlace, OperatorId, Outcome, QueueId, Regular, Remembered,
};

use crate::engine::Switch;
use crate::incoming::Reading;

/// A number on a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCaller {
    /// As it was written.
    pub number: String,
    /// The list, for the journal.
    pub list: String,
    /// Added to the priority of the call.
    pub priority: u8,
    /// Waiting time that the call is credited with.
    pub credit: Duration,
    /// Login of the operator who looks after this caller.
    pub owner: Option<String>,
    /// The call is declined.
    pub blocked: bool,
}

/// Callers who are declined: number and list.
pub(crate) type Blocked = BTreeMap<String, String>;

impl Switch {
    /// Takes the lists, whole. Of a number on several lists the highest priority counts, the longest
    /// credit, the first owner, and any block.
    pub(crate) fn set_callers(&mut self, known: Vec<KnownCaller>) {
        let mut callers: BTreeMap<String, acd::CallerSettings> = BTreeMap::new();
        let mut blocked = Blocked::new();
        let forms = |one: KnownCaller| {
            let forms = self.ctx.trunks.forms(&one.number).into_iter();
            forms.map(move |number| (number, one.clone()))
        };
        for (number, one) in known.into_iter().flat_map(forms) {
            if one.blocked {
                blocked.insert(number, one.list);
                continue;
            }
            let owner = one
                .owner
                .as_ref()
                .and_then(|login| self.ctx.logins.get(login));
            let caller = callers.entry(number).or_default();
            caller.priority = caller.priority.max(one.priority);
            caller.credit = caller.credit.max(one.credit);
            caller.owner = caller.owner.or(owner.copied());
        }
        self.ctx.blocked = blocked;
        let callers = acd::Input::Callers(callers.into_iter().collect());
        self.ctx.acd.handle(self.ctx.now, callers);
    }

    /// The list by which a caller of a trunk is declined.
    pub(crate) fn blocked_by(&self, read: &Reading) -> Option<&str> {
        let number = &read.caller.number;
        if number.is_empty() {
            return None;
        }
        self.ctx.blocked.get(number).map(String::as_str)
    }

    /// Declines a caller, with an entry that says by which list.
    pub(crate) fn decline(&mut self, tx: ServerTx, request: &Message, read: Reading, list: &str) {
        self.ctx.counts.refused += 1;
        tracing::info!(list, "a caller on a list of blocked numbers is declined");
        let call = self.ctx.call_id();
        self.ctx.record(Fact::CallArrived {
            call,
            number: read.dialled.number,
            caller: read.caller.number,
            caller_name: read.caller.name,
            trunk: read.trunk,
            plan: String::new(),
            sip_call_id: request.call_id().unwrap_or_default().to_owned(),
            direction: Direction::Inbound,
            operator: None,
            consults: None,
        });
        self.ctx.record(Fact::CallEnded {
            call,
            outcome: Outcome::Served,
            ended_by: EndedBy::Engine,
            status: Some(603),
            reason: format!("the caller is on the list {list:?} of blocked numbers"),
        });
        self.ctx.refuse_known(tx, request, 603);
    }

    /// Takes up what was remembered of callers before a restart.
    pub(crate) fn resume_callers(&mut self, before: Remembered) {
        let places = before.places.iter().filter_map(|one| self.place_left(one));
        let places = places.collect();
        let regulars = self.known_regulars(before.regulars);
        let before = acd::Remembered { places, regulars };
        self.ctx
            .acd
            .handle(self.ctx.now, acd::Input::Remembered(before));
    }

    /// Those whose operators are in the table, in their order.
    pub(crate) fn known_regulars(&self, regulars: Vec<Regular>) -> Vec<(String, OperatorId)> {
        let logins = &self.ctx.logins;
        let known = |one: Regular| Some((one.caller, *logins.get(&one.operator)?));
        regulars.into_iter().filter_map(known).collect()
    }

    /// For how long a place is kept yet, if it is.
    fn place_left(&self, place: &KeptPlace) -> Option<(String, QueueId, Duration)> {
        let mut queues = self.ctx.settings.queues.iter();
        let queue = queues.find(|queue| queue.name == place.queue)?;
        let now = self.ctx.wall_at(self.ctx.now).as_unix_millis();
        let left = place.left.map_or(now, |left| left.as_unix_millis());
        let gone = Duration::from_millis(u64::try_from(now.saturating_sub(left)).unwrap_or(0));
        let long = queue.keep_place?.checked_sub(gone)?;
        Some((place.caller.clone(), queue.id, long))
    }
}

//! Owns the joining of an operator's two talks into one conference: which call goes on, and at which of
//! the operator's two legs. What it means for each call is `call::conference`'s.
//!
//! The call with somebody from outside goes on, of two alike the older; one that is a conference
//! already goes on in any case. The operator stays at the leg at which the key was pressed, else at the
//! one that is not on hold: the other is hung up, so nobody has to take anything off hold.

use vocab::{CallId, OperatorId, OrderRefusal};

use crate::call::Call;
use crate::context::Owner;
use crate::engine::Switch;

impl Switch {
    /// An operator has pressed the keys for it in one of the talks. What does not fit changes nothing.
    pub(crate) fn conference_keyed(&mut self, owner: Owner) {
        let call = self.calls.get(&owner.call);
        let Some(operator) = call.and_then(|call| call.operator_of(owner.leg)) else {
            return;
        };
        if let Err(problem) = self.conference(operator, Some(owner.call)) {
            tracing::info!(call = %owner.call, %problem, "keys for a conference");
        }
    }

    /// Makes one conference of the two talks of an operator. `used`: the call whose leg stays, where
    /// that is known.
    ///
    /// # Errors
    /// Why not; nothing has changed.
    pub(crate) fn conference(
        &mut self,
        operator: OperatorId,
        used: Option<CallId>,
    ) -> Result<(), OrderRefusal> {
        let refusal = |because: &str| OrderRefusal::NoConference {
            operator: self
                .ctx
                .operator_ref(operator)
                .map_or_else(String::new, |one| one.login),
            because: because.to_owned(),
        };
        let talks = self.calls.values();
        let talks: Vec<CallId> = talks
            .filter(|call| call.talk_leg_of(operator).is_some())
            .map(|call| call.id)
            .collect();
        let &[one, two] = talks.as_slice() else {
            return Err(refusal("there must be two talks, one of them on hold"));
        };
        if self.ctx.media_name(one) != self.ctx.media_name(two) {
            // The consultation was not made by this operator from the first talk.
            return Err(refusal("the second call must be made during the first"));
        }
        let (Some(a), Some(b)) = (self.calls.get(&one), self.calls.get(&two)) else {
            return Err(refusal("the calls are over"));
        };
        let (into, from) = match order(a, b) {
            Some(true) => (one, two),
            Some(false) => (two, one),
            None => return Err(refusal("both talks are conferences")),
        };
        if !self.calls.get(&into).is_some_and(|call| call.has_room()) {
            return Err(refusal("the conference has as many parties as it can have"));
        }
        self.merge(operator, (into, from), used);
        Ok(())
    }

    fn merge(
        &mut self,
        operator: OperatorId,
        (into, from): (CallId, CallId),
        used: Option<CallId>,
    ) {
        let Some(mut consulted) = self.calls.remove(&from) else {
            return;
        };
        let ctx = &mut self.ctx;
        if let Some(call) = self.calls.get_mut(&into)
            && let (Some(stays), Some(goes)) =
                (call.talk_leg_of(operator), consulted.talk_leg_of(operator))
        {
            let with_own = match used {
                Some(used) => used == from,
                None => call.is_held_at(stays),
            };
            let brought = consulted.hand_over_to_conference(ctx, (goes, with_own), into);
            if let Some(brought) = brought {
                call.begin_conference(ctx, stays, brought, from);
            }
        }
        self.add_call(consulted);
        self.sweep(from);
        self.sweep(into);
    }
}

/// Whether the first of two calls goes on; `None`: neither can become part of the other.
fn order(one: &Call, two: &Call) -> Option<bool> {
    match (one.is_conference(), two.is_conference()) {
        (true, true) => None,
        (true, false) => Some(true),
        (false, true) => Some(false),
        (false, false) => Some(one.goes_on_rather_than(two)),
    }
}

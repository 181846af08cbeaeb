//! Owns what a call is for the lines of its operators: the dialogs of their telephones (RFC 4235 §3.7.1),
//! read from the legs as they are.
//!
//! An operator who calls has a dialog from the INVITE on. One who is called has it from the first word
//! of the telephone on: before, nothing rings, and there is no tag by which it could be picked up. A
//! leg that is hung up is told no more, whatever its BYE meets.

use std::collections::BTreeSet;

use sip::subscription::{Direction, LineDialog, LineState, Party};
use sip::{DialogId, Flow, Host};
use vocab::{LegId, OperatorId};

use super::party::{PartyLeg, Sip};
use super::sent::Sent;
use super::who::Who;
use super::{Call, State, caller};
use crate::context::Context;
use crate::way::Shown;

impl Call {
    /// The operators with a dialog in this call.
    pub(crate) fn operators(&self) -> BTreeSet<OperatorId> {
        let caller = self
            .caller_operator
            .filter(|_| self.caller_state().is_some());
        let called = self
            .legs
            .values()
            .filter(|leg| leg.line_dialogs().next().is_some())
            .filter_map(|leg| leg.who.operator());
        called.chain(caller).collect()
    }

    /// The dialogs of an operator's telephones in this call. `host`: of the addresses in them.
    pub(crate) fn dialogs_of(
        &self,
        ctx: &Context,
        operator: OperatorId,
        host: &Host,
    ) -> Vec<LineDialog> {
        let mut dialogs = Vec::new();
        if self.caller_operator == Some(operator)
            && let Some(state) = self.caller_state()
        {
            let dialog = &self.caller.dialog;
            dialogs.push(LineDialog {
                id: self.caller.id.to_string(),
                call_id: dialog.call_id.clone(),
                local_tag: Some(dialog.remote_tag.clone()),
                remote_tag: Some(dialog.local_tag.clone()),
                direction: Direction::Initiator,
                state,
                remote: self.other_party(ctx, self.caller.id, host),
            });
        }
        for (id, leg) in &self.legs {
            if leg.who.operator() != Some(operator) {
                continue;
            }
            for (id_of_line, state) in leg.line_dialogs() {
                let DialogId {
                    call_id,
                    local_tag,
                    remote_tag,
                } = id_of_line;
                // Of several telephones that ring each has its dialog.
                let place = leg
                    .invites
                    .iter()
                    .position(|sent| sent.has_call_id(&call_id));
                // Who took another's place, or came from a call that was joined, has called us.
                let direction = match place {
                    Some(_) => Direction::Recipient,
                    None => Direction::Initiator,
                };
                dialogs.push(LineDialog {
                    id: match place {
                        Some(place) => format!("{id}-{place}"),
                        None => id.to_string(),
                    },
                    call_id,
                    local_tag: Some(remote_tag),
                    remote_tag: Some(local_tag),
                    direction,
                    state,
                    remote: self.other_party(ctx, *id, host),
                });
            }
        }
        dialogs
    }

    /// The Call-IDs of its dialogs, and of its INVITEs that are out.
    pub(crate) fn sip_calls(&self) -> impl Iterator<Item = &str> {
        let newcomer = self.newcomer.iter().map(|one| &one.leg.dialog);
        let legs = self.legs.values();
        let dialogs = legs.clone().filter_map(|leg| leg.dialog.as_ref());
        let dialogs = dialogs.chain(newcomer).chain([&self.caller.dialog]);
        let invites = legs.flat_map(|leg| &leg.invites);
        let invites = invites.filter_map(|sent| sent.head.call_id().ok());
        dialogs.map(|dialog| dialog.call_id.as_str()).chain(invites)
    }

    /// Whether a leg that is up lives on this flow.
    pub(crate) fn uses(&self, flow: &Flow) -> bool {
        let caller = (self.caller.sip != caller::Sip::Closed).then_some(&self.caller.dialog);
        let newcomer = self.newcomer.iter().map(|one| &one.leg.dialog);
        let up = self.legs.values().filter(|leg| leg.sip != Sip::Closed);
        let dialogs = up.filter_map(|leg| leg.dialog.as_ref());
        let mut all = dialogs.chain(newcomer).chain(caller);
        all.any(|dialog| dialog.flow == *flow || dialog.next_flow() == *flow)
    }

    /// How far the INVITE of an operator who calls has come.
    fn caller_state(&self) -> Option<LineState> {
        match self.caller.sip {
            caller::Sip::Invited { .. } if self.state == State::Ended => None,
            caller::Sip::Invited { .. } if self.caller.rings() => Some(LineState::Early),
            caller::Sip::Invited { .. } => Some(LineState::Trying),
            caller::Sip::Accepted { .. } | caller::Sip::Confirmed => Some(LineState::Confirmed),
            caller::Sip::Leaving { .. } | caller::Sip::Closing { .. } | caller::Sip::Closed => None,
        }
    }

    /// Who is at the other end of a leg, as an operator's telephone shows it.
    fn other_party(&self, ctx: &Context, leg: LegId, host: &Host) -> Option<Party> {
        let awaited = match self.state {
            State::Reaching { leg: awaited, .. } => Some(awaited),
            State::Opening
            | State::Answering
            | State::Saying { .. }
            | State::Asking(_)
            | State::Waiting(_)
            | State::Leaving(_)
            | State::Queued { .. }
            | State::Referred
            | State::Talking { .. }
            | State::Ended => None,
        };
        let other = match self.peer_of(leg) {
            Some(peer) => peer,
            None if leg != self.first => self.first,
            None => match awaited {
                Some(awaited) => awaited,
                None => return self.dialled(host),
            },
        };
        let address = self.shown_at(ctx, other).address(host.clone());
        Some(Party {
            name: address.display.unwrap_or_default(),
            uri: address.uri,
        })
    }

    /// What the caller dialled: a queue, or a number of a plan.
    fn dialled(&self, host: &Host) -> Option<Party> {
        let number = self.caller.dialog.local.uri.user.clone();
        let shown = Shown {
            number: number.filter(|number| !number.is_empty())?,
            name: String::new(),
        };
        Some(Party {
            name: String::new(),
            uri: shown.address(host.clone()).uri,
        })
    }

    /// How the one at a leg is shown to colleagues.
    fn shown_at(&self, ctx: &Context, leg: LegId) -> Shown {
        if let Some(operator) = self.operator_of(leg).and_then(|id| ctx.operators.get(&id)) {
            return Shown {
                number: operator.line.clone(),
                name: operator.name.clone(),
            };
        }
        match self.legs.get(&leg).map(|leg| &leg.who) {
            Some(Who::Outer { number, .. }) => Shown {
                number: number.clone(),
                name: String::new(),
            },
            Some(
                Who::Offered { .. }
                | Who::Called { .. }
                | Who::Came { .. }
                | Who::Supervisor { .. },
            )
            | None => {
                let number = if self.private {
                    String::new()
                } else {
                    self.caller_number.clone()
                };
                Shown {
                    number,
                    name: self.caller_name.clone(),
                }
            }
        }
    }
}

impl PartyLeg {
    /// The dialogs with telephones that ring or talk, seen from our side, and how far each is.
    fn line_dialogs(&self) -> impl Iterator<Item = (DialogId, LineState)> {
        let (ring, talk) = match self.sip {
            Sip::Inviting => (true, false),
            Sip::Accepted { .. } | Sip::Confirmed => (false, true),
            Sip::Preparing
            | Sip::Cancelling
            | Sip::Leaving { .. }
            | Sip::Closing { .. }
            | Sip::Closed => (false, false),
        };
        let ringing = self
            .invites
            .iter()
            .filter(move |_| ring)
            .filter_map(Sent::ringing)
            .map(|id| (id, LineState::Early));
        let talking = self
            .dialog
            .iter()
            .filter(move |_| talk)
            .map(|dialog| (dialog.id(), LineState::Confirmed));
        ringing.chain(talking)
    }
}

//! Owns the supervision of a call: a supervisor's telephone is called and hears the talk, speaks to the
//! operators alone, or to all. Refuses to let the talk notice: it begins, turns and ends without a
//! word to either side, and no leg of the talk depends on the supervisor's.
//!
//! State × what happens → state:
//!
//! | state   | answered                   | refused, silent, not there | order or key: mode | order: end, BYE | the call is over | another segment  |
//! |---------|----------------------------|----------------------------|--------------------|-----------------|------------------|------------------|
//! | none    | -                          | -                          | Calling            | -               | -                | -                |
//! | Calling | In the talk, in its mode   | none, `unanswered`         | Calling            | none, `ordered` | none, `call_over` | Calling         |
//! | In      | -                          | -                          | In, in that mode   | none            | none, `call_over` | In, listening   |
//!
//! While the call is in no talk, as in a transfer or a queue, the supervisor hears nothing and stays. What
//! was whispered to one operator is not for the next one: with another segment the supervisor listens. While
//! the queue whispers to the operator (`whisper`) nobody talks yet.

use vocab::media::{MixParty, MixRole};
use vocab::{
    Fact, LegId, OfferResult, OperatorId, OperatorState, OrderRefusal, SupervisionEnd,
    SupervisionMode,
};

use super::party::PartyLeg;
use super::who::{Engagement, Who};
use super::{Call, State};
use crate::context::{Context, Timer};
use crate::way;

/// One who supervises a call, or is called to do so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Supervision {
    leg: LegId,
    operator: OperatorId,
    mode: SupervisionMode,
    /// The telephone has answered.
    begun: bool,
}

/// By which keys a supervisor changes the mode; none for no such key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SupervisionKeys {
    /// To listen.
    pub listen: Option<char>,
    /// To whisper.
    pub whisper: Option<char>,
    /// To barge in.
    pub barge: Option<char>,
}

impl SupervisionKeys {
    fn mode(self, key: char) -> Option<SupervisionMode> {
        let modes = [
            (self.listen, SupervisionMode::Listen),
            (self.whisper, SupervisionMode::Whisper),
            (self.barge, SupervisionMode::Barge),
        ];
        let found = modes.into_iter().find(|(one, _)| *one == Some(key));
        found.map(|(_, mode)| mode)
    }
}

impl Call {
    /// Calls a supervisor's telephone into the talk, or changes the mode of one who is there.
    ///
    /// # Errors
    /// Why not; nothing has changed.
    pub(crate) fn supervise(
        &mut self,
        ctx: &mut Context,
        operator: OperatorId,
        mode: SupervisionMode,
    ) -> Result<(), OrderRefusal> {
        let call = self.id;
        if let Some(supervision) = self.supervision {
            if supervision.operator == operator {
                self.turn_supervision(ctx, mode);
                return Ok(());
            }
            let by = ctx.operator_ref(supervision.operator);
            let by = by.map_or_else(|| "somebody".to_owned(), |by| by.login);
            return Err(OrderRefusal::Supervised { by });
        }
        if !matches!(self.state, State::Talking { .. }) {
            return Err(OrderRefusal::NoTalk { call });
        }
        let login = ctx
            .operator_ref(operator)
            .map_or_else(String::new, |one| one.login);
        self.may_supervise(ctx, operator, &login)?;
        let telephones = way::telephones(ctx, operator, &self.shown());
        if telephones.is_empty() {
            return Err(not_there(&login));
        }
        let owner = self.owner(ctx.leg_id());
        let mut leg = PartyLeg::to(ctx, owner, Who::Supervisor { operator }, telephones);
        leg.engagement = Some(Engagement::begin(ctx, operator));
        self.legs.insert(owner.leg, Box::new(leg));
        self.supervision = Some(Supervision {
            leg: owner.leg,
            operator,
            mode,
            begun: false,
        });
        let ring_time = ctx.settings.operator_calls.ring_time;
        self.timers
            .push(ctx.set_timer(call, ring_time, Timer::Ringing(owner.leg)));
        tracing::info!(%call, login, ?mode, "a supervisor is called");
        Ok(())
    }

    fn may_supervise(
        &self,
        ctx: &Context,
        operator: OperatorId,
        login: &str,
    ) -> Result<(), OrderRefusal> {
        let unfit = |message: String| OrderRefusal::Unfit { message };
        if self.operators().contains(&operator) {
            let message = format!("expected somebody who is not in the call, found {login}");
            return Err(unfit(message));
        }
        if !self.has_room() {
            let message = "the talk has as many parties as one can have".to_owned();
            return Err(unfit(message));
        }
        match ctx.acd.operator_state(operator).map(|(state, _)| state) {
            Some(
                OperatorState::Free
                | OperatorState::WrapUp
                | OperatorState::Resting
                | OperatorState::Paused,
            ) => Ok(()),
            Some(
                OperatorState::Reserved
                | OperatorState::Ringing
                | OperatorState::Talking
                | OperatorState::Held
                | OperatorState::OtherCall,
            ) => Err(OrderRefusal::NotFree {
                operator: login.to_owned(),
            }),
            Some(OperatorState::Unreachable) | None => Err(not_there(login)),
        }
    }

    /// The supervision is over by somebody's word; the talk goes on.
    ///
    /// # Errors
    /// If nobody supervises the call.
    pub(crate) fn end_supervision(&mut self, ctx: &mut Context) -> Result<(), OrderRefusal> {
        let Some(supervision) = self.supervision else {
            return Err(OrderRefusal::NotSupervised { call: self.id });
        };
        self.supervision_over(ctx, SupervisionEnd::Ordered);
        self.hang_up_leg(ctx, supervision.leg);
        Ok(())
    }

    /// The supervisor's telephone has answered.
    pub(super) fn supervisor_answered(&mut self, ctx: &mut Context) {
        let Some(supervision) = &mut self.supervision else {
            return;
        };
        supervision.begun = true;
        let (leg, mode) = (supervision.leg, supervision.mode);
        if let Some(supervisor) = ctx.operator_ref(supervision.operator) {
            ctx.record(Fact::SupervisionStarted {
                call: self.id,
                segment: self.segments,
                supervisor,
                mode,
            });
        }
        self.tell_talk(ctx);
        self.arm(ctx, leg);
    }

    /// The supervisor's telephone cannot be had.
    pub(super) fn supervisor_failed(&mut self, ctx: &mut Context, result: OfferResult) {
        tracing::info!(call = %self.id, ?result, "a supervisor was not reached");
        self.supervision_over(ctx, SupervisionEnd::Unanswered);
    }

    /// It rang in vain; says whether it was the supervisor's.
    pub(super) fn supervisor_rang_in_vain(&mut self, ctx: &mut Context, id: LegId) -> bool {
        if !self.is_supervisor(id) {
            return false;
        }
        if self.legs.get(&id).is_some_and(|leg| leg.is_awaited()) {
            self.supervisor_failed(ctx, OfferResult::NoAnswer);
            self.hang_up_leg(ctx, id);
        }
        true
    }

    /// The supervisor has hung up; says whether it was one.
    pub(super) fn supervisor_left(&mut self, ctx: &mut Context, id: LegId) -> bool {
        let is_one = self.is_supervisor(id);
        if is_one {
            self.supervision_over(ctx, SupervisionEnd::HungUp);
        }
        is_one
    }

    /// A key of a supervisor, which means nothing to anybody else; says whether it was one's.
    pub(super) fn supervisor_key(&mut self, ctx: &mut Context, id: LegId, key: char) -> bool {
        let is_one = self.is_supervisor(id);
        if let (true, Some(mode)) = (is_one, ctx.settings.supervision_keys.mode(key)) {
            self.turn_supervision(ctx, mode);
        }
        is_one
    }

    /// Another segment is about to begin, with somebody else. The media plane is told when the two are
    /// joined.
    pub(super) fn supervision_follows(&mut self, ctx: &mut Context) {
        self.change_mode(ctx, SupervisionMode::Listen);
    }

    fn turn_supervision(&mut self, ctx: &mut Context, mode: SupervisionMode) {
        if self.change_mode(ctx, mode) {
            self.tell_talk(ctx);
        }
    }

    /// The mode, for the journal; says whether anybody is in the talk in another one from now on.
    fn change_mode(&mut self, ctx: &mut Context, mode: SupervisionMode) -> bool {
        let (call, segment) = (self.id, self.segments);
        let Some(supervision) = &mut self.supervision else {
            return false;
        };
        if core::mem::replace(&mut supervision.mode, mode) == mode || !supervision.begun {
            return false;
        }
        tracing::info!(%call, segment, ?mode, "the supervisor's mode");
        if let Some(supervisor) = ctx.operator_ref(supervision.operator) {
            ctx.record(Fact::SupervisionTurned {
                call,
                segment,
                supervisor,
                mode,
            });
        }
        true
    }

    /// The supervision ends, for the journal and the media plane; the leg is the caller's to hang up.
    pub(super) fn supervision_over(&mut self, ctx: &mut Context, ended_by: SupervisionEnd) {
        let Some(supervision) = self.supervision.take() else {
            return;
        };
        if let Some(supervisor) = ctx.operator_ref(supervision.operator) {
            ctx.record(Fact::SupervisionEnded {
                call: self.id,
                supervisor,
                ended_by,
            });
        }
        if supervision.begun {
            self.tell_talk(ctx);
        }
        self.choose_codec_anew(ctx);
    }

    /// The supervisor as a party of the mix.
    pub(super) fn supervisor_in_talk(&self) -> Option<MixParty> {
        let supervision = self.supervision.filter(|one| one.begun)?;
        Some(MixParty {
            leg: supervision.leg,
            role: match supervision.mode {
                SupervisionMode::Listen => MixRole::Listening,
                SupervisionMode::Whisper => MixRole::Whispering,
                SupervisionMode::Barge => MixRole::Barging,
            },
        })
    }

    pub(super) fn is_supervisor(&self, id: LegId) -> bool {
        self.supervision.is_some_and(|one| one.leg == id)
    }

    pub(super) const fn is_supervised(&self) -> bool {
        self.supervision.is_some()
    }
}

fn not_there(login: &str) -> OrderRefusal {
    OrderRefusal::Unfit {
        message: format!(
            "no telephone of {login} is registered; the engine calls the supervisor there"
        ),
    }
}

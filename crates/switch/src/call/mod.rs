//! Owns one call: its legs, its place in the plan, its end. One conversation from the trunk's
//! INVITE to the last BYE.
//!
//! State × what happens → state (files: `caller` and `party` are the legs, `who` is at their end,
//! `ring` sends the INVITEs, `sent` has them, `called` what comes of them, `offer` the ACD's offers, `reach` the calling of
//! one certain party, `segment` the talks, `conference` those of more than two, `supervision` who oversees one, `transfer` the transfers, `referral` those that a trunk does, `steps` the plan, `keys` what the caller
//! presses, `signalled` the keys that a peer is told of, `announce` what a waiting caller is told, `whisper` what an operator hears first, `planned` the steps that wait, `voicemail` the leaving of a message, `audio` what was heard of whom, `midcall` the requests within a dialog, `rechoice` the change to a codec that both have, `early` those within an early one, `end` the end):
//!
//! | state     | media opened | ACK / audio | prompt ended | party answers | second party hangs up | first party hangs up | REFER of an operator | time is over or refused |
//! |-----------|--------------|-------------|--------------|---------------|-----------------------|----------------------|----------------------|-------------------------|
//! | Opening   | next step    | -           | -            | -             | -                     | Ended                | 603                  | Ended                   |
//! | Answering | -            | next step   | -            | -             | -                     | Ended                | 603                  | Ended                   |
//! | Saying    | -            | -           | next step    | -             | -                     | Ended                | 603                  | Ended                   |
//! | Asking    | -            | -           | waits for keys | -           | -                     | Ended                | 603                  | next step               |
//! | Waiting   | -            | -           | -            | -             | -                     | Ended                | 603                  | next step               |
//! | Leaving   | -            | -           | see `voicemail` | -         | -                     | Ended                | 603                  | next step               |
//! | Queued    | -            | -           | -            | Talking       | -                     | Ended                | 603                  | next step               |
//! | Reaching  | -            | -           | -            | Talking       | - (it transferred)    | Ended                | 491                  | see `transfer`, or Ended |
//! | Referred  | -            | -           | -            | -             | - (it transferred)    | Ended                | 491                  | Reaching, see `referral` |
//! | Talking   | -            | -           | -            | -             | next step             | Ended                | Reaching, Referred, Queued, or next step | Ended |
//! | Ended     | -            | BYE goes    | -            | its leg: BYE  | its leg: closed       | closed               | 481                  | -                       |
//!
//! A dash means that the input is ignored: it is late, or for a leg that is being closed. The first
//! party is the caller until an operator who called somebody transfers that somebody: who stays is the
//! first party then.

mod account;
mod announce;
mod audio;
mod callback;
mod called;
mod caller;
mod conference;
mod dialogs;
mod early;
mod end;
mod hold;
mod joined;
mod keys;
mod leg;
mod midcall;
mod offer;
mod party;
mod pause;
mod planned;
mod reach;
mod rechoice;
mod referral;
mod replace;
mod ring;
mod segment;
mod sent;
mod session;
mod signalled;
mod steps;
mod supervision;
mod transfer;
mod voicemail;
mod waiting;
mod whisper;
mod who;

use std::collections::BTreeMap;
use std::sync::Arc;

use dialplan::Step;
use sip::{Dialog, Flow, Message, ServerTx};
use vocab::media::{MediaCommand, MediaEvent};
use vocab::{CallId, Direction, EndedBy, Fact, LegId, OperatorId, QueueId, Time};

use crate::context::{Context, Owner, Prompts, Timer, TimerKey};
use crate::trunk::Seat;
use crate::turns;
use account::LegAccount;
pub(crate) use account::{Home, hide};
use announce::Announcement;
pub(crate) use caller::CallerLeg;
use keys::Asking;
pub(crate) use leg::{MediaState, Ports, decorate};
use party::PartyLeg;
use pause::Pausing;
pub use pause::RecordingKeys;
use planned::Planned;
pub(crate) use planned::Waited;
pub(crate) use reach::Purpose;
use referral::Referral;
use replace::Newcomer;
pub(crate) use steps::Course;
use steps::Place;
use supervision::Supervision;
pub use supervision::SupervisionKeys;
pub(crate) use transfer::Asked;
use transfer::Transfer;
use voicemail::Leaving;
use whisper::Whisper;
use who::Engagement;

/// What admission learned of a new call.
pub(crate) struct Arrival {
    pub(crate) tx: ServerTx,
    pub(crate) flow: Flow,
    pub(crate) invite: Message,
    pub(crate) number: String,
    pub(crate) caller: String,
    pub(crate) caller_name: String,
    pub(crate) trunk: String,
    /// The number is for the journal, not for the operator's display.
    pub(crate) private: bool,
    pub(crate) course: Course,
    pub(crate) direction: Direction,
    /// The operator who calls, if one does.
    pub(crate) operator: Option<OperatorId>,
    /// The call in which that operator is already.
    pub(crate) consults: Option<CallId>,
    /// Its place among the calls of the trunk.
    pub(crate) seat: Option<Seat>,
}

/// Where the call stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// The media plane was asked for the caller's socket.
    Opening,
    /// 200 OK went to the caller; neither ACK nor audio came yet.
    Answering,
    /// A prompt plays.
    Saying { token: u32, notice: Option<String> },
    /// A prompt plays, or keys are waited for.
    Asking(Box<Asking>),
    /// A step waits for its time.
    Waiting(Waited),
    /// A message is left, or the greeting before it plays.
    Leaving(Box<Leaving>),
    /// It waits for an operator.
    Queued {
        queue: QueueId,
        name: String,
        recorded: bool,
    },
    /// One certain party is called.
    Reaching { leg: LegId, purpose: Purpose },
    /// The trunk of the caller was asked to transfer the caller.
    Referred,
    /// The one at this leg and the first party talk.
    Talking { leg: LegId },
    /// The entry is closed; legs may still be on their way out.
    Ended,
}

pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) state: State,
    /// What the caller dialled.
    number: String,
    /// Its name across exchanges.
    pub(super) session: String,
    pub(crate) caller_number: String,
    pub(crate) caller_name: String,
    pub(crate) caller: CallerLeg,
    /// The operator who called, if one did.
    caller_operator: Option<OperatorId>,
    caller_engagement: Option<Engagement>,
    /// The trunk that brought it, or `operator:LOGIN`.
    trunk: String,
    direction: Direction,
    /// One who is to take another's place.
    newcomer: Option<Newcomer>,
    /// Everybody but the caller.
    /// In boxes: a node of the map has room for eleven, and a call has one or two.
    legs: BTreeMap<LegId, Box<PartyLeg>>,
    /// The party whom the call is about.
    first: LegId,
    /// Who talks besides the two of `State::Talking`, in the order in which they came.
    conference: Vec<LegId>,
    /// The two of whom one was last asked for the other's codec.
    rechosen: Option<(LegId, LegId)>,
    supervision: Option<Supervision>,
    course: Course,
    /// What its plan can play.
    prompts: Arc<Prompts>,
    /// Where it last waited.
    place: Option<Place>,
    transfer: Option<Transfer>,
    /// What the trunk of the caller was asked for last.
    referral: Option<Referral>,
    transfers: u16,
    /// The operator to whom a failed transfer gave the call back, and when.
    returned: Option<(LegId, Time)>,
    /// Whether the last segment was to be recorded, and what follows from it is.
    recorded: bool,
    pausing: Pausing,
    language: String,
    /// The number is for the journal, not for the operator's display.
    private: bool,
    /// Number of the last recording: of a talk, of a message or of a wait.
    segments: u16,
    /// The wait in the queue is recorded.
    recorded_wait: bool,
    /// Somebody talked to the first party.
    talked: bool,
    /// The caller left a message that is kept.
    message_left: bool,
    play_token: u32,
    /// Who ended the last segment, until the plan goes on.
    segment_ended_by: Option<EndedBy>,
    /// What a waiting caller is being told.
    announcement: Announcement,
    /// What an operator hears before the caller.
    whisper: Whisper,
    /// A step that waits until the caller can hear it.
    deferred: Option<Step>,
    /// Whom the plan calls besides the one of `State::Reaching`: who answers first has the call.
    together: Vec<LegId>,
    /// How the plan calls somebody, while it does.
    planned: Option<Planned>,
    /// It calls somebody back, and an operator is asked first.
    operator_first: bool,
    /// Plans through which it was handed on.
    plans: u8,
    /// When to come back to the step under way.
    step_timer: Option<TimerKey>,
    timers: Vec<TimerKey>,
}

impl Call {
    /// A new call: written into the journal, and its media asked for.
    ///
    /// # Errors
    /// If the INVITE makes no dialog (no Contact, say): the arrival comes back, to be refused.
    pub(crate) fn arrive(ctx: &mut Context, arrival: Arrival) -> Result<Self, Box<Arrival>> {
        let tag = ctx.entropy.tag();
        let Ok(dialog) = Dialog::uas(&arrival.invite, &tag, arrival.flow) else {
            return Err(Box::new(arrival));
        };
        let id = ctx.call_id();
        let leg = ctx.leg_id();
        let (plan, language) = arrival.course.plan();
        let number = arrival.number.clone();
        let session = turns::session_of(&arrival.invite).unwrap_or_else(|| ctx.entropy.session());
        ctx.record(Fact::CallArrived {
            call: id,
            number: arrival.number,
            caller: arrival.caller.clone(),
            caller_name: arrival.caller_name.clone(),
            trunk: arrival.trunk.clone(),
            plan: plan.clone(),
            sip_call_id: arrival.invite.call_id().unwrap_or_default().to_owned(),
            direction: arrival.direction,
            operator: arrival.operator.and_then(|id| ctx.operator_ref(id)),
            consults: arrival.consults,
        });
        if let Some(with) = arrival.consults {
            ctx.share_media(id, with);
        }
        let caller_engagement = arrival.operator.map(|id| Engagement::begin(ctx, id));
        let mut caller = CallerLeg::new(ctx, leg, dialog, arrival.tx, arrival.invite);
        caller.session.account = arrival
            .seat
            .as_ref()
            .map(|seat| LegAccount::new(seat.trunk, &arrival.flow, None));
        caller.seat = arrival.seat;
        ctx.counts.calls += 1;
        ctx.own_server(arrival.tx, Owner { call: id, leg });
        ctx.dialogs
            .insert(caller.dialog.id(), Owner { call: id, leg });
        ctx.media(MediaCommand::Open { call: id, leg });
        let longest = ctx.set_timer(id, ctx.settings.call_longest, Timer::Longest);
        tracing::info!(call = %id, plan,
            caller = %vocab::Redacted(&arrival.caller), "call arrived");
        Ok(Self {
            number,
            caller_number: arrival.caller,
            caller_name: arrival.caller_name,
            caller_operator: arrival.operator,
            caller_engagement,
            trunk: arrival.trunk,
            direction: arrival.direction,
            language,
            private: arrival.private,
            timers: vec![longest],
            ..Self::blank(ctx, id, session, caller, arrival.course)
        })
    }

    /// A call of which nothing else is known yet.
    fn blank(
        ctx: &Context,
        id: CallId,
        session: String,
        caller: CallerLeg,
        course: Course,
    ) -> Self {
        Self {
            id,
            state: State::Opening,
            number: String::new(),
            session,
            caller_number: String::new(),
            caller_name: String::new(),
            caller_operator: None,
            caller_engagement: None,
            trunk: String::new(),
            direction: Direction::Inbound,
            newcomer: None,
            legs: BTreeMap::new(),
            first: caller.id,
            conference: Vec::new(),
            rechosen: None,
            supervision: None,
            caller,
            course,
            prompts: Arc::clone(&ctx.prompts),
            place: None,
            transfer: None,
            referral: None,
            transfers: 0,
            returned: None,
            recorded: true,
            pausing: Pausing::default(),
            language: String::new(),
            private: false,
            segments: 0,
            recorded_wait: false,
            talked: false,
            message_left: false,
            play_token: 0,
            segment_ended_by: None,
            announcement: Announcement::default(),
            whisper: Whisper::default(),
            deferred: None,
            together: Vec::new(),
            planned: None,
            operator_first: false,
            plans: 0,
            step_timer: None,
            timers: Vec::new(),
        }
    }

    /// Whether nothing of the call is left but its entry.
    pub(crate) fn is_gone(&self) -> bool {
        self.state == State::Ended
            && self.caller.is_gone()
            && self.newcomer.is_none()
            && self.legs.is_empty()
    }

    /// Whether the call is up under this name, and if so whether the number dialled was the same.
    pub(crate) fn turn(&self, session: &str, number: &str) -> Option<bool> {
        let same = self.state != State::Ended && self.session == session;
        same.then(|| self.number == number)
    }

    /// Forgets what the engine remembers for the call.
    pub(crate) fn forget(&mut self, ctx: &mut Context) {
        ctx.clear_timers(&self.timers);
        let dialog = self.caller.dialog.id();
        // It may have gone over to another call.
        if ctx
            .dialogs
            .get(&dialog)
            .is_some_and(|owner| owner.call == self.id)
        {
            ctx.dialogs.remove(&dialog);
        }
        self.caller.forget(ctx);
        ctx.forget_media_name(self.id);
    }

    /// The caller has hung up, or is hung up on: an operator is given back to the ACD.
    fn release_caller(&mut self, ctx: &mut Context) {
        if let (Some(engagement), Some(operator)) =
            (self.caller_engagement.take(), self.caller_operator)
        {
            engagement.end(ctx, operator);
        }
    }

    pub(crate) fn on_media(&mut self, ctx: &mut Context, event: MediaEvent) {
        match event {
            MediaEvent::Opened {
                leg, port, browser, ..
            } => {
                let ports = Ports { rtp: port, browser };
                if leg == self.caller.id {
                    self.caller_media_opened(ctx, ports);
                } else if self.is_newcomer(leg) {
                    self.newcomer_media(ctx, Some(ports));
                } else {
                    self.leg_media_opened(ctx, leg, ports);
                }
            }
            MediaEvent::OpenFailed { leg, reason, .. } => {
                tracing::warn!(call = %self.id, reason, "no socket for a leg");
                if leg == self.caller.id {
                    self.caller.media = MediaState::Closed;
                    self.fail(ctx, 503, &format!("no media socket: {reason}"));
                } else if self.is_newcomer(leg) {
                    self.newcomer_media(ctx, None);
                } else {
                    self.leg_media_failed(ctx, leg);
                }
            }
            MediaEvent::PlayEnded { token, .. } => self.play_ended(ctx, token),
            MediaEvent::AudioStarted { leg, .. } => {
                // An ACK can be lost; a caller who sends audio has our answer all the same.
                if leg == self.caller.id && self.state == State::Answering {
                    self.answered(ctx);
                }
            }
            MediaEvent::Spoken { leg, .. } => self.message_spoken(leg),
            MediaEvent::Quiet { leg, .. } => self.message_quiet(ctx, leg),
            MediaEvent::Digit { leg, digit, .. } => {
                if !self.supervisor_key(ctx, leg, digit) {
                    self.key_pressed(ctx, leg, digit);
                }
            }
            MediaEvent::Press { leg, digit, .. } => self.press_by_signalling(ctx, leg, digit),
            MediaEvent::OneWayBegan { leg, .. } => self.one_way_began(ctx, leg),
            MediaEvent::OneWayEnded { leg, .. } => self.one_way_ended(ctx, leg),
            MediaEvent::Silent { leg, ms, .. } => self.party_silent(ctx, leg, ms),
            MediaEvent::Gone { leg, reason, .. } => {
                tracing::warn!(call = %self.id, %leg, reason, "a browser is gone");
                self.leg_lost(ctx, leg, &reason);
            }
            MediaEvent::Closed {
                leg,
                counts,
                quality,
                ..
            } => {
                self.leg_measured(ctx, leg, counts, quality);
                if leg == self.caller.id {
                    self.caller.media = MediaState::Closed;
                } else if self.is_newcomer(leg) {
                    self.newcomer_media_closed(ctx);
                } else {
                    self.leg_media_closed(ctx, leg);
                }
            }
        }
    }

    pub(crate) fn on_timer(&mut self, ctx: &mut Context, at: Time, timer: Timer) {
        self.timers.retain(|key| *key != (at, self.id, timer));
        match timer {
            Timer::Unreachable(leg) => self.leg_silent(ctx, leg),
            Timer::Ringing(leg) => self.rang_in_vain(ctx, leg),
            Timer::Session(leg) => self.session_due(ctx, leg),
            Timer::Step => self.step_due(ctx),
            Timer::Announce => self.announce(ctx),
            Timer::Referral => self.no_news(ctx),
            Timer::Pause => self.pause_over(ctx),
            Timer::Longest => {
                self.fail(ctx, 408, "the longest time of a call is over");
            }
            Timer::Linger => {
                ctx.bug("an ended call's legs are not gone", Some(self.id));
                self.caller.abandon();
                self.release_caller(ctx);
                if let Some(mut newcomer) = self.newcomer.take() {
                    newcomer.leg.forget(ctx);
                    ctx.dialogs.remove(&newcomer.leg.dialog.id());
                }
                for mut leg in core::mem::take(&mut self.legs).into_values() {
                    leg.release(ctx);
                    leg.forget(ctx);
                }
            }
        }
    }
}

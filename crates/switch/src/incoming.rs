//! Owns what comes before and beside admission: which messages of strangers are dropped unread,
//! what an INVITE of a known source says, and its place among the calls of its trunk.

use std::sync::Arc;

use dialplan::Plan;
use sip::{DialogId, Flow, Message, ServerTx};

use crate::engine::Switch;
use crate::trunk::{
    self, DialForm, Dialled, Dialling, Direction, Dropped, Full, NumberRules, Seat, TrunkId,
};

/// Who brings a call.
pub(crate) enum Source {
    /// A trunk.
    Trunk(TrunkId),
    /// An operator's telephone.
    Operator {
        /// Its login.
        user: String,
    },
}

/// What admission reads of an INVITE of a known source.
pub(crate) struct Reading {
    /// Name of the source in the journal.
    pub(crate) trunk: String,
    pub(crate) dialled: Dialled,
    pub(crate) caller: trunk::Caller,
    pub(crate) rules: NumberRules,
}

impl Switch {
    /// What a message from the network may not even begin to be: a stranger's, by the policy.
    /// `None`: octets that are no message. Answers and requests of dialogs that are up are always
    /// taken, whoever sends them: a flood ends no call.
    pub(crate) fn is_dropped(&mut self, flow: &Flow, message: Option<&Message>) -> bool {
        let of_dialog = |message: &Message| {
            let id = DialogId::of_incoming(message);
            id.is_some_and(|id| self.ctx.has_dialog(&id) || self.is_of_subscription(&id))
        };
        if message.is_some_and(|message| !message.is_request() || of_dialog(message)) {
            return false;
        }
        let (now, address) = (self.ctx.now, flow.remote.ip());
        if self.ctx.trunks.knows(now, flow) || self.ctx.strangers.is_friend(now, address) {
            return false;
        }
        let roams = self.ctx.trunks.any_roams();
        let verdict = self.ctx.strangers.judge(now, address, message, roams);
        let Err(why) = verdict else {
            return false;
        };
        self.ctx.counts.dropped += 1;
        match why {
            Dropped::Scanner => tracing::debug!(source = %flow.remote, "a scanner"),
            Dropped::Flood => tracing::debug!(source = %flow.remote, "too many requests"),
            Dropped::Stranger => tracing::debug!(source = %flow.remote, "a stranger"),
        }
        true
    }

    /// A place among the calls of the trunk; operators' telephones have no bound of their own.
    pub(crate) fn take_seat(&mut self, source: &Source) -> Result<Option<Seat>, Full> {
        match source {
            Source::Trunk(id) => self
                .ctx
                .trunks
                .enter(self.ctx.now, *id, Direction::In)
                .map(Some),
            Source::Operator { .. } => Ok(None),
        }
    }

    pub(crate) fn give_seat_back(&mut self, seat: Option<Seat>) {
        if let Some(seat) = seat {
            self.ctx.trunks.leave(seat);
        }
    }

    /// A trunk brings more than was agreed: 503 without any state.
    pub(crate) fn refuse_full(&mut self, tx: ServerTx, request: &Message, full: Full) {
        self.ctx.counts.refused += 1;
        let wait = match full {
            Full::Calls => self.ctx.settings.retry_after,
            Full::Rate(wait) => wait,
        };
        self.ctx.refuse_overload_for(tx, request, wait);
    }

    /// What the INVITE says, by the rules of whoever brings it.
    pub(crate) fn read(&self, source: Source, invite: &Message) -> Reading {
        match source {
            Source::Trunk(id) => {
                let unknown = trunk::Trunk::new("");
                let trunk = self.ctx.trunks.by_id(id).unwrap_or(&unknown);
                Reading {
                    trunk: trunk.name.clone(),
                    dialled: Dialled::read(trunk, invite),
                    caller: trunk::Caller::read(trunk, invite),
                    rules: trunk.numbers.clone(),
                }
            }
            Source::Operator { user } => {
                let id = self.ctx.logins.get(&user);
                let operator = id.and_then(|id| self.ctx.operators.get(id));
                let caller = operator.map(|operator| trunk::Caller {
                    number: operator.line.clone(),
                    name: operator.name.clone(),
                    private: false,
                });
                Reading {
                    trunk: format!("operator:{user}"),
                    dialled: Dialled::read(&trunk::Trunk::new(""), invite),
                    caller: caller.unwrap_or_default(),
                    rules: NumberRules::default(),
                }
            }
        }
    }

    /// The plan of a number, in whichever form the plan has it: whole, as it came, or as people
    /// dial it.
    pub(crate) fn plan(&self, read: &Reading) -> Option<Arc<Plan>> {
        let plans = &self.ctx.plans;
        let as_dialled = || {
            let national = Dialling {
                form: DialForm::National,
                ..Dialling::default()
            };
            plans.find(&national.written(&read.dialled.number, &read.rules))
        };
        plans
            .find(&read.dialled.number)
            .or_else(|| plans.find(&read.dialled.raw))
            .or_else(as_dialled)
    }
}

//! Owns who is at the other end of a leg, and what binds an operator to the call.

use acd::WrapUp;
use vocab::{OfferId, OperatorId, Party};

use crate::context::Context;
use crate::way::Way;

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    /// An operator, by an offer of the ACD.
    Offered {
        operator: OperatorId,
        offer: OfferId,
    },
    /// An operator, called by name.
    Called {
        operator: OperatorId,
        offer: OfferId,
    },
    /// An operator who came by other means: joined from another call, or took another's place.
    Came { operator: OperatorId },
    /// An operator who supervises the call.
    Supervisor { operator: OperatorId },
    /// A number of the outer network.
    Outer { number: String, trunk: String },
}

impl Who {
    pub(super) const fn operator(&self) -> Option<OperatorId> {
        match self {
            Self::Offered { operator, .. }
            | Self::Called { operator, .. }
            | Self::Came { operator }
            | Self::Supervisor { operator } => Some(*operator),
            Self::Outer { .. } => None,
        }
    }

    /// The offer by which an operator is called.
    pub(super) const fn offer(&self) -> Option<OfferId> {
        match self {
            Self::Offered { offer, .. } | Self::Called { offer, .. } => Some(*offer),
            Self::Came { .. } | Self::Supervisor { .. } | Self::Outer { .. } => None,
        }
    }

    /// As the journal names them; `way`: how they are called.
    pub(super) fn party(&self, ctx: &Context, way: Option<&Way>) -> Option<Party> {
        match self {
            Self::Offered { operator, .. }
            | Self::Called { operator, .. }
            | Self::Came { operator }
            | Self::Supervisor { operator } => ctx.operator_ref(*operator).map(Party::Operator),
            Self::Outer { number, trunk } => Some(Party::Outer {
                number: number.clone(),
                trunk: way
                    .and_then(Way::trunk)
                    .map_or_else(|| trunk.clone(), |way| way.name.clone()),
            }),
        }
    }
}

/// What binds an operator to a call, as the ACD sees it. Given back exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engagement {
    /// A call of a queue.
    Queued,
    /// Another call, and the time to finish its work.
    Other { wrap_up: WrapUp },
}

impl Engagement {
    /// Another call, which ends without wrap-up until it becomes a queue's.
    pub(super) fn begin(ctx: &mut Context, operator: OperatorId) -> Self {
        ctx.acd
            .handle(ctx.now, acd::Input::OtherCallBegan { operator });
        Self::Other {
            wrap_up: WrapUp::None,
        }
    }

    pub(super) fn end(self, ctx: &mut Context, operator: OperatorId) {
        let input = match self {
            Self::Queued => acd::Input::Freed { operator },
            Self::Other { wrap_up } => acd::Input::OtherCallEnded { operator, wrap_up },
        };
        ctx.acd.handle(ctx.now, input);
    }
}

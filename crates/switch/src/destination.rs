//! Owns what a number or name dialled by an operator means: a plan's number, an operator's line or
//! login, a queue, or a number of the outer network.

use std::sync::Arc;

use dialplan::Plan;
use sip::Uri;
use vocab::{OperatorId, TransferTarget};

use crate::context::Context;
use crate::trunk::NoWay;
use crate::way::{self, Shown};

/// What an operator dials or transfers to.
#[derive(Debug, Clone)]
pub(crate) enum Destination {
    /// A number that a plan serves.
    Plan {
        /// The plan.
        plan: Arc<Plan>,
        /// The number.
        number: String,
    },
    /// An operator.
    Operator(OperatorId),
    /// A queue, by name.
    Queue {
        /// Its name.
        name: String,
        /// The priority asked for, if one was.
        priority: Option<u8>,
    },
    /// A number of the outer network, which the policy allows.
    Outer {
        /// The number.
        number: String,
    },
}

/// Shortest and longest number of the outer network: short codes have two digits, E.164 has 15.
const DIGITS: core::ops::RangeInclusive<usize> = 2..=15;

impl Destination {
    /// What a URI of an operator's telephone means. Its host says nothing: telephones write whatever
    /// they know us by, and nothing goes to hosts that an operator names.
    ///
    /// # Errors
    /// 404 for what nobody knows, 403 for a number that operators may not call.
    pub(crate) fn find(ctx: &Context, uri: &Uri) -> Result<Self, u16> {
        let dialled = uri.user.as_deref().unwrap_or_default();
        let found = Self::named_by(ctx, dialled)?;
        let asked = uri.params.value("priority").and_then(|p| p.parse().ok());
        Ok(match found {
            Self::Queue { name, .. } => Self::Queue {
                name,
                priority: asked,
            },
            found => found,
        })
    }

    /// What a number or name means.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(crate) fn named_by(ctx: &Context, dialled: &str) -> Result<Self, u16> {
        if let Some(plan) = ctx.plans.find(dialled) {
            let number = dialled.to_owned();
            return Ok(Self::Plan { plan, number });
        }
        if let Some(operator) = operator_at(ctx, dialled) {
            return Ok(Self::Operator(operator));
        }
        if ctx
            .settings
            .queues
            .iter()
            .any(|queue| queue.name == dialled)
        {
            let name = dialled.to_owned();
            let priority = None;
            return Ok(Self::Queue { name, priority });
        }
        Self::outer(ctx, dialled)
    }

    /// The operator with this line or login.
    pub(crate) fn operator(ctx: &Context, dialled: &str) -> Option<Self> {
        operator_at(ctx, dialled).map(Self::Operator)
    }

    /// A number of the outer network.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(crate) fn outer(ctx: &Context, dialled: &str) -> Result<Self, u16> {
        let number: String = dialled
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')'))
            .collect();
        let digits = number.strip_prefix('+').unwrap_or(&number);
        if !DIGITS.contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(404);
        }
        let number = ctx.trunks.normalise(&number);
        match way::trunks(ctx, &number, &Shown::default()) {
            Err(NoWay::NotAllowed) => Err(403),
            // That no trunk is up is a failure of the call, not of the number.
            Ok(_) | Err(NoWay::Unavailable) => Ok(Self::Outer { number }),
        }
    }

    /// As the journal has it.
    pub(crate) fn named(&self, ctx: &Context) -> TransferTarget {
        match self {
            Self::Plan { number, .. } => TransferTarget::Plan {
                number: number.clone(),
            },
            Self::Operator(operator) => TransferTarget::Operator {
                line: ctx
                    .operators
                    .get(operator)
                    .map(|operator| operator.line.clone())
                    .unwrap_or_default(),
            },
            Self::Queue { name, .. } => TransferTarget::Queue {
                queue: name.clone(),
            },
            Self::Outer { number } => TransferTarget::Outer {
                number: number.clone(),
            },
        }
    }
}

/// The operator with this line or login. Those who were removed are in no table of logins.
pub(crate) fn operator_at(ctx: &Context, dialled: &str) -> Option<OperatorId> {
    let by_line = || {
        ctx.logins
            .values()
            .copied()
            .find(|id| ctx.operators.get(id).is_some_and(|o| o.line == dialled))
    };
    let signed_in = || {
        let operator = ctx.acd.signed_in_at(dialled)?;
        ctx.logins
            .values()
            .any(|id| *id == operator)
            .then_some(operator)
    };
    let by_login = ctx.logins.get(dialled).copied();
    by_login.or_else(signed_in).or_else(by_line)
}

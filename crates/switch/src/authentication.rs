//! Owns the check of passwords: of telephones and of trunks that bring their calls with a login.
//!
//! The engine is the registrar and the far end of every request that it takes, never a proxy, so it
//! challenges with 401 (RFC 3261 §22.2); credentials are read from either header field. A stranger
//! sees the same answers, after the same work, whether a user exists or not: 401 without
//! credentials, 403 with wrong ones and while he is locked out.

use core::net::IpAddr;

use sip::{Attempt, Authenticator, Flow, Lockout, Message, Ruling, ServerTx, Verdict};
use vocab::Redacted;

use crate::context::Context;
use crate::engine::Switch;

/// What stands between a password and the engine.
pub(crate) struct Guard {
    authenticator: Authenticator,
    lockout: Lockout,
}

impl Guard {
    pub(crate) fn new(ctx: &mut Context) -> Self {
        let key = ctx.entropy.key();
        Self {
            authenticator: Authenticator::new(&ctx.settings.realm, key)
                .with_algorithms(&ctx.settings.digest),
            lockout: Lockout::new(ctx.settings.lockout),
        }
    }

    /// The password of a user was changed, or there is no such user any more.
    pub(crate) fn forget(&mut self, user: &str) {
        self.lockout.forget(user);
    }

    /// A telephone of the user was registered from there before the engine began.
    pub(crate) fn know(&mut self, ctx: &Context, user: &str, source: IpAddr) {
        self.lockout.know(ctx.now, user, source);
    }

    fn rule(
        &mut self,
        ctx: &Context,
        flow: &Flow,
        user: &str,
        exists: bool,
        right: bool,
    ) -> Ruling {
        let at_home = ctx
            .registrar
            .bindings(user)
            .any(|binding| binding.flow == *flow);
        let attempt = Attempt {
            user,
            exists,
            source: flow.remote.ip(),
            at_home,
            right,
        };
        self.lockout.rule(ctx.now, attempt)
    }
}

impl Switch {
    /// Checks the digest; challenges or refuses where it must, and then gives `None`.
    pub(crate) fn authenticate(
        &mut self,
        tx: ServerTx,
        flow: Flow,
        request: &Message,
        secrets: impl Fn(&Context, &str) -> Option<sip::Secrets>,
    ) -> Option<String> {
        let (now, source) = (self.ctx.now, flow.remote.ip());
        let (ctx, guard) = (&self.ctx, &mut self.guard);
        let verdict = guard
            .authenticator
            .check(now, source, request, |user| secrets(ctx, user));
        let ruling = match &verdict {
            Verdict::Accepted { user } => Some(guard.rule(ctx, &flow, user, true, true)),
            Verdict::Refused { user } => {
                let exists = secrets(ctx, user).is_some();
                Some(guard.rule(ctx, &flow, user, exists, false))
            }
            Verdict::Missing | Verdict::Stale | Verdict::Malformed(_) => None,
        };
        match (verdict, ruling) {
            (Verdict::Accepted { user }, Some(Ruling::Accepted)) => {
                let lasts = self.ctx.settings.registrar.max_expires;
                self.ctx.strangers.befriend(now, source, lasts);
                return Some(user);
            }
            (Verdict::Accepted { user } | Verdict::Refused { user }, ruling) => {
                self.ctx.counts.auth_failures += 1;
                let user = Redacted(&user);
                if ruling == Some(Ruling::Locked) {
                    tracing::debug!(source = %flow.remote, user = %user, "locked out");
                } else {
                    tracing::warn!(source = %flow.remote, user = %user, "wrong password");
                }
                self.ctx.refuse(tx, request, 403);
            }
            (Verdict::Malformed(what), _) => {
                tracing::debug!(source = %flow.remote, what, "malformed credentials");
                self.ctx.refuse(tx, request, 400);
            }
            (Verdict::Missing, _) => self.challenge(tx, &flow, request, false),
            (Verdict::Stale, _) => self.challenge(tx, &flow, request, true),
        }
        None
    }

    fn challenge(&mut self, tx: ServerTx, flow: &Flow, request: &Message, stale: bool) {
        let mut response = request.respond(401, Some(&sip::stateless_tag(request)));
        let (now, source) = (self.ctx.now, flow.remote.ip());
        self.guard
            .authenticator
            .challenge(now, source, stale, &mut response);
        self.ctx.respond_stateless(tx, response);
    }
}

impl Context {
    /// What an operator's password is checked against.
    pub(crate) fn operator_secrets(&self, user: &str) -> Option<sip::Secrets> {
        let id = self.logins.get(user)?;
        let operator = self.operators.get(id)?;
        Some(operator.secrets.clone())
    }
}

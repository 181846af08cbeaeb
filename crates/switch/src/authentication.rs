//! Owns the check of passwords: of telephones and of trunks that bring their calls with a login.

use sip::{Flow, Message, ServerTx, Verdict};
use vocab::Redacted;

use crate::engine::Switch;

impl Switch {
    /// Checks the digest; challenges or refuses where it must, and then gives `None`.
    pub(crate) fn authenticate(
        &mut self,
        tx: ServerTx,
        flow: Flow,
        request: &Message,
        secrets: impl Fn(&Self, &str) -> Option<sip::Secrets>,
    ) -> Option<String> {
        let (now, source) = (self.ctx.now, flow.remote.ip());
        let verdict = self
            .ctx
            .authenticator
            .check(now, source, request, |user| secrets(self, user));
        let stale = match verdict {
            Verdict::Accepted { user } => {
                let lasts = self.ctx.settings.registrar.max_expires;
                self.ctx.strangers.befriend(now, source, lasts);
                return Some(user);
            }
            Verdict::Missing => false,
            Verdict::Stale { .. } => true,
            Verdict::Refused { user } => {
                self.ctx.counts.auth_failures += 1;
                tracing::warn!(source = %flow.remote, user = %Redacted(&user), "wrong password");
                self.ctx.refuse(tx, request, 403);
                return None;
            }
            Verdict::Malformed(what) => {
                tracing::debug!(source = %flow.remote, what, "malformed credentials");
                self.ctx.refuse(tx, request, 400);
                return None;
            }
        };
        let mut response = request.respond(401, Some(&sip::stateless_tag(request)));
        self.ctx
            .authenticator
            .challenge(now, source, stale, &mut response);
        self.ctx.respond_stateless(tx, response);
        None
    }

    /// What an operator's password is checked against.
    pub(crate) fn operator_secrets(&self, user: &str) -> Option<sip::Secrets> {
        let id = self.ctx.logins.get(user)?;
        let operator = self.ctx.operators.get(id)?;
        Some(operator.secrets.clone())
    }
}

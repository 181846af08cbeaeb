//! Owns what the journal hears of bindings, and their return after a restart.
//!
//! A binding comes back if its operator is still there with the same password, its time is not over,
//! and the way to it is still there: that is so for UDP from an address that is still listened on.
//! Connections end with the process. What does not come back is told to the journal as ended.

use core::net::SocketAddr;

use sip::{Binding, Flow, NameAddr, Params, Transport, Uri};
use vocab::{Fact, Registration, Time, WallTime};

use crate::engine::Switch;

impl Switch {
    /// A binding is news for the journal.
    pub(crate) fn record_binding(&mut self, login: String, binding: &Binding) {
        // Of an operator who is gone there is nothing to come back.
        let Some(secrets) = self.ctx.operator_secrets(&login) else {
            return;
        };
        let registration = Box::new(Registration {
            login,
            key: binding.key(),
            contact: binding.contact.to_string(),
            params: binding.params.to_string(),
            transport: binding.flow.transport.as_str().to_owned(),
            local: binding.flow.local.to_string(),
            remote: binding.flow.remote.to_string(),
            path: binding.path.iter().map(ToString::to_string).collect(),
            q: binding.q,
            call_id: binding.call_id.clone(),
            cseq: binding.cseq,
            until: self.ctx.wall_at(binding.kept_until),
            secret: secrets.fingerprint(),
        });
        self.ctx
            .record_standing(Fact::TelephoneRegistered { registration });
    }

    /// Takes back the bindings of before a restart.
    pub(crate) fn restore_bindings(
        &mut self,
        registrations: Vec<Registration>,
        listening: &[SocketAddr],
    ) {
        let (mut restored, all) = (0, registrations.len());
        for registration in registrations {
            match self.restored(&registration, listening) {
                Some(binding) => {
                    let login = &registration.login;
                    let source = binding.flow.remote.ip();
                    self.guard.know(&self.ctx, login, source);
                    let lasts = self.ctx.settings.registrar.max_expires;
                    self.ctx.strangers.befriend(self.ctx.now, source, lasts);
                    self.ctx.registrar.restore(login, binding);
                    restored += 1;
                }
                None => {
                    let Registration { login, key, .. } = registration;
                    self.ctx.record(Fact::TelephoneUnregistered { login, key });
                }
            }
        }
        if all > 0 {
            tracing::info!(restored, of = all, "telephones registered before the start");
        }
    }

    fn restored(&self, registration: &Registration, listening: &[SocketAddr]) -> Option<Binding> {
        let secrets = self.ctx.operator_secrets(&registration.login)?;
        if secrets.fingerprint() != registration.secret {
            return None;
        }
        if registration.transport != Transport::Udp.as_str() {
            return None;
        }
        let local = registration.local.parse().ok()?;
        if !serves(listening, local) {
            return None;
        }
        let left = left(self.ctx.wall_at(self.ctx.now), registration.until)?;
        let path: Result<Vec<NameAddr>, _> = registration
            .path
            .iter()
            .map(|hop| NameAddr::parse(hop))
            .collect();
        let expires_at = self.ctx.now + left;
        Some(Binding {
            contact: Uri::parse(&registration.contact).ok()?,
            flow: Flow {
                transport: Transport::Udp,
                local,
                remote: registration.remote.parse().ok()?,
            },
            path: path.ok()?,
            expires_at,
            call_id: registration.call_id.clone(),
            cseq: registration.cseq,
            q: registration.q,
            params: Params::parse(&registration.params).ok()?,
            registered_at: Time::ZERO,
            kept_until: expires_at,
        })
    }
}

fn serves(listening: &[SocketAddr], local: SocketAddr) -> bool {
    listening.iter().any(|bound| {
        *bound == local
            || bound.ip().is_unspecified()
                && bound.port() == local.port()
                && bound.is_ipv4() == local.is_ipv4()
    })
}

/// How long it is until then; `None` if it is not.
fn left(now: WallTime, until: WallTime) -> Option<core::time::Duration> {
    let ms = until.as_unix_millis().saturating_sub(now.as_unix_millis());
    let ms = u64::try_from(ms).ok().filter(|ms| *ms > 0)?;
    Some(core::time::Duration::from_millis(ms))
}

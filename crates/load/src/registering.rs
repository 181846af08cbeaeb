//! Owns the registration of the operators' telephones: REGISTER, digest, refresh, and the end
//! of it (RFC 3261 §10.2).

use std::time::Duration;

use sip::{ClientTx, HeaderName, Message, Method};
use vocab::Time;

use crate::agent::name_addr;
use crate::operators::{Operators, Telephone};
use crate::report::{add, subtract};
use crate::settings::OperatorAccount;
use crate::signalling::{Alarm, Shared};

/// Where a telephone is with its REGISTER.
pub(crate) enum Registration {
    /// Nothing sent yet, or waiting for the next turn.
    Idle,
    /// REGISTER sent; `challenged` when it carries credentials.
    Asking {
        tx: ClientTx,
        request: Box<Message>,
        challenged: bool,
    },
    Refused(String),
}

/// Between two telephones' first REGISTER, so that a thousand of them come as in life.
const REGISTER_STEP: Duration = Duration::from_millis(2);
/// After a REGISTER without answer.
const REGISTER_AGAIN: Duration = Duration::from_secs(5);
/// The lifetime a telephone asks for, seconds.
const EXPIRES: u32 = 300;

impl Operators {
    /// Begins to register all telephones.
    pub(crate) fn begin(&mut self, now: Time, shared: &mut Shared) {
        for index in 0..self.telephones.len() {
            shared.alarm(now + REGISTER_STEP * index as u32, Alarm::Register(index));
        }
    }

    /// Whether every telephone has registered or was refused.
    pub(crate) fn settled(&self) -> bool {
        self.telephones.iter().all(|telephone| {
            telephone.registered || matches!(telephone.registration, Registration::Refused(_))
        })
    }

    pub(crate) fn refused(&self) -> Vec<(String, String)> {
        let reason = |telephone: &Telephone| match &telephone.registration {
            Registration::Refused(reason) => Some(reason.clone()),
            Registration::Idle | Registration::Asking { .. } if !telephone.registered => {
                (!self.unregistering).then(|| "no answer to REGISTER".to_owned())
            }
            Registration::Idle | Registration::Asking { .. } => None,
        };
        let refused = |telephone: &Telephone| {
            reason(telephone).map(|reason| (telephone.account.login.clone(), reason))
        };
        self.telephones.iter().filter_map(refused).collect()
    }

    pub(crate) fn register(&mut self, now: Time, index: usize) {
        let Some(telephone) = self.telephones.get_mut(index) else {
            return;
        };
        telephone.cseq += 1;
        let login = telephone.account.login.as_str();
        let address = self.agent.at_engine(Some(login));
        let dialog = (telephone.call_id.as_str(), telephone.cseq);
        let mut request = self.agent.out_of_dialog(
            Method::Register,
            self.agent.at_engine(None),
            (address.clone(), &telephone.tag),
            address,
            dialog,
        );
        let contact = name_addr(self.agent.contact(login)).to_string();
        request.headers.push(HeaderName::Contact, contact);
        let expires = if self.unregistering { 0 } else { EXPIRES };
        request
            .headers
            .push(HeaderName::Expires, expires.to_string());
        self.ask(now, index, request, false);
    }

    fn ask(&mut self, now: Time, index: usize, request: Message, challenged: bool) {
        let tx = self.agent.request(now, request.clone());
        self.by_register.insert(tx, index);
        if let Some(telephone) = self.telephones.get_mut(index) {
            let request = Box::new(request);
            telephone.registration = Registration::Asking {
                tx,
                request,
                challenged,
            };
        }
    }

    pub(crate) fn register_answered(
        &mut self,
        now: Time,
        index: usize,
        response: &Message,
        shared: &mut Shared,
    ) {
        let status = response.status().unwrap_or(0);
        if status < 200 {
            return;
        }
        let Some(telephone) = self.telephones.get_mut(index) else {
            return;
        };
        let asked = std::mem::replace(&mut telephone.registration, Registration::Idle);
        let Registration::Asking {
            tx,
            mut request,
            challenged,
        } = asked
        else {
            return;
        };
        self.by_register.remove(&tx);
        let was_registered = telephone.registered;
        match status {
            401 | 407 if !challenged => {
                let cnonce = self.agent.token();
                telephone.cseq += 1;
                request
                    .headers
                    .set(HeaderName::CSeq, format!("{} REGISTER", telephone.cseq));
                let OperatorAccount {
                    login, password, ..
                } = &telephone.account;
                match sip::authorize(&mut request, response, login, password, &cnonce, 1) {
                    Ok(()) => return self.ask(now, index, *request, true),
                    Err(error) => {
                        telephone.registration =
                            Registration::Refused(format!("useless challenge: {error}"));
                    }
                }
                telephone.registered = false;
            }
            200..=299 => {
                telephone.registered = !self.unregistering;
                let granted = granted(response).unwrap_or(EXPIRES);
                if telephone.registered {
                    let refresh = Duration::from_secs(u64::from(granted / 2).max(1));
                    shared.alarm(now + refresh, Alarm::Register(index));
                }
            }
            503 => {
                telephone.registered = false;
                shared.alarm(now + REGISTER_AGAIN, Alarm::Register(index));
            }
            _ => {
                telephone.registered = false;
                telephone.registration = Registration::Refused(format!("REGISTER got {status}"));
            }
        }
        if matches!(telephone.registration, Registration::Refused(_)) {
            add(&shared.counters.not_registered, 1);
        }
        match (was_registered, telephone.registered) {
            (false, true) => add(&shared.counters.registered, 1),
            (true, false) => subtract(&shared.counters.registered, 1),
            (false, false) | (true, true) => {}
        }
    }

    /// The engine is away: another try a little later.
    pub(crate) fn register_unanswered(&mut self, now: Time, index: usize, shared: &mut Shared) {
        if let Some(telephone) = self.telephones.get_mut(index) {
            telephone.registration = Registration::Idle;
        }
        if !self.unregistering {
            shared.alarm(now + REGISTER_AGAIN, Alarm::Register(index));
        }
    }
}

/// The lifetime that the registrar granted, seconds.
fn granted(response: &Message) -> Option<u32> {
    let of_contact = response.contacts().ok().and_then(|contacts| {
        contacts
            .iter()
            .find_map(|contact| contact.params.get("expires")??.parse().ok())
    });
    of_contact.or_else(|| response.expires())
}

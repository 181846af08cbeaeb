//! Owns our registration with one trunk (RFC 3261 §10.2): when to ask, whom, and with which
//! credentials. Refuses to send: it gives requests, and is told what came back.

use core::time::Duration;

use sip::{Flow, HeaderName, Message, Method, NameAddr, Uri};
use vocab::{RegistrationState, Time};

use super::route::{Denied, loose};
use super::settings::{Account, Registration};

/// Challenges answered in one attempt: the first, and one more for a nonce that had grown stale.
const ANSWERS_MAX: u8 = 2;
/// RFC 5626 §4.5: the wait after failures doubles from here to there.
const BACK_OFF_MIN: Duration = Duration::from_secs(30);
const BACK_OFF_MAX: Duration = Duration::from_secs(1_800);
/// The least and most that a registrar may grant or demand.
const EXPIRY_MIN: Duration = Duration::from_secs(20);
const EXPIRY_MAX: Duration = Duration::from_secs(86_400);

/// Randomness for one request.
pub(super) struct Fresh {
    pub(super) tag: String,
    pub(super) cnonce: String,
    pub(super) call_id: String,
    /// Spreads waits.
    pub(super) jitter: u64,
}

/// What the registration wants done.
#[derive(Debug)]
pub(super) enum Step {
    /// Send this to that server, without Via and Contact's host.
    Send {
        /// The request but for Via.
        request: Box<Message>,
        /// Where to.
        next_hop: Uri,
    },
    /// Nothing now.
    Rest,
}

/// The states of a registration.
///
/// | state      | due          | 200          | 401, 407          | 423           | other, silence      | close   |
/// |------------|--------------|--------------|-------------------|---------------|---------------------|---------|
/// | Waiting    | Asking       | -            | -                 | -             | -                   | Closed  |
/// | Asking     | -            | Registered   | Asking, or Waiting| Asking longer | Waiting (back-off)  | Closing |
/// | Registered | Asking       | -            | -                 | -             | -                   | Closing |
/// | Closing    | -            | Closed       | Closing, once     | Closed        | Closed              | -       |
/// | Closed     | -            | -            | -                 | -             | -                   | -       |
///
/// Whether calls come is another question: a registration lasts until `until`, while it is being
/// refreshed and after a refresh has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Until the next attempt.
    Waiting { due: Time },
    /// A REGISTER is out. `answers`: challenges answered in this attempt.
    Asking { answers: u8 },
    /// Until it is to be refreshed.
    Registered { due: Time },
    /// The REGISTER that ends it is out.
    Closing { answers: u8 },
    /// Over.
    Closed,
}

/// One registration.
#[derive(Debug)]
pub(super) struct Register {
    trunk: String,
    settings: Registration,
    account: Option<Account>,
    state: State,
    /// What the registrar granted lasts until then.
    until: Option<Time>,
    /// Where the registrar was met last: the trunk's calls come from there.
    pub(super) flow: Option<Flow>,
    /// Which of the registrars is asked.
    registrar: usize,
    /// Attempts that failed since the last success.
    failures: u32,
    expiry: Duration,
    call_id: String,
    cseq: u32,
    /// The last challenge that was answered, and how often: the next REGISTER is sent with it.
    challenge: Option<(Box<Message>, u32)>,
    /// Proxies that requests to the trunk are to pass while we are registered (RFC 3608).
    service_route: Vec<NameAddr>,
    /// What was logged last: each change is said once.
    told: RegistrationState,
}

impl Register {
    pub(super) fn new(trunk: &str, settings: Registration, account: Option<Account>) -> Self {
        Self {
            trunk: trunk.to_owned(),
            expiry: settings.expiry.clamp(EXPIRY_MIN, EXPIRY_MAX),
            settings,
            account,
            state: State::Waiting { due: Time::ZERO },
            until: None,
            flow: None,
            registrar: 0,
            failures: 0,
            call_id: String::new(),
            cseq: 0,
            challenge: None,
            service_route: Vec::new(),
            told: RegistrationState::Trying,
        }
    }

    /// When [`on_time`](Self::on_time) must be called next.
    pub(super) fn due(&self) -> Option<Time> {
        match self.state {
            State::Waiting { due } => Some(self.until.map_or(due, |until| until.min(due))),
            State::Registered { due } => Some(due),
            State::Asking { .. } => self.until,
            State::Closing { .. } | State::Closed => None,
        }
    }

    /// Whether the trunk sends its calls here.
    pub(super) fn is_registered(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    pub(super) fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing { .. })
    }

    /// Another engine keeps the registration from now on: ours lasts as long as that.
    pub(super) fn hold(&mut self) {
        if let Some(until) = &mut self.until {
            *until = Time::from_micros(u64::MAX);
        }
    }

    /// It is ours to keep again, and is refreshed at once.
    pub(super) fn resume(&mut self, now: Time) {
        match self.state {
            State::Waiting { .. } | State::Asking { .. } | State::Registered { .. } => {
                self.state = State::Waiting { due: now };
                self.until = self.until.map(|_| now + self.expiry);
            }
            State::Closing { .. } | State::Closed => {}
        }
    }

    /// The state as people are shown it.
    pub(super) fn shown(&self, now: Time) -> RegistrationState {
        match self.state {
            State::Closing { .. } | State::Closed => RegistrationState::Closed,
            _ if self.is_registered(now) => RegistrationState::Registered,
            State::Waiting { .. } if self.failures > 0 => RegistrationState::Failed,
            State::Asking { .. } if self.failures > 0 => RegistrationState::Failed,
            State::Waiting { .. } | State::Asking { .. } | State::Registered { .. } => {
                RegistrationState::Trying
            }
        }
    }

    /// Does what is due.
    pub(super) fn on_time(&mut self, now: Time, fresh: Fresh) -> Step {
        if self.until.is_some_and(|until| until <= now) {
            self.until = None;
            self.tell(now, "the registrar was not reached in time");
        }
        match self.state {
            State::Waiting { due } | State::Registered { due } if due <= now => {
                self.state = State::Asking { answers: 0 };
                self.request(self.expiry, fresh)
            }
            State::Waiting { .. }
            | State::Registered { .. }
            | State::Asking { .. }
            | State::Closing { .. }
            | State::Closed => Step::Rest,
        }
    }

    /// A final answer of the registrar.
    pub(super) fn on_response(&mut self, now: Time, response: &Message, fresh: Fresh) -> Step {
        let status = response.status().unwrap_or_default();
        match self.state {
            State::Asking { answers } => match status {
                200..=299 => self.granted(now, response, &fresh),
                401 | 407 => self.challenged(now, response, answers, fresh),
                423 => self.too_brief(now, response, fresh),
                // A redirection is not followed: the password is for this registrar (RFC 3261
                // §10.2.7 would allow it).
                _ => {
                    let after = retry_after(response);
                    self.fail(now, &format!("answered {status}"), after, &fresh);
                    Step::Rest
                }
            },
            State::Closing { answers: 0 } if matches!(status, 401 | 407) => {
                self.challenge = Some((Box::new(response.clone()), 0));
                self.state = State::Closing { answers: 1 };
                self.request(Duration::ZERO, fresh)
            }
            State::Closing { .. } => {
                self.state = State::Closed;
                Step::Rest
            }
            // Late answers of attempts that are over.
            State::Waiting { .. } | State::Registered { .. } | State::Closed => Step::Rest,
        }
    }

    /// No answer came, or the registrar's name led nowhere.
    pub(super) fn on_silence(&mut self, now: Time, why: &str, fresh: &Fresh) {
        match self.state {
            State::Asking { .. } => self.fail(now, why, None, fresh),
            State::Closing { .. } => self.state = State::Closed,
            State::Waiting { .. } | State::Registered { .. } | State::Closed => {}
        }
    }

    /// Ends the registration (RFC 3261 §10.2.2), if there is one.
    pub(super) fn close(&mut self, now: Time, fresh: Fresh) -> Step {
        let there = self.is_registered(now) || matches!(self.state, State::Asking { .. });
        if !there || matches!(self.state, State::Closing { .. } | State::Closed) {
            self.state = State::Closed;
            return Step::Rest;
        }
        self.state = State::Closing { answers: 0 };
        self.until = None;
        self.request(Duration::ZERO, fresh)
    }

    /// Proxies that requests to the trunk are to pass, the next one first.
    pub(super) fn service_route(&self, now: Time) -> &[NameAddr] {
        if self.is_registered(now) {
            &self.service_route
        } else {
            &[]
        }
    }

    /// The REGISTER for so long, with the credentials that were good last time.
    fn request(&mut self, expiry: Duration, fresh: Fresh) -> Step {
        let Some(registrar) = self.settings.registrars.get(self.registrar).cloned() else {
            return Step::Rest;
        };
        if self.call_id.is_empty() {
            self.call_id = fresh.call_id; // One for all of this life (RFC 3261 §10.2).
        }
        self.cseq += 1;
        let target = Uri::sip(None, self.settings.address.host.clone(), None);
        let to = NameAddr::new(self.settings.address.clone());
        let mut from = to.clone();
        if let Some(user) = &self.settings.from_user {
            from.uri.user = Some(user.clone());
        }
        let mut request = Message::request(Method::Register, target);
        let headers = &mut request.headers;
        let next_hop = match &self.settings.proxy {
            Some(proxy) => {
                headers.push(HeaderName::Route, loose(proxy).to_string());
                proxy.clone()
            }
            None => registrar,
        };
        headers.push(HeaderName::MaxForwards, "70");
        headers.push(HeaderName::From, from.with_tag(&fresh.tag).to_string());
        headers.push(HeaderName::To, to.to_string());
        headers.push(HeaderName::CallId, self.call_id.as_str());
        headers.push(HeaderName::CSeq, format!("{} REGISTER", self.cseq));
        headers.push(HeaderName::Expires, expiry.as_secs().to_string());
        if let (Some(account), Some((challenge, uses))) = (&self.account, &mut self.challenge) {
            *uses += 1;
            let made = account.authorize(&mut request, challenge, &fresh.cnonce, *uses);
            if let Err(denied) = made {
                tracing::error!(trunk = self.trunk, %denied, "no credentials were sent");
                self.challenge = None;
            }
        }
        let request = Box::new(request);
        Step::Send { request, next_hop }
    }

    fn granted(&mut self, now: Time, response: &Message, fresh: &Fresh) -> Step {
        let granted = granted(response, &self.settings.contact_user)
            .unwrap_or(self.expiry)
            .clamp(EXPIRY_MIN, EXPIRY_MAX);
        self.failures = 0;
        // RFC 3608 §6.1: that of the newest answer counts, none included.
        let route = response.addresses(&HeaderName::parse("Service-Route"), "Service-Route");
        self.service_route = route.unwrap_or_default();
        self.service_route.truncate(SERVICE_ROUTE_MAX);
        self.until = Some(now + granted);
        // Between half and six tenths: time for a lost refresh and a second registrar, and many
        // trunks do not refresh in one moment.
        let tenth = granted / 10;
        let due = now + tenth * 5 + share(tenth, fresh.jitter);
        self.state = State::Registered { due };
        self.tell(now, "");
        Step::Rest
    }

    fn challenged(&mut self, now: Time, response: &Message, answers: u8, fresh: Fresh) -> Step {
        let Some(account) = &self.account else {
            self.fail(now, &Denied::NoAccount.to_string(), None, &fresh);
            return Step::Rest;
        };
        // A second challenge in one attempt means a wrong password, unless it says that the nonce
        // alone was too old.
        let again = answers == 0 || (sip::auth::is_stale(response) && answers < ANSWERS_MAX);
        if !again {
            self.challenge = None;
            self.fail(now, "the password was not accepted", None, &fresh);
            return Step::Rest;
        }
        if let Err(denied) = account.ours(response) {
            self.challenge = None;
            self.fail(now, &denied.to_string(), None, &fresh);
            return Step::Rest;
        }
        self.challenge = Some((Box::new(response.clone()), 0));
        self.state = State::Asking {
            answers: answers + 1,
        };
        self.request(self.expiry, fresh)
    }

    /// RFC 3261 §10.2.8: the registrar says how long it must be at least.
    fn too_brief(&mut self, now: Time, response: &Message, fresh: Fresh) -> Step {
        let least = response.headers.first(&HeaderName::MinExpires);
        let least = least
            .and_then(|text| text.trim().parse().ok())
            .map(Duration::from_secs);
        match least {
            // It grows with each round, and has a most: no two parties can turn here for ever.
            Some(least) if least > self.expiry && least <= EXPIRY_MAX => {
                self.expiry = least;
                self.state = State::Asking { answers: 0 };
                self.request(self.expiry, fresh)
            }
            Some(_) | None => {
                self.fail(now, "423 without a Min-Expires that helps", None, &fresh);
                Step::Rest
            }
        }
    }

    /// Waits, then asks the next registrar: at once while one is left that was not asked.
    fn fail(&mut self, now: Time, why: &str, after: Option<Duration>, fresh: &Fresh) {
        self.failures = self.failures.saturating_add(1);
        let registrars = u32::try_from(self.settings.registrars.len().max(1)).unwrap_or(u32::MAX);
        self.registrar = (self.registrar + 1) % self.settings.registrars.len().max(1);
        let rounds = self.failures / registrars;
        let wait = if self.failures.is_multiple_of(registrars) {
            back_off(rounds, fresh.jitter).max(after.unwrap_or_default().min(BACK_OFF_MAX))
        } else {
            Duration::ZERO
        };
        self.state = State::Waiting { due: now + wait };
        tracing::debug!(
            trunk = self.trunk,
            why,
            ?wait,
            "a registration attempt failed"
        );
        self.tell(now, why);
    }

    /// Says a change of the shown state, once.
    fn tell(&mut self, now: Time, why: &str) {
        let shown = self.shown(now);
        if shown == self.told {
            return;
        }
        self.told = shown;
        let trunk = self.trunk.as_str();
        match shown {
            RegistrationState::Registered => tracing::info!(trunk, "registered"),
            RegistrationState::Failed => {
                tracing::error!(trunk, why, "not registered: its calls do not come");
            }
            RegistrationState::Trying | RegistrationState::Closed => {
                tracing::info!(trunk, state = ?shown, "registration");
            }
        }
    }
}

/// Proxies of a Service-Route that are passed; what a carrier names beyond them is left out.
const SERVICE_ROUTE_MAX: usize = 8;

/// Between half and all of a wait that doubles with each round (RFC 5626 §4.5).
fn back_off(rounds: u32, jitter: u64) -> Duration {
    let doubled = BACK_OFF_MIN.saturating_mul(1 << rounds.saturating_sub(1).min(10));
    let most = doubled.min(BACK_OFF_MAX);
    most / 2 + share(most / 2, jitter)
}

/// A random part of a duration.
fn share(of: Duration, jitter: u64) -> Duration {
    of * u32::try_from(jitter % 1_000).unwrap_or_default() / 1_000
}

/// How long the registrar grants: `expires` of our Contact, or of the only one, or the header.
fn granted(response: &Message, user: &str) -> Option<Duration> {
    let contacts = response.contacts().unwrap_or_default();
    let ours = contacts
        .iter()
        .find(|contact| contact.uri.user.as_deref() == Some(user))
        .or(contacts.first());
    let param = ours
        .and_then(|contact| contact.params.value("expires"))
        .and_then(|text| text.parse().ok());
    param
        .or_else(|| response.expires().map(u64::from))
        .map(Duration::from_secs)
}

/// Retry-After in seconds; a comment may follow (RFC 3261 §20.33).
pub(super) fn retry_after(response: &Message) -> Option<Duration> {
    let value = response.headers.first(&HeaderName::RetryAfter)?;
    let end = value
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(value.len());
    value.get(..end)?.parse().ok().map(Duration::from_secs)
}

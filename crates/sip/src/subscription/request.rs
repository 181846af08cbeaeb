//! Owns what a SUBSCRIBE asks for, read once and checked (RFC 6665 §4.2.1.1). Refuses to know the
//! subscriptions.

use core::time::Duration;

use super::ALLOW_EVENTS;
use super::table::SubscriptionSettings;
use crate::wire::{HeaderName, Message, Params};

/// RFC 4235 §3.4 and RFC 3842 §3.4: how long a subscription lasts that names no time.
const USUAL: Duration = Duration::from_secs(3_600);

/// What can be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Package {
    /// The dialogs of a line (RFC 4235).
    Dialog,
    /// The messages that wait (RFC 3842).
    MessageSummary,
}

impl Package {
    /// The name in Event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dialog => "dialog",
            Self::MessageSummary => "message-summary",
        }
    }

    /// The type of what is told.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Dialog => "application/dialog-info+xml",
            Self::MessageSummary => "application/simple-message-summary",
        }
    }

    /// RFC 6665 §8.2.1: the name of an event is compared to the octet.
    fn parse(text: &str) -> Option<Self> {
        [Self::Dialog, Self::MessageSummary]
            .into_iter()
            .find(|package| package.as_str() == text)
    }
}

/// The event of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which package.
    pub package: Package,
    /// What the subscriber calls it; said again in each NOTIFY.
    pub id: Option<String>,
}

impl Event {
    /// The value of Event in a NOTIFY.
    #[must_use]
    pub fn to_header(&self) -> String {
        match &self.id {
            Some(id) => format!("{};id={id}", self.package.as_str()),
            None => self.package.as_str().to_owned(),
        }
    }
}

/// Why a SUBSCRIBE is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadSubscribe {
    /// It cannot be understood.
    Malformed,
    /// An event that there is not.
    Event,
    /// It takes no content of the kind that there is.
    Accept(Package),
    /// It is to last shorter than any may.
    TooBrief {
        /// The shortest time.
        min: Duration,
    },
    /// There is no such subscription (any more).
    Unknown,
    /// It was overtaken by a later one.
    Overtaken,
    /// There are as many as may be, in all or of one subscriber.
    Full,
}

impl BadSubscribe {
    /// The refusal. Where there is no room, the caller adds Retry-After.
    #[must_use]
    pub fn respond(&self, request: &Message, tag: &str) -> Message {
        let status = match self {
            Self::Malformed => 400,
            Self::Event => 489,
            Self::Accept(_) => 406,
            Self::TooBrief { .. } => 423,
            Self::Unknown => 481,
            Self::Overtaken => 500,
            Self::Full => 503,
        };
        let mut response = request.respond(status, Some(tag));
        let headers = &mut response.headers;
        match self {
            Self::Event => headers.push(HeaderName::AllowEvents, ALLOW_EVENTS),
            Self::Accept(package) => headers.push(HeaderName::Accept, package.content_type()),
            Self::TooBrief { min } => {
                headers.push(HeaderName::MinExpires, seconds_up(*min).to_string());
            }
            Self::Malformed | Self::Unknown | Self::Overtaken | Self::Full => {}
        }
        response
    }
}

/// What a SUBSCRIBE asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) event: Event,
    /// For how long; zero for no longer.
    pub(super) lasts: Duration,
}

pub(super) fn wanted(
    settings: &SubscriptionSettings,
    request: &Message,
) -> Result<Wanted, BadSubscribe> {
    let event = event(request)?;
    let package = event.package;
    if !takes(request, package.content_type()) {
        return Err(BadSubscribe::Accept(package));
    }
    let lasts = match request.headers.first(&HeaderName::Expires) {
        None => USUAL,
        Some(_) => {
            let wish = request.expires().ok_or(BadSubscribe::Malformed)?;
            Duration::from_secs(wish.into())
        }
    };
    // RFC 6665 §4.2.1.1: an hour is never too brief, whatever the settings say.
    if !lasts.is_zero() && lasts < settings.min_expires.min(USUAL) {
        return Err(BadSubscribe::TooBrief {
            min: settings.min_expires,
        });
    }
    let lasts = lasts.min(settings.max_expires);
    Ok(Wanted { event, lasts })
}

/// The one Event of a request. Its parameters other than `id` would narrow what is told (RFC 4235
/// §3.2); they are not looked at, and the whole line is told.
fn event(request: &Message) -> Result<Event, BadSubscribe> {
    let mut values = request.headers.all(&HeaderName::Event);
    // Without Event it is a SUBSCRIBE of before RFC 3265, for an event nobody can know.
    let value = values.next().ok_or(BadSubscribe::Event)?;
    if values.next().is_some() {
        return Err(BadSubscribe::Malformed);
    }
    let (name, params) = value.split_once(';').unwrap_or((value, ""));
    let package = Package::parse(name.trim()).ok_or(BadSubscribe::Event)?;
    let params = if params.is_empty() {
        Params::default()
    } else {
        Params::parse(&format!(";{params}")).map_err(|_| BadSubscribe::Malformed)?
    };
    let id = match params.get("id") {
        None => None,
        Some(Some(id)) if crate::wire::is_token(id) => Some(id.to_owned()),
        Some(_) => return Err(BadSubscribe::Malformed),
    };
    Ok(Event { package, id })
}

/// Whether content of a type may be sent: all may where no Accept says otherwise.
fn takes(request: &Message, kind: &str) -> bool {
    let mut ranges = request.headers.values(&HeaderName::Accept).peekable();
    if ranges.peek().is_none() {
        return true;
    }
    let whole = kind.split('/').next().unwrap_or_default();
    ranges.any(|range| {
        let range = range.split(';').next().unwrap_or_default().trim();
        range == "*/*"
            || range.eq_ignore_ascii_case(kind)
            || range.eq_ignore_ascii_case(&format!("{whole}/*"))
    })
}

/// Whole seconds, rounded up.
pub(super) fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

//! Owns the names of header fields, long and compact.

use core::fmt;
use core::hash::{Hash, Hasher};

macro_rules! header_names {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The name of a header field. Compared without regard to case (RFC 3261 §7.3.1).
        #[derive(Debug, Clone)]
        pub enum HeaderName {
            $($(#[$doc])* $variant,)*
            /// Any other name, as it came.
            Other(String),
        }

        impl HeaderName {
            /// The long form of the name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(name) => name,
                }
            }

            /// The name that stands in the RFC in just these letters.
            fn of_exact(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Every name known here.
            #[cfg(test)]
            const KNOWN: &'static [Self] = &[$(Self::$variant,)*];
        }
    };
}

header_names! {
    /// RFC 3261 §20.42.
    Via = "Via",
    /// RFC 3261 §20.20.
    From = "From",
    /// RFC 3261 §20.39.
    To = "To",
    /// RFC 3261 §20.8.
    CallId = "Call-ID",
    /// RFC 3261 §20.16.
    CSeq = "CSeq",
    /// RFC 3261 §20.22.
    MaxForwards = "Max-Forwards",
    /// RFC 3261 §20.10.
    Contact = "Contact",
    /// RFC 3261 §20.14.
    ContentLength = "Content-Length",
    /// RFC 3261 §20.15.
    ContentType = "Content-Type",
    /// RFC 3261 §20.12.
    ContentEncoding = "Content-Encoding",
    /// RFC 3261 §20.11.
    ContentDisposition = "Content-Disposition",
    /// RFC 3261 §20.34.
    Route = "Route",
    /// RFC 3261 §20.30.
    RecordRoute = "Record-Route",
    /// RFC 3261 §20.19.
    Expires = "Expires",
    /// RFC 3261 §20.23.
    MinExpires = "Min-Expires",
    /// RFC 3261 §20.7.
    Authorization = "Authorization",
    /// RFC 3261 §20.44.
    WwwAuthenticate = "WWW-Authenticate",
    /// RFC 3261 §20.28.
    ProxyAuthorization = "Proxy-Authorization",
    /// RFC 3261 §20.27.
    ProxyAuthenticate = "Proxy-Authenticate",
    /// RFC 3261 §20.6.
    AuthenticationInfo = "Authentication-Info",
    /// RFC 3261 §20.5.
    Allow = "Allow",
    /// RFC 3261 §20.37.
    Supported = "Supported",
    /// RFC 3261 §20.32.
    Require = "Require",
    /// RFC 3261 §20.29.
    ProxyRequire = "Proxy-Require",
    /// RFC 3261 §20.40.
    Unsupported = "Unsupported",
    /// RFC 3261 §20.33.
    RetryAfter = "Retry-After",
    /// RFC 3261 §20.41.
    UserAgent = "User-Agent",
    /// RFC 3261 §20.35.
    Server = "Server",
    /// RFC 3326.
    Reason = "Reason",
    /// RFC 3261 §20.43.
    Warning = "Warning",
    /// RFC 3261 §20.17.
    Date = "Date",
    /// RFC 3261 §20.36.
    Subject = "Subject",
    /// RFC 3261 §20.38.
    Timestamp = "Timestamp",
    /// RFC 3261 §20.4.
    AlertInfo = "Alert-Info",
    /// RFC 3325 §9.1.
    PAssertedIdentity = "P-Asserted-Identity",
    /// RFC 3325 §9.2.
    PPreferredIdentity = "P-Preferred-Identity",
    /// RFC 7315 §4.2.
    PCalledPartyId = "P-Called-Party-ID",
    /// RFC 5806.
    Diversion = "Diversion",
    /// RFC 7044.
    HistoryInfo = "History-Info",
    /// RFC 3323 §4.2.
    Privacy = "Privacy",
    /// draft-ietf-sip-privacy-04, as old trunks send it.
    RemotePartyId = "Remote-Party-ID",
    /// RFC 4028 §4.
    SessionExpires = "Session-Expires",
    /// RFC 4028 §5.
    MinSe = "Min-SE",
    /// RFC 3262 §7.2.
    RAck = "RAck",
    /// RFC 3262 §7.1.
    RSeq = "RSeq",
    /// RFC 3515 §2.1.
    ReferTo = "Refer-To",
    /// RFC 3892 §3.
    ReferredBy = "Referred-By",
    /// RFC 3891 §6.
    Replaces = "Replaces",
    /// RFC 6665 §8.2.1.
    Event = "Event",
    /// RFC 6665 §8.2.2.
    AllowEvents = "Allow-Events",
    /// RFC 6665 §8.2.3.
    SubscriptionState = "Subscription-State",
    /// RFC 3261 §20.1.
    Accept = "Accept",
    /// RFC 3261 §20.2.
    AcceptEncoding = "Accept-Encoding",
    /// RFC 3327 §3.
    Path = "Path",
    /// RFC 3608 §5.
    ServiceRoute = "Service-Route",
}

impl HeaderName {
    /// Reads a name, long or compact (RFC 3261 §7.3.3). Does not check that it is a token.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        Self::known(name).unwrap_or_else(|| Self::Other(name.to_owned()))
    }

    /// The name, long or compact, if it is one of those above.
    pub(super) fn known(name: &str) -> Option<Self> {
        // Nearly all names come as they stand in the RFC.
        Self::of_exact(name).or_else(|| match name.as_bytes() {
            [letter] => Self::of_compact(letter.to_ascii_lowercase()),
            _ => Self::of_length(name.len())
                .iter()
                .find(|known| known.as_str().eq_ignore_ascii_case(name))
                .cloned(),
        })
    }

    /// The registered compact forms (IANA "SIP Header Fields").
    const fn of_compact(letter: u8) -> Option<Self> {
        Some(match letter {
            b'b' => Self::ReferredBy,
            b'c' => Self::ContentType,
            b'e' => Self::ContentEncoding,
            b'f' => Self::From,
            b'i' => Self::CallId,
            b'k' => Self::Supported,
            b'l' => Self::ContentLength,
            b'm' => Self::Contact,
            b'o' => Self::Event,
            b'r' => Self::ReferTo,
            b's' => Self::Subject,
            b't' => Self::To,
            b'u' => Self::AllowEvents,
            b'v' => Self::Via,
            b'x' => Self::SessionExpires,
            _ => return None,
        })
    }

    /// The long forms by their length, so that a look-up compares a few names only.
    const fn of_length(octets: usize) -> &'static [Self] {
        match octets {
            2 => &[Self::To],
            3 => &[Self::Via],
            4 => &[
                Self::From,
                Self::CSeq,
                Self::Date,
                Self::RAck,
                Self::RSeq,
                Self::Path,
            ],
            5 => &[Self::Allow, Self::Route, Self::Event],
            6 => &[Self::Accept, Self::Server, Self::Reason, Self::MinSe],
            7 => &[
                Self::CallId,
                Self::Contact,
                Self::Expires,
                Self::Require,
                Self::Warning,
                Self::Subject,
                Self::Privacy,
            ],
            8 => &[Self::ReferTo, Self::Replaces],
            9 => &[Self::Supported, Self::Diversion, Self::Timestamp],
            10 => &[Self::UserAgent, Self::AlertInfo],
            11 => &[
                Self::Unsupported,
                Self::RetryAfter,
                Self::MinExpires,
                Self::ReferredBy,
            ],
            12 => &[
                Self::MaxForwards,
                Self::ContentType,
                Self::RecordRoute,
                Self::AllowEvents,
                Self::HistoryInfo,
            ],
            13 => &[Self::Authorization, Self::ProxyRequire, Self::ServiceRoute],
            14 => &[Self::ContentLength],
            15 => &[
                Self::SessionExpires,
                Self::RemotePartyId,
                Self::AcceptEncoding,
            ],
            16 => &[Self::WwwAuthenticate, Self::ContentEncoding],
            17 => &[Self::PCalledPartyId],
            18 => &[Self::ProxyAuthenticate, Self::SubscriptionState],
            19 => &[
                Self::ProxyAuthorization,
                Self::PAssertedIdentity,
                Self::ContentDisposition,
                Self::AuthenticationInfo,
            ],
            20 => &[Self::PPreferredIdentity],
            _ => &[],
        }
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Other(a), Self::Other(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => core::mem::discriminant(a) == core::mem::discriminant(b),
        }
    }
}

impl Eq for HeaderName {}

impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        core::mem::discriminant(self).hash(state);
        if let Self::Other(name) = self {
            for octet in name.bytes() {
                octet.to_ascii_lowercase().hash(state);
            }
        }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for name in HeaderName::KNOWN {
            let text = name.as_str();
            for spelling in [text.to_owned(), text.to_lowercase(), text.to_uppercase()] {
                let parsed = HeaderName::parse(&spelling);
                assert_eq!(&parsed, name, "{spelling}");
                assert!(!matches!(parsed, HeaderName::Other(_)), "{spelling}");
            }
        }
    }

    #[test]
    fn compact_forms_are_the_long_ones() {
        assert_eq!(HeaderName::parse("v"), HeaderName::Via);
        assert_eq!(HeaderName::parse("L"), HeaderName::ContentLength);
        assert_eq!(HeaderName::parse("q"), HeaderName::Other("q".into()));
    }

    #[test]
    fn unknown_names_are_equal_without_regard_to_case() {
        assert_eq!(
            HeaderName::parse("X-Did"),
            HeaderName::Other("x-dID".into())
        );
        assert_ne!(HeaderName::parse("X-Did"), HeaderName::parse("X-Didn"));
    }
}

//! Owns the request methods.

use core::fmt;

use super::scan::is_token;

macro_rules! methods {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A request method; case-sensitive (RFC 3261 §7.1).
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method {
            $($(#[$doc])* $variant,)*
            /// Any other token.
            Other(String),
        }

        impl Method {
            /// The method as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(name) => name,
                }
            }

            /// Reads a method; `None` if the text is not a token (RFC 3261 §25.1).
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($name => Some(Self::$variant),)*
                    other => is_token(other).then(|| Self::Other(other.to_owned())),
                }
            }
        }
    };
}

methods! {
    /// Begins or changes a session (RFC 3261 §13).
    Invite = "INVITE",
    /// Confirms the final response to an INVITE.
    Ack = "ACK",
    /// Ends a session (RFC 3261 §15).
    Bye = "BYE",
    /// Withdraws a pending INVITE (RFC 3261 §9).
    Cancel = "CANCEL",
    /// Asks for capabilities (RFC 3261 §11).
    Options = "OPTIONS",
    /// Binds a contact to an address-of-record (RFC 3261 §10).
    Register = "REGISTER",
    /// Carries application data in a session (RFC 6086).
    Info = "INFO",
    /// Changes a session without an INVITE (RFC 3311).
    Update = "UPDATE",
    /// Confirms a reliable provisional response (RFC 3262).
    Prack = "PRACK",
    /// Asks the peer to call someone (RFC 3515).
    Refer = "REFER",
    /// Reports an event (RFC 6665).
    Notify = "NOTIFY",
    /// Asks for reports of events (RFC 6665).
    Subscribe = "SUBSCRIBE",
    /// Carries an instant message (RFC 3428).
    Message = "MESSAGE",
    /// Publishes event state (RFC 3903).
    Publish = "PUBLISH",
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_case_sensitive() {
        assert_eq!(Method::parse("INVITE"), Some(Method::Invite));
        assert_eq!(
            Method::parse("Invite"),
            Some(Method::Other("Invite".into()))
        );
        assert_eq!(
            Method::parse("Invite").map(|m| m.as_str().to_owned()),
            Some("Invite".to_owned())
        );
    }

    #[test]
    fn what_is_no_token_is_no_method() {
        for text in ["", "IN VITE", "INVITE\r", "ИНВАЙТ", "A,B"] {
            assert_eq!(Method::parse(text), None, "{text:?}");
        }
    }
}

//! Owns what can be wrong with a message; does not decide what to do about it.

use thiserror::Error;

use super::Message;

/// What is wrong with a text that should follow the SIP grammar. The peer is to blame.
///
/// `Display` is plain ASCII without line ends: it serves as a reason phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseError {
    /// A header field that must be there is not.
    #[error("Missing {0}")]
    Missing(&'static str),
    /// A part does not follow the grammar.
    #[error("Malformed {part}: {why}")]
    Malformed {
        /// Which header field or part, by its name in RFC 3261.
        part: &'static str,
        /// What was expected, or what should not be there.
        why: &'static str,
    },
    /// A header field that may be there once is there several times.
    #[error("Several {0} where one is allowed")]
    Repeated(&'static str),
    /// A bound of [`limits`](super::limits) was reached.
    #[error("Too long: {part} above {limit}")]
    TooLong {
        /// Which part.
        part: &'static str,
        /// The bound, in the unit that `part` names.
        limit: usize,
    },
    /// The message is larger than [`limits::MESSAGE_OCTETS`](super::limits::MESSAGE_OCTETS).
    #[error("Message Too Large: above {limit} octets")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
    /// The start line names another protocol version than `SIP/2.0`.
    #[error("Version Not Supported")]
    Version,
}

impl ParseError {
    /// The status code that answers a request with this fault (RFC 3261 §21.4.1, §21.5.6, §21.5.7).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Version => 505,
            Self::TooLarge { .. } => 513,
            Self::Missing(_)
            | Self::Malformed { .. }
            | Self::Repeated(_)
            | Self::TooLong { .. } => 400,
        }
    }
}

/// Shorthand of the grammar code.
pub(super) const fn malformed(part: &'static str, why: &'static str) -> ParseError {
    ParseError::Malformed { part, why }
}

/// A datagram that is not a SIP message, and what may be answered to it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct Malformed {
    /// The first fault found.
    pub problem: ParseError,
    /// The complete response to send, if the datagram was a request (not an ACK) whose Via, From,
    /// To, Call-ID and CSeq can be copied. `None`: drop the datagram.
    pub answer: Option<Message>,
}

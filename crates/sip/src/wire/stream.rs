//! Owns the cutting of a stream of octets into messages (RFC 3261 §7.5, §18.3) and keep-alives
//! (RFC 5626 §3.5.1). Does not read the messages it cuts: [`parse_datagram`] does.
//!
//! | state | line end | other octet | empty line | body complete | fault |
//! |---|---|---|---|---|---|
//! | Between | Between (keep-alive) | Head | | | |
//! | Head | Head | Head | Body, or Between (message) | | Lost |
//! | Body | Body | Body | | Between (message) | |
//! | Lost | Lost | Lost | | | |
//!
//! A fault here is one after which nobody can say where the next message begins: the connection
//! must be closed. A message with any other fault is cut out whole; its answer comes from the
//! parser, and the connection goes on.

use super::error::{Malformed, ParseError, malformed};
use super::limits;
use super::parse::{is_filler, length_of_head, looks_like_sip, parse_datagram, refuse_head};

/// Which end opened the connection: it pings, the other one answers (RFC 5626 §3.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opener {
    /// The peer did; two line ends between messages are its ping.
    Peer,
    /// We did; a line end between messages is the peer's pong.
    Ourselves,
}

/// What was cut out of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The octets of one message, for [`parse_datagram`].
    Message(Vec<u8>),
    /// The peer's keep-alive, to be answered with [`PONG`].
    Ping,
    /// The answer to our [`PING`].
    Pong,
}

/// The keep-alive that the opener of a connection sends.
pub const PING: &[u8] = b"\r\n\r\n";
/// The answer to [`PING`].
pub const PONG: &[u8] = b"\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No octet of a message yet. `half_ping`: one line end came.
    Between { half_ping: bool },
    /// In the start line or the header fields; the current line begins at `line`.
    Head { line: usize },
    /// So many octets of the body are missing, one at least.
    Body { missing: usize },
    /// Framing is lost.
    Lost,
}

/// Cuts one direction of one TCP or TLS connection into messages.
///
/// Takes octets however they are fragmented; the result is the same. Each octet is looked at a
/// bounded number of times. Holds the octets of one message at most, [`limits::MESSAGE_OCTETS`].
///
/// ```
/// use sip::wire::{Frame, Opener, StreamFramer};
///
/// let mut framer = StreamFramer::new(Opener::Peer);
/// let mut octets: &[u8] = b"\r\n\r\nBYE sip:a@h SIP/2.0\r\nl: 2\r\n\r\nhiBYE";
/// assert_eq!(framer.take(&mut octets).unwrap(), Some(Frame::Ping));
/// assert!(matches!(framer.take(&mut octets).unwrap(), Some(Frame::Message(_))));
/// assert_eq!(framer.take(&mut octets).unwrap(), None);
/// assert!(octets.is_empty() && framer.is_within_message());
/// ```
#[derive(Debug)]
pub struct StreamFramer {
    opener: Opener,
    state: State,
    held: Vec<u8>,
}

impl StreamFramer {
    /// A connection on which nothing came yet.
    #[must_use]
    pub const fn new(opener: Opener) -> Self {
        Self {
            opener,
            state: State::Between { half_ping: false },
            held: Vec::new(),
        }
    }

    /// Takes octets from the front of `octets` up to the end of the next frame. `None`: all were
    /// taken and more are needed. Call it until then.
    ///
    /// # Errors
    /// If framing is lost: no start line of SIP, Content-Length missing, unreadable, contradicting
    /// itself or too large, head too large. Send the answer, if there is one, and close. What is
    /// taken after that is thrown away.
    #[allow(
        clippy::result_large_err,
        reason = "once in the life of a connection; the same as the parser's"
    )]
    pub fn take(&mut self, octets: &mut &[u8]) -> Result<Option<Frame>, Malformed> {
        while !octets.is_empty() {
            let frame = match self.state {
                State::Between { half_ping } => self.between(half_ping, octets),
                State::Head { line } => match self.head(line, octets) {
                    Ok(frame) => frame,
                    Err(problem) => return Err(self.lose(problem)),
                },
                State::Body { missing } => self.body(missing, octets),
                State::Lost => {
                    *octets = &[];
                    None
                }
            };
            if frame.is_some() {
                return Ok(frame);
            }
        }
        Ok(None)
    }

    /// True if a message has begun and is not complete. The rest of it must come within a bounded
    /// time, or whoever owns the connection calls [`give_up`](Self::give_up) and closes it.
    #[must_use]
    pub const fn is_within_message(&self) -> bool {
        matches!(self.state, State::Head { .. } | State::Body { .. })
    }

    /// The rest of the message did not come in time: the answer to what came of it, if it was a
    /// request that can be answered. Framing is lost then.
    #[must_use]
    pub fn give_up(&mut self) -> Option<Malformed> {
        if !self.is_within_message() {
            return None;
        }
        self.state = State::Lost;
        parse_datagram(&core::mem::take(&mut self.held)).err()
    }

    fn between(&mut self, half_ping: bool, octets: &mut &[u8]) -> Option<Frame> {
        let (octet, rest) = octets.split_first()?;
        if !is_filler(*octet) {
            self.state = State::Head { line: 0 };
            return None;
        }
        *octets = rest;
        let (half_ping, frame) = match (octet, self.opener, half_ping) {
            (b'\r', _, half_ping) => (half_ping, None),
            (b'\n', Opener::Ourselves, _) => (false, Some(Frame::Pong)),
            (b'\n', Opener::Peer, true) => (false, Some(Frame::Ping)),
            (b'\n', Opener::Peer, false) => (true, None),
            // Spaces and NULs keep NAT bindings open, too; nobody waits for an answer.
            (_, _, _) => (false, None),
        };
        self.state = State::Between { half_ping };
        frame
    }

    /// Takes the octets of one line or a part of it.
    fn head(&mut self, line: usize, octets: &mut &[u8]) -> Result<Option<Frame>, ParseError> {
        let end = memchr::memchr(b'\n', octets);
        let taken = end.map_or(octets.len(), |at| at + 1);
        let first_line = line == 0;
        let (part, limit) = if first_line {
            ("start line octets", limits::LINE_OCTETS)
        } else {
            ("head octets", limits::HEAD_OCTETS)
        };
        if self.held.len() + taken > limit {
            return Err(ParseError::TooLong { part, limit });
        }
        let (now, later) = octets.split_at_checked(taken).unwrap_or((octets, &[]));
        self.held.extend_from_slice(now);
        *octets = later;
        if end.is_none() {
            return Ok(None);
        }
        let whole = self.held.get(line..).unwrap_or_default();
        if first_line && !looks_like_sip(whole) {
            let why = "neither a request nor a response of SIP";
            return Err(malformed("start line", why));
        }
        if !matches!(whole, b"\r\n" | b"\n") {
            let line = self.held.len();
            self.state = State::Head { line };
            return Ok(None);
        }
        let missing = length_of_head(&self.held)?;
        if self.held.len().saturating_add(missing) > limits::MESSAGE_OCTETS {
            return Err(ParseError::TooLarge {
                limit: limits::MESSAGE_OCTETS,
            });
        }
        Ok(self.expect(missing))
    }

    fn body(&mut self, missing: usize, octets: &mut &[u8]) -> Option<Frame> {
        let taken = missing.min(octets.len());
        let (now, later) = octets.split_at_checked(taken).unwrap_or((octets, &[]));
        self.held.extend_from_slice(now);
        *octets = later;
        self.expect(missing - taken)
    }

    fn expect(&mut self, missing: usize) -> Option<Frame> {
        if missing > 0 {
            self.state = State::Body { missing };
            return None;
        }
        self.state = State::Between { half_ping: false };
        Some(Frame::Message(core::mem::take(&mut self.held)))
    }

    fn lose(&mut self, problem: ParseError) -> Malformed {
        self.state = State::Lost;
        refuse_head(&core::mem::take(&mut self.held), problem)
    }
}

/// The frame of one WebSocket message, which holds one SIP message or a keep-alive (RFC 7118 §5,
/// §6). `None`: nothing that anybody waits for. Content-Length may be missing: the end of the
/// WebSocket message is that of the SIP message.
///
/// # Errors
/// If it is larger than [`limits::MESSAGE_OCTETS`]; nothing of it is read, so nothing is answered.
pub fn frame_of_websocket(opener: Opener, octets: Vec<u8>) -> Result<Option<Frame>, ParseError> {
    if octets.len() > limits::MESSAGE_OCTETS {
        return Err(ParseError::TooLarge {
            limit: limits::MESSAGE_OCTETS,
        });
    }
    if !octets.iter().copied().all(is_filler) {
        return Ok(Some(Frame::Message(octets)));
    }
    let line_ends = octets.iter().filter(|octet| **octet == b'\n').count();
    Ok(match (opener, line_ends) {
        (Opener::Peer, 2..) => Some(Frame::Ping),
        (Opener::Ourselves, 1..) => Some(Frame::Pong),
        (Opener::Peer | Opener::Ourselves, _) => None,
    })
}

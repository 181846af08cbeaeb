//! Owns the form of STUN messages (RFC 8489) as ICE uses them (RFC 8445 §7.1): reads binding
//! requests, writes their answers. Refuses to decide what a request means.

use core::net::{IpAddr, SocketAddr};
use core::ops::Range;

use ring::hmac;

/// The second word of every message (RFC 8489 §5).
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
/// Octets of a request that is looked at. Browsers' have about 100.
const REQUEST_MAX: usize = 512;
/// Octets of the longest answer.
const ANSWER_MAX: usize = 96;

const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;
const ERROR: u16 = 0x0111;

const USERNAME: u16 = 0x0006;
const INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802a;
/// From here on an attribute may be passed over by who does not know it (RFC 8489 §14).
const OPTIONAL: u16 = 0x8000;

/// Octets of the HMAC-SHA1 of a message.
const TAG: usize = 20;
/// What the checksum is mixed with (RFC 8489 §14.7): it spells "STUN".
pub(crate) const CHECKSUM_MASK: u32 = 0x5354_554e;
/// Unknown attributes that an answer names.
const UNKNOWN_MAX: usize = 4;

/// A binding request that is well formed, and of whom nothing is proven yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    message: &'a [u8],
    transaction: [u8; 12],
    /// Where the attribute with the HMAC begins.
    integrity_at: usize,
    tag: &'a [u8],
    /// For whom it is, a colon, from whom (RFC 8445 §7.2.2).
    pub username: &'a [u8],
    /// The pair is to be used (RFC 8445 §7.1.2).
    pub nominates: bool,
    /// Whether the sender takes itself for the one who decides (RFC 8445 §7.1.3).
    pub controls: bool,
    /// The attributes that had to be understood and were not.
    unknown: [u16; UNKNOWN_MAX],
    unknown_count: usize,
}

/// An answer, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    octets: [u8; ANSWER_MAX],
    length: usize,
}

/// What a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It was received from there.
    Seen(SocketAddr),
    /// Who decides cannot be us (RFC 8445 §7.3.1.1): 487.
    RoleConflict,
    /// It has attributes that had to be understood (RFC 8489 §6.3.1): 420.
    Unknown,
}

impl<'a> Request<'a> {
    /// Reads a message. `None`: it is no binding request with a name, an HMAC and a right checksum,
    /// all of which ICE asks for (RFC 8445 §7.1.1).
    #[must_use]
    pub fn read(message: &'a [u8]) -> Option<Self> {
        let length = usize::from(u16_at(message, 2)?);
        let whole = message.len() <= REQUEST_MAX && message.len() == HEADER + length;
        let is_request = u16_at(message, 0)? == REQUEST && message.get(4..8)? == COOKIE;
        if !whole || !is_request {
            return None;
        }
        let mut request = Self {
            message,
            transaction: message.get(8..HEADER)?.try_into().ok()?,
            integrity_at: 0,
            tag: &[],
            username: &[],
            nominates: false,
            controls: false,
            unknown: [0; UNKNOWN_MAX],
            unknown_count: 0,
        };
        let mut at = HEADER;
        while at < message.len() {
            let kind = u16_at(message, at)?;
            let value = at + 4..at + 4 + usize::from(u16_at(message, at + 2)?);
            let next = value.end.next_multiple_of(4);
            if kind == FINGERPRINT {
                return request.closed_by(at, next, message.get(value)?);
            }
            // What comes after the HMAC is not covered by it (RFC 8489 §14.5).
            if request.tag.is_empty() {
                request.note(at, kind, message.get(value)?)?;
            }
            at = next;
        }
        None
    }

    /// The checksum is the last attribute and covers all before it (RFC 8489 §14.7).
    fn closed_by(self, at: usize, end: usize, value: &[u8]) -> Option<Self> {
        let sum = crc32fast::hash(self.message.get(..at)?) ^ CHECKSUM_MASK;
        let right = end == self.message.len() && value == sum.to_be_bytes();
        (right && !self.tag.is_empty() && !self.username.is_empty()).then_some(self)
    }

    /// `None`: the attribute is not of its form.
    fn note(&mut self, at: usize, kind: u16, value: &'a [u8]) -> Option<()> {
        match kind {
            USERNAME if self.username.is_empty() => self.username = value,
            INTEGRITY => {
                (value.len() == TAG).then_some(())?;
                self.integrity_at = at;
                self.tag = value;
            }
            USE_CANDIDATE => self.nominates = true,
            ICE_CONTROLLING => self.controls = true,
            USERNAME | PRIORITY | ICE_CONTROLLED => {}
            optional if optional >= OPTIONAL => {}
            unknown => {
                if let Some(place) = self.unknown.get_mut(self.unknown_count) {
                    *place = unknown;
                    self.unknown_count += 1;
                }
            }
        }
        Some(())
    }

    /// For whom it is: what stands before the colon.
    #[must_use]
    pub fn addressee(&self) -> Option<&'a [u8]> {
        let colon = self.username.iter().position(|octet| *octet == b':')?;
        self.username.get(..colon)
    }

    /// Whether whoever sent it knows the password.
    #[must_use]
    pub fn is_under(&self, password: &hmac::Key) -> bool {
        let mut room = [0; REQUEST_MAX];
        let covered = 0..self.integrity_at;
        let (Some(copy), Some(message)) =
            (room.get_mut(covered.clone()), self.message.get(covered))
        else {
            return false;
        };
        copy.copy_from_slice(message);
        // As if the message ended with the HMAC (RFC 8489 §14.5).
        write_length(copy, self.integrity_at + 4 + TAG);
        hmac::verify(password, copy, self.tag).is_ok()
    }

    /// Whether it has attributes that had to be understood and were not.
    #[must_use]
    pub const fn has_unknown(&self) -> bool {
        self.unknown_count > 0
    }

    /// Writes an answer under the same password (RFC 8489 §9.1.3).
    #[must_use]
    pub fn answer(&self, reply: Reply, password: &hmac::Key) -> Answer {
        let mut answer = Answer {
            octets: [0; ANSWER_MAX],
            length: 0,
        };
        let kind = match reply {
            Reply::Seen(_) => SUCCESS,
            Reply::RoleConflict | Reply::Unknown => ERROR,
        };
        answer.put(&kind.to_be_bytes());
        answer.put(&[0, 0]);
        answer.put(&COOKIE);
        answer.put(&self.transaction);
        match reply {
            Reply::Seen(from) => answer.put_address(from, &self.transaction),
            Reply::RoleConflict => answer.put_attribute(ERROR_CODE, b"\0\0\x04\x57Role Conflict"),
            Reply::Unknown => {
                answer.put_attribute(ERROR_CODE, b"\0\0\x04\x14Unknown Attribute");
                let mut names = [0; UNKNOWN_MAX * 2];
                let known = self.unknown.iter().take(self.unknown_count);
                for (place, name) in names.chunks_exact_mut(2).zip(known) {
                    place.copy_from_slice(&name.to_be_bytes());
                }
                let names = names.get(..self.unknown_count * 2).unwrap_or_default();
                answer.put_attribute(UNKNOWN_ATTRIBUTES, names);
            }
        }
        answer.close(password);
        answer
    }
}

impl Answer {
    /// The message.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    /// What does not fit is left out; nothing that we write is that long.
    fn put(&mut self, octets: &[u8]) {
        if let Some(place) = self.octets.get_mut(self.length..self.length + octets.len()) {
            place.copy_from_slice(octets);
            self.length += octets.len();
        }
    }

    fn put_attribute(&mut self, kind: u16, value: &[u8]) {
        self.put(&kind.to_be_bytes());
        self.put(&(value.len() as u16).to_be_bytes());
        self.put(value);
        let padding = value.len().next_multiple_of(4) - value.len();
        self.put([0; 3].get(..padding).unwrap_or_default());
    }

    /// RFC 8489 §14.2: the address mixed with the cookie and the transaction, so that no box on the way
    /// rewrites it.
    fn put_address(&mut self, address: SocketAddr, transaction: &[u8; 12]) {
        let mask = COOKIE.iter().chain(transaction);
        let mixed = |octets: &[u8], room: &mut [u8; 16]| {
            for ((place, octet), mask) in room.iter_mut().zip(octets).zip(mask) {
                *place = octet ^ mask;
            }
        };
        let mut room = [0; 16];
        let (family, length) = match address.ip() {
            IpAddr::V4(ip) => {
                mixed(&ip.octets(), &mut room);
                (1, 4)
            }
            IpAddr::V6(ip) => {
                mixed(&ip.octets(), &mut room);
                (2, 16)
            }
        };
        let port = address.port() ^ u16::from_be_bytes([COOKIE[0], COOKIE[1]]);
        let mut value = [0; 20];
        for (place, octet) in value.iter_mut().zip(
            [0, family]
                .into_iter()
                .chain(port.to_be_bytes())
                .chain(room),
        ) {
            *place = octet;
        }
        self.put_attribute(
            XOR_MAPPED_ADDRESS,
            value.get(..4 + length).unwrap_or_default(),
        );
    }

    fn close(&mut self, password: &hmac::Key) {
        self.say_length(self.length + 4 + TAG);
        let tag = hmac::sign(password, self.octets());
        self.put_attribute(INTEGRITY, tag.as_ref());
        self.say_length(self.length + 8);
        let sum = crc32fast::hash(self.octets()) ^ CHECKSUM_MASK;
        self.put_attribute(FINGERPRINT, &sum.to_be_bytes());
    }

    fn say_length(&mut self, whole: usize) {
        write_length(&mut self.octets, whole);
    }
}

/// What must hold for any octets: what is read is for somebody, and an answer to it is a message of its
/// own transaction that ends with a right checksum. Fails otherwise; for fuzzing.
#[doc(hidden)]
pub fn holds(octets: &[u8]) {
    let Some(request) = Request::read(octets) else {
        return;
    };
    assert!(!request.username.is_empty());
    let password = key(b"a password of 22 octets");
    let from = SocketAddr::from(([192, 0, 2, 1], 9));
    for reply in [Reply::Seen(from), Reply::RoleConflict, Reply::Unknown] {
        let answer = request.answer(reply, &password);
        let text = answer.octets();
        assert!(text.len() <= ANSWER_MAX && text.len() % 4 == 0);
        assert_eq!(text.get(8..HEADER), Some(&request.transaction[..]));
        assert_eq!(Request::read(text), None, "an answer is no request");
    }
    // Whether anybody's or nobody's, it takes no longer than its length.
    let _ = request.is_under(&password);
}

/// The key of an HMAC under a password (RFC 8489 §9.1.1: short-term credentials).
#[must_use]
pub fn key(password: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password)
}

/// Says in a message's header that it is so long in all.
pub(crate) fn write_length(message: &mut [u8], whole: usize) {
    let length = (whole - HEADER) as u16;
    if let Some(place) = message.get_mut(REQUEST_LENGTH) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

const REQUEST_LENGTH: Range<usize> = 2..4;

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    let pair = octets.get(at..at + 2)?;
    Some(u16::from_be_bytes(pair.try_into().ok()?))
}

#[cfg(test)]
mod tests;

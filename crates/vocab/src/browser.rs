//! Owns the nouns of a browser's leg: by what ICE (RFC 8445) knows a side, and by what DTLS (RFC 8122)
//! knows a certificate. Refuses to show a password.

use core::fmt;

use serde::{Deserialize, Serialize};

/// What one side of a leg calls itself in ICE, and its password (RFC 8839 §5.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IceCredentials {
    ufrag: [u8; Self::UFRAG],
    password: [u8; Self::PASSWORD],
}

impl IceCredentials {
    /// Characters of the name: 48 random bits; RFC 8445 §5.3 asks for 24.
    pub const UFRAG: usize = 8;
    /// Characters of the password: 144 random bits; RFC 8445 §5.3 asks for 128.
    pub const PASSWORD: usize = 24;
    /// Random octets that both are made of.
    pub const OCTETS: usize = Self::UFRAG + Self::PASSWORD;

    /// Of so many random octets.
    #[must_use]
    pub fn new(octets: [u8; Self::OCTETS]) -> Self {
        let (name, secret) = octets.split_at(Self::UFRAG);
        let spelled = |octets: &[u8], at: usize| ice_char(octets.get(at).copied().unwrap_or(0));
        Self {
            ufrag: core::array::from_fn(|at| spelled(name, at)),
            password: core::array::from_fn(|at| spelled(secret, at)),
        }
    }

    /// The name, in octets.
    #[must_use]
    pub const fn ufrag_octets(&self) -> &[u8; Self::UFRAG] {
        &self.ufrag
    }

    /// The password, in octets.
    #[must_use]
    pub const fn password_octets(&self) -> &[u8; Self::PASSWORD] {
        &self.password
    }

    /// The name.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        // Both are made of ASCII alone.
        core::str::from_utf8(&self.ufrag).unwrap_or_default()
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &str {
        core::str::from_utf8(&self.password).unwrap_or_default()
    }
}

/// One of the 64 characters of `ice-char` (RFC 8839 §5.1) for the lower six bits.
const fn ice_char(octet: u8) -> u8 {
    match octet & 0x3f {
        low @ 0..=25 => b'A' + low,
        low @ 26..=51 => b'a' + low - 26,
        low @ 52..=61 => b'0' + low - 52,
        62 => b'+',
        _ => b'/',
    }
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IceCredentials({}, …)", self.ufrag())
    }
}

/// The SHA-256 of a certificate, by which the SDP names who is at the other end (RFC 8122 §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The hash function's name in SDP.
    pub const HASH: &str = "sha-256";

    /// Reads the value of `a=fingerprint` without the name of the hash function.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut octets = [0; 32];
        let mut pairs = text.split(':');
        for octet in &mut octets {
            let pair = pairs.next().filter(|pair| pair.len() == 2)?;
            *octet = u8::from_str_radix(pair, 16).ok()?;
        }
        pairs.next().is_none().then_some(Self(octets))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, octet) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// How a leg's peer that is a browser is known on the wire, as negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BrowserPeer {
    /// Ours: by the name packets find the leg, under the password they prove themselves.
    pub ours: IceCredentials,
    /// The peer's certificate.
    pub certificate: Fingerprint,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_made_of_characters_that_ice_allows_and_the_password_is_never_shown() {
        let octets = core::array::from_fn(|at| (at * 37) as u8);
        let credentials = IceCredentials::new(octets);
        let text = format!("{}{}", credentials.ufrag(), credentials.password());
        assert_eq!(text.len(), IceCredentials::OCTETS);
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
        assert!(text.chars().all(allowed), "{text}");
        let shown = format!("{credentials:?}");
        assert!(!shown.contains(credentials.password()), "{shown}");
    }

    #[test]
    fn a_fingerprint_is_read_as_it_is_written() {
        let fingerprint = Fingerprint(core::array::from_fn(|at| (at * 9) as u8));
        let text = fingerprint.to_string();
        assert_eq!(text.len(), 95);
        assert_eq!(Fingerprint::parse(&text), Some(fingerprint));
        let lower = text.to_ascii_lowercase();
        assert_eq!(Fingerprint::parse(&lower), Some(fingerprint));
        for bad in [
            "",
            "00",
            &text[..92],
            &format!("{text}:00"),
            &text.replace(':', ""),
        ] {
            assert_eq!(Fingerprint::parse(bad), None, "{bad}");
        }
    }
}

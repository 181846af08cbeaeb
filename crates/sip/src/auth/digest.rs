//! Owns the digest computation of RFC 7616 §3.4 with MD5 and SHA-256 (RFC 8760). Knows no header.

use core::fmt;

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `SHA-256`.
    Sha256,
    /// `MD5`: for telephones that know nothing else.
    Md5,
}

impl Algorithm {
    /// The name in challenges and credentials.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// Reads the name; the session variants (`-sess`) are not among ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Sha256, Self::Md5]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(text))
    }

    pub(super) fn hash(self, parts: &[&[u8]]) -> Hex {
        match self {
            Self::Sha256 => hash::<Sha256>(parts),
            Self::Md5 => hash::<Md5>(parts),
        }
    }
}

/// What an operator's password is kept as: H(user:realm:password), the HA1 of RFC 7616 §3.4.2.
///
/// Whoever has it can authenticate; it is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    /// With SHA-256; 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// With MD5; 32 lower-case hexadecimal digits.
    pub md5: String,
}

impl Secrets {
    /// Hashes a password for both algorithms.
    #[must_use]
    pub fn new(user: &str, realm: &str, password: &str) -> Self {
        let secret = |algorithm| secret(algorithm, user, realm, password).as_str().to_owned();
        Self {
            sha256: secret(Algorithm::Sha256),
            md5: secret(Algorithm::Md5),
        }
    }

    /// Tells whether two passwords of a user are the same, and else as little as can be: 32 bits of
    /// a hash of the secrets.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let parts: [&[u8]; 2] = [b"registration:", self.sha256.as_bytes()];
        let whole = Algorithm::Sha256.hash(&parts);
        whole.as_str().get(..8).unwrap_or_default().to_owned()
    }

    pub(super) fn of(&self, algorithm: Algorithm) -> &str {
        match algorithm {
            Algorithm::Sha256 => &self.sha256,
            Algorithm::Md5 => &self.md5,
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

/// The HA1 for one algorithm.
pub(super) fn secret(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> Hex {
    let parts = [user, ":", realm, ":", password].map(str::as_bytes);
    algorithm.hash(&parts)
}

/// What is hashed besides the HA1, as it stands in the credentials between the quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) nonce: &'a str,
    /// `None`: the form of RFC 2069 without qop, still used by old telephones.
    pub(super) qop: Option<Qop<'a>>,
}

/// The parts that only `qop=auth` has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Qop<'a> {
    pub(super) cnonce: &'a str,
    pub(super) nc: &'a str,
}

/// The `response` parameter (RFC 7616 §3.4.1; without qop RFC 2617 §3.2.2.1).
pub(super) fn response(algorithm: Algorithm, ha1: &str, inputs: Inputs<'_>) -> Hex {
    let a2 = [inputs.method, ":", inputs.uri].map(str::as_bytes);
    let ha2 = algorithm.hash(&a2);
    let Inputs { nonce, qop, .. } = inputs;
    let colon: &[u8] = b":";
    match qop {
        Some(Qop { cnonce, nc }) => algorithm.hash(&[
            ha1.as_bytes(),
            colon,
            nonce.as_bytes(),
            colon,
            nc.as_bytes(),
            colon,
            cnonce.as_bytes(),
            b":auth:",
            ha2.as_str().as_bytes(),
        ]),
        None => algorithm.hash(&[
            ha1.as_bytes(),
            colon,
            nonce.as_bytes(),
            colon,
            ha2.as_str().as_bytes(),
        ]),
    }
}

/// Up to 32 octets as lower-case hexadecimal digits, without an allocation.
#[derive(Clone, Copy)]
pub(super) struct Hex {
    digits: [u8; 64],
    len: usize,
}

impl Hex {
    pub(super) fn of(octets: &[u8]) -> Self {
        let mut digits = [b'0'; 64];
        for (pair, octet) in digits.chunks_exact_mut(2).zip(octets) {
            pair.copy_from_slice(&[digit(octet >> 4), digit(octet & 15)]);
        }
        Self {
            digits,
            len: octets.len().min(32) * 2,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        // Digits only, and `len` is within the array: neither fallback is ever taken.
        core::str::from_utf8(self.digits.get(..self.len).unwrap_or(&[])).unwrap_or("")
    }

    /// Compares with a text in any case. Its time depends on the lengths alone, not on where the
    /// first difference stands.
    pub(super) fn equals(&self, text: &str) -> bool {
        let own = self.as_str().as_bytes();
        if own.len() != text.len() {
            return false;
        }
        let differences = own.iter().zip(text.bytes()).fold(0, |sum, (a, b)| {
            core::hint::black_box(sum | (a ^ b.to_ascii_lowercase()))
        });
        differences == 0
    }
}

const fn digit(value: u8) -> u8 {
    if value < 10 {
        b'0' + value
    } else {
        b'a' + value - 10
    }
}

fn hash<D: Digest>(parts: &[&[u8]]) -> Hex {
    let mut hasher = D::new();
    for part in parts {
        hasher.update(part);
    }
    Hex::of(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1.
    #[test]
    fn the_vectors_of_rfc_7616_come_out() {
        let secrets = Secrets::new("Mufasa", "http-auth@example.org", "Circle of Life");
        let inputs = Inputs {
            method: "GET",
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            qop: Some(Qop {
                cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                nc: "00000001",
            }),
        };
        let sha256 = response(Algorithm::Sha256, &secrets.sha256, inputs);
        assert_eq!(
            sha256.as_str(),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
        let md5 = response(Algorithm::Md5, &secrets.md5, inputs);
        assert_eq!(md5.as_str(), "8ca523f5e9506fed4657c9700eebdbec");
        assert!(md5.equals("8CA523F5E9506FED4657C9700EEBDBEC"));
        assert!(!md5.equals("8ca523f5e9506fed4657c9700eebdbed"));
        assert!(!md5.equals("8ca523f5e9506fed4657c9700eebdbe"));
    }

    /// RFC 2069 §2.4 as corrected by its erratum: the form without qop.
    #[test]
    fn the_form_without_qop_comes_out() {
        let secrets = Secrets::new("Mufasa", "testrealm@host.com", "CircleOfLife");
        let inputs = Inputs {
            method: "GET",
            uri: "/dir/index.html",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            qop: None,
        };
        let md5 = response(Algorithm::Md5, &secrets.md5, inputs);
        assert_eq!(md5.as_str(), "1949323746fe6a43ef61f9606e7febea");
    }

    #[test]
    fn a_fingerprint_tells_passwords_apart_and_holds_none_of_the_secrets() {
        let secrets = Secrets::new("a", "b", "c");
        let print = secrets.fingerprint();
        assert_eq!(print, Secrets::new("a", "b", "c").fingerprint());
        assert_ne!(print, Secrets::new("a", "b", "d").fingerprint());
        assert!(print.len() == 8 && !secrets.sha256.contains(&print));
    }

    #[test]
    fn secrets_are_never_printed() {
        let secrets = Secrets::new("a", "b", "c");
        assert!(!format!("{secrets:?}").contains(&secrets.md5));
    }
}

//! Owns the nouns of protected audio: SRTP (RFC 3711) under keys that the SDP brings (RFC 4568).
//! Refuses to show a key: neither a log nor a serialised command has one.

use core::fmt;

/// A crypto suite: a cipher and what proves that a packet was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// AES-128 in counter mode, HMAC-SHA1 of 80 bits (RFC 4568 §6.2.1).
    AesCm128HmacSha1_80,
    /// The same with 32 bits under RTP (RFC 4568 §6.2.2).
    AesCm128HmacSha1_32,
    /// AES-128-GCM (RFC 7714 §14.2).
    AeadAes128Gcm,
    /// AES-256-GCM.
    AeadAes256Gcm,
}

impl Suite {
    /// All, in the order in which we offer them: the best first.
    pub const ALL: [Self; 4] = [
        Self::AeadAes256Gcm,
        Self::AeadAes128Gcm,
        Self::AesCm128HmacSha1_80,
        Self::AesCm128HmacSha1_32,
    ];

    /// The name in SDP.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// Octets of its master key.
    #[must_use]
    pub const fn key_octets(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Octets of its master salt.
    #[must_use]
    pub const fn salt_octets(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }
}

/// A master key and its salt, one after the other, long enough for every suite; a suite takes as
/// many octets from the front as it needs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MasterKey([u8; Self::OCTETS]);

impl MasterKey {
    /// Octets of the longest.
    pub const OCTETS: usize = 46;

    /// Of so many random octets, for any suite.
    #[must_use]
    pub const fn new(octets: [u8; Self::OCTETS]) -> Self {
        Self(octets)
    }

    /// A peer's, for this suite; `None` if it is not of its length.
    #[must_use]
    pub fn of_peer(suite: Suite, octets: &[u8]) -> Option<Self> {
        let mut key = [0; Self::OCTETS];
        if octets.len() != suite.key_octets() + suite.salt_octets() {
            return None;
        }
        key.get_mut(..octets.len())?.copy_from_slice(octets);
        Some(Self(key))
    }

    /// Key and salt for a suite.
    #[must_use]
    pub fn split(&self, suite: Suite) -> Option<(&[u8], &[u8])> {
        self.octets(suite)?.split_at_checked(suite.key_octets())
    }

    /// Key and salt together, as SDP has them.
    #[must_use]
    pub fn octets(&self, suite: Suite) -> Option<&[u8]> {
        self.0.get(..suite.key_octets() + suite.salt_octets())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// How both directions of a leg are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Crypto {
    /// Of both directions.
    pub suite: Suite,
    /// Under which we send.
    pub ours: MasterKey,
    /// Under which the peer sends.
    pub theirs: MasterKey,
}

/// Whether audio is to be protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protection {
    /// Never.
    #[default]
    Off,
    /// Where the peer can do it; in clear else (RFC 8643).
    Offered,
    /// Always: there is no audio without.
    Required,
    /// Always, under keys that DTLS agrees on, with ICE, as with browsers (RFC 5763, RFC 8445).
    Dtls,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown() {
        let key = MasterKey::new([0x5a; MasterKey::OCTETS]);
        let crypto = Crypto {
            suite: Suite::AeadAes256Gcm,
            ours: key,
            theirs: key,
        };
        let shown = format!("{crypto:?}");
        assert!(!shown.contains("90") && !shown.contains("5a"), "{shown}");
    }

    #[test]
    fn a_key_of_another_length_is_none() {
        for suite in Suite::ALL {
            let right = suite.key_octets() + suite.salt_octets();
            for length in [0, right - 1, right + 1] {
                assert_eq!(MasterKey::of_peer(suite, &vec![1; length]), None);
            }
            let octets: Vec<u8> = (0..right as u8).collect();
            let key = MasterKey::of_peer(suite, &octets).unwrap();
            assert_eq!(key.octets(suite), Some(&octets[..]));
            let (front, back) = key.split(suite).unwrap();
            assert_eq!(
                (front.len(), back.len()),
                (suite.key_octets(), suite.salt_octets())
            );
        }
    }
}

//! Owns the randomness of tags, branches and Call-IDs: a ChaCha20 stream from the seed that the
//! process gives once. The same seed and inputs give the same outputs.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use vocab::browser::IceCredentials;
use vocab::srtp::MasterKey;

#[derive(Clone)]
pub(crate) struct Entropy(ChaCha20Rng);

impl Entropy {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// A key for nonces.
    pub(crate) fn key(&mut self) -> [u8; 32] {
        let mut key = [0; 32];
        self.0.fill_bytes(&mut key);
        key
    }

    /// A key under which a leg's audio is sent.
    pub(crate) fn master_key(&mut self) -> MasterKey {
        let mut key = [0; MasterKey::OCTETS];
        self.0.fill_bytes(&mut key);
        MasterKey::new(key)
    }

    /// Name and password of our side of ICE.
    pub(crate) fn ice(&mut self) -> IceCredentials {
        let mut octets = [0; IceCredentials::OCTETS];
        self.0.fill_bytes(&mut octets);
        IceCredentials::new(octets)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A dialog tag: 64 random bits (RFC 3261 §19.3 asks for 32 at least).
    pub(crate) fn tag(&mut self) -> String {
        format!("{:016x}", self.0.next_u64())
    }

    /// A branch with the magic cookie (RFC 3261 §8.1.1.7).
    pub(crate) fn branch(&mut self) -> String {
        format!("z9hG4bK{:016x}", self.0.next_u64())
    }

    /// The name of a session: a random UUID without hyphens (RFC 7989 §5, RFC 9562 §5.4).
    pub(crate) fn session(&mut self) -> String {
        let high = self.0.next_u64() & !0xf000 | 0x4000;
        let low = self.0.next_u64() & (u64::MAX >> 2) | 1 << 63;
        format!("{high:016x}{low:016x}")
    }

    /// A Call-ID: 128 random bits, no host (RFC 3261 §8.1.1.4 lets it out).
    pub(crate) fn call_id(&mut self) -> String {
        format!("{:016x}{:016x}", self.0.next_u64(), self.0.next_u64())
    }
}

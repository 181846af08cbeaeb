//! Owns the signature over a day of the chain: ed25519 (RFC 8032) with a key of the installation.

use std::fmt;
use std::io;
use std::path::Path;

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::output::hex;

const SEED: usize = 32;

/// The key with which an installation signs.
pub struct SigningKey(Ed25519KeyPair);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public()).finish()
    }
}

impl SigningKey {
    /// Reads the key of a file; makes it, for the owner alone, where there is none. The file holds
    /// the seed of the key in hex digits.
    ///
    /// # Errors
    /// If it can neither be read nor made, or holds something else.
    pub fn load_or_make(path: &Path) -> io::Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(path),
            Err(error) => Err(error),
        }
    }

    /// Reads the key of a file.
    ///
    /// # Errors
    /// If it cannot be read, or holds something else.
    pub fn load(path: &Path) -> io::Result<Self> {
        Self::parse(&std::fs::read_to_string(path)?)
    }

    fn parse(text: &str) -> io::Result<Self> {
        let seed = unhex(text.trim()).filter(|seed| seed.len() == SEED);
        let pair = seed.and_then(|seed| Ed25519KeyPair::from_seed_unchecked(&seed).ok());
        pair.map(Self).ok_or_else(|| {
            let why = "expected the 64 hex digits of a signing key, found something else";
            io::Error::new(io::ErrorKind::InvalidData, why)
        })
    }

    fn make(path: &Path) -> io::Result<Self> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut seed = [0; SEED];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| io::Error::other("the system gives no random numbers"))?;
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(format!("{}\n", hex(&seed)).as_bytes())?;
        file.sync_all()?;
        Self::parse(&hex(&seed))
    }

    /// The public half, in hex digits.
    #[must_use]
    pub fn public(&self) -> String {
        hex(self.0.public_key().as_ref())
    }
}

/// A day's signature, as it lies on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The day.
    pub day: String,
    /// Lines of that day.
    pub lines: u64,
    /// SHA-256 of the last of them; it holds all before it.
    pub hash: String,
    /// When it was signed, UTC, RFC 3339.
    pub signed_at: String,
    /// Public key of the installation.
    pub public_key: String,
    /// The signature over what [`Seal::signed_text`] gives.
    pub signature: String,
}

impl Seal {
    pub(crate) fn make(
        key: &SigningKey,
        day: &str,
        lines: u64,
        hash: &str,
        signed_at: &str,
    ) -> Self {
        let mut seal = Self {
            day: day.to_owned(),
            lines,
            hash: hash.to_owned(),
            signed_at: signed_at.to_owned(),
            public_key: key.public(),
            signature: String::new(),
        };
        seal.signature = hex(key.0.sign(seal.signed_text().as_bytes()).as_ref());
        seal
    }

    /// What is signed: lines of text, so that others can check it.
    #[must_use]
    pub fn signed_text(&self) -> String {
        let Self {
            day,
            lines,
            hash,
            signed_at,
            ..
        } = self;
        format!("hotline recordings 1\n{day}\n{lines}\n{hash}\n{signed_at}\n")
    }

    /// Whether the signature is one of its public key.
    #[must_use]
    pub fn is_genuine(&self) -> bool {
        let (Some(key), Some(signature)) = (unhex(&self.public_key), unhex(&self.signature)) else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, key)
            .verify(self.signed_text().as_bytes(), &signature)
            .is_ok()
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_for_what_was_signed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let key = SigningKey::load_or_make(&dir.path().join("key")).unwrap();
        let good = Seal::make(&key, "2026-11-22", 7, "ab", "2026-11-23T00:00:01.000Z");
        assert!(good.is_genuine());
        let changes: [fn(&mut Seal); 6] = [
            |seal| seal.day = "2026-11-21".to_owned(),
            |seal| seal.lines = 6,
            |seal| seal.hash = "ac".to_owned(),
            |seal| seal.signed_at.clear(),
            // A key in 256 begins with the one, none with both.
            |seal| {
                let zero = seal.public_key.starts_with("00");
                let other = if zero { "01" } else { "00" };
                seal.public_key.replace_range(0..2, other);
            },
            |seal| seal.signature = "zz".to_owned(),
        ];
        for change in changes {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(!bad.is_genuine(), "{bad:?}");
        }
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let made = SigningKey::load_or_make(&path).unwrap().public();
        assert_eq!(SigningKey::load_or_make(&path).unwrap().public(), made);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, "oops").unwrap();
        let error = SigningKey::load_or_make(&path).unwrap_err().to_string();
        assert!(!error.contains("oops"), "{error}");
    }
}

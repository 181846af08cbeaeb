//! Owns the encryption of recordings at rest: the age format (age-encryption.org/v1), to X25519
//! recipients. Refuses to keep keys: they come from the settings and from files that others guard.

use std::io::{self, Read, Seek, Write};
use std::iter;

use age::secrecy::ExposeSecret;
use age::x25519::{Identity, Recipient};

/// A key cannot be used. The text never holds the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A recipient is none.
    #[error("a recipient of recordings is expected as age1…, found {found:?}: {why}")]
    Recipient {
        /// What was given: recipients are public.
        found: String,
        /// What age says.
        why: &'static str,
    },
    /// A line of the identity file is no identity.
    #[error(
        "line {line} of the identity file is no key: expected AGE-SECRET-KEY-1…, a # comment, or \
         nothing"
    )]
    Identity {
        /// Which line, from 1.
        line: usize,
    },
    /// The identity file holds no key.
    #[error("the identity file holds no key; `hotline recordings keygen` makes one")]
    NoIdentity,
}

/// An encrypted file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No key was given.
    #[error("it is encrypted, and no identity file is set (recordings.identity)")]
    NoKey,
    /// None of the keys fits.
    #[error("none of the keys in the identity file opens it")]
    WrongKey,
    /// It is no age file, or was changed.
    #[error("it is no whole age file: {0}")]
    Damaged(String),
    /// The disk failed.
    #[error("{0}")]
    Disk(#[from] io::Error),
}

/// To whom recordings are encrypted, and with what they are read.
#[derive(Clone, Default)]
pub struct Keys {
    recipients: Vec<Recipient>,
    identities: Vec<Identity>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("recipients", &self.recipients())
            .field("identities", &self.identities.len())
            .finish()
    }
}

impl Keys {
    /// Reads recipients (`age1…`) and the text of an identity file: one `AGE-SECRET-KEY-1…` a line,
    /// the newest anywhere, old ones kept for as long as there are recordings that need them.
    ///
    /// # Errors
    /// The first key that cannot be used.
    pub fn read(recipients: &[String], identities: Option<&str>) -> Result<Self, KeyError> {
        let recipients = recipients
            .iter()
            .map(|text| {
                text.trim().parse().map_err(|why| KeyError::Recipient {
                    found: text.clone(),
                    why,
                })
            })
            .collect::<Result<_, _>>()?;
        let mut found = Vec::new();
        for (index, line) in identities.unwrap_or_default().lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let identity = line
                .parse()
                .map_err(|_| KeyError::Identity { line: index + 1 })?;
            found.push(identity);
        }
        if identities.is_some() && found.is_empty() {
            return Err(KeyError::NoIdentity);
        }
        Ok(Self {
            recipients,
            identities: found,
        })
    }

    /// Whether new recordings are encrypted.
    #[must_use]
    pub fn encrypts(&self) -> bool {
        !self.recipients.is_empty()
    }

    /// Whether there is a key to read with.
    #[must_use]
    pub fn can_read(&self) -> bool {
        !self.identities.is_empty()
    }

    /// Whether one of the keys to read with reads what is recorded from now on.
    #[must_use]
    pub fn reads_what_it_writes(&self) -> bool {
        let ours = self.recipients();
        self.identities
            .iter()
            .any(|identity| ours.contains(&identity.to_public().to_string()))
    }

    /// The recipients as text.
    #[must_use]
    pub fn recipients(&self) -> Vec<String> {
        self.recipients.iter().map(ToString::to_string).collect()
    }

    /// Encrypts what is written into the result, which must be finished.
    pub(crate) fn seal<W: Write>(&self, out: W) -> io::Result<age::stream::StreamWriter<W>> {
        let recipients = self
            .recipients
            .iter()
            .map(|recipient| recipient as &dyn age::Recipient);
        age::Encryptor::with_recipients(recipients)
            .map_err(io::Error::other)?
            .wrap_output(out)
    }

    /// What is inside an age file.
    pub(crate) fn open<R: Read>(&self, input: R) -> Result<impl Read + use<R>, OpenError> {
        self.reader(input)
    }

    /// What is inside an age file, for reading from any place: only the pieces that are asked for
    /// are opened.
    ///
    /// # Errors
    /// If no key opens it, or it is none.
    pub fn play<R: Read + Seek>(&self, input: R) -> Result<impl Read + Seek + use<R>, OpenError> {
        self.reader(input)
    }

    fn reader<R: Read>(&self, input: R) -> Result<age::stream::StreamReader<R>, OpenError> {
        if self.identities.is_empty() {
            return Err(OpenError::NoKey);
        }
        let identities = self
            .identities
            .iter()
            .map(|identity| identity as &dyn age::Identity);
        age::Decryptor::new(input)
            .and_then(|decryptor| decryptor.decrypt(identities))
            .map_err(|error| match error {
                age::DecryptError::NoMatchingKeys => OpenError::WrongKey,
                age::DecryptError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                    OpenError::Disk(error)
                }
                other => OpenError::Damaged(other.to_string()),
            })
    }
}

/// A new key: the text of an identity file, and the recipient that belongs to it.
#[must_use]
pub fn new_identity() -> (String, String) {
    let identity = Identity::generate();
    let recipient = identity.to_public().to_string();
    let text = iter::once(format!("# recipient: {recipient}"))
        .chain(iter::once(identity.to_string().expose_secret().to_owned()))
        .fold(String::new(), |text, line| text + &line + "\n");
    (text, recipient)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(keys: &Keys, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = keys.seal(&mut out).unwrap();
        writer.write_all(text).unwrap();
        writer.finish().unwrap();
        out
    }

    fn opened(keys: &Keys, bytes: &[u8]) -> Result<Vec<u8>, OpenError> {
        let mut text = Vec::new();
        let mut reader = keys.open(bytes)?;
        reader.read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn each_recipient_reads_and_nobody_else() {
        let (first, at_first) = new_identity();
        let (second, at_second) = new_identity();
        let (stranger, _) = new_identity();
        let keys = Keys::read(&[at_first, at_second], None).unwrap();
        assert!(keys.encrypts() && !keys.can_read());
        let bytes = sealed(&keys, b"voice");
        assert!(!bytes.windows(5).any(|window| window == b"voice"));
        for identity in [&first, &second] {
            let keys = Keys::read(&[], Some(identity)).unwrap();
            assert_eq!(opened(&keys, &bytes).unwrap(), b"voice");
        }
        let keys = Keys::read(&[], Some(&stranger)).unwrap();
        assert!(matches!(opened(&keys, &bytes), Err(OpenError::WrongKey)));
        assert!(matches!(
            opened(&Keys::default(), &bytes),
            Err(OpenError::NoKey)
        ));
    }

    #[test]
    fn any_part_is_read_without_the_rest() {
        let (identity, recipient) = new_identity();
        let keys = Keys::read(&[recipient], Some(&identity)).unwrap();
        // Longer than two of the format's pieces of 64 KiB.
        let text: Vec<u8> = (0..200_000_u32).map(|n| (n / 7) as u8).collect();
        let mut bytes = sealed(&keys, &text);
        let mut reader = keys.play(io::Cursor::new(&bytes)).unwrap();
        assert_eq!(reader.seek(io::SeekFrom::End(0)).unwrap(), 200_000);
        for at in [0_usize, 65_530, 131_071, 199_990] {
            let mut part = [0; 10];
            reader.seek(io::SeekFrom::Start(at as u64)).unwrap();
            reader.read_exact(&mut part).unwrap();
            assert_eq!(part, text[at..at + 10], "{at}");
        }
        // What was changed is not played.
        let last = bytes.len() - 40;
        drop(reader);
        bytes[last] ^= 1;
        let mut reader = keys.play(io::Cursor::new(&bytes)).unwrap();
        assert!(
            reader.seek(io::SeekFrom::Start(199_000)).is_err()
                || reader.read(&mut [0; 10]).is_err()
        );
    }

    #[test]
    fn an_old_key_beside_the_new_one_reads_old_recordings() {
        let (old, at_old) = new_identity();
        let (new, at_new) = new_identity();
        let bytes = sealed(&Keys::read(&[at_old], None).unwrap(), b"voice");
        let both = Keys::read(&[at_new], Some(&format!("{new}{old}"))).unwrap();
        assert_eq!(opened(&both, &bytes).unwrap(), b"voice");
        assert!(both.reads_what_it_writes());
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let (identity, recipient) = new_identity();
        let keys = Keys::read(&[recipient], Some(&identity)).unwrap();
        let bytes = sealed(&keys, &[7; 1_000]);
        for at in (0..bytes.len()).step_by(7) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(opened(&keys, &changed).is_err(), "octet {at}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_saying_it() {
        let error = Keys::read(&[], Some("# a key\n\nAGE-SECRET-KEY-1OOPS\n")).unwrap_err();
        assert_eq!(error, KeyError::Identity { line: 3 });
        assert!(!error.to_string().contains("OOPS"));
        assert_eq!(
            Keys::read(&[], Some("# nothing\n")).unwrap_err(),
            KeyError::NoIdentity
        );
        assert!(Keys::read(&["age1x".to_owned()], None).is_err());
    }
}

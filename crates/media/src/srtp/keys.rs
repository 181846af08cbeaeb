//! Owns the way from a master key to the keys of a session (RFC 3711 §4.3) and what they do to one
//! packet: RFC 3711 §4.1 and §4.2 for AES-CM with HMAC-SHA1, RFC 7714 for AES-GCM. Refuses to know
//! which packets came before.

use aes::cipher::{BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipher};
use aes::{Aes128, Aes256};
use ctr::Ctr128BE;
use ring::aead::{self, LessSafeKey, UnboundKey};
use ring::hmac;
use vocab::srtp::{MasterKey, Suite};

/// Octets of the tag of AES-GCM (RFC 7714 §12), the longest there is.
pub(super) const TAG_MAX: usize = 16;
/// Octets of the tag under SRTCP, whatever AES-CM has under SRTP (RFC 4568 §6.2.1, §6.2.2).
const CONTROL_TAG: usize = 10;
/// Octets of a key for HMAC-SHA1 (RFC 3711 §8.2).
const AUTH_KEY: usize = 20;
const SALT_CM: usize = 14;
const SALT_GCM: usize = 12;
/// Octets of an RTCP packet that stay readable.
const CONTROL_CLEAR: usize = 8;

/// Which packets the keys are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// RTP.
    Audio,
    /// RTCP.
    Control,
}

/// Keys of one direction, for one kind of packets.
pub(super) struct Keys {
    kind: Kind,
    cipher: Cipher,
}

enum Cipher {
    /// AES in counter mode, then HMAC-SHA1 cut to `tag` octets.
    Counter {
        cipher: Box<Aes128>,
        salt: [u8; SALT_CM],
        auth: Box<hmac::Key>,
        tag: usize,
    },
    /// AES-GCM.
    Gcm {
        key: Box<LessSafeKey>,
        salt: [u8; SALT_GCM],
    },
}

/// Which packet it is: what the cipher begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) ssrc: u32,
    /// RTP: roll-over counter and sequence number, 48 bits. RTCP: its index, 31 bits.
    pub(super) index: u64,
    /// Octets of the packet that stay readable.
    pub(super) clear: usize,
}

impl Keys {
    /// `None` if the master key is not of the suite's length.
    pub(super) fn new(suite: Suite, master: &MasterKey, kind: Kind) -> Option<Self> {
        let (key, salt) = master.split(suite)?;
        // Labels of RFC 3711 §4.3.1 and §4.3.2.
        let [cipher, auth, salting] = match kind {
            Kind::Audio => [0, 1, 2],
            Kind::Control => [3, 4, 5],
        };
        let cipher = match suite {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => {
                let tag = match (suite, kind) {
                    (Suite::AesCm128HmacSha1_32, Kind::Audio) => 4,
                    _ => CONTROL_TAG,
                };
                let cipher: [u8; 16] = derive(key, salt, cipher)?;
                let auth: [u8; AUTH_KEY] = derive(key, salt, auth)?;
                Cipher::counter(cipher, derive(key, salt, salting)?, &auth, tag)
            }
            Suite::AeadAes128Gcm => {
                let cipher: [u8; 16] = derive(key, salt, cipher)?;
                Cipher::gcm(&aead::AES_128_GCM, &cipher, derive(key, salt, salting)?)?
            }
            Suite::AeadAes256Gcm => {
                let cipher: [u8; 32] = derive(key, salt, cipher)?;
                Cipher::gcm(&aead::AES_256_GCM, &cipher, derive(key, salt, salting)?)?
            }
        };
        Some(Self { kind, cipher })
    }

    /// Octets that a tag takes.
    pub(super) const fn tag_bytes(&self) -> usize {
        match &self.cipher {
            Cipher::Counter { tag, .. } => *tag,
            Cipher::Gcm { .. } => TAG_MAX,
        }
    }

    /// Whether the suite is AES-GCM, under which RTCP has another order.
    pub(super) const fn is_gcm(&self) -> bool {
        matches!(self.cipher, Cipher::Gcm { .. })
    }

    /// Encrypts the packet where it lies and gives its tag, of which `tag_bytes` count. `trailer`
    /// is what is authenticated besides: the roll-over counter, or the word with the index.
    pub(super) fn seal(
        &self,
        place: Place,
        packet: &mut [u8],
        trailer: [u8; 4],
    ) -> Option<[u8; TAG_MAX]> {
        match &self.cipher {
            Cipher::Counter {
                cipher, salt, auth, ..
            } => {
                let secret = packet.get_mut(place.clear..)?;
                counter(cipher, salt, place, secret)?;
                Some(authenticate(auth, packet, trailer))
            }
            Cipher::Gcm { key, salt } => {
                let nonce = self.nonce(salt, place);
                let (clear, secret) = packet.split_at_mut_checked(place.clear)?;
                let sealed = match self.kind {
                    Kind::Audio => {
                        let aad = aead::Aad::from(clear);
                        key.seal_in_place_separate_tag(nonce, aad, secret)
                    }
                    Kind::Control => {
                        let aad = aead::Aad::from(control_aad(clear, trailer)?);
                        key.seal_in_place_separate_tag(nonce, aad, secret)
                    }
                };
                sealed.ok()?.as_ref().try_into().ok()
            }
        }
    }

    /// Checks the tag, then decrypts the packet where it lies. `None`: it was not sealed with these
    /// keys and for this place.
    pub(super) fn open(
        &self,
        place: Place,
        packet: &mut [u8],
        trailer: [u8; 4],
        tag: &[u8],
    ) -> Option<()> {
        match &self.cipher {
            Cipher::Counter {
                cipher, salt, auth, ..
            } => {
                let made = authenticate(auth, packet, trailer);
                equal(made.get(..self.tag_bytes())?, tag).then_some(())?;
                counter(cipher, salt, place, packet.get_mut(place.clear..)?)
            }
            Cipher::Gcm { key, salt } => {
                let nonce = self.nonce(salt, place);
                let tag = aead::Tag::try_from(tag).ok()?;
                let (clear, secret) = packet.split_at_mut_checked(place.clear)?;
                let opened = match self.kind {
                    Kind::Audio => {
                        let aad = aead::Aad::from(clear);
                        key.open_in_place_separate_tag(nonce, aad, tag, secret, 0..)
                    }
                    Kind::Control => {
                        let aad = aead::Aad::from(control_aad(clear, trailer)?);
                        key.open_in_place_separate_tag(nonce, aad, tag, secret, 0..)
                    }
                };
                opened.ok().map(|_| ())
            }
        }
    }

    /// RFC 7714 §8.1 and §9.1: both have the index at the end, RTCP's is shorter.
    fn nonce(&self, salt: &[u8; SALT_GCM], place: Place) -> aead::Nonce {
        let index = match self.kind {
            Kind::Audio => place.index,
            Kind::Control => place.index & 0x7fff_ffff,
        };
        let plain = u128::from(place.ssrc) << 48 | u128::from(index);
        let plain = plain.to_be_bytes();
        let mut nonce = *salt;
        for (octet, plain) in nonce.iter_mut().zip(plain.iter().skip(16 - SALT_GCM)) {
            *octet ^= plain;
        }
        aead::Nonce::assume_unique_for_key(nonce)
    }
}

impl Cipher {
    fn counter(cipher: [u8; 16], salt: [u8; SALT_CM], auth: &[u8], tag: usize) -> Self {
        let auth = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth);
        Self::Counter {
            cipher: Box::new(Aes128::new(&cipher.into())),
            salt,
            auth: Box::new(auth),
            tag,
        }
    }

    fn gcm(
        algorithm: &'static aead::Algorithm,
        cipher: &[u8],
        salt: [u8; SALT_GCM],
    ) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(algorithm, cipher).ok()?);
        Some(Self::Gcm {
            key: Box::new(key),
            salt,
        })
    }
}

/// One key of a session (RFC 3711 §4.3.1 with a derivation rate of 0; RFC 6188 §2 for AES-256). A
/// shorter salt, as AES-GCM's, is filled up with zeros (RFC 7714 §11).
fn derive<const N: usize>(key: &[u8], salt: &[u8], label: u8) -> Option<[u8; N]> {
    let mut begin = [0; 16];
    begin.get_mut(..salt.len())?.copy_from_slice(salt);
    // The label stands 7 octets before the end of the 14 of the salt; the index after it is 0.
    if let Some(octet) = begin.get_mut(7) {
        *octet ^= label;
    }
    let mut out = [0; N];
    match key.len() {
        16 => keystream(&Aes128::new_from_slice(key).ok()?, &begin, &mut out)?,
        32 => keystream(&Aes256::new_from_slice(key).ok()?, &begin, &mut out)?,
        _ => return None,
    }
    Some(out)
}

/// RFC 3711 §4.1.1.
fn counter(cipher: &Aes128, salt: &[u8; SALT_CM], place: Place, bytes: &mut [u8]) -> Option<()> {
    let plain = u128::from(place.ssrc) << 64 | u128::from(place.index) << 16;
    let mut begin = plain.to_be_bytes();
    for (octet, salt) in begin.iter_mut().zip(salt) {
        *octet ^= salt;
    }
    keystream(cipher, &begin, bytes)
}

fn keystream<C>(cipher: &C, begin: &[u8; 16], bytes: &mut [u8]) -> Option<()>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = aes::cipher::consts::U16>,
{
    let core = ctr::CtrCore::inner_iv_init(cipher, &(*begin).into());
    let mut stream = Ctr128BE::<&C>::from_core(core);
    stream.try_apply_keystream(bytes).ok()
}

/// The whole HMAC-SHA1 is 20 octets; no tag is longer than 16.
fn authenticate(key: &hmac::Key, packet: &[u8], trailer: [u8; 4]) -> [u8; TAG_MAX] {
    let mut context = hmac::Context::with_key(key);
    context.update(packet);
    context.update(&trailer);
    let full = context.sign();
    full.as_ref().first_chunk().copied().unwrap_or_default()
}

/// RFC 7714 §9.2: the first eight octets and the word that tells the index.
fn control_aad(clear: &[u8], trailer: [u8; 4]) -> Option<[u8; CONTROL_CLEAR + 4]> {
    let mut aad = [0; CONTROL_CLEAR + 4];
    let (head, word) = aad.split_at_mut_checked(CONTROL_CLEAR)?;
    head.copy_from_slice(clear.get(..CONTROL_CLEAR)?);
    word.copy_from_slice(&trailer);
    Some(aad)
}

/// Takes as long for tags that differ early as for those that differ late.
fn equal(one: &[u8], other: &[u8]) -> bool {
    let difference = one
        .iter()
        .zip(other)
        .fold(0, |difference, (one, other)| difference | (one ^ other));
    one.len() == other.len() && core::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(hex: &str) -> Vec<u8> {
        let hex: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        hex.chunks(2).map(|two| pair(two).unwrap()).collect()
    }

    #[test]
    fn session_keys_are_those_of_rfc_3711_appendix_b_3() {
        let key = octets("E1F97A0D3E018BE0D64FA32C06DE4139");
        let salt = octets("0EC675AD498AFEEBB6960B3AABE6");
        let cipher: [u8; 16] = derive(&key, &salt, 0).unwrap();
        let auth: [u8; 20] = derive(&key, &salt, 1).unwrap();
        let salt: [u8; 14] = derive(&key, &salt, 2).unwrap();
        assert_eq!(cipher[..], octets("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(auth[..], octets("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
        assert_eq!(salt[..], octets("30CBBC08863D8C85D49DB34A9AE1"));
    }

    #[test]
    fn the_key_stream_is_that_of_rfc_3711_appendix_b_2() {
        let key: [u8; 16] = octets("2B7E151628AED2A6ABF7158809CF4F3C")
            .try_into()
            .unwrap();
        let salt = octets("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
        let mut bytes = [0; 48];
        let place = Place {
            ssrc: 0,
            index: 0,
            clear: 0,
        };
        counter(&Aes128::new(&key.into()), &salt, place, &mut bytes).unwrap();
        let expected = "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB \
                        41E95B3BB0A2E8DD477901E4FCA894C0";
        assert_eq!(bytes[..], octets(expected));
    }

    /// RFC 7714 §16: one packet under session keys.
    fn gcm_of_rfc_7714(algorithm: &'static aead::Algorithm, key: &[u8], sealed: &str) {
        let salt = octets("51756964 2070726f 2071756f").try_into().unwrap();
        let keys = Keys {
            kind: Kind::Audio,
            cipher: Cipher::gcm(algorithm, key, salt).unwrap(),
        };
        let plain = octets(
            "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 \
             696e2070 61727465 73207472 6573",
        );
        let place = Place {
            ssrc: 0x5501_a0b2,
            index: 0xf17b,
            clear: 12,
        };
        let mut packet = plain.clone();
        let tag = keys.seal(place, &mut packet, [0; 4]).unwrap();
        let (head, rest) = packet.split_at(12);
        assert_eq!(head, &plain[..12]);
        assert_eq!([rest, &tag].concat(), octets(sealed));
        keys.open(place, &mut packet, [0; 4], &tag).unwrap();
        assert_eq!(packet, plain);
    }

    #[test]
    fn gcm_seals_as_rfc_7714_section_16() {
        let key: Vec<u8> = (0..32).collect();
        gcm_of_rfc_7714(
            &aead::AES_128_GCM,
            &key[..16],
            "f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf \
             8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        );
        gcm_of_rfc_7714(
            &aead::AES_256_GCM,
            &key,
            "32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799 \
             b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        );
    }
}

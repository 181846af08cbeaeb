//! Owns the `a=crypto` lines: keys for SRTP in the description itself (SDES, RFC 4568). Refuses lines
//! that ask for what the media plane does not do: several keys, an MKI, packets in clear.

use vocab::srtp::{Crypto, MasterKey, Suite};

use crate::Srtp;
use crate::read::Stream;

/// The attribute.
pub(crate) const NAME: &str = "crypto";
/// `a=crypto` lines of one stream that are looked at.
const LINES_MAX: usize = 16;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What was chosen of a stream's lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen {
    /// Names the line in the answer.
    tag: u32,
    suite: Suite,
    theirs: MasterKey,
}

impl Chosen {
    /// The keys of both directions.
    pub(crate) const fn with(self, ours: MasterKey) -> Crypto {
        Crypto {
            suite: self.suite,
            ours,
            theirs: self.theirs,
        }
    }
}

/// Whose lines are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// An offer: the first that we can do, as the offerer's order is one of preference (RFC 4568
    /// §5.1.2).
    Offered,
    /// The answer to ours: it must name one of our lines.
    Answered,
}

/// The line that holds, if any does.
pub(crate) fn choose(stream: &Stream<'_>, lines: Lines) -> Option<Chosen> {
    let own = stream.media.attributes.iter();
    let values = own
        .filter(|line| line.attribute.eq_ignore_ascii_case(NAME))
        .filter_map(|line| line.value.as_deref());
    values
        .take(LINES_MAX)
        .filter_map(read)
        .find(|chosen| lines == Lines::Offered || chosen.tag == tag_of(chosen.suite))
}

/// The values of the lines of our offer.
pub(crate) fn offered(srtp: &Srtp) -> impl Iterator<Item = String> {
    let key = srtp.key;
    Suite::ALL
        .into_iter()
        .map(move |suite| write(tag_of(suite), suite, &key))
}

/// The value of the line of our answer.
pub(crate) fn answered(chosen: &Chosen, srtp: &Srtp) -> String {
    write(chosen.tag, chosen.suite, &srtp.key)
}

/// The tag of a suite in our offers.
fn tag_of(suite: Suite) -> u32 {
    let place = Suite::ALL.iter().position(|other| *other == suite);
    place.map_or(0, |place| place as u32 + 1)
}

fn write(tag: u32, suite: Suite, key: &MasterKey) -> String {
    let key = encode(key.octets(suite).unwrap_or_default());
    format!("{tag} {} inline:{key}", suite.name())
}

/// `tag suite key-params [session-params]` (RFC 4568 §9.2).
fn read(value: &str) -> Option<Chosen> {
    let mut words = value.split_ascii_whitespace();
    let tag = words.next().filter(|tag| tag.len() <= 9)?.parse().ok()?;
    let name = words.next()?;
    let suite = Suite::ALL
        .into_iter()
        .find(|suite| suite.name().eq_ignore_ascii_case(name))?;
    let theirs = read_key(suite, words.next()?)?;
    // All of them must be understood, but for those marked as optional by a hyphen, and the size of
    // a replay window, which is a hint (RFC 4568 §6.3).
    words
        .all(|word| word.starts_with('-') || word.starts_with("WSH=") || word == "KDR=0")
        .then_some(Chosen { tag, suite, theirs })
}

/// `inline:` key and salt, then perhaps a lifetime. A second key or an MKI would be in each packet.
fn read_key(suite: Suite, params: &str) -> Option<MasterKey> {
    let (method, rest) = params.split_once(':')?;
    if !method.eq_ignore_ascii_case("inline") || rest.contains(';') {
        return None;
    }
    let mut parts = rest.split('|');
    let key = decode(parts.next()?)?;
    // A lifetime says when to negotiate anew; no call reaches any that is in use.
    let lifetime = parts.next();
    let mki = parts.next().or(lifetime.filter(|part| part.contains(':')));
    match mki {
        Some(_) => None,
        None => MasterKey::of_peer(suite, &key),
    }
}

/// Base 64 (RFC 4648 §4).
fn encode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for group in octets.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| {
            bits << 8 | u32::from(group.get(at).copied().unwrap_or(0))
        });
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place) & 0x3f) as usize;
            let digit = ALPHABET.get(sextet).map_or('=', |digit| char::from(*digit));
            text.push(if place <= group.len() { digit } else { '=' });
        }
    }
    text
}

/// The reverse; padding may be missing, as from some telephones.
fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if digits.len() > MasterKey::OCTETS * 2 || digits.len() % 4 == 1 {
        return None;
    }
    let mut octets = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            let sextet = ALPHABET.iter().position(|known| known == digit)?;
            bits = bits << 6 | u32::try_from(sextet).ok()?;
        }
        bits <<= 6 * (4 - group.len());
        let [_, all @ ..] = bits.to_be_bytes();
        octets.extend(all.iter().take(group.len() * 6 / 8));
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64_is_that_of_rfc_4648_section_10() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, text) in vectors {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), plain.as_bytes());
            assert_eq!(
                decode(text.trim_end_matches('=')).unwrap(),
                plain.as_bytes()
            );
        }
        assert_eq!(decode("Zm9v*"), None);
        assert_eq!(decode("Zm9vY"), None);
    }

    #[test]
    fn lines_that_ask_for_more_than_we_do_are_passed_over() {
        let key = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
        let good = [
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{key}"),
            format!("99 AES_CM_128_HMAC_SHA1_32 inline:{key}|2^20"),
            format!("2 aes_cm_128_hmac_sha1_80 INLINE:{key}|1048576 WSH=128"),
            format!("2 AES_CM_128_HMAC_SHA1_80 inline:{key} -SOMETHING KDR=0"),
        ];
        for line in good {
            assert!(read(&line).is_some(), "{line}");
        }
        let bad = [
            format!("x AES_CM_128_HMAC_SHA1_80 inline:{key}"),
            format!("1 F8_128_HMAC_SHA1_80 inline:{key}"),
            format!("1 AEAD_AES_128_GCM inline:{key}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{key}|2^20|1:4"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{key}|1:4"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{key};inline:{key}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{key} UNENCRYPTED_SRTP"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{key} KDR=4"),
            "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA".to_owned(),
            "1 AES_CM_128_HMAC_SHA1_80".to_owned(),
            String::new(),
        ];
        for line in bad {
            assert!(read(&line).is_none(), "{line}");
        }
    }
}

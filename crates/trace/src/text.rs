//! Owns where secrets stand in a message's text. Works on any octets, also on what is no SIP.

use sip::wire::peek::field;

/// Header fields with what proves a password (RFC 3261 §22.4).
const CREDENTIALS: [&[u8]; 6] = [
    b"authorization",
    b"proxy-authorization",
    b"www-authenticate",
    b"proxy-authenticate",
    b"authentication-info",
    b"proxy-authentication-info",
];
/// Their parameters from which a password could be guessed.
const SECRETS: [&[u8]; 5] = [b"response", b"nonce", b"cnonce", b"nextnonce", b"rspauth"];
/// Lines of a session description that hold keys (RFC 4568 §4, RFC 8839 §5.4).
const KEYS: [&[u8]; 2] = [b"a=crypto:", b"a=ice-pwd:"];
/// What a secret octet becomes.
const MASK: u8 = b'x';

/// Makes secrets unreadable in place; nothing changes its length.
pub fn redact(message: &mut [u8]) {
    let (mut in_head, mut in_credentials) = (true, false);
    // What people write to each other is nobody's to read (RFC 3428 §11).
    let letter = message.starts_with(b"MESSAGE ");
    // Digits that a caller enters may be a number of a policy or a card; which, only the plan knows.
    let keys = message.starts_with(b"INFO ");
    for line in message.split_mut(|octet| *octet == b'\n') {
        if !in_head {
            if letter {
                line.fill(MASK);
            }
            if keys {
                redact_key(line);
            }
            if KEYS.iter().any(|key| line.starts_with(key)) {
                let after = line.iter().position(|octet| *octet == b':').unwrap_or(0) + 1;
                mask(line.get_mut(after..).unwrap_or_default());
            }
            continue;
        }
        in_head = !matches!(line, [] | [b'\r']);
        // A folded line belongs to the header field before it.
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            in_credentials = field(line).is_some_and(|(name, _)| {
                CREDENTIALS.iter().any(|one| name.eq_ignore_ascii_case(one))
            });
        }
        if in_credentials {
            redact_credentials(line);
        }
    }
}

/// The key in a line of `application/dtmf-relay`, or the whole of `application/dtmf`; which of the two
/// a body is its own form tells.
fn redact_key(line: &mut [u8]) {
    let key = |octet: &u8| matches!(octet, b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D' | b'a'..=b'd');
    let named = line
        .get(..6)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"signal"));
    let from = match line.iter().position(|octet| matches!(octet, b'=' | b':')) {
        Some(at) if named => at + 1,
        Some(_) => return,
        None if line.trim_ascii().len() <= 2 => 0,
        None => return,
    };
    for octet in line.get_mut(from..).unwrap_or_default() {
        if key(octet) {
            *octet = MASK;
        }
    }
}

fn redact_credentials(line: &mut [u8]) {
    let value = field(line).map_or(&*line, |(_, value)| value).trim_ascii();
    // Any other scheme is a secret as a whole (Basic, Bearer).
    let scheme = value
        .split(u8::is_ascii_whitespace)
        .next()
        .unwrap_or_default();
    let other = [b"basic".as_slice(), b"bearer"];
    if other.iter().any(|one| scheme.eq_ignore_ascii_case(one)) {
        let from = line.len() - value.len().min(line.len()) + scheme.len();
        mask(line.get_mut(from..).unwrap_or_default());
        return;
    }
    let mut at = 0;
    while let Some(found) = line
        .get(at..)
        .and_then(|rest| rest.iter().position(|octet| *octet == b'='))
    {
        let equals = at + found;
        let name = line
            .get(at..equals)
            .unwrap_or_default()
            .trim_ascii_end()
            .rsplit(|octet| !octet.is_ascii_alphanumeric())
            .next()
            .unwrap_or_default();
        let secret = SECRETS.iter().any(|one| name.eq_ignore_ascii_case(one));
        let value = line.get_mut(equals + 1..).unwrap_or_default();
        let length = value_length(value);
        if secret {
            mask(value.get_mut(..length).unwrap_or_default());
        }
        at = equals + 1 + length;
    }
}

/// Octets of a parameter's value: to the closing quotation mark, or to the next comma.
fn value_length(value: &[u8]) -> usize {
    let blank = value
        .iter()
        .take_while(|octet| octet.is_ascii_whitespace())
        .count();
    let rest = value.get(blank..).unwrap_or_default();
    let inner = if rest.first() == Some(&b'"') {
        let mut escaped = false;
        let end = rest.iter().skip(1).position(|octet| {
            let closes = *octet == b'"' && !escaped;
            escaped = *octet == b'\\' && !escaped;
            closes
        });
        end.map_or(rest.len(), |end| end + 2)
    } else {
        rest.iter()
            .position(|octet| matches!(*octet, b',' | b' ' | b'\t' | b'\r'))
            .unwrap_or(rest.len())
    };
    blank + inner
}

fn mask(octets: &mut [u8]) {
    for octet in octets {
        if !matches!(*octet, b'"' | b'\r' | b' ' | b'\t') {
            *octet = MASK;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redacted(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        redact(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn digest_answers_and_nonces_are_unreadable_and_nothing_moves() {
        let text = "REGISTER sip:a SIP/2.0\r\n\
            Authorization: Digest username=\"anna\", realm=\"h\", nonce = \"ab,\\\"c\", uri=\"sip:a\",\r\n \
            response=\"0123\",nc=00000001, cnonce=zz, qop=auth\r\nX-Nonce: nonce=\"kept\"\r\n\r\n";
        let seen = redacted(text);
        assert_eq!(seen.len(), text.len());
        assert!(seen.contains("username=\"anna\", realm=\"h\""), "{seen}");
        assert!(
            seen.contains("nonce = \"xxxx\"x\"") || seen.contains("nonce = \"xxx"),
            "{seen}"
        );
        assert!(
            seen.contains("response=\"xxxx\",nc=00000001, cnonce=xx, qop=auth"),
            "{seen}"
        );
        assert!(seen.contains("X-Nonce: nonce=\"kept\""), "{seen}");
        for secret in ["0123", "zz", "ab,"] {
            assert!(!seen.contains(secret), "{secret}: {seen}");
        }
    }

    #[test]
    fn the_text_of_a_message_is_unreadable_and_its_head_is_not() {
        let text = "MESSAGE sip:101@h SIP/2.0\r\nContent-Type: text/plain\r\n\r\nSee you\r\nat 5";
        let expected =
            "MESSAGE sip:101@h SIP/2.0\r\nContent-Type: text/plain\r\n\r\nxxxxxxxx\nxxxx";
        assert_eq!(redacted(text), expected);
        let other = text.replacen("MESSAGE", "INVITE", 1);
        assert_eq!(redacted(&other), other);
    }

    #[test]
    fn keys_that_are_pressed_are_unreadable_and_how_long_is_not() {
        for (body, expected) in [
            (
                "Signal=5\r\nDuration=160\r\n",
                "Signal=x\r\nDuration=160\r\n",
            ),
            ("signal= *\r\n", "signal= x\r\n"),
            ("7", "x"),
            ("11\r\n", "xx\r\n"),
        ] {
            let head = "INFO sip:1300@h SIP/2.0\r\nContent-Length: 9\r\n\r\n";
            assert_eq!(
                redacted(&format!("{head}{body}")),
                format!("{head}{expected}")
            );
        }
        let other = "INFO sip:1300@h SIP/2.0\r\n\r\n<media_control><picture/></media_control>";
        assert_eq!(redacted(other), other);
    }

    #[test]
    fn other_schemes_and_keys_of_media_are_unreadable() {
        let seen = redacted(
            "INVITE sip:a SIP/2.0\r\nAuthorization: Basic YW5uYTpzZWNyZXQ=\r\n\r\n\
            a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEYKEY\r\na=rtpmap:8 PCMA/8000\r\n",
        );
        assert!(!seen.contains("YW5u") && !seen.contains("KEYKEY"), "{seen}");
        assert!(seen.contains("a=rtpmap:8 PCMA/8000"), "{seen}");
    }

    proptest! {
        #[test]
        fn any_octets_keep_their_length_and_lines(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let mut seen = bytes.clone();
            redact(&mut seen);
            prop_assert_eq!(seen.len(), bytes.len());
        }

        #[test]
        fn no_secret_value_survives(secret in "[a-w0-9]{8,40}", spaces in " {0,2}", quoted in any::<bool>()) {
            let value = if quoted { format!("\"{secret}\"") } else { secret.clone() };
            let text = format!("BYE sip:a SIP/2.0\r\nProxy-Authorization: Digest realm=\"r\",{spaces}response{spaces}={spaces}{value}\r\n\r\n");
            prop_assert!(!redacted(&text).contains(&secret));
        }
    }
}

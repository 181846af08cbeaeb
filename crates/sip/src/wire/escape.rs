//! Owns `%HH` escapes of URIs (RFC 3261 §19.1.2).

use core::fmt::{self, Write};

use super::octets;

/// What may stand unescaped beside the `unreserved` characters.
pub(super) type Unescaped = &'static [u8];

/// `user-unreserved`.
pub(super) const USER: Unescaped = b"&=+$,;?/";
/// The `password` characters.
pub(super) const PASSWORD: Unescaped = b"&=+$,";
/// RFC 3966 `phonedigit` and `phonedigit-hex`.
pub(super) const TEL: Unescaped = b"+#";

const fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(
            octet,
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')'
        )
}

/// Writes text with everything escaped that may not stand as it is.
pub(super) fn write(out: &mut impl Write, text: &str, unescaped: Unescaped) -> fmt::Result {
    let escaped = |octet: &u8| !is_unreserved(*octet) && !unescaped.contains(octet);
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|octet| escaped(&octet)) {
        // What is written as it is is ASCII, so the cut is between characters.
        let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.write_str(plain)?;
        let character = from.chars().next().map_or(1, char::len_utf8);
        let (character, after) = from.split_at_checked(character).unwrap_or((from, ""));
        for octet in character.bytes() {
            write!(out, "%{octet:02X}")?;
        }
        rest = after;
    }
    out.write_str(rest)
}

/// Undoes escapes; `None` if one is not followed by two digits or the result is not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    if octets::find(b'%', text.as_bytes()).is_none() {
        return Some(text.to_owned());
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            decoded.push(octet);
            continue;
        }
        let mut digit = || rest.next().and_then(|octet| char::from(octet).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(decoded).ok()
}

/// For comparison: escapes undone, ASCII in lower case.
pub(super) fn folded(text: &str) -> String {
    let mut text = decode(text).unwrap_or_else(|| text.to_owned());
    text.make_ascii_lowercase();
    text
}

/// Equal but for case and needless escapes.
pub(super) fn same_text(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || ((a.contains('%') || b.contains('%')) && folded(a) == folded(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_redone() {
        let text = "a b%\u{0}@яю\r\n";
        let mut out = String::new();
        write(&mut out, text, USER).unwrap();
        assert_eq!(out, "a%20b%25%00%40%D1%8F%D1%8E%0D%0A");
        assert_eq!(decode(&out).as_deref(), Some(text));
        for broken in ["%", "%4", "%zz", "%FF", "%+1"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }

    #[test]
    fn comparison_ignores_case_and_needless_escapes() {
        assert!(same_text("%61B", "Ab"));
        assert!(!same_text("%61", "b"));
    }
}

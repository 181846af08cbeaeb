//! Owns the grammar of challenges and credentials: `Digest name=value, name="value", …`
//! (RFC 3261 §25.1). Refuses to judge what the values mean.

use std::borrow::Cow;

use crate::wire::unquote;

/// Parameters of one header field. RFC 7616 knows eleven; the rest is for extensions.
const PARAMS_MAX: usize = 32;

/// The parameters of one `Digest` challenge or of one set of credentials, on borrowed text.
#[derive(Debug)]
pub(super) struct DigestParams<'a>(Vec<(&'a str, &'a str)>);

/// Why a header field is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    /// Another scheme: not for us.
    OtherScheme,
    /// Digest, but broken.
    Broken,
}

impl<'a> DigestParams<'a> {
    pub(super) fn parse(value: &'a str) -> Result<Self, Unusable> {
        let value = value.trim();
        let end = value.find([' ', '\t']).unwrap_or(value.len());
        let (scheme, mut rest) = value.split_at_checked(end).ok_or(Unusable::Broken)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return Err(Unusable::OtherScheme);
        }
        let mut params = Vec::with_capacity(12);
        loop {
            // Empty list elements are harmless and are seen.
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return Ok(Self(params));
            }
            if params.len() == PARAMS_MAX {
                return Err(Unusable::Broken);
            }
            let (name, after) = rest.split_once('=').ok_or(Unusable::Broken)?;
            let (text, after) = next_value(after.trim_start()).ok_or(Unusable::Broken)?;
            let name = name.trim();
            // Twice the same name would let two readers see different things.
            if name.is_empty()
                || params
                    .iter()
                    .any(|(known, _)| name.eq_ignore_ascii_case(known))
            {
                return Err(Unusable::Broken);
            }
            params.push((name, text));
            rest = after.trim_start();
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err(Unusable::Broken);
            }
        }
    }

    /// The value as it stands between the quotes, escapes untouched: what enters a hash
    /// (`unq()` of RFC 7616 §3.3).
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        let (_, text) = self
            .0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(
            text.strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'))
                .unwrap_or(text),
        )
    }

    /// The value that is meant: quotes and escapes undone.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        let (_, text) = self
            .0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(if text.starts_with('"') {
            unquote(text)
        } else {
            Cow::Borrowed(text)
        })
    }
}

/// Cuts a quoted string (quotes kept) or a bare word off.
fn next_value(text: &str) -> Option<(&str, &str)> {
    let Some(inner) = text.strip_prefix('"') else {
        // Bare: up to the comma. Base64 nonces without quotes are seen, so no token check.
        let end = text.find(',').unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end)?;
        let word = word.trim_end();
        return (!word.is_empty() && !word.contains('"')).then_some((word, rest));
    };
    let mut escaped = false;
    for (at, octet) in inner.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return text.split_at_checked(at + 2),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_bare_and_escaped_values_are_read() {
        let p = DigestParams::parse(
            "digest  Realm=\"a, \\\"b\\\"\" , nonce = \"x=\",qop=auth,,uri=\"sip:a;b=c\", nc=0000000a",
        )
        .unwrap();
        assert_eq!(p.text("realm").as_deref(), Some("a, \"b\""));
        assert_eq!(p.raw("realm"), Some("a, \\\"b\\\""));
        assert_eq!(p.raw("NONCE"), Some("x="));
        assert_eq!(p.raw("qop"), Some("auth"));
        assert_eq!(p.raw("uri"), Some("sip:a;b=c"));
        assert_eq!(p.raw("nc"), Some("0000000a"));
        assert_eq!(p.raw("opaque"), None);
    }

    #[test]
    fn broken_and_foreign_fields_are_told_apart() {
        assert_eq!(
            DigestParams::parse("Basic YTpi").unwrap_err(),
            Unusable::OtherScheme
        );
        assert_eq!(DigestParams::parse("").unwrap_err(), Unusable::OtherScheme);
        for text in [
            "Digest realm",
            "Digest realm=",
            "Digest realm=\"a",
            "Digest realm=\"a\\\"",
            "Digest realm=\"a\" nonce=\"b\"",
            "Digest =a",
            "Digest a=1, A=2",
            "Digest a=b\"c",
        ] {
            assert_eq!(
                DigestParams::parse(text).unwrap_err(),
                Unusable::Broken,
                "{text}"
            );
        }
        let many: String = (0..40).map(|n| format!("p{n}=1,")).collect();
        assert_eq!(
            DigestParams::parse(&format!("Digest {many}")).unwrap_err(),
            Unusable::Broken
        );
    }
}

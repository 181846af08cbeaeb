//! Owns addresses with a display name and header parameters: From, To, Contact, Route and kin.

use core::fmt;

use super::error::{ParseError, malformed};
use super::limits;
use super::params::Params;
use super::scan::{ParamScan, closing_quote, quote, trim, unquote};
use super::uri::Uri;
use super::uri_ref::UriRef;

/// `name-addr` or `addr-spec` with parameters (RFC 3261 §20.10). Always printed with `<>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name, unquoted.
    pub display: Option<String>,
    /// The address.
    pub uri: Uri,
    /// Parameters of the header field, not of the URI.
    pub params: Params,
}

impl NameAddr {
    /// An address without display name and parameters.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self {
            display: None,
            uri,
            params: Params::new(),
        }
    }

    /// Reads one value.
    ///
    /// # Errors
    /// If the text is not an address, or is a list of several.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::parse_in(text, "address")
    }

    pub(super) fn parse_in(text: &str, part: &'static str) -> Result<Self, ParseError> {
        let address = NameAddrRef::parse(text, part)?;
        Ok(Self {
            display: display_name(address.display),
            uri: address.uri.into(),
            params: Params::parse_in(address.params, part)?,
        })
    }

    /// The `tag` parameter.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag")
    }

    /// The same address with this tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", Some(tag));
        self
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            f.write_str(&quote(display))?;
            f.write_str(" ")?;
        }
        f.write_str("<")?;
        self.uri.fmt(f)?;
        f.write_str(">")?;
        self.params.fmt(f)
    }
}

fn display_name(raw: &str) -> Option<String> {
    if raw.starts_with('"') {
        return Some(unquote(raw).into_owned());
    }
    (!raw.is_empty()).then(|| raw.to_owned())
}

/// A checked address on borrowed text.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameAddrRef<'a> {
    display: &'a str,
    pub(super) uri: UriRef<'a>,
    /// From the first `;` on.
    params: &'a str,
}

impl<'a> NameAddrRef<'a> {
    pub(super) fn parse(text: &'a str, part: &'static str) -> Result<Self, ParseError> {
        let text = trim(text);
        let (display, rest) = match text.as_bytes() {
            [b'<', ..] => ("", text),
            octets @ [b'"', ..] => {
                let end = closing_quote(octets).ok_or(malformed(part, "closing quote expected"))?;
                let (display, rest) = text.split_at_checked(end + 1).unwrap_or((text, ""));
                let rest = trim(rest);
                if !rest.starts_with('<') {
                    return Err(malformed(part, "'<' expected after the display name"));
                }
                (display, rest)
            }
            // In an addr-spec, which has no '<', ';' begins the header parameters.
            octets => match octets
                .iter()
                .position(|octet| matches!(octet, b'<' | b'"' | b';' | b','))
                .and_then(|at| text.split_at_checked(at))
            {
                Some((display, rest)) if rest.starts_with('<') => (trim(display), rest),
                _ => return Self::parse_addr_spec(text, part),
            },
        };
        let inner = rest.strip_prefix('<').unwrap_or(rest);
        let (uri, params) = UriRef::parse_bracketed(inner, part)?;
        Self::checked(display, uri, params, part)
    }

    /// Without `<>` a URI may hold no comma, question mark or semicolon (RFC 3261 §20).
    fn parse_addr_spec(text: &'a str, part: &'static str) -> Result<Self, ParseError> {
        let end = text
            .bytes()
            .position(|octet| octet == b';')
            .unwrap_or(text.len());
        let uri = trim(text.get(..end).unwrap_or(text));
        let params = text.get(end..).unwrap_or("");
        if uri.bytes().any(|octet| matches!(octet, b',' | b'?')) {
            return Err(malformed(part, "',' or '?' in an address without '<>'"));
        }
        Self::checked("", UriRef::parse(uri, part)?, params, part)
    }

    pub(super) fn tag(&self) -> Option<&'a str> {
        // Looked at already: whatever part they are of, there is no error.
        ParamScan::new(self.params, "address").value("tag")
    }

    /// Our answer adds a tag to To, and must be readable as well.
    pub(super) fn with_room_for_tag(&self) -> Result<(), ParseError> {
        // Each takes two octets.
        if self.params.len() / 2 < limits::PARAMS {
            return Ok(());
        }
        let names = || {
            ParamScan::new(self.params, "To")
                .filter_map(|param| Some(param.ok()?.name_in(self.params)))
        };
        let tagged = || names().any(|name| name.eq_ignore_ascii_case("tag"));
        if names().count() < limits::PARAMS || tagged() {
            return Ok(());
        }
        Err(ParseError::TooLong {
            part: "parameters",
            limit: limits::PARAMS,
        })
    }

    fn checked(
        display: &'a str,
        uri: UriRef<'a>,
        params: &'a str,
        part: &'static str,
    ) -> Result<Self, ParseError> {
        ParamScan::check(params, part)?;
        Ok(Self {
            display,
            uri,
            params,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> NameAddr {
        NameAddr::parse(text).unwrap()
    }

    #[test]
    fn the_forms_of_rfc_3261_are_read() {
        let a = address("\"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com> ; tag = 98asjd8");
        assert_eq!(a.display.as_deref(), Some("J Rosenberg \\\""));
        assert_eq!(a.tag(), Some("98asjd8"));
        let a = address("sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n");
        assert_eq!((a.display.as_deref(), a.tag()), (None, Some("1918181833n")));
        assert!(a.uri.params.is_empty());
        let a = address("caller<sip:caller@example.com;lr>;tag=323");
        assert_eq!(a.display.as_deref(), Some("caller"));
        assert!(a.uri.params.has("lr") && !a.params.has("lr"));
        let a = address("token1~` token2'+_ token3*%!.- <sip:m@h>;p=\"<;,>\";tag=_t~1'+`*%!-.");
        assert_eq!(a.display.as_deref(), Some("token1~` token2'+_ token3*%!.-"));
        assert_eq!(a.tag(), Some("_t~1'+`*%!-."));
        assert_eq!(
            address("<tel:+79140000000>").uri.user.as_deref(),
            Some("+79140000000")
        );
        assert_eq!(
            address("sip:a@h;p=\"<x>\"").params.value("p"),
            Some("\"<x>\"")
        );
    }

    #[test]
    fn unquoted_names_in_other_alphabets_are_read_and_printed_quoted() {
        let a = address("Горячая линия (1) <sip:1300@h>");
        assert_eq!(a.to_string(), "\"Горячая линия (1)\" <sip:1300@h>");
        assert_eq!(address(&a.to_string()), a);
        assert_eq!(address("\"\" <sip:a@h>").to_string(), "\"\" <sip:a@h>");
    }

    #[test]
    fn faulty_addresses_are_refused() {
        for text in [
            "",
            "<sip:a@h",
            "\"x <sip:a@h>",
            "\"x\" sip:a@h",
            "Bell, A <sip:a@h>",
            "< sip:a@h >",
            "<sip:a@h>;;",
            "<sip:a@h>;tag=",
            "<sip:a@h> x",
            "sip:a@h?x=y",
            "sip:a@h, sip:b@h",
            "<sip:a@h>, <sip:b@h>",
            "<>",
            "a\"b <sip:a@h>",
            "*",
        ] {
            assert!(NameAddr::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn with_tag_replaces_the_tag() {
        assert_eq!(
            address("<sip:a@h>;tag=1;x").with_tag("2").to_string(),
            "<sip:a@h>;tag=2;x"
        );
    }
}

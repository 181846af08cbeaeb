//! Owns the reading of URIs (RFC 3261 §25.1, RFC 3966) without keeping anything.

use super::error::{ParseError, malformed};
use super::host::HostRef;
use super::params::Params;
use super::scan::{ParamScan, cut, trim};
use super::uri::{Scheme, Uri};
use super::{escape, limits};

/// A checked URI on borrowed text: what `parse_datagram` uses where nothing is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct UriRef<'a> {
    scheme: &'a str,
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: HostRef<'a>,
    port: Option<u16>,
    params: &'a str,
    headers: Option<&'a str>,
}

impl<'a> UriRef<'a> {
    pub(super) fn parse(text: &'a str, part: &'static str) -> Result<Self, ParseError> {
        if printed_octets(text) > limits::URI_OCTETS {
            return Err(ParseError::TooLong {
                part: "URI octets",
                limit: limits::URI_OCTETS,
            });
        }
        // No early return, so that the compiler makes wide comparisons of it.
        let never = text.bytes().fold(false, |found, octet| {
            found | (octet <= b' ') | (octet == 0x7f) | (octet == b'<') | (octet == b'>')
        });
        if never {
            return Err(malformed(
                part,
                "space, control character or bracket in a URI",
            ));
        }
        let colon = text
            .bytes()
            .position(|octet| octet == b':')
            .ok_or(malformed(part, "scheme expected before ':'"))?;
        let (scheme, rest) = cut(text, colon);
        if scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips") {
            Self::parse_sip(scheme, rest, part)
        } else if scheme.eq_ignore_ascii_case("tel") {
            Self::parse_tel(scheme, rest, part)
        } else {
            Self::parse_other(scheme, rest, part)
        }
    }

    fn parse_sip(scheme: &'a str, rest: &'a str, part: &'static str) -> Result<Self, ParseError> {
        let at = rest.bytes().position(|octet| octet == b'@');
        let (userinfo, rest) = match at {
            Some(at) => {
                let (userinfo, rest) = cut(rest, at);
                (Some(userinfo), rest)
            }
            None => (None, rest),
        };
        let (user, password) = match userinfo {
            None => (None, None),
            Some(userinfo) => match userinfo.bytes().position(|octet| octet == b':') {
                Some(at) => {
                    let (user, password) = cut(userinfo, at);
                    (Some(user), Some(password))
                }
                None => (Some(userinfo), None),
            },
        };
        for text in user.iter().chain(password.iter()) {
            check_userinfo(text, part)?;
        }
        if user == Some("") {
            return Err(malformed(part, "user expected before '@'"));
        }
        let (rest, headers) = match rest.bytes().position(|octet| octet == b'?') {
            Some(at) => {
                let (rest, headers) = cut(rest, at);
                (rest, Some(headers))
            }
            None => (rest, None),
        };
        let (hostport, params) = split_params(rest);
        let (host, port) = HostRef::parse_with_port(hostport, part)?;
        check_params(params, part)?;
        if headers.is_some_and(|headers| headers.contains('"')) {
            return Err(malformed(part, "quote in the headers of a URI"));
        }
        Ok(Self {
            scheme,
            user,
            password,
            host,
            port,
            params,
            headers,
        })
    }

    fn parse_tel(scheme: &'a str, rest: &'a str, part: &'static str) -> Result<Self, ParseError> {
        let (number, params) = split_params(rest);
        if number.is_empty() {
            return Err(malformed(part, "number expected after 'tel:'"));
        }
        check_userinfo(number, part)?;
        check_params(params, part)?;
        Ok(Self {
            params,
            ..Self::opaque(scheme, number)
        })
    }

    fn parse_other(scheme: &'a str, rest: &'a str, part: &'static str) -> Result<Self, ParseError> {
        let named =
            |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.');
        let alphabetic = scheme
            .as_bytes()
            .first()
            .is_some_and(u8::is_ascii_alphabetic);
        if !alphabetic || !scheme.bytes().all(named) || rest.is_empty() || rest.contains('"') {
            return Err(malformed(part, "scheme and text expected"));
        }
        Ok(Self::opaque(scheme, rest))
    }

    const fn opaque(scheme: &'a str, user: &'a str) -> Self {
        Self {
            scheme,
            user: Some(user),
            password: None,
            host: HostRef::Name(""),
            port: None,
            params: "",
            headers: None,
        }
    }

    pub(super) const fn has_headers(&self) -> bool {
        self.headers.is_some()
    }
}

/// How long the URI may be at most once printed: what has to be escaped somewhere takes three octets.
fn printed_octets(text: &str) -> usize {
    let octets = text.len();
    if octets <= limits::URI_OCTETS / 3 {
        return octets;
    }
    let plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,@%".contains(octet);
    let escaped = text.bytes().filter(|octet| !plain(octet)).count();
    octets.saturating_add(escaped.saturating_mul(2))
}

fn split_params(text: &str) -> (&str, &str) {
    let at = text
        .bytes()
        .position(|octet| octet == b';')
        .unwrap_or(text.len());
    (text.get(..at).unwrap_or(text), text.get(at..).unwrap_or(""))
}

fn check_params(params: &str, part: &'static str) -> Result<(), ParseError> {
    if params.contains('"') {
        return Err(malformed(part, "quote in the parameters of a URI"));
    }
    ParamScan::new(params, part).try_for_each(|param| param.map(|_| ()))
}

fn check_userinfo(text: &str, part: &'static str) -> Result<(), ParseError> {
    if memchr::memchr(b'"', text.as_bytes()).is_some() {
        return Err(malformed(part, "quote in the user of a URI"));
    }
    if memchr::memchr(b'%', text.as_bytes()).is_some() && escape::decode(text).is_none() {
        return Err(malformed(
            part,
            "'%' without two hexadecimal digits, or not UTF-8",
        ));
    }
    Ok(())
}

impl From<UriRef<'_>> for Uri {
    fn from(uri: UriRef<'_>) -> Self {
        let scheme = if uri.scheme.eq_ignore_ascii_case("sip") {
            Scheme::Sip
        } else if uri.scheme.eq_ignore_ascii_case("sips") {
            Scheme::Sips
        } else if uri.scheme.eq_ignore_ascii_case("tel") {
            Scheme::Tel
        } else {
            Scheme::Other(uri.scheme.to_ascii_lowercase())
        };
        let decode = |text: &str| match scheme {
            Scheme::Other(_) => text.to_owned(),
            Scheme::Sip | Scheme::Sips | Scheme::Tel => {
                escape::decode(text).unwrap_or_else(|| text.to_owned())
            }
        };
        Self {
            user: uri.user.map(decode),
            password: uri.password.map(decode),
            host: uri.host.into(),
            port: uri.port,
            // Checked when the reference was made, so this cannot fail.
            params: Params::parse_in(trim(uri.params), "URI").unwrap_or_default(),
            headers: uri.headers.map(str::to_owned),
            scheme,
        }
    }
}

//! Owns the reading of URIs (RFC 3261 §25.1, RFC 3966) without keeping anything.

use super::error::{ParseError, malformed};
use super::host::HostRef;
use super::params::Params;
use super::scan::{ParamScan, cut, trim};
use super::uri::{Scheme, Uri};
use super::{escape, limits, octets};

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
        check_length(text)?;
        if octets::blank_or_angle(text.as_bytes()).is_some() {
            return Err(malformed(
                part,
                "space, control character or bracket in a URI",
            ));
        }
        Self::parse_graphic(text, part)
    }

    /// The URI that ends before `>`, and what follows that.
    pub(super) fn parse_bracketed(
        text: &'a str,
        part: &'static str,
    ) -> Result<(Self, &'a str), ParseError> {
        let octets = text.as_bytes();
        let graphic = octets::blank_or_angle(octets).unwrap_or(octets.len());
        if octets.get(graphic) == Some(&b'>') {
            let (uri, after) = cut(text, graphic);
            return Ok((Self::parse_graphic(uri, part)?, after));
        }
        let end =
            octets::find(b'>', octets).ok_or(malformed(part, "'>' expected after the address"))?;
        let (uri, after) = cut(text, end);
        Ok((Self::parse(uri, part)?, after))
    }

    /// `text`: without white space, control characters and angle brackets.
    fn parse_graphic(text: &'a str, part: &'static str) -> Result<Self, ParseError> {
        check_length(text)?;
        if let Some(rest) = text.strip_prefix("sip:") {
            return Self::parse_sip("sip", rest, part);
        }
        let colon = octets::find(b':', text.as_bytes())
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
        let (user, password, rest) = match octets::find(b'@', rest.as_bytes()) {
            Some(at) => {
                let (userinfo, rest) = cut(rest, at);
                let (user, password) = parse_userinfo(userinfo, part)?;
                (Some(user), password, rest)
            }
            None => (None, None, rest),
        };
        let (host, port, rest) = parse_hostport(rest, part)?;
        let (params, headers) = split_headers(rest, part)?;
        ParamScan::check(params, part)?;
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
        refuse_quote(params, part)?;
        ParamScan::check(params, part)?;
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
            host: HostRef::Named(""),
            port: None,
            params: "",
            headers: None,
        }
    }

    pub(super) const fn has_headers(&self) -> bool {
        self.headers.is_some()
    }
}

fn check_length(text: &str) -> Result<(), ParseError> {
    if printed_octets(text) > limits::URI_OCTETS {
        return Err(ParseError::TooLong {
            part: "URI octets",
            limit: limits::URI_OCTETS,
        });
    }
    Ok(())
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

/// Host and port up to the parameters, headers or end of a URI, and what follows them.
fn parse_hostport<'a>(
    text: &'a str,
    part: &'static str,
) -> Result<(HostRef<'a>, Option<u16>, &'a str), ParseError> {
    if let Some(found) = HostRef::leading(text)
        && matches!(found.2.as_bytes(), [] | [b';' | b'?', ..])
    {
        return Ok(found);
    }
    let end = octets::find2(*b";?", text.as_bytes()).unwrap_or(text.len());
    let (hostport, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let (host, port) = HostRef::parse_with_port(hostport, part)?;
    Ok((host, port, rest))
}

fn split_params(text: &str) -> (&str, &str) {
    let at = octets::find(b';', text.as_bytes()).unwrap_or(text.len());
    (text.get(..at).unwrap_or(text), text.get(at..).unwrap_or(""))
}

/// Parameters, which hold no quote, and headers.
fn split_headers<'a>(
    text: &'a str,
    part: &'static str,
) -> Result<(&'a str, Option<&'a str>), ParseError> {
    if octets::find2(*b"?\"", text.as_bytes()).is_none() {
        return Ok((text, None));
    }
    let (params, headers) = match text.split_once('?') {
        Some((params, headers)) => (params, Some(headers)),
        None => (text, None),
    };
    refuse_quote(params, part)?;
    Ok((params, headers))
}

/// `params`: of a URI.
fn refuse_quote(params: &str, part: &'static str) -> Result<(), ParseError> {
    if params.contains('"') {
        return Err(malformed(part, "quote in the parameters of a URI"));
    }
    Ok(())
}

/// User and password.
fn parse_userinfo<'a>(
    userinfo: &'a str,
    part: &'static str,
) -> Result<(&'a str, Option<&'a str>), ParseError> {
    let (user, password) = match octets::find3(*b":%\"", userinfo.as_bytes()) {
        // Nearly all users are digits or a name.
        None => (userinfo, None),
        Some(_) => {
            let (user, password) = match userinfo.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (userinfo, None),
            };
            check_userinfo(user, part)?;
            password.map_or(Ok(()), |text| check_userinfo(text, part))?;
            (user, password)
        }
    };
    if user.is_empty() {
        return Err(malformed(part, "user expected before '@'"));
    }
    Ok((user, password))
}

fn check_userinfo(text: &str, part: &'static str) -> Result<(), ParseError> {
    if text.contains('"') {
        return Err(malformed(part, "quote in the user of a URI"));
    }
    if text.contains('%') && escape::decode(text).is_none() {
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

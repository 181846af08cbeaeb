//! Owns a client's answer to a challenge. Refuses to decide whether to try again: the caller sees
//! a second 401 and stops.

use std::borrow::Cow;

use thiserror::Error;

use super::digest::{self, Algorithm, Inputs, Qop};
use super::params::DigestParams;
use crate::wire::{HeaderName, Message, quote};

/// Why no credentials could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AuthError {
    /// The response holds no Digest challenge that can be read.
    #[error("expected a Digest challenge in a 401 or 407, found none")]
    NoChallenge,
    /// The peer asks for algorithms or a quality of protection that we lack.
    #[error("the peer offers neither SHA-256 nor MD5 with qop=auth or without qop")]
    Unsupported,
    /// The message to be authorised is not a request.
    #[error("expected a request")]
    NotARequest,
}

/// Adds credentials to a request that was answered 401 or 407, in place of older ones for the same
/// realm. SHA-256 is preferred. `cnonce`: random; `nc`: 1 for the first use of the nonce. The
/// caller raises CSeq and takes a new branch (RFC 3261 §22.2).
///
/// # Errors
/// [`AuthError`]: nothing was added.
pub fn authorize(
    request: &mut Message,
    challenge_response: &Message,
    user: &str,
    password: &str,
    cnonce: &str,
    nc: u32,
) -> Result<(), AuthError> {
    let (asked, answer) = match challenge_response.status() {
        Some(401) => (HeaderName::WwwAuthenticate, HeaderName::Authorization),
        Some(407) => (
            HeaderName::ProxyAuthenticate,
            HeaderName::ProxyAuthorization,
        ),
        Some(_) | None => return Err(AuthError::NoChallenge),
    };
    let challenges: Vec<DigestParams<'_>> = challenge_response
        .headers
        .all(&asked)
        .filter_map(|value| DigestParams::parse(value).ok())
        .filter(|params| params.raw("nonce").is_some() && params.raw("realm").is_some())
        .collect();
    if challenges.is_empty() {
        return Err(AuthError::NoChallenge);
    }
    let (algorithm, challenge) = choose(&challenges).ok_or(AuthError::Unsupported)?;
    let (Some(uri), Some(method)) = (request.request_uri(), request.method()) else {
        return Err(AuthError::NotARequest);
    };
    let uri = uri.to_string();
    let realm = challenge.text("realm").unwrap_or_default();
    let nonce = challenge.raw("nonce").unwrap_or("");
    let nc = format!("{nc:08x}");
    let qop = challenge.raw("qop").map(|_| Qop { cnonce, nc: &nc });
    let secret = digest::secret(algorithm, user, &realm, password);
    let inputs = Inputs {
        method: method.as_str(),
        uri: &uri,
        nonce,
        qop,
    };
    let response = digest::response(algorithm, secret.as_str(), inputs);
    let mut value = format!(
        "Digest username={}, realm={}, nonce=\"{nonce}\", uri=\"{uri}\", response=\"{}\", algorithm={}",
        quote(user),
        quote(&realm),
        response.as_str(),
        algorithm.as_str(),
    );
    if qop.is_some() {
        // nc and qop bare, cnonce quoted: RFC 7616 §3.4.
        value.push_str(&format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\""));
    }
    if let Some(opaque) = challenge.raw("opaque") {
        value.push_str(&format!(", opaque=\"{opaque}\""));
    }
    replace(request, answer, &realm, value);
    Ok(())
}

/// The realm of a challenge: one value of WWW-Authenticate or Proxy-Authenticate. A client looks at
/// it before it decides to whom its password may go.
#[must_use]
pub fn challenge_realm(value: &str) -> Option<String> {
    let params = DigestParams::parse(value).ok()?;
    params.text("realm").map(Cow::into_owned)
}

/// The nonces of a challenge, one for each of its algorithms.
pub fn nonces(challenge_response: &Message) -> impl Iterator<Item = String> {
    [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate]
        .into_iter()
        .flat_map(|name| {
            let values = challenge_response.headers.all(&name);
            let nonce = |value| {
                let params = DigestParams::parse(value).ok()?;
                params.raw("nonce").map(str::to_owned)
            };
            values.filter_map(nonce).collect::<Vec<String>>()
        })
}

/// Whether a challenge says that the credentials were good but for the age of the nonce (RFC 7616
/// §3.3): then the same password is worth a second attempt.
#[must_use]
pub fn is_stale(challenge_response: &Message) -> bool {
    let names = [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate];
    names.iter().any(|name| {
        let mut challenges = challenge_response.headers.all(name);
        challenges.any(|value| {
            let params = DigestParams::parse(value).ok();
            let stale = params.and_then(|params| params.raw("stale"));
            stale.is_some_and(|stale| stale.eq_ignore_ascii_case("true"))
        })
    })
}

/// The best challenge that we can meet.
fn choose<'a, 'b>(challenges: &'b [DigestParams<'a>]) -> Option<(Algorithm, &'b DigestParams<'a>)> {
    let usable = |wanted: Algorithm| {
        challenges.iter().find(move |params| {
            let algorithm = params.raw("algorithm").unwrap_or("MD5");
            let auth = params.raw("qop").is_none_or(|qop| {
                qop.split(',')
                    .any(|option| option.trim().eq_ignore_ascii_case("auth"))
            });
            Algorithm::parse(algorithm) == Some(wanted) && auth
        })
    };
    [Algorithm::Sha256, Algorithm::Md5]
        .into_iter()
        .find_map(|wanted| Some((wanted, usable(wanted)?)))
}

/// Credentials for other realms on the way stay (RFC 3261 §22.3).
fn replace(request: &mut Message, name: HeaderName, realm: &str, value: String) {
    let others: Vec<String> = request
        .headers
        .all(&name)
        .filter(|old| {
            DigestParams::parse(old).is_ok_and(|p| p.text("realm").as_deref() != Some(realm))
        })
        .map(str::to_owned)
        .collect();
    request.headers.remove(&name);
    for other in others {
        request.headers.push(name.clone(), other);
    }
    request.headers.push(name, value);
}

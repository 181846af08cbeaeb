//! Owns digest authentication (RFC 8760; RFC 7616, RFC 2617): challenges, their check, and for a
//! client the credentials. Refuses to know users: their secrets are looked up by the caller.
//!
//! Nonces are stateless: time, a running number, and a keyed hash of both and the source address.
//! So a stranger costs no memory. What is kept is which nonces came with the right password, and
//! with which `nc` (`replay`): credentials are taken once.

mod client;
mod digest;
mod lockout;
mod params;
mod replay;

use core::net::IpAddr;
use core::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use vocab::Time;

use crate::wire::{HeaderName, Message, Uri, quote};

pub use client::{AuthError, authorize, challenge_realm, is_stale, nonces};
pub use digest::{Algorithm, Secrets};
pub use lockout::{Attempt, Lockout, LockoutSettings, Ruling};

use digest::{Hex, Inputs, Qop};
use params::{DigestParams, Unusable};
use replay::{NonceId, Replays};

/// Sets of credentials of our realm that are tried: one per algorithm and one to spare. Each costs
/// three hashes.
const ATTEMPTS_MAX: usize = 3;
/// Digits of a nonce: 8 octets of time, 4 of running number, 16 octets of hash.
const NONCE_TIME_DIGITS: usize = 16;
const NONCE_SERIAL_DIGITS: usize = 8;
const NONCE_HASH_OCTETS: usize = 16;

/// What the credentials of a request are worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// They are right.
    Accepted {
        /// Under this name the secrets were found.
        user: String,
    },
    /// There are none for our realm: answer 401 with a challenge.
    Missing,
    /// The nonce is too old, not for this address, or was used with this `nc` before: answer 401
    /// with `stale=true`, so that the telephone does not ask for the password again. The password
    /// was not looked at, so that nobody learns anything about it with nonces that are not counted.
    Stale,
    /// Unknown user or wrong password: answer 403.
    Refused {
        /// As it came.
        user: String,
    },
    /// They cannot be read: answer 400 with this reason.
    Malformed(&'static str),
}

/// Checks the credentials of peers.
#[derive(Clone)]
pub struct Authenticator {
    realm: String,
    /// Keyed: makes nonces.
    mac: Option<Hmac<Sha256>>,
    nonce_lifetime: Duration,
    algorithms: Vec<Algorithm>,
    serial: u32,
    replays: Replays,
}

impl core::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The key makes nonces; it is kept out of logs.
        f.debug_struct("Authenticator")
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

impl Authenticator {
    /// For a realm. `key` must be random and new for each process, since [`Time`] begins anew
    /// with each. Nonces live 300 s; SHA-256 is offered before MD5.
    #[must_use]
    pub fn new(realm: &str, key: [u8; 32]) -> Self {
        Self {
            realm: realm.to_owned(),
            // An HMAC takes keys of any length; without one there would be nonces that never fit.
            mac: Hmac::new_from_slice(&key).ok(),
            nonce_lifetime: Duration::from_secs(300),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            serial: 0,
            replays: Replays::new(),
        }
    }

    /// The same with another life of nonces.
    #[must_use]
    pub const fn with_nonce_lifetime(mut self, lifetime: Duration) -> Self {
        self.nonce_lifetime = lifetime;
        self
    }

    /// The same with these algorithms, offered in this order. Others are not accepted.
    #[must_use]
    pub fn with_algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// The realm of challenges.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Judges the Authorization and Proxy-Authorization fields of our realm. `source`: the address
    /// the request came from. `secrets` is asked for the user as it came and, where that holds an
    /// `@`, also for the part before it. Credentials that are accepted are used up.
    pub fn check<'a>(
        &mut self,
        now: Time,
        source: IpAddr,
        request: &'a Message,
        secrets: impl Fn(&str) -> Option<Secrets> + 'a,
    ) -> Verdict {
        let (ours, proxy) = (HeaderName::Authorization, HeaderName::ProxyAuthorization);
        let fields = request
            .headers
            .all(&ours)
            .chain(request.headers.all(&proxy));
        let mut best = Verdict::Missing;
        let mut attempts = 0;
        for field in fields {
            let verdict = match DigestParams::parse(field) {
                Err(Unusable::OtherScheme) => continue,
                Err(Unusable::Broken) => Verdict::Malformed("Digest credentials are broken"),
                Ok(params) if params.text("realm").as_deref() != Some(self.realm.as_str()) => {
                    continue;
                }
                Ok(params) => self.judge(now, source, request, &params, &secrets),
            };
            attempts += 1;
            if rank(&verdict) > rank(&best) {
                best = verdict;
            }
            if attempts == ATTEMPTS_MAX || matches!(best, Verdict::Accepted { .. }) {
                break;
            }
        }
        best
    }

    /// Adds a challenge per algorithm, the preferred one first (RFC 8760 §2.3): WWW-Authenticate, or
    /// Proxy-Authenticate if the response is a 407.
    pub fn challenge(&mut self, now: Time, source: IpAddr, stale: bool, response: &mut Message) {
        let name = match response.status() {
            Some(407) => HeaderName::ProxyAuthenticate,
            Some(_) | None => HeaderName::WwwAuthenticate,
        };
        let nonce = self.nonce(now, source);
        let realm = quote(&self.realm);
        let stale = if stale { ", stale=true" } else { "" };
        for algorithm in &self.algorithms {
            let algorithm = algorithm.as_str();
            let value = format!(
                "Digest realm={realm}, nonce=\"{nonce}\", algorithm={algorithm}, qop=\"auth\"{stale}"
            );
            response.headers.push(name.clone(), value);
        }
    }

    fn judge(
        &mut self,
        now: Time,
        source: IpAddr,
        request: &Message,
        params: &DigestParams<'_>,
        secrets: impl Fn(&str) -> Option<Secrets>,
    ) -> Verdict {
        let (Some(user), Some(nonce), Some(uri), Some(given)) = (
            params.text("username"),
            params.raw("nonce"),
            params.raw("uri"),
            params.raw("response"),
        ) else {
            return Verdict::Malformed("Digest credentials lack a parameter");
        };
        let algorithm = match params.raw("algorithm") {
            None => Algorithm::Md5, // RFC 2617 §3.2.1
            Some(text) => match Algorithm::parse(text) {
                Some(algorithm) => algorithm,
                None => return Verdict::Malformed("Digest algorithm was not offered"),
            },
        };
        if !self.algorithms.contains(&algorithm) {
            return Verdict::Missing; // The challenge says what is wanted instead.
        }
        let qop = match qop(params) {
            Ok(qop) => qop,
            Err(why) => return Verdict::Malformed(why),
        };
        if !request
            .request_uri()
            .is_some_and(|target| fits(uri, target))
        {
            return Verdict::Malformed("Digest uri is not the Request-URI");
        }
        let Some(id) = self.fresh(now, source, nonce) else {
            return Verdict::Stale;
        };
        let method = request.method().map_or("", |method| method.as_str());
        let (found, known) = look_up(&user, secrets);
        let inputs = Inputs {
            method,
            uri,
            nonce,
            qop,
        };
        let right = digest::response(algorithm, known.of(algorithm), inputs).equals(given);
        match (right, found) {
            (true, Some(user)) if self.is_first_use(now, id, qop) => Verdict::Accepted { user },
            (true, Some(_)) => Verdict::Stale,
            (false, _) | (true, None) => Verdict::Refused {
                user: user.into_owned(),
            },
        }
    }

    /// Without qop there is no count: then a nonce is good for one request.
    fn is_first_use(&mut self, now: Time, nonce: NonceId, qop: Option<Qop<'_>>) -> bool {
        let count = qop.map_or(Ok(1), |qop| u32::from_str_radix(qop.nc, 16));
        let lifetime = u64::try_from(self.nonce_lifetime.as_micros()).unwrap_or(u64::MAX);
        let oldest = now.as_micros().saturating_sub(lifetime);
        count.is_ok_and(|count| self.replays.take(nonce, count, oldest))
    }

    /// `TTTTTTTTTTTTTTTT` microseconds, `SSSSSSSS` running number, then the hash, all hexadecimal.
    fn nonce(&mut self, now: Time, source: IpAddr) -> String {
        self.serial = self.serial.wrapping_add(1);
        let id = NonceId {
            made: now.as_micros(),
            serial: self.serial,
        };
        let NonceId { made, serial } = id;
        format!(
            "{made:016x}{serial:08x}{}",
            self.nonce_hash(id, source).as_str()
        )
    }

    fn nonce_hash(&self, id: NonceId, source: IpAddr) -> Hex {
        let Some(mut mac) = self.mac.clone() else {
            return Hex::of(&[]);
        };
        mac.update(&id.made.to_be_bytes());
        mac.update(&id.serial.to_be_bytes());
        match source.to_canonical() {
            IpAddr::V4(v4) => mac.update(&v4.octets()),
            IpAddr::V6(v6) => mac.update(&v6.octets()),
        }
        let whole = mac.finalize().into_bytes();
        Hex::of(whole.get(..NONCE_HASH_OCTETS).unwrap_or(&[]))
    }

    /// The nonce, if we made it for this address and it lives.
    fn fresh(&self, now: Time, source: IpAddr, nonce: &str) -> Option<NonceId> {
        let (made, rest) = nonce.split_at_checked(NONCE_TIME_DIGITS)?;
        let (serial, hash) = rest.split_at_checked(NONCE_SERIAL_DIGITS)?;
        let id = NonceId {
            made: u64::from_str_radix(made, 16).ok()?,
            serial: u32::from_str_radix(serial, 16).ok()?,
        };
        let ours = self.nonce_hash(id, source).equals(hash);
        let made = Time::from_micros(id.made);
        let lives = made <= now && now.since(made) <= self.nonce_lifetime;
        (ours && lives).then_some(id)
    }
}

/// Which verdict counts when there are several sets of credentials.
const fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Accepted { .. } => 4,
        Verdict::Stale => 3,
        Verdict::Refused { .. } => 2,
        Verdict::Malformed(_) => 1,
        Verdict::Missing => 0,
    }
}

/// The secrets of a user and the name under which they are; for an unknown user none that fit any
/// password, so that the same work is done for both.
fn look_up(user: &str, secrets: impl Fn(&str) -> Option<Secrets>) -> (Option<String>, Secrets) {
    let whole = secrets(user).map(|found| (user.to_owned(), found));
    // Telephones may be set to `1001@example.com` as authentication name. Both are looked up
    // whatever the first gave.
    let part = user
        .split_once('@')
        .and_then(|(name, _)| secrets(name).map(|found| (name.to_owned(), found)));
    match whole.or(part) {
        Some((name, found)) => (Some(name), found),
        None => (
            None,
            Secrets {
                sha256: "0".repeat(64),
                md5: "0".repeat(32),
            },
        ),
    }
}

fn qop<'a>(params: &DigestParams<'a>) -> Result<Option<Qop<'a>>, &'static str> {
    match params.raw("qop") {
        None => Ok(None),
        Some(qop) if qop.eq_ignore_ascii_case("auth") => {
            let cnonce = params.raw("cnonce").filter(|cnonce| !cnonce.is_empty());
            let (Some(cnonce), Some(nc)) = (cnonce, params.raw("nc")) else {
                return Err("Digest with qop needs cnonce and nc");
            };
            // "The nc value is the hexadecimal count": eight digits.
            if nc.len() != 8 || !nc.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err("Digest nc is not eight hexadecimal digits");
            }
            Ok(Some(Qop { cnonce, nc }))
        }
        Some(_) => Err("Digest qop was not offered"),
    }
}

/// Whether credentials made for `uri` serve a request to `target` (RFC 7616 §3.4.6). Telephones
/// put the URI of their account there, with or without port and parameters, and proxies rewrite
/// the host; so only the user parts must agree where both have one. Anything else is covered by the
/// nonce, which is ours.
fn fits(uri: &str, target: &Uri) -> bool {
    let Ok(claimed) = Uri::parse(uri) else {
        return false;
    };
    match (&claimed.user, &target.user) {
        (Some(claimed), Some(target)) => claimed.eq_ignore_ascii_case(target),
        (None, _) | (_, None) => true,
    }
}

#[cfg(test)]
mod tests;

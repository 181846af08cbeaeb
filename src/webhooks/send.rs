//! Owns the sending of one letter: signed, by HTTP, and what the answer means.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use vocab::{Event, WallTime};

use super::Receiver;
use super::message::{self, Privacy};

/// What we say we are.
const NAME: &str = concat!("hotline/", env!("CARGO_PKG_VERSION"));

/// A letter was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotTaken {
    /// Why, in words; nothing of the letter or of the URL is in them.
    pub(super) problem: String,
    /// Whether the server is away, rather than unwilling.
    pub(super) away: bool,
}

/// Sends a letter; takes as long as the server does, up to the webhook's time-out.
pub(super) fn send(to: &Receiver, event: &Event, now: WallTime) -> Result<(), NotTaken> {
    let privacy = if to.webhook.personal {
        Privacy::Whole
    } else {
        Privacy::Masked
    };
    // One that has no topic any more has nothing to tell.
    let Some((topic, body)) = message::letter(event, privacy) else {
        return Ok(());
    };
    let body = body.to_string();
    let seconds = now.as_unix_millis().div_euclid(1_000);
    let answer = ureq::post(&*to.url)
        .config()
        .timeout_global(Some(to.webhook.timeout))
        // The letter is for this server and no other.
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(NAME)
        .build()
        .header("Content-Type", "application/json")
        .header("Hotline-Event", topic.as_str())
        .header("Hotline-Event-Id", event.id.to_string())
        .header("Hotline-Signature", signature(&to.secret, seconds, &body))
        .send(&body);
    match answer {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(NotTaken {
            problem: format!("the server answered {}", answer.status().as_u16()),
            away: answer.status().is_server_error() || answer.status().as_u16() == 429,
        }),
        Err(error) => Err(NotTaken {
            problem: reason(&error),
            away: true,
        }),
    }
}

/// What went wrong on the way, without the URL, which may have a secret in it.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "the server's name is not known".to_owned(),
        ureq::Error::ConnectionFailed => "the server cannot be reached".to_owned(),
        ureq::Error::Io(error) => format!("the server cannot be reached: {}", error.kind()),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => "TLS with the server failed".to_owned(),
        _ => "the request failed".to_owned(),
    }
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA256 of `SECONDS.BODY`. With the moment in it a letter that was caught
/// cannot be played again later.
fn signature(secret: &str, seconds: i64, body: &str) -> String {
    let mut text = format!("t={seconds},v1=");
    // HMAC takes a key of any length (RFC 2104 section 3), so this is never an error.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        mac.update(format!("{seconds}.{body}").as_bytes());
        text.push_str(&crate::hex::hex(&mac.finalize().into_bytes()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python: hmac.new(b"s3cret", b'1795340000.{"id":1}', hashlib.sha256).hexdigest()
    #[test]
    fn the_signature_is_that_of_another_implementation() {
        assert_eq!(
            signature("s3cret", 1_795_340_000, "{\"id\":1}"),
            "t=1795340000,v1=c9136f8fdc262d45f9a204c6133babd01f48e3a0929edc7b50ad74602cb6b6c3"
        );
    }
}

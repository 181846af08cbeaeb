//! Owns telephone keys in the body of an INFO: `application/dtmf-relay` (Cisco's) and
//! `application/dtmf`. Both are older than RFC 6086 and come without an Info-Package.

use core::time::Duration;

use crate::wire::{HeaderName, Message};

/// The kind of body in which we tell of keys: the older of the two, which more take.
const RELAY: &str = "application/dtmf-relay";

/// What an INFO holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// A key: `0`-`9`, `*`, `#`, `A`-`D`.
    Key(char),
    /// A body of a known kind without a key of ours (a hook flash): taken and left alone.
    NoKey,
    /// No body: a sign of life.
    Empty,
    /// An Info-Package, of which we take none: 469 with an empty Recv-Info (RFC 6086 §4.2.2).
    Package,
    /// A body of another kind: 415.
    Unknown,
}

/// Puts a key that was pressed for so long into an INFO.
#[must_use]
pub fn info_of_key(info: Message, key: char, pressed: Duration) -> Message {
    let ms = pressed.as_millis();
    let body = format!("Signal={key}\r\nDuration={ms}\r\n");
    info.with_body(RELAY, body.into_bytes())
}

/// Reads an INFO.
#[must_use]
pub fn keys_of_info(info: &Message) -> Keys {
    let package = HeaderName::parse("Info-Package");
    if info.headers.first(&package).is_some() {
        return Keys::Package;
    }
    if info.body.is_empty() {
        return Keys::Empty;
    }
    let body = core::str::from_utf8(&info.body).unwrap_or_default();
    let text = match info.content_type().as_deref() {
        Some(RELAY) => body
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("signal"))
            .map_or("", |(_, value)| value),
        // Some write "Signal=5" here, too.
        Some("application/dtmf") => body
            .lines()
            .next()
            .map_or("", |line| line.rsplit('=').next().unwrap_or_default()),
        _ => return Keys::Unknown,
    };
    key(text.trim()).map_or(Keys::NoKey, Keys::Key)
}

/// A key as it is written: itself, or the number of its event (RFC 4733 §3.2).
fn key(text: &str) -> Option<char> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(key), None) => {
            let key = key.to_ascii_uppercase();
            matches!(key, '0'..='9' | '*' | '#' | 'A'..='D').then_some(key)
        }
        (Some(_), Some(_)) => match text {
            "10" => Some('*'),
            "11" => Some('#'),
            "12" => Some('A'),
            "13" => Some('B'),
            "14" => Some('C'),
            "15" => Some('D'),
            _ => None,
        },
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Method, Uri};

    fn info(kind: &str, body: &str) -> Keys {
        let info = Message::request(Method::Info, Uri::parse("sip:a@192.0.2.1").unwrap());
        keys_of_info(&info.with_body(kind, body.into()))
    }

    #[test]
    fn both_kinds_give_the_key() {
        for (body, key) in [
            ("Signal=5\r\nDuration=160\r\n", '5'),
            ("Signal= #\nDuration= 100", '#'),
            ("Duration=160\r\nsignal=d", 'D'),
            ("Signal=10", '*'),
        ] {
            assert_eq!(
                info("application/dtmf-relay", body),
                Keys::Key(key),
                "{body:?}"
            );
        }
        for (body, key) in [
            ("5", '5'),
            (" * \r\n", '*'),
            ("11", '#'),
            ("Signal=7\r\n", '7'),
        ] {
            assert_eq!(
                info("Application/DTMF; x=1", body),
                Keys::Key(key),
                "{body:?}"
            );
        }
    }

    #[test]
    fn a_key_that_we_tell_of_is_read_as_that_key() {
        for key in "0123456789*#ABCD".chars() {
            let info = Message::request(Method::Info, Uri::parse("sip:a@192.0.2.1").unwrap());
            let info = info_of_key(info, key, Duration::from_millis(100));
            assert_eq!(keys_of_info(&info), Keys::Key(key));
            let body = format!("Signal={key}\r\nDuration=100\r\n");
            assert_eq!(info.body, body.as_bytes());
        }
    }

    #[test]
    fn what_is_no_key_is_told_from_what_is_not_known() {
        for body in [
            "Signal=16",
            "Signal=",
            "Duration=5",
            "Signal=55",
            "\u{ff}",
            "Signal",
        ] {
            assert_eq!(
                info("application/dtmf-relay", body),
                Keys::NoKey,
                "{body:?}"
            );
        }
        assert_eq!(info("application/x", "5"), Keys::Unknown);
        assert_eq!(info("application/dtmf", ""), Keys::Empty);
        let mut packaged = Message::request(Method::Info, Uri::parse("sip:a@192.0.2.1").unwrap());
        packaged
            .headers
            .push(HeaderName::parse("Info-Package"), "foo");
        assert_eq!(keys_of_info(&packaged), Keys::Package);
    }
}

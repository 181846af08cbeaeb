//! Owns the kinds of values a setting may have, and how each is read from TOML.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::kinds::{Codec, Digest};
use super::trunks::{CallerPlace, DidPlace, SipServer};
use switch::Network;

/// A value that is not what was expected.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where in the file, in bytes.
    pub(super) span: Range<usize>,
    /// What was expected and what was found.
    pub(super) message: String,
}

/// A kind of value.
pub(super) trait Value: Sized {
    /// What is expected, in words, to follow "expected".
    const EXPECTED: &'static str;
    /// What `None` or another absent value is, if the kind has one.
    fn absent() -> Option<Self> {
        None
    }
    /// Reads it, or tells what is wrong. Relative paths start at `base`.
    fn read(value: &Spanned<DeValue<'_>>, base: &Path, faults: &mut Vec<Fault>) -> Option<Self>;
}

/// What was found, in words.
fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {text:?}"),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(flag) => format!("{flag}"),
        DeValue::Datetime(time) => format!("the time {time}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// Notes that a value is not of the kind `T`.
pub(super) fn mismatch<T: Value>(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Fault>) {
    faults.push(Fault {
        span: value.span(),
        message: format!("expected {}, found {}", T::EXPECTED, found(value.get_ref())),
    });
}

/// Reads a kind that is written as text.
pub(super) fn text<T: Value>(
    value: &Spanned<DeValue<'_>>,
    faults: &mut Vec<Fault>,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let read = value.get_ref().as_str().and_then(parse);
    if read.is_none() {
        mismatch::<T>(value, faults);
    }
    read
}

impl Value for String {
    const EXPECTED: &'static str = "text";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        let read = text(value, faults, |text| Some(text.to_owned()))?;
        if read.trim().is_empty() {
            faults.push(Fault {
                span: value.span(),
                message: format!("expected text that is not empty, found {read:?}"),
            });
            return None;
        }
        Some(read)
    }
}

impl Value for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        let read = value.get_ref().as_bool();
        if read.is_none() {
            mismatch::<Self>(value, faults);
        }
        read
    }
}

impl Value for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn read(value: &Spanned<DeValue<'_>>, base: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, |text| {
            (!text.trim().is_empty()).then(|| base.join(text))
        })
    }
}

impl Value for SocketAddr {
    const EXPECTED: &'static str =
        "an address with a port, such as \"192.0.2.1:5060\" or \"[2001:db8::1]:5060\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, |text| text.parse().ok())
    }
}

impl Value for IpAddr {
    const EXPECTED: &'static str = "an address, such as \"192.0.2.1\" or \"2001:db8::1\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, |text| text.parse().ok())
    }
}

/// Reads the whole numbers.
macro_rules! whole_number {
    ($($type:ty),+) => {$(
        impl Value for $type {
            const EXPECTED: &'static str = "a whole number";

            fn read(
                value: &Spanned<DeValue<'_>>,
                _: &Path,
                faults: &mut Vec<Fault>,
            ) -> Option<Self> {
                let read = value
                    .get_ref()
                    .as_integer()
                    .and_then(|n| <$type>::from_str_radix(n.as_str(), n.radix()).ok());
                if read.is_none() {
                    mismatch::<Self>(value, faults);
                }
                read
            }
        }
    )+};
}
whole_number!(u16, u32, usize);

impl Value for Duration {
    const EXPECTED: &'static str = "a duration, such as \"500ms\", \"20s\", \"5 min\" or \"1h\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, duration)
    }
}

/// A duration: whole numbers with units, added up: `1h 30 min`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut sum_ms: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let after = after.trim_start();
        let end = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        let unit_ms: u64 = match unit {
            "ms" => 1,
            "s" | "sec" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        sum_ms = sum_ms.checked_add(number.parse::<u64>().ok()?.checked_mul(unit_ms)?)?;
        rest = after.trim_start();
    }
    Some(Duration::from_millis(sum_ms))
}

impl<T: Value> Value for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn read(value: &Spanned<DeValue<'_>>, base: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        T::read(value, base, faults).map(Some)
    }
}

/// A kind of value that may be listed.
pub(super) trait Listed: Value {
    /// What a list of them is called.
    const LIST: &'static str;
}

impl Listed for String {
    const LIST: &'static str = "a list of texts";
}
impl Listed for IpAddr {
    const LIST: &'static str = "a list of addresses, such as [\"192.0.2.1\", \"2001:db8::1\"]";
}
impl Listed for SocketAddr {
    const LIST: &'static str = "a list of addresses with ports, such as [\"192.0.2.1:5060\"]";
}
impl Listed for Network {
    const LIST: &'static str =
        "a list of addresses or subnets, such as [\"192.0.2.1\", \"198.51.100.0/24\"]";
}
impl Listed for Codec {
    const LIST: &'static str =
        "a list of codecs: \"pcma\" (A-law), \"pcmu\" (µ-law), \"g722\", \"opus\"";
}

impl Listed for Digest {
    const LIST: &'static str = "a list of digest algorithms: \"sha-256\", \"md5\"";
}

impl Listed for SipServer {
    const LIST: &'static str =
        "a list of servers, such as [\"sip.example.com\", \"192.0.2.1:5060\"]";
}

impl Listed for DidPlace {
    const LIST: &'static str = "a list of places: \"request-uri\", \"to\", \"diversion\", \
        \"history-info\", \"p-called-party-id\", or a header such as \"x-did\"";
}

impl Listed for CallerPlace {
    const LIST: &'static str =
        "a list of headers: \"p-asserted-identity\", \"remote-party-id\", \"from\"";
}

impl<T: Listed> Value for Vec<T> {
    const EXPECTED: &'static str = T::LIST;

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn read(value: &Spanned<DeValue<'_>>, base: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        let Some(array) = value.get_ref().as_array() else {
            mismatch::<Self>(value, faults);
            return None;
        };
        // Every element is read, so that every mistake is listed.
        let read: Vec<_> = array
            .iter()
            .map(|element| T::read(element, base, faults))
            .collect();
        read.into_iter().collect()
    }
}

impl Value for BTreeMap<String, String> {
    const EXPECTED: &'static str = "a table of texts, such as { ru = \"ru\", en = \"en-gb\" }";

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn read(value: &Spanned<DeValue<'_>>, base: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        let Some(table) = value.get_ref().as_table() else {
            mismatch::<Self>(value, faults);
            return None;
        };
        let read: Vec<_> = table
            .iter()
            .map(|(key, text)| Some((key.get_ref().to_string(), String::read(text, base, faults)?)))
            .collect();
        read.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_sums_of_numbers_with_units() {
        let cases = [
            ("500ms", 500),
            ("20s", 20_000),
            ("5 min", 300_000),
            ("1h", 3_600_000),
            ("1h 30 min", 5_400_000),
            ("0s", 0),
        ];
        for (text, ms) in cases {
            assert_eq!(duration(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for bad in [
            "",
            "20",
            "s",
            "-1s",
            "1.5s",
            "5 minutes!",
            "99999999999999999999h",
            "1 год",
        ] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}

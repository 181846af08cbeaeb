//! Owns the identifiers. An id says what it names and nothing else.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an id of the form 1a2b3c4d-00000001 (two groups of eight hex digits)")
    }
}

impl core::error::Error for ParseIdError {}

/// Ids that are unique over restarts: the boot they were made in, and a counter within it.
///
/// `boot` is the number of seconds from 2020-01-01T00:00:00Z to the start of the process, so
/// that ids sort by time and fit a signed 64-bit SQL column until 2088.
macro_rules! boot_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// The id numbered `counter` of the boot `boot` (seconds since 2020-01-01T00:00:00Z).
            #[must_use]
            pub const fn new(boot: u32, counter: u32) -> Self {
                Self(((boot as u64 & 0x7fff_ffff) << 32) | counter as u64)
            }

            /// The id as a number that fits a signed 64-bit column.
            #[must_use]
            pub const fn as_i64(self) -> i64 {
                self.0 as i64
            }

            /// The id back from [`Self::as_i64`].
            #[must_use]
            pub const fn from_i64(raw: i64) -> Self {
                Self(raw as u64 & 0x7fff_ffff_ffff_ffff)
            }

            /// The id as a number.
            #[must_use]
            pub const fn as_u64(self) -> u64 {
                self.0
            }

            /// The boot the id was made in, seconds since 2020-01-01T00:00:00Z.
            #[must_use]
            pub const fn boot(self) -> u32 {
                (self.0 >> 32) as u32
            }

            /// The number of the id within its boot.
            #[must_use]
            pub const fn counter(self) -> u32 {
                self.0 as u32
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Digits::of(self.0).with_text(|text| f.write_str(text))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let (boot, counter) = numbers(text).ok_or(ParseIdError)?;
                Ok(Self::new(boot, counter))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                Digits::of(self.0).with_text(|text| to.serialize_str(text))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_str(IdText).map(|(boot, counter)| Self::new(boot, counter))
            }
        }
    };
}

/// An id as text. Every event carries several, so they are written without the machinery of formats.
struct Digits([u8; 17]);

impl Digits {
    fn of(id: u64) -> Self {
        let mut text = [b'-'; 17];
        let (boot, counter) = text.split_at_mut(8);
        let mut rest = id;
        for place in counter
            .iter_mut()
            .skip(1)
            .rev()
            .chain(boot.iter_mut().rev())
        {
            *place = match (rest & 0xf) as u8 {
                digit @ 0..=9 => b'0' + digit,
                digit => b'a' + digit - 10,
            };
            rest >>= 4;
        }
        Self(text)
    }

    fn with_text<T>(&self, then: impl FnOnce(&str) -> T) -> T {
        then(core::str::from_utf8(&self.0).unwrap_or_default())
    }
}

/// Boot and counter of an id's text.
fn numbers(text: &str) -> Option<(u32, u32)> {
    let (boot, counter) = text.split_at_checked(8)?;
    let counter = counter
        .strip_prefix('-')
        .filter(|digits| digits.len() == 8)?;
    Some((number(boot)?, number(counter)?))
}

/// Of hex digits alone; a sign is none.
fn number(digits: &str) -> Option<u32> {
    digits
        .chars()
        .try_fold(0, |number, digit| Some(number << 4 | digit.to_digit(16)?))
}

/// Reads an id where the text stands, without a copy of it.
struct IdText;

impl serde::de::Visitor<'_> for IdText {
    type Value = (u32, u32);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text of an id")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        numbers(text).ok_or_else(|| E::custom(ParseIdError))
    }
}

boot_id! {
    /// A call: the whole conversation from the trunk's INVITE to the last BYE.
    CallId
}
boot_id! {
    /// One fact in the journal. Ids of one boot have no gaps.
    EventId
}
boot_id! {
    /// One ringing of one call at one operator.
    OfferId
}
boot_id! {
    /// One party's side of a call.
    LegId
}

/// An operator, as numbered in the journal's `operators` table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperatorId(pub u32);

/// A queue, by its place in the loaded settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QueueId(pub u16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text_and_sql() {
        let id = CallId::new(0x0cff_1234, 42);
        assert_eq!(id.to_string(), "0cff1234-0000002a");
        assert_eq!("0cff1234-0000002a".parse(), Ok(id));
        assert_eq!(CallId::from_i64(id.as_i64()), id);
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"0cff1234-0000002a\"");
        assert_eq!(
            serde_json::from_str::<CallId>("\"0cff1234-0000002a\"").unwrap(),
            id
        );
    }

    #[test]
    fn text_that_is_no_id_is_refused() {
        for text in [
            "",
            "1-2",
            "0cff1234",
            "0cff1234-0000002g",
            "0cff1234-0000002a-",
            "0cff1234-+000002a",
            "+cff1234-0000002a",
            "0cff123é-0000002",
        ] {
            assert_eq!(text.parse::<CallId>(), Err(ParseIdError), "{text}");
        }
    }
}

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
                write!(f, "{:08x}-{:08x}", self.boot(), self.counter())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let (boot, counter) = text.split_once('-').ok_or(ParseIdError)?;
                if boot.len() != 8 || counter.len() != 8 {
                    return Err(ParseIdError);
                }
                let boot = u32::from_str_radix(boot, 16).map_err(|_| ParseIdError)?;
                let counter = u32::from_str_radix(counter, 16).map_err(|_| ParseIdError)?;
                Ok(Self::new(boot, counter))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
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
        ] {
            assert_eq!(text.parse::<CallId>(), Err(ParseIdError), "{text}");
        }
    }
}

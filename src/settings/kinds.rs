//! Owns the kinds of values that are ours: port ranges and the named choices.

use std::ops::RangeInclusive;
use std::path::Path;

use journal::Location;
use switch::Network;
use toml::Spanned;
use toml::de::DeValue;

use super::value::{Fault, Value, text};

impl Value for Network {
    const EXPECTED: &'static str =
        "an address or a subnet, such as \"192.0.2.1\" or \"198.51.100.0/24\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, |text| text.parse().ok())
    }
}

impl Value for Location {
    const EXPECTED: &'static str =
        "a file, or a URL such as \"postgres://hotline@127.0.0.1/hotline\"";

    fn read(value: &Spanned<DeValue<'_>>, base: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, |text| match Self::parse(text.trim()) {
            Self::File(path) if path.as_os_str().is_empty() => None,
            Self::File(path) => Some(Self::File(base.join(path))),
            server @ Self::Postgres(_) => Some(server),
        })
    }
}

/// A time zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(pub jiff::tz::TimeZone);

impl Value for Zone {
    const EXPECTED: &'static str = "a time zone, such as \"Europe/Kyiv\" or \"Asia/Sakhalin\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, |text| {
            jiff::tz::TimeZone::get(text.trim()).ok().map(Self)
        })
    }
}

/// UDP ports, both ends counted, such as `16384-32767`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRange(pub RangeInclusive<u16>);

impl Value for PortRange {
    const EXPECTED: &'static str =
        "a range of ports above 1023, the lower first, such as \"16384-32767\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, |text| {
            let (low, high) = text.split_once('-')?;
            let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
            (low >= 1_024 && low < high).then_some(Self(low..=high))
        })
    }
}

/// Octets on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Value for Size {
    const EXPECTED: &'static str = "a size, such as \"500 MB\" or \"1 GiB\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, |text| {
            let text = text.trim();
            let (number, unit) =
                text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
            let unit: u64 = match unit.trim_start() {
                "kB" => 1_000,
                "MB" => 1_000_000,
                "GB" => 1_000_000_000,
                "TB" => 1_000_000_000_000,
                "KiB" => 1 << 10,
                "MiB" => 1 << 20,
                "GiB" => 1 << 30,
                "TiB" => 1 << 40,
                _ => return None,
            };
            Some(Self(number.parse::<u64>().ok()?.checked_mul(unit)?))
        })
    }
}

/// Defines a choice between names.
macro_rules! choice {
    (
        $(#[doc = $about:literal])+
        $name:ident expected $expected:literal {
            $($(#[doc = $doc:literal])+ $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $name {
            /// The name in the settings file.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl Value for $name {
            const EXPECTED: &'static str = $expected;

            fn read(
                value: &Spanned<DeValue<'_>>,
                _: &Path,
                faults: &mut Vec<Fault>,
            ) -> Option<Self> {
                text(value, faults, |text| match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                })
            }
        }
    };
}

pub(super) use choice;

choice! {
    /// Whose provisional answers are reliable.
    Reliable expected "\"required\" or \"supported\"" {
        /// Of callers who insist on it.
        Required = "required",
        /// Of callers who know it.
        Supported = "supported",
    }
}

choice! {
    /// An audio codec.
    Codec expected "a codec: \"pcma\" (A-law), \"pcmu\" (µ-law), \"g722\" or \"opus\"" {
        /// G.711 A-law.
        Pcma = "pcma",
        /// G.711 µ-law.
        Pcmu = "pcmu",
        /// G.722.
        G722 = "g722",
        /// Opus.
        Opus = "opus",
    }
}

choice! {
    /// Whose tones of the network are heard.
    Tones expected "\"ru\", \"ua\", \"gb\" or \"us\"" {
        /// Russia.
        Ru = "ru",
        /// Ukraine.
        Ua = "ua",
        /// The United Kingdom.
        Gb = "gb",
        /// North America.
        Us = "us",
    }
}

choice! {
    /// How keys go with a trunk.
    Dtmf expected "\"rfc4733\", \"info\" or \"inband\"" {
        /// As telephone-events.
        Rfc4733 = "rfc4733",
        /// By INFO.
        Info = "info",
        /// As tones in the audio.
        Inband = "inband",
    }
}

choice! {
    /// A digest algorithm (RFC 8760).
    Digest expected "a digest algorithm: \"sha-256\" or \"md5\"" {
        /// SHA-256.
        Sha256 = "sha-256",
        /// MD5.
        Md5 = "md5",
    }
}

impl From<Codec> for vocab::media::Codec {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::Pcma => Self::Pcma,
            Codec::Pcmu => Self::Pcmu,
            Codec::G722 => Self::G722,
            Codec::Opus => Self::Opus,
        }
    }
}

choice! {
    /// How media sockets are served.
    Backend expected "\"auto\", \"io_uring\" or \"epoll\"" {
        /// The best that this kernel and container allow.
        Auto = "auto",
        /// io_uring, from Linux 6.1 on; many containers forbid it.
        IoUring = "io_uring",
        /// epoll, which works everywhere.
        Epoll = "epoll",
    }
}

choice! {
    /// Whether audio is protected by SRTP.
    Protection expected "\"off\", \"offered\" or \"required\"" {
        /// Never.
        Off = "off",
        /// Where the peer can do it, else in clear.
        Offered = "offered",
        /// Always; there is no call without.
        Required = "required",
    }
}

choice! {
    /// Whether audio to and from telephones is protected by SRTP.
    TelephoneProtection expected "\"off\", \"offered\", \"required\" or \"dtls\"" {
        /// Never.
        Off = "off",
        /// Where the telephone can do it, else in clear.
        Offered = "offered",
        /// Always; there is no call without.
        Required = "required",
        /// Always, under keys that DTLS agrees on.
        Dtls = "dtls",
    }
}

impl From<TelephoneProtection> for vocab::srtp::Protection {
    fn from(protection: TelephoneProtection) -> Self {
        match protection {
            TelephoneProtection::Off => Self::Off,
            TelephoneProtection::Offered => Self::Offered,
            TelephoneProtection::Required => Self::Required,
            TelephoneProtection::Dtls => Self::Dtls,
        }
    }
}

impl From<Protection> for vocab::srtp::Protection {
    fn from(protection: Protection) -> Self {
        match protection {
            Protection::Off => Self::Off,
            Protection::Offered => Self::Offered,
            Protection::Required => Self::Required,
        }
    }
}

choice! {
    /// The samples in a recording.
    RecordingFormat expected "\"alaw\" or \"pcm\"" {
        /// G.711 A-law: 16 kB a second in stereo, no quality lost on A-law calls.
        Alaw = "alaw",
        /// Linear 16-bit: twice the size, opened by everything.
        Pcm = "pcm",
    }
}

choice! {
    /// Whether recordings are encrypted at rest.
    Encryption expected "\"age\" or \"none\"" {
        /// They lie on the disk as they are.
        None = "none",
        /// In the age format, to the recipients.
        Age = "age",
    }
}

choice! {
    /// How much is logged.
    LogLevel expected "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"" {
        /// A person must act.
        Error = "error",
        /// And a peer or a limit misbehaved.
        Warn = "warn",
        /// And one line for each fact of a call.
        Info = "info",
        /// And decisions.
        Debug = "debug",
        /// And messages.
        Trace = "trace",
    }
}

choice! {
    /// The form of log lines.
    LogFormat expected "\"text\" or \"json\"" {
        /// For people.
        Text = "text",
        /// One JSON object on each line, for collectors.
        Json = "json",
    }
}

choice! {
    /// What requests of unknown addresses get.
    Strangers expected "\"refuse\" or \"drop\"" {
        /// A challenge or a refusal, like anybody.
        Refuse = "refuse",
        /// Silence, but for what a telephone needs to register.
        Drop = "drop",
    }
}

choice! {
    /// Who may know something of an operator's line.
    Audience expected "\"operators\", \"own\" or \"nobody\"" {
        /// Every operator.
        Operators = "operators",
        /// The operator of the line.
        Own = "own",
        /// Nobody.
        Nobody = "nobody",
    }
}

impl From<Audience> for switch::Audience {
    fn from(audience: Audience) -> Self {
        match audience {
            Audience::Operators => Self::Operators,
            Audience::Own => Self::Own,
            Audience::Nobody => Self::Nobody,
        }
    }
}

choice! {
    /// What becomes of text messages.
    Messages expected "\"refuse\" or \"operators\"" {
        /// They are refused.
        Refuse = "refuse",
        /// Those of operators reach operators.
        Operators = "operators",
    }
}

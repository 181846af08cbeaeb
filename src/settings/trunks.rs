//! Owns the kinds of values that only trunks have: servers, places of numbers, forms of dialling.

use std::path::Path;

use sip::{HeaderName, Uri};
use switch::trunk::DidSource;
use toml::Spanned;
use toml::de::DeValue;

use super::kinds::choice;
use super::value::{Fault, Value, text};

/// A server: a host with or without port, or a whole SIP URI without user.
#[derive(Debug, Clone, PartialEq)]
pub struct SipServer(pub Uri);

impl Value for SipServer {
    const EXPECTED: &'static str = "a server, such as \"sip.example.com\", \"192.0.2.1:5060\" or \
        \"sip:sip.example.com;transport=tcp\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, |text| {
            let text = text.trim();
            let whole = text.starts_with("sip:") || text.starts_with("sips:");
            let text = if whole {
                text.to_owned()
            } else {
                format!("sip:{text}")
            };
            let uri = Uri::parse(&text).ok()?;
            let plain = uri.user.is_none() && uri.headers.is_none();
            plain.then_some(Self(uri))
        })
    }
}

/// A place in an INVITE where the number dialled may stand.
#[derive(Debug, Clone, PartialEq)]
pub struct DidPlace(pub DidSource);

impl Value for DidPlace {
    const EXPECTED: &'static str = "\"request-uri\", \"to\", \"diversion\", \"history-info\", \
        \"p-called-party-id\", or a header that begins with \"x-\" or \"p-\"";

    fn read(value: &Spanned<DeValue<'_>>, _: &Path, faults: &mut Vec<Fault>) -> Option<Self> {
        text(value, faults, |text| {
            let name = text.to_ascii_lowercase();
            let token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            let own = name.starts_with("x-") || name.starts_with("p-");
            Some(Self(match name.as_str() {
                "request-uri" => DidSource::RequestUri,
                "to" => DidSource::To,
                "diversion" => DidSource::Diversion,
                "history-info" => DidSource::HistoryInfo,
                "p-called-party-id" => DidSource::CalledParty,
                _ if own && name.chars().all(token) => DidSource::Header(HeaderName::parse(text)),
                _ => return None,
            }))
        })
    }
}

choice! {
    /// A header in which the caller's number may stand.
    CallerPlace expected "\"p-asserted-identity\", \"remote-party-id\" or \"from\"" {
        /// P-Asserted-Identity.
        Asserted = "p-asserted-identity",
        /// Remote-Party-ID.
        RemoteParty = "remote-party-id",
        /// From.
        From = "from",
    }
}

choice! {
    /// How a caller is transferred to a number of the outer network.
    TransferBy expected "\"here\" or \"refer\"" {
        /// By us, who call the target.
        Here = "here",
        /// By the trunk, asked by REFER.
        Refer = "refer",
    }
}

choice! {
    /// What becomes of the audio that a trunk sends before the answer.
    EarlyMedia expected "\"relay\" or \"ignore\"" {
        /// The one who called hears it.
        Relay = "relay",
        /// Nobody does.
        Ignore = "ignore",
    }
}

choice! {
    /// The form in which a carrier wants numbers dialled.
    DialForm expected "\"e164\", \"digits\" or \"national\"" {
        /// +74242123456.
        E164 = "e164",
        /// 74242123456.
        Digits = "digits",
        /// 84242123456.
        National = "national",
    }
}

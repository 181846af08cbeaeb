//! Offer and answer (RFC 3264) for one audio stream, of G.711, G.722 or Opus (RFC 7587), with
//! telephone-events (RFC 4733).
//!
//! Owns what a leg says about its media and what it understands of the peer's words. The text is
//! read and written by the `sdp-types` crate, behind a pre-pass that forgives what real telephones
//! do. No IO, no clock: ports, session ids and versions are given.
//!
//! Audio may be protected by SRTP under keys in the description (SDES, RFC 4568), required or
//! opportunistic (RFC 8643).
//!
//! With a browser it is SRTP under keys of DTLS, and ICE ([`Browser`]).
//!
//! Not here: video, fax; streams of those kinds are refused with port 0.
//!
//! ```
//! use sdp::Local;
//! use vocab::media::Codec;
//!
//! let local = Local {
//!     address: "192.0.2.1".parse()?,
//!     port: 20_000,
//!     session_id: 7,
//!     version: 1,
//!     codecs: &[Codec::Pcma, Codec::Pcmu],
//!     dtmf: Some(101),
//!     srtp: None,
//!     browser: None,
//! };
//! let offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
//!              m=audio 4000 RTP/AVP 0 8\r\n";
//! let (answer, remote) = sdp::answer(offer.as_bytes(), &local)?;
//! assert_eq!((remote.codec, remote.address.port()), (Codec::Pcma, 4000));
//! assert!(answer.contains("m=audio 20000 RTP/AVP 8\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod browser;
mod crypto;
mod formats;
mod read;
mod stream;
mod write;

use core::net::IpAddr;

use thiserror::Error;
use vocab::media::{Codec, Codecs, Remote};
use vocab::srtp::MasterKey;

pub use browser::Browser;
use read::Description;
use stream::{Fit, Preference, fit};

/// Our side of a session.
#[derive(Debug, Clone, Copy)]
pub struct Local<'a> {
    /// Where the peer must send its audio; only streams of the same IP version fit.
    pub address: IpAddr,
    /// The RTP port there.
    pub port: u16,
    /// The `o=` session id: stays the same for the life of a leg.
    pub session_id: u64,
    /// The `o=` version: one more with every changed description (RFC 3264 §8).
    pub version: u64,
    /// What we speak, best first.
    pub codecs: &'a [Codec],
    /// The payload type of telephone-events of 8,000 Hz in our offers. In answers it is the offerer's;
    /// `None` means that we take none.
    pub dtmf: Option<u8>,
    /// Our part of SRTP; `None`: audio goes in clear, and who insists on SRTP gets none.
    pub srtp: Option<Srtp>,
    /// Our part where the peer is a browser: what we offer it, and what its offers may be. `None`:
    /// streams of DTLS are refused.
    pub browser: Option<Browser<'a>>,
}

/// Our part of SRTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Srtp {
    /// Under which we send, for the life of a leg.
    pub key: MasterKey,
    /// No audio in clear.
    pub required: bool,
}

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The body is no SDP: 400.
    #[error("malformed SDP: {0}")]
    Malformed(String),
    /// The peer asks for what we lack: 488 with a Warning.
    #[error("no session: {0}")]
    NothingInCommon(String),
}

/// The payload type of telephone-events with the clock of Opus in our offers.
const DTMF_WIDE: u8 = 110;

/// There is no audio stream at all, or only disabled ones.
const NO_AUDIO: &str = "no audio stream offered";

impl Refusal {
    /// The code of the Warning header (RFC 3261 §20.43); `None` with a 400.
    #[must_use]
    pub fn warning_code(&self) -> Option<u16> {
        match self {
            Self::Malformed(_) => None,
            Self::NothingInCommon(reason) if reason == NO_AUDIO => Some(304),
            Self::NothingInCommon(_) => Some(305),
        }
    }
}

/// An offer of one audio stream with all our codecs.
#[must_use]
pub fn offer(local: &Local<'_>) -> String {
    write::offer(local)
}

/// An offer in the middle of a session: all our codecs again, and every stream of our last
/// description in its place, so that no `m=` line is lost (RFC 3264 §8). A description that
/// cannot be read counts for none.
#[must_use]
pub fn offer_again(last: &[u8], local: &Local<'_>) -> String {
    match Description::read(last) {
        Ok(last) => write::offer_again(&last, local),
        Err(_) => write::offer(local),
    }
}

/// Answers an offer: one codec, telephone-events if both sides have them, every other stream
/// refused with port 0. Also says how to reach the peer.
///
/// # Errors
/// If the offer is malformed or has no audio stream that fits.
pub fn answer(offer: &[u8], local: &Local<'_>) -> Result<(String, Remote), Refusal> {
    let offer = Description::read(offer)?;
    let (at, fit) = first_fit(&offer, local, Preference::Ours)?;
    let remote = fit.answered(local);
    Ok((write::answer(&offer, at, &fit, local), remote))
}

/// The codecs with which an offer could be answered: of the stream that would be, those that both
/// sides have. None if none fits.
#[must_use]
pub fn in_common(offer: &[u8], local: &Local<'_>) -> Codecs {
    let read = Description::read(offer);
    let fit = read.and_then(|offer| first_fit(&offer, local, Preference::Ours));
    fit.map_or_else(|_| Codecs::default(), |(_, fit)| fit.common)
}

/// Reads the peer's answer to our offer.
///
/// # Errors
/// If the answer is malformed, refuses the stream, or has nothing of what we offered.
pub fn accept(answer: &[u8], local: &Local<'_>) -> Result<Remote, Refusal> {
    let answer = Description::read(answer)?;
    let (_, fit) = first_fit(&answer, local, Preference::Theirs)?;
    Ok(fit.accepted(local))
}

/// What a browser calls itself in an offer: when it changes, ICE begins anew, and our side of it is to
/// change as well (RFC 8839 §4.4.2). `None`: there is no stream of ICE.
#[must_use]
pub fn ice_name(offer: &[u8]) -> Option<String> {
    let offer = Description::read(offer).ok()?;
    let mut named = offer.streams().filter_map(|stream| browser::names(&stream));
    named
        .next()
        .map(|(ufrag, password)| format!("{ufrag}:{password}"))
}

/// The first audio stream that fits, one that can be protected before one that cannot; the reason
/// why the first one does not, if none does.
fn first_fit(
    description: &Description,
    local: &Local<'_>,
    preference: Preference,
) -> Result<(usize, Fit), Refusal> {
    let (mut reason, mut in_clear) = (None, None);
    for (at, stream) in description.streams().enumerate() {
        match fit(&stream, local, preference) {
            Ok(fit) if fit.is_protected() || local.srtp.is_none() => return Ok((at, fit)),
            Ok(fit) => in_clear = in_clear.or(Some((at, fit))),
            Err(why) => reason = reason.or(why),
        }
    }
    in_clear.ok_or_else(|| Refusal::NothingInCommon(reason.unwrap_or_else(|| NO_AUDIO.to_owned())))
}

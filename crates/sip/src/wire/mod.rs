//! SIP on the wire: the bounded single-pass parser, the printer, and the types between them.
//!
//! Owns the grammar of RFC 3261 §25, the framing of streams, and the limits of both. Knows no transaction, dialog or socket.
//!
//! Reading is strict where a fault could be a trick (framing, several values, control characters)
//! and liberal where telephones are (spaces, unquoted display names, missing Max-Forwards).

mod check;
mod cseq;
mod error;
mod escape;
mod fields;
mod header_name;
mod headers;
mod host;
pub mod limits;
mod message;
mod method;
mod multipart;
mod name_addr;
mod octets;
mod params;
mod parse;
pub mod peek;
mod print;
#[cfg(test)]
mod properties;
mod reason;
mod scan;
mod start_line;
mod stream;
mod uri;
mod uri_ref;
mod via;

pub use cseq::CSeq;
pub use error::{Malformed, ParseError};
pub use escape::decode as unescape;
pub use header_name::HeaderName;
pub use headers::Headers;
pub use host::Host;
pub(crate) use host::{write_decimal, write_ip};
pub use message::{Message, Start};
pub use method::Method;
pub use multipart::{ACCEPTED_BODIES, BodyFault};
pub use name_addr::NameAddr;
pub use params::Params;
pub use parse::{Datagram, parse_datagram};
pub use reason::reason_phrase;
pub(crate) use scan::is_token;
pub use scan::{Values, quote, unquote};
pub use stream::{Frame, Opener, PING, PONG, StreamFramer, frame_of_websocket};
pub use uri::{Scheme, Uri};
pub use via::{MAGIC_COOKIE, Via};

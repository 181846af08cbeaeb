//! Owns the bounds on what one message may hold (STYLE 25).
//!
//! Beyond a bound the message is refused as malformed; nothing is cut short silently.

/// Octets of one whole message: the largest UDP payload fits, and no more is read of a stream.
pub const MESSAGE_OCTETS: usize = 64 * 1024;
/// Octets of the start line and all header fields.
pub const HEAD_OCTETS: usize = 32 * 1024;
/// Octets of one header field with its folded lines, and of the start line.
pub const LINE_OCTETS: usize = 8 * 1024;
/// Header fields of one message. Long routes and many contacts stay far below it.
pub const HEADER_FIELDS: usize = 256;
/// Comma-separated values of one header field.
pub const FIELD_VALUES: usize = 128;
/// Octets of one URI, headers and parameters included.
pub const URI_OCTETS: usize = 2 * 1024;
/// Parameters of one URI or of one header value.
pub const PARAMS: usize = 64;
/// Parts of one body, at all depths together. Location, ISUP, signature and session make four.
pub const BODY_PARTS: usize = 32;
/// Multiparts within multiparts.
pub const BODY_DEPTH: usize = 4;
/// Header fields of one part of a body.
pub const PART_FIELDS: usize = 32;

//! Owns the spelling of octets as hexadecimal digits.

use std::fmt::Write as _;

/// Two lower-case digits for each octet.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

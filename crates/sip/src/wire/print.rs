//! Owns the octets of a message that goes out. Whatever the values hold, the frame stays whole.

use core::fmt::Write;

use super::header_name::HeaderName;
use super::message::{Message, Start};
use super::scan::is_token;

impl Message {
    /// The message as it goes on the wire, with a Content-Length of its own.
    ///
    /// CR, LF and NUL in header values become spaces, so that no value can add a header field;
    /// fields whose name is not a token are left out.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024 + self.body.len());
        self.print_start(&mut out);
        for (name, value) in self.headers.iter() {
            match name {
                HeaderName::ContentLength => continue,
                HeaderName::Other(other) if !is_token(other) => continue,
                known => {
                    out.extend_from_slice(known.as_str().as_bytes());
                    out.extend_from_slice(b": ");
                    push_value(&mut out, value);
                    out.extend_from_slice(b"\r\n");
                }
            }
        }
        out.extend_from_slice(b"Content-Length: ");
        push_number(&mut out, self.body.len());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&self.body);
        out
    }

    fn print_start(&self, out: &mut Vec<u8>) {
        match &self.start {
            Start::Request { method, uri } => {
                let name = method.as_str();
                // Only our own code could make a method that is no token; the frame stays whole.
                out.extend(name.bytes().filter(|octet| octet.is_ascii_graphic()));
                out.push(b' ');
                let mut text = String::with_capacity(64);
                // Writing to a String cannot fail.
                let _ = write!(text, "{uri}");
                for octet in text.bytes() {
                    if octet <= b' ' || octet == 0x7f {
                        out.extend_from_slice(b"%20");
                    } else {
                        out.push(octet);
                    }
                }
                out.extend_from_slice(b" SIP/2.0\r\n");
            }
            Start::Response { status, reason } => {
                out.extend_from_slice(b"SIP/2.0 ");
                push_number(out, usize::from(*status));
                out.push(b' ');
                push_value(out, reason);
                out.extend_from_slice(b"\r\n");
            }
        }
    }
}

fn push_value(out: &mut Vec<u8>, value: &str) {
    let begin = out.len();
    out.extend_from_slice(value.as_bytes());
    let mut rest = out.get_mut(begin..).unwrap_or_default();
    // Hardly ever there is one, and to look for it in wide steps is quick.
    while let Some(at) = memchr::memchr3(b'\r', b'\n', b'\0', rest) {
        let Some([octet, after @ ..]) = rest.get_mut(at..) else {
            return;
        };
        *octet = b' ';
        rest = after;
    }
}

fn push_number(out: &mut Vec<u8>, value: usize) {
    let mut digits = [0_u8; 20];
    let mut used = 0;
    let mut rest = value;
    for digit in digits.iter_mut().rev() {
        // A remainder of ten fits an octet.
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend(digits.iter().skip(digits.len() - used));
}

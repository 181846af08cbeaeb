//! Owns the CSeq value (RFC 3261 §20.16).

use core::fmt;

use super::error::{ParseError, malformed};
use super::method::Method;
use super::scan::{cut, is_space, is_token, number, trim};

/// Sequence number and method of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CSeq {
    /// The number. Senders keep it below 2³¹ (RFC 3261 §8.1.1.5); all 32 bits are read.
    pub number: u32,
    /// The method of the request.
    pub method: Method,
}

impl CSeq {
    /// Reads the value.
    ///
    /// # Errors
    /// If the text is not a number below 2³² and a method.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let (number, method) = split(text)?;
        let method = Method::parse(method).ok_or(malformed("CSeq", "method expected"))?;
        Ok(Self { number, method })
    }
}

/// Number and method on borrowed text.
pub(super) fn split(text: &str) -> Result<(u32, &str), ParseError> {
    let text = trim(text);
    let space = text
        .bytes()
        .position(is_space)
        .ok_or(malformed("CSeq", "number, space and method expected"))?;
    let (digits, method) = cut(text, space);
    let value = number(digits, u64::from(u32::MAX))
        .and_then(|value| u32::try_from(value).ok())
        .ok_or(malformed("CSeq", "number below 2**32 expected"))?;
    let method = trim(method);
    if !is_token(method) {
        return Err(malformed("CSeq", "method expected"));
    }
    Ok((value, method))
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_zeros_and_space() {
        let cseq = CSeq::parse("0009    INVITE").unwrap();
        assert_eq!((cseq.number, cseq.to_string()), (9, "9 INVITE".to_owned()));
        assert_eq!(CSeq::parse("4294967295 X").unwrap().number, u32::MAX);
    }

    #[test]
    fn faulty_values_are_refused() {
        for text in [
            "",
            "1",
            "INVITE",
            "INVITE 1",
            "1 ",
            "1 A B",
            "-1 INVITE",
            "4294967296 INVITE",
        ] {
            assert!(CSeq::parse(text).is_err(), "{text:?}");
        }
    }
}

//! Owns what can be told of a message without parsing it. Works on any octets, also on what is no SIP.

/// The value of the Call-ID header field (RFC 3261 §20.8), or of its compact form.
#[must_use]
pub fn call_id(message: &[u8]) -> Option<&[u8]> {
    head_lines(message).find_map(|line| {
        let (name, value) = field(line)?;
        (name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i"))
            .then(|| value.trim_ascii())
    })
}

/// The lines of the head, folded ones as they stand.
fn head_lines(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    message
        .split(|octet| *octet == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take_while(|line| !line.is_empty())
}

/// Name and value of a line of the head: what stands before the first colon and after it.
#[must_use]
pub fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|octet| *octet == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    Some((name.trim_ascii(), value.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_id_is_found_in_both_forms_and_only_in_the_head() {
        let long = b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\nCALL-ID :  abc@host \r\n\r\n";
        assert_eq!(call_id(long), Some(&b"abc@host"[..]));
        assert_eq!(call_id(b"SIP/2.0 200 OK\ni:abc\n\n"), Some(&b"abc"[..]));
        assert_eq!(call_id(b"SIP/2.0 200 OK\r\n\r\nCall-ID: body\r\n"), None);
        assert_eq!(call_id(b"\r\n\r\n"), None);
        assert_eq!(
            call_id(b"i:\xff\0 :\n"),
            Some(&b"\xff\0 :"[..]),
            "any octets"
        );
    }
}

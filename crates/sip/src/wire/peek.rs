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

/// The status code, if it begins as a response does (RFC 3261 §7.2).
#[must_use]
pub fn status(message: &[u8]) -> Option<u16> {
    let code = message.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    core::str::from_utf8(code).ok()?.parse().ok()
}

/// The branch of the topmost Via (RFC 3261 §20.42), or of its compact form, if it is on the same line.
#[must_use]
pub fn branch(message: &[u8]) -> Option<&[u8]> {
    let via = head_lines(message).find_map(|line| {
        let (name, value) = field(line)?;
        (name.eq_ignore_ascii_case(b"via") || name.eq_ignore_ascii_case(b"v")).then_some(value)
    })?;
    let top = via.split(|octet| *octet == b',').next()?;
    top.split(|octet| *octet == b';').skip(1).find_map(|param| {
        let at = param.iter().position(|octet| *octet == b'=')?;
        let (name, value) = param.split_at_checked(at)?;
        name.trim_ascii()
            .eq_ignore_ascii_case(b"branch")
            .then(|| value.get(1..).unwrap_or_default().trim_ascii())
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
    fn status_and_top_branch_are_those_that_the_parser_reads() {
        let text = b"SIP/2.0 487 Gone\r\nTo: <sip:a@h;branch=no>\r\nv: SIP/2.0/UDP h ; x=1; Branch = z9hG4bKa ,\
                     SIP/2.0/UDP i;branch=z9hG4bKb\r\n\r\n";
        assert_eq!(status(text), Some(487));
        assert_eq!(branch(text), Some(&b"z9hG4bKa"[..]));
        let request = b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nVia: x;branch=y\r\n\r\n";
        assert_eq!((status(request), branch(request)), (None, None));
    }

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

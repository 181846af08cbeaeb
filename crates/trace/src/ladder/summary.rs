//! Owns what is said of a message in one line: method or status, and its session description.

use crate::packet::Packet;

/// Method, or status and reason; the method of a response that is not to an INVITE.
pub(super) fn label(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let first = plain(text.lines().next().unwrap_or_default());
    let Some(status) = first.strip_prefix("SIP/2.0 ") else {
        return first.split(' ').next().unwrap_or_default().to_owned();
    };
    match header(&text, "cseq").and_then(|cseq| cseq.split_whitespace().nth(1)) {
        Some("INVITE") | None => status.to_owned(),
        Some(method) => {
            let code = status.split(' ').next().unwrap_or_default();
            format!("{code} {}", plain(method))
        }
    }
}

/// What stands to the right of an arrow.
pub(super) fn remark(packet: &Packet, again: bool) -> String {
    let mut parts = Vec::new();
    if again {
        parts.push("(again)".to_owned());
    }
    if packet.transport != "UDP" {
        parts.push(packet.transport.to_owned());
    }
    parts.extend(session(&packet.bytes));
    parts.join(" ")
}

/// The audio of a session description: codecs, address, direction.
fn session(message: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(message);
    let body = text
        .split_once("\r\n\r\n")
        .or_else(|| text.split_once("\n\n"))?
        .1;
    let lines = || body.lines().map(str::trim_end);
    let media = lines().position(|line| line.starts_with("m=audio "))?;
    let mut words = lines().nth(media)?.split(' ');
    let port = words.nth(1)?.to_owned();
    let formats: Vec<&str> = words.skip(1).collect();
    // What stands in the stream's own part wins over the session's.
    let own = || {
        lines()
            .skip(media + 1)
            .take_while(|line| !line.starts_with("m="))
    };
    let whole = || lines().take_while(|line| !line.starts_with("m="));
    let address = own()
        .chain(whole())
        .find_map(|line| {
            line.strip_prefix("c=IN IP4 ")
                .or(line.strip_prefix("c=IN IP6 "))
        })
        .unwrap_or("?");
    let direction = own()
        .chain(whole())
        .find_map(|line| {
            let attribute = line.strip_prefix("a=")?;
            ["sendrecv", "sendonly", "recvonly", "inactive"]
                .into_iter()
                .find(|one| *one == attribute)
        })
        .unwrap_or("sendrecv");
    let codecs: Vec<String> = formats
        .iter()
        .filter_map(|format| codec(format, own()))
        .collect();
    let text = format!("[{} {address}:{port} {direction}]", codecs.join("/"));
    Some(plain(&text))
}

/// The name of a payload type; none for telephone-events, which every description has.
fn codec<'a>(format: &str, mut own: impl Iterator<Item = &'a str>) -> Option<String> {
    let named = own.find_map(|line| {
        let (number, name) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
        (number == format).then(|| name.split('/').next().unwrap_or(name))
    });
    // RFC 3551 §6: these need no rtpmap.
    let name = named.unwrap_or(match format {
        "0" => "PCMU",
        "8" => "PCMA",
        "9" => "G722",
        "18" => "G729",
        other => other,
    });
    (!name.eq_ignore_ascii_case("telephone-event")).then(|| name.to_owned())
}

fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found
                .trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim())
        })
}

/// Text of the network as a terminal may have it, and not too long.
fn plain(text: &str) -> String {
    text.chars()
        .take(120)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_named_by_method_or_status() {
        assert_eq!(
            label(b"INVITE sip:a SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n"),
            "INVITE"
        );
        assert_eq!(
            label(b"SIP/2.0 180 Ringing\r\nCSeq: 1 INVITE\r\n\r\n"),
            "180 Ringing"
        );
        assert_eq!(label(b"SIP/2.0 200 OK\r\nCSeq: 2 BYE\r\n\r\n"), "200 BYE");
        assert_eq!(label(b"\x1b[2J"), "?[2J");
        assert_eq!(label(b""), "");
    }

    #[test]
    fn a_description_is_codecs_address_and_direction() {
        let message = b"INVITE sip:a SIP/2.0\r\n\r\nv=0\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
            m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\n\
            a=rtpmap:101 telephone-event/8000\r\na=sendonly\r\nm=video 9 RTP/AVP 96\r\na=inactive\r\n";
        assert_eq!(
            session(message).unwrap(),
            "[PCMA/PCMU 192.0.2.9:4000 sendonly]"
        );
        assert_eq!(session(b"SIP/2.0 200 OK\r\n\r\n"), None);
    }
}

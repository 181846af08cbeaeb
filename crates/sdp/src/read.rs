//! Owns the way from octets to a description: bounds, forgiveness, then `sdp-types`.
//!
//! Only the lines that decide about the audio reach `sdp-types`: a fault in a bandwidth or
//! e-mail line is no reason to lose a call.

use sdp_types::{Attribute, Connection, Media, Session};

use crate::Refusal;

/// Octets of a body. Browsers' offers have 6 KiB; telephones' below 2.
const BODY_OCTETS: usize = 16 * 1024;
/// `m=` lines of a body.
const STREAMS: usize = 32;

/// A description that was read.
#[derive(Debug)]
pub(crate) struct Description {
    session: Session,
}

/// One `m=` line with what holds for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream<'a> {
    pub(crate) media: &'a Media,
    session: &'a Session,
}

impl Description {
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refusal> {
        if body.len() > BODY_OCTETS {
            return Err(Refusal::Malformed(format!(
                "more than {BODY_OCTETS} octets"
            )));
        }
        let text = prepared(&String::from_utf8_lossy(body))?;
        let session = Session::parse(text.as_bytes())
            .map_err(|error| Refusal::Malformed(error.to_string()))?;
        Ok(Self { session })
    }

    pub(crate) fn streams(&self) -> impl Iterator<Item = Stream<'_>> {
        self.session.medias.iter().map(|media| Stream {
            media,
            session: &self.session,
        })
    }
}

impl<'a> Stream<'a> {
    /// The `c=` line: the stream's own before the session's (RFC 8866 §5.7).
    pub(crate) fn connection(&self) -> Option<&'a Connection> {
        self.media
            .connections
            .first()
            .or(self.session.connection.as_ref())
    }

    /// The stream's attributes, then the session's.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &'a Attribute> {
        self.media.attributes.iter().chain(&self.session.attributes)
    }
}

/// The lines that matter, in the form that `sdp-types` takes: LF line ends, one space between
/// fields, no padding, one session-level `c=` line.
fn prepared(text: &str) -> Result<String, Refusal> {
    let text = text.trim_start_matches(|c| is_padding(c) || c == '\u{feff}');
    let mut out = String::with_capacity(text.len());
    let (mut streams, mut session_connection) = (0, false);
    for line in text
        .split(['\n', '\r'])
        .map(|line| line.trim_matches(is_padding))
    {
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let wanted = match key {
            "v" => out.is_empty(),
            "m" => {
                streams += 1;
                true
            }
            "c" if streams == 0 => !core::mem::replace(&mut session_connection, true),
            "c" | "a" => true,
            _ => false,
        };
        if !wanted || value.contains('\0') {
            continue;
        }
        if out.is_empty() && key != "v" {
            return Err(Refusal::Malformed("v=0 expected first".to_owned()));
        }
        out.push_str(key);
        out.push('=');
        for (at, field) in value.split_whitespace().enumerate() {
            if at > 0 {
                out.push(' ');
            }
            out.push_str(field);
        }
        out.push('\n');
    }
    if streams > STREAMS {
        return Err(Refusal::Malformed(format!("more than {STREAMS} streams")));
    }
    Ok(out)
}

fn is_padding(character: char) -> bool {
    character.is_whitespace() || character == '\0'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_blank_lines_and_strange_line_ends_are_forgiven() {
        for text in [
            "v=0\nm=audio 1 RTP/AVP 0\n",
            "\r\n\u{feff}v=0 \r\n\r\no=x\r\nm=audio  1\tRTP/AVP 0  \r\n\0\0",
            "v=0\rm=audio 1 RTP/AVP 0",
            "v=0\r\nv=0\r\nb=nonsense\r\ngarbage\r\nm=audio 1 RTP/AVP 0",
        ] {
            let read = prepared(text).unwrap();
            assert_eq!(read, "v=0\nm=audio 1 RTP/AVP 0\n", "{text:?}");
        }
    }

    #[test]
    fn bounds_are_kept() {
        let long = format!("v=0\r\ns={}\r\n", "a".repeat(BODY_OCTETS));
        let many = format!("v=0\r\n{}", "m=audio 1 RTP/AVP 0\r\n".repeat(STREAMS + 1));
        let most = format!("v=0\r\n{}", "m=audio 1 RTP/AVP 0\r\n".repeat(STREAMS));
        assert!(matches!(
            Description::read(long.as_bytes()),
            Err(Refusal::Malformed(_))
        ));
        assert!(matches!(
            Description::read(many.as_bytes()),
            Err(Refusal::Malformed(_))
        ));
        assert_eq!(
            Description::read(most.as_bytes())
                .unwrap()
                .streams()
                .count(),
            STREAMS
        );
    }

    #[test]
    fn what_is_no_sdp_is_malformed() {
        for text in [
            "",
            "hello",
            "m=audio 1 RTP/AVP 0",
            "v=1\r\n",
            "v=0\r\nm=audio\r\n",
            "v=0\r\nm=audio 70000 RTP/AVP 0\r\n",
            "v=0\r\nc=IN IP4\r\n",
        ] {
            let read = Description::read(text.as_bytes());
            assert!(matches!(read, Err(Refusal::Malformed(_))), "{text:?}");
        }
    }
}

//! Owns what is made unreadable where people look: numbers and names in messages.

use std::fmt::Write;

use vocab::Redacted;

/// Shortest run of digits that is somebody's number; a line of three or four is a workplace.
const NUMBER_MIN: usize = 6;

/// A number, masked unless it is to be clear.
pub(super) fn number(number: &str, clear: bool) -> String {
    if clear {
        number.to_owned()
    } else {
        Redacted(number).to_string()
    }
}

/// A message as text: control characters are shown as such, and numbers and names masked unless
/// they are to be clear.
pub(super) fn message(bytes: &[u8], clear: bool) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::with_capacity(text.len());
    let mut in_head = true;
    for line in text.lines() {
        in_head &= !line.is_empty();
        let line: String = line
            .chars()
            .map(|c| if c.is_control() && c != '\t' { '?' } else { c })
            .collect();
        let line = match (clear, in_head) {
            (true, _) => line,
            (false, true) => header(&line),
            (false, false) => digits(&line),
        };
        let _ = writeln!(shown, "{line}");
    }
    shown
}

/// Header fields in which display names stand.
const NAMED: [&str; 11] = [
    "from",
    "f",
    "to",
    "t",
    "contact",
    "m",
    "p-asserted-identity",
    "remote-party-id",
    "p-preferred-identity",
    "diversion",
    "referred-by",
];
/// Header fields of numbers that are nobody's telephone: the names of dialogs and transactions.
const PLAIN: [&str; 9] = [
    "via",
    "v",
    "call-id",
    "i",
    "cseq",
    "content-length",
    "l",
    "user-agent",
    "server",
];

fn header(line: &str) -> String {
    let name = line
        .split(':')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if PLAIN.contains(&name.as_str()) {
        return line.to_owned();
    }
    if NAMED.contains(&name.as_str()) {
        return digits(&display_name(line));
    }
    digits(line)
}

/// The display name before `<`, with or without quotation marks (RFC 3261 §25.1).
fn display_name(line: &str) -> String {
    let Some((head, rest)) = line.split_once(':') else {
        return line.to_owned();
    };
    let Some((display, uri)) = rest.split_once('<') else {
        return line.to_owned();
    };
    let display = display.trim().trim_matches('"');
    if display.is_empty() {
        return line.to_owned();
    }
    format!("{head}: \"{}\" <{uri}", Redacted(display))
}

/// Every long run of digits, but addresses: in those a run has at most three (or five: a port).
fn digits(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut run = String::new();
    for character in line.chars().chain(['\n']) {
        let inside = character.is_ascii_digit()
            || (!run.is_empty() && matches!(character, '-' | '(' | ')'))
            || (run.is_empty() && character == '+');
        if inside {
            run.push(character);
            continue;
        }
        let count = run.chars().filter(char::is_ascii_digit).count();
        if count >= NUMBER_MIN {
            let _ = write!(shown, "{}", Redacted(&run));
        } else {
            shown.push_str(&run);
        }
        run.clear();
        if character != '\n' {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &[u8] = b"INVITE sip:+74242123456@192.0.2.10:5060 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1234567890\r\n\
        From: \"Ivan Petrov\" <sip:79141234567@192.0.2.7>;tag=abc\r\n\
        To: <sip:101@192.0.2.10>\r\nCall-ID: 1234567890@x\r\n\r\n\
        o=- 1234567890 1 IN IP4 192.0.2.7\r\n";

    #[test]
    fn numbers_and_names_are_masked_addresses_and_ids_are_not() {
        let text = message(INVITE, false);
        for hidden in ["4242123456", "9141234567", "Petrov"] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        for kept in [
            "192.0.2.10:5060",
            "z9hG4bK1234567890",
            "sip:101@",
            "1234567890@x",
            "56@192",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
    }

    #[test]
    fn in_clear_everything_stands_but_controls_of_a_terminal() {
        let text = message(
            b"INVITE sip:+74242123456@a SIP/2.0\r\nX: \x1b[2J\r\n\r\n",
            true,
        );
        assert!(
            text.contains("+74242123456") && !text.contains('\x1b'),
            "{text}"
        );
    }
}

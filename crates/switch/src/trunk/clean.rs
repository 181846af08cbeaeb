//! Owns the cleaning of what strangers may write into a journal and onto a screen: numbers and
//! names. What is left is one line of visible text of a bounded length.

/// Longest number or user part kept, in characters. E.164 has fifteen digits.
const NUMBER_MAX: usize = 64;
/// Longest name kept, in characters.
const NAME_MAX: usize = 80;

/// A number without visual separators, controls and white space.
pub(super) fn number(raw: &str) -> String {
    raw.chars()
        .filter(|c| !matches!(c, '-' | '.' | '(' | ')') && !c.is_whitespace() && is_visible(*c))
        .take(NUMBER_MAX)
        .collect()
}

/// A display name: encoded words decoded (RFC 2047, which some exchanges use although RFC 3261
/// has plain UTF-8), white space in one piece, nothing that turns or hides text.
///
/// A table program would take a cell that begins with one of `= + - @` for a formula, and no
/// name does.
pub(super) fn name(raw: &str) -> String {
    let decoded = encoded_word(raw.trim());
    let text = decoded.as_deref().unwrap_or(raw);
    let visible: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| is_visible(*c))
        .collect();
    let words: Vec<&str> = visible.split(' ').filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    let begin = line.trim_start_matches(['=', '+', '-', '@', ' ']);
    // A name that is a number may begin with a plus.
    let kept = if line.strip_prefix('+').is_some_and(is_digits) {
        &line
    } else {
        begin
    };
    kept.chars()
        .take(NAME_MAX)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())
}

/// No control, no mark of direction, no character without a width, nothing of private use.
fn is_visible(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}'
            | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
}

/// Encoded words of one name. `None` if there is none, or one in another charset than UTF-8 or
/// US-ASCII: the text then stays as it came.
fn encoded_word(text: &str) -> Option<String> {
    if !text.starts_with("=?") {
        return None;
    }
    let mut octets = Vec::new();
    // White space between two encoded words is not part of the text (RFC 2047 §6.2).
    for word in text.split_ascii_whitespace() {
        let inner = word.strip_prefix("=?")?.strip_suffix("?=")?;
        let mut parts = inner.splitn(3, '?');
        let (charset, encoding, data) = (parts.next()?, parts.next()?, parts.next()?);
        let charset = charset.split('*').next()?;
        if !["utf-8", "us-ascii"]
            .iter()
            .any(|known| charset.eq_ignore_ascii_case(known))
        {
            return None;
        }
        match encoding {
            "B" | "b" => octets.extend(base64(data)?),
            "Q" | "q" => octets.extend(quoted_printable(data)?),
            _ => return None,
        }
    }
    String::from_utf8(octets).ok()
}

fn base64(data: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(data.len() / 4 * 3);
    let (mut bits, mut held): (u32, u32) = (0, 0);
    for octet in data.trim_end_matches('=').bytes() {
        let value = match octet {
            b'A'..=b'Z' => octet - b'A',
            b'a'..=b'z' => octet - b'a' + 26,
            b'0'..=b'9' => octet - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            octets.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(octets)
}

fn quoted_printable(data: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(data.len());
    let mut rest = data.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'_' => b' ',
            b'=' => {
                let mut digit = || rest.next().and_then(|d| char::from(d).to_digit(16));
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_stay_as_they_are() {
        for fine in [
            "Иванова А. П.",
            "Ann O'Neil",
            "Їжак Ґ.",
            "+79001112233",
            "王小明",
        ] {
            assert_eq!(name(fine), fine);
        }
    }

    #[test]
    fn hostile_names_lose_what_makes_them_so() {
        let cases = [
            ("a\r\nb\0c\u{1b}[31m", "a bc[31m"),
            ("\u{202e}gnp.exe\u{2066}", "gnp.exe"),
            ("=HYPERLINK(\"x\")", "HYPERLINK(\"x\")"),
            ("+1+cmd|' /C calc'", "1+cmd|' /C calc'"),
            ("  a \t  b  ", "a b"),
            ("\u{200b}\u{feff}", ""),
        ];
        for (raw, wanted) in cases {
            assert_eq!(name(raw), wanted, "{raw:?}");
        }
        assert_eq!(name(&"я".repeat(5_000)).chars().count(), 80);
        assert_eq!(number(&"1".repeat(5_000)).len(), 64);
        assert_eq!(number("+7 (900)\u{202e} 111-22.33\r\n"), "+79001112233");
    }

    #[test]
    fn encoded_words_are_decoded_and_broken_ones_stay() {
        assert_eq!(name("=?UTF-8?B?0JjQstCw0L0=?="), "Иван");
        assert_eq!(
            name("=?utf-8?Q?=D0=98=D0=B2=D0=B0=D0=BD_P?= =?utf-8?q?.?="),
            "Иван P."
        );
        for broken in [
            "=?utf-8?B?!!?=",
            "=?koi8-r?B?6Q==?=",
            "=?utf-8?Q?=D?=",
            "=?utf-8?B?/w==?=",
        ] {
            assert_eq!(name(broken), broken.trim_start_matches('='));
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_one_short_visible_line(raw in ".*") {
            for text in [name(&raw), number(&raw)] {
                proptest::prop_assert!(text.chars().count() <= 80);
                proptest::prop_assert!(!text.chars().any(char::is_control));
            }
            proptest::prop_assert_eq!(name(&name(&raw)).len() <= name(&raw).len(), true);
        }
    }
}

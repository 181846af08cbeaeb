//! Owns how personal text (telephone numbers, names) looks in logs, and when two numbers are one.

use core::fmt;

/// Personal text for a log: all but the last two characters masked.
///
/// ```
/// use vocab::Redacted;
/// assert_eq!(Redacted("+74242123456").to_string(), "**********56");
/// assert_eq!(Redacted("101").to_string(), "***");
/// ```
#[derive(Clone, Copy)]
pub struct Redacted<'a>(pub &'a str);

/// Characters left readable at the end, and the length from which any are.
const READABLE: usize = 2;
const READABLE_FROM: usize = 6;
/// Longest mask printed, so that a hostile name cannot fill a log line.
const LONGEST: usize = 24;

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.0.chars().count();
        let readable = if length >= READABLE_FROM { READABLE } else { 0 };
        for _ in 0..(length - readable).min(LONGEST) {
            f.write_str("*")?;
        }
        for character in self.0.chars().skip(length - readable) {
            // A control character from the network must not reach a terminal.
            write!(
                f,
                "{}",
                if character.is_control() {
                    '?'
                } else {
                    character
                }
            )?;
        }
        Ok(())
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Digits by which numbers are compared, from the end: without the prefix of a country, a trunk, or
/// none, a number of most plans has ten.
const KEY_DIGITS: usize = 10;

/// What two spellings of one telephone number have in common: the last ten digits, or all of a short
/// number; empty for what has no digit.
///
/// ```
/// use vocab::number_key;
/// assert_eq!(number_key("+7 (4242) 12-34-56"), number_key("84242123456"));
/// assert_eq!(number_key("112"), "112");
/// assert_eq!(number_key("anonymous"), "");
/// ```
#[must_use]
pub fn number_key(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let from = digits.len().saturating_sub(KEY_DIGITS);
    digits.into_iter().skip(from).collect()
}

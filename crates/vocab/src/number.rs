//! Owns how personal text (telephone numbers, names) looks in logs.

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

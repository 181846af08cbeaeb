//! Owns the sum over what a step made the switch do: whether it did the same again.

use core::fmt::{self, Write as _};

use crc32fast::Hasher;
use switch::Output;

/// CRC-32 over outputs. Messages count octet by octet; facts by their id, time and kind, for their
/// content is in the event file.
#[derive(Debug, Default)]
pub(super) struct Digest {
    hasher: Hasher,
    is_empty_no_more: bool,
}

impl Digest {
    /// One more output.
    pub(super) fn add(&mut self, output: &Output) {
        self.is_empty_no_more = true;
        match output {
            Output::Send { flow, bytes, after } => {
                self.text(format_args!("{flow:?} {after:?} "));
                self.hasher.update(bytes);
            }
            Output::Record(event) => {
                self.text(format_args!(
                    "{:?} {:?} {} {:?}",
                    event.id,
                    event.up,
                    journal::kind(&event.fact),
                    event.fact.call()
                ));
            }
            other => self.text(format_args!("{other:?}")),
        }
    }

    fn text(&mut self, text: fmt::Arguments<'_>) {
        // Hashing cannot fail.
        let _ = Feed(&mut self.hasher).write_fmt(text);
    }

    /// The sum, and begins anew; 0 if there was nothing.
    pub(super) fn take(&mut self) -> u32 {
        if !core::mem::take(&mut self.is_empty_no_more) {
            return 0;
        }
        core::mem::take(&mut self.hasher).finalize()
    }
}

struct Feed<'a>(&'a mut Hasher);

impl fmt::Write for Feed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

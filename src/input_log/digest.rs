//! Owns the sum over what a step made the switch do: whether it did the same again.

use core::fmt::{self, Write as _};

use crc32fast::Hasher;
use switch::Output;

/// CRC-32 over outputs. Messages count octet by octet; facts by their id, time and kind, for their
/// content is in the event file.
#[derive(Debug, Default)]
pub(super) struct Digest {
    /// None before the first output.
    hasher: Option<Hasher>,
}

impl Digest {
    /// One more output.
    pub(super) fn add(&mut self, output: &Output) {
        let hasher = self.hasher.get_or_insert_default();
        match output {
            Output::Send { flow, bytes, after } => {
                text(hasher, format_args!("{flow:?} {after:?} "));
                hasher.update(bytes);
            }
            Output::Record(event) => {
                let kind = journal::kind(&event.fact);
                let call = event.fact.call();
                text(
                    hasher,
                    format_args!("{:?} {:?} {kind} {call:?}", event.id, event.up),
                );
            }
            other => text(hasher, format_args!("{other:?}")),
        }
    }

    /// The sum, and begins anew; 0 if there was nothing.
    pub(super) fn take(&mut self) -> u32 {
        self.hasher.take().map_or(0, Hasher::finalize)
    }
}

fn text(hasher: &mut Hasher, text: fmt::Arguments<'_>) {
    // Hashing cannot fail.
    let _ = Feed(hasher).write_fmt(text);
}

struct Feed<'a>(&'a mut Hasher);

impl fmt::Write for Feed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

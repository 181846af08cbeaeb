//! Owns what is asked of a place that has recordings which are not on this disk any more.

use std::fmt;
use std::io::{self, Read, Seek};

/// The octets of a file, wherever it lies.
pub trait Octets: Read + Seek + Send {}

impl<T: Read + Seek + Send> Octets for T {}

/// A place far away, in which archived recordings lie under the names that they had here.
pub trait Afar: fmt::Debug + Send + Sync {
    /// Which place, for people.
    fn at(&self) -> String;

    /// The file that has this path below the root.
    ///
    /// # Errors
    /// `NotFound` if it is not there; any other if that is not known.
    fn open(&self, file: &str) -> io::Result<Box<dyn Octets>>;
}

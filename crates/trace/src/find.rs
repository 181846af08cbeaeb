//! Owns the search: the messages of a call, wherever in the rings they lie.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use vocab::CallId;

use crate::packet::Packet;
use crate::pcapng::Reader;
use crate::ring::{list, stamp, stem};
use crate::writer::{CALLS, OTHERS};

/// Messages given at most; an honest call has some dozen.
const FOUND_MAX: usize = 20_000;

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Messages of this call.
    pub call: Option<CallId>,
    /// And messages of these Call-IDs.
    pub sip_call_ids: Vec<String>,
    /// In files that may hold messages from here, microseconds since 1970; no limit if absent.
    pub from_us: Option<i64>,
    /// And up to here.
    pub to_us: Option<i64>,
}

impl Wanted {
    /// Everything with a Call-ID.
    #[must_use]
    pub fn sip_call_id(id: &str) -> Self {
        Self {
            sip_call_ids: vec![id.to_owned()],
            ..Self::default()
        }
    }

    fn is(&self, packet: &Packet) -> bool {
        let of_call = self.call.is_some() && packet.call() == self.call;
        of_call
            || sip::wire::peek::call_id(&packet.bytes)
                .is_some_and(|id| self.sip_call_ids.iter().any(|one| one.as_bytes() == id))
    }
}

/// A file of the trace cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the SIP trace {path} cannot be read: {source}")]
pub struct FindError {
    /// The file or folder.
    pub path: String,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// The messages wanted, in order of time, at most 20,000. The trace may be written meanwhile.
///
/// # Errors
/// If the folder or a file in it cannot be read.
pub fn find(folder: &Path, wanted: &Wanted) -> Result<Vec<Packet>, FindError> {
    let mut found = Vec::new();
    for name in [CALLS, OTHERS] {
        let files = list(folder, name).map_err(|source| failed(folder, source))?;
        for path in in_range(&files, name, wanted) {
            let read = read(path, wanted, &mut found);
            match read {
                // The ring has removed it since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // A crash may leave a file without a whole head.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
                read => read.map_err(|source| failed(path, source))?,
            }
        }
    }
    found.sort_by_key(|packet| packet.at_us);
    Ok(found)
}

/// The files that may hold messages of the range: each reaches to the beginning of the next.
fn in_range<'a>(
    files: &'a [PathBuf],
    name: &str,
    wanted: &Wanted,
) -> impl Iterator<Item = &'a Path> {
    let at = |us: i64| format!("{name}-{}", stamp(us));
    let (from, to) = (wanted.from_us.map(at), wanted.to_us.map(at));
    files.iter().enumerate().filter_map(move |(n, path)| {
        let next = files.get(n + 1);
        let early = from
            .as_ref()
            .is_some_and(|from| next.is_some_and(|next| stem(next) < from.as_str()));
        let late = to.as_ref().is_some_and(|to| stem(path) > to.as_str());
        (!early && !late).then_some(path.as_path())
    })
}

fn read(path: &Path, wanted: &Wanted, found: &mut Vec<Packet>) -> io::Result<()> {
    let mut reader = Reader::new(BufReader::with_capacity(256 << 10, File::open(path)?))?;
    while let Some(packet) = reader.packet()? {
        if wanted.is(&packet) && found.len() < FOUND_MAX {
            found.push(packet);
        }
    }
    Ok(())
}

fn failed(path: &Path, source: io::Error) -> FindError {
    FindError {
        path: path.display().to_string(),
        source,
    }
}

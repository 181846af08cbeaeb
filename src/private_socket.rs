//! Owns the Unix sockets in the folder of event files: for the engine's user alone.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::Context;

/// Listens there. Whoever calls this has the lock of the folder, so a socket that is there is of a dead
/// process, or of one that leaves.
///
/// # Errors
/// One sentence with the path and what it is for.
pub(crate) fn listen(path: &Path, purpose: &str) -> anyhow::Result<UnixListener> {
    let failed = || format!("cannot open the socket {} for {purpose}", path.display());
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error).with_context(failed);
    }
    let listener = UnixListener::bind(path).with_context(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).with_context(failed)?;
    Ok(listener)
}

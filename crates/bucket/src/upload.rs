//! Owns putting a file into the bucket: in parts where it is long, with its state on the disk, so that
//! it goes on where it was cut off; read back and compared before it is called done.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path as FsPath, PathBuf};

use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::multipart::{MultipartStore, PartId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::wait::wait;
use crate::{Bucket, Error};

/// S3 has at most so many parts in an upload; of longer files the parts are longer.
const PARTS_MAX: u64 = 10_000;
/// A state is at most ten thousand tags.
const STATE_MAX: u64 = 4 << 20;

/// A file that is to lie in the bucket.
#[derive(Debug, Clone)]
pub struct Job {
    /// Where it is.
    pub file: PathBuf,
    /// Its name in the bucket, below the prefix.
    pub name: String,
    /// How many octets it has.
    pub bytes: u64,
    /// The SHA-256 that it has, hex.
    pub sha256: String,
    /// The file in which the state of the upload is kept.
    pub state: PathBuf,
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It lies there, read back and compared. Its state is to be forgotten ([`forget`]).
    Verified,
    /// It was told to stop, and goes on from here another time.
    Begun,
}

/// What comes next in an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A part is sent. Who stops here loses nothing.
    Part,
    /// It is read back. Who stops here begins with that anew.
    Reading,
}

/// The state of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// Which bucket.
    to: String,
    name: String,
    sha256: String,
    part_bytes: u64,
    /// What S3 calls it; none where it goes in one piece.
    upload: Option<String>,
    /// Tags of the parts that are there, from the first.
    parts: Vec<String>,
    /// All is there; what is left is to read it back.
    whole: bool,
}

impl State {
    fn read(path: &FsPath) -> io::Result<Option<Self>> {
        let mut text = Vec::new();
        match File::open(path) {
            Ok(file) => file.take(STATE_MAX).read_to_end(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // One that cannot be read costs a new upload, no more.
        Ok(serde_json::from_slice(&text).ok())
    }

    /// Durably.
    fn write(&self, path: &FsPath) -> io::Result<()> {
        let folder = path.parent().unwrap_or(FsPath::new("."));
        fs::create_dir_all(folder)?;
        let part = path.with_extension("part");
        let mut file = File::create(&part)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        File::open(folder)?.sync_all()
    }
}

/// Removes the state of an upload that is done with; none is fine.
///
/// # Errors
/// If the disk refuses.
pub fn forget(state: &FsPath) -> io::Result<()> {
    match fs::remove_file(state) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Bucket {
    /// Puts a file there, or goes on doing so. Between two requests `go_on` is asked; false stops it.
    ///
    /// # Errors
    /// If the store does not take it, or what lies there is another, which is then removed. The next
    /// call goes on from the last part that is known to be there.
    pub fn upload(&self, job: &Job, go_on: &dyn Fn(Next) -> bool) -> Result<Progress, Error> {
        let mut state = match State::read(&job.state)?.filter(|state| self.goes_on(state, job)) {
            Some(state) => state,
            None => self.begin(job)?,
        };
        if !state.whole {
            let sent = match &state.upload {
                Some(_) => self.send_parts(job, &mut state, go_on)?,
                None => self.send_whole(job)?,
            };
            if sent == Progress::Begun {
                return Ok(sent);
            }
            state.whole = true;
            state.write(&job.state)?;
        }
        self.read_back(job, go_on)
    }

    /// Stops an upload for good: what is there of it is removed.
    ///
    /// # Errors
    /// If the store does not say that it is.
    pub fn abandon(&self, state: &FsPath) -> Result<(), Error> {
        let Some(found) = State::read(state)? else {
            return Ok(());
        };
        if found.to != self.at() {
            return Err(self.trouble(format!("{} was begun in {}", found.name, found.to)));
        }
        self.abort(&found)?;
        self.remove(&found.name)?;
        Ok(forget(state)?)
    }

    fn abort(&self, state: &State) -> Result<(), Error> {
        let Some(upload) = state.upload.as_ref().filter(|_| !state.whole) else {
            return Ok(());
        };
        let path = self.path(&state.name);
        match wait(self.store.abort_multipart(&path, upload)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.blame(&state.name, &error)),
        }
    }

    fn goes_on(&self, state: &State, job: &Job) -> bool {
        (&state.to, &state.name, &state.sha256) == (&self.at(), &job.name, &job.sha256)
    }

    fn begin(&self, job: &Job) -> Result<State, Error> {
        let (bytes, sha256) = measure(File::open(&job.file)?, &|| true)?;
        if (bytes, &sha256) != (job.bytes, &job.sha256) {
            return Err(Error::Changed(format!(
                "{} is not as it was stored: expected {} octets with SHA-256 {}, found {bytes} with {sha256}",
                job.file.display(),
                job.bytes,
                job.sha256
            )));
        }
        let part_bytes = self.place.part_bytes.max(job.bytes.div_ceil(PARTS_MAX));
        let upload = if job.bytes > part_bytes {
            let begun = wait(self.store.create_multipart(&self.path(&job.name)));
            Some(begun.map_err(|error| self.blame(&job.name, &error))?)
        } else {
            None
        };
        let state = State {
            to: self.at(),
            name: job.name.clone(),
            sha256,
            part_bytes,
            upload,
            parts: Vec::new(),
            whole: false,
        };
        state.write(&job.state)?;
        Ok(state)
    }

    fn send_whole(&self, job: &Job) -> Result<Progress, Error> {
        let text = Bytes::from(fs::read(&job.file)?);
        let put = wait(self.store.put(&self.path(&job.name), text.into()));
        put.map_err(|error| self.blame(&job.name, &error))?;
        Ok(Progress::Verified)
    }

    fn send_parts(
        &self,
        job: &Job,
        state: &mut State,
        go_on: &dyn Fn(Next) -> bool,
    ) -> Result<Progress, Error> {
        let path = self.path(&job.name);
        let upload = state.upload.clone().unwrap_or_default();
        let file = File::open(&job.file)?;
        let count = job.bytes.div_ceil(state.part_bytes.max(1));
        for number in state.parts.len() as u64..count {
            if !go_on(Next::Part) {
                return Ok(Progress::Begun);
            }
            let from = number * state.part_bytes;
            let length = state.part_bytes.min(job.bytes - from);
            let mut part = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            file.read_exact_at(&mut part, from)?;
            let index = usize::try_from(number).map_err(io::Error::other)?;
            let sent = self
                .store
                .put_part(&path, &upload, index, Bytes::from(part).into());
            match wait(sent) {
                Ok(id) => state.parts.push(id.content_id),
                Err(error) => return Err(self.begun_in_vain(job, &error)),
            }
            state.write(&job.state)?;
        }
        let tags = state.parts.iter().cloned();
        let parts = tags.map(|content_id| PartId { content_id }).collect();
        match wait(self.store.complete_multipart(&path, &upload, parts)) {
            Ok(_) => Ok(Progress::Verified),
            // It was completed before, and the answer was lost.
            Err(_) if self.size(&job.name).is_ok_and(|size| size == job.bytes) => {
                Ok(Progress::Verified)
            }
            Err(error) => Err(self.begun_in_vain(job, &error)),
        }
    }

    /// The store may have thrown away what was begun: then the next call begins anew.
    fn begun_in_vain(&self, job: &Job, error: &object_store::Error) -> Error {
        if let object_store::Error::NotFound { .. } = error
            && let Err(error) = forget(&job.state)
        {
            return error.into();
        }
        self.blame(&job.name, error)
    }

    /// What lies there is what was put there; else it goes.
    fn read_back(&self, job: &Job, go_on: &dyn Fn(Next) -> bool) -> Result<Progress, Error> {
        let object = match self.object(&job.name) {
            Err(error @ Error::Absent { .. }) => {
                forget(&job.state)?;
                return Err(error);
            }
            object => object?,
        };
        let (bytes, sha256) = match measure(object, &|| go_on(Next::Reading)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Progress::Begun),
            measured => measured?,
        };
        if (bytes, &sha256) == (job.bytes, &job.sha256) {
            return Ok(Progress::Verified);
        }
        let removed = self.remove(&job.name);
        forget(&job.state)?;
        let left = removed
            .err()
            .map_or(String::new(), |error| format!("; {error}"));
        Err(Error::Changed(format!(
            "{} in {} is not what was put there: expected {} octets with SHA-256 {}, found {bytes} with {sha256}{left}",
            job.name,
            self.at(),
            job.bytes,
            job.sha256
        )))
    }
}

/// Size and SHA-256, hex, of what is read.
///
/// # Errors
/// If it cannot be read; `Interrupted` where `go_on`, which is asked before each piece, says no.
pub fn measure(mut input: impl Read, go_on: &dyn Fn() -> bool) -> io::Result<(u64, String)> {
    let mut buffer = vec![0; 256 << 10];
    let (mut length, mut hash) = (0, Sha256::new());
    loop {
        if !go_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = input.read(&mut buffer)?;
        if count == 0 {
            let digest = hash.finalize();
            let hex = digest.iter().map(|octet| format!("{octet:02x}")).collect();
            return Ok((length, hex));
        }
        length += count as u64;
        hash.update(buffer.get(..count).unwrap_or_default());
    }
}

//! Owns reading a stored recording: its manifest, its octets, what is inside when it is encrypted,
//! and its samples, whichever encoding they have. Refuses to change anything.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ogg::PacketReader;
use sha2::{Digest, Sha256};
use vocab::media::{Law, RecordingKey};

use crate::Format;
use crate::afar::{Afar, Octets};
use crate::crypt::{Keys, OpenError};
use crate::manifest::{self, Manifest};
use crate::output::hex;
use crate::{names, opus_file, wav};

/// Frames handed on at a time.
const BLOCK: usize = 4_096;
/// An archived recording is read as a whole: 14 MB an hour.
const OPUS_MAX: u64 = 1 << 30;

/// A recording with its manifest.
#[derive(Debug, Clone)]
pub struct Stored {
    root: PathBuf,
    /// Where it is looked for when it is not below the root.
    afar: Option<Arc<dyn Afar>>,
    /// What is said of it.
    pub manifest: Manifest,
    /// SHA-256 of the manifest's file.
    pub manifest_sha256: String,
}

impl Stored {
    /// Reads the manifest of a recording whose audio is, or was, at this path below the root.
    ///
    /// # Errors
    /// If there is none, or it is none.
    pub fn find(root: &Path, audio: &str, key: RecordingKey) -> io::Result<Self> {
        let folder = Path::new(audio).parent().unwrap_or(Path::new(""));
        let path = root.join(folder);
        Self::read(root, &path.join(format!("{}.json", names::stem(key))))
    }

    /// Reads the manifest at a path.
    ///
    /// # Errors
    /// If there is none, or it is none.
    pub fn read(root: &Path, path: &Path) -> io::Result<Self> {
        let length = std::fs::metadata(path)?.len();
        if length > manifest::LENGTH_MAX {
            let why = format!("{length} octets are too many for a manifest");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let text = std::fs::read(path)?;
        let manifest = Manifest::read(&text)?;
        Ok(Self {
            root: root.to_owned(),
            afar: None,
            manifest,
            manifest_sha256: hex(&Sha256::digest(&text)),
        })
    }

    /// One of which all is known.
    pub(crate) fn new(root: &Path, manifest: Manifest, manifest_sha256: String) -> Self {
        Self {
            root: root.to_owned(),
            afar: None,
            manifest,
            manifest_sha256,
        }
    }

    /// The same, where its audio may lie far away.
    #[must_use]
    pub fn with_afar(self, afar: Option<Arc<dyn Afar>>) -> Self {
        Self { afar, ..self }
    }

    /// Where the audio is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.root.join(&self.manifest.file)
    }

    /// The octets of the audio file, from here or else from afar.
    fn octets(&self) -> io::Result<Box<dyn Octets>> {
        match (File::open(self.path()), &self.afar) {
            (Err(error), Some(afar)) if error.kind() == io::ErrorKind::NotFound => {
                afar.open(&self.manifest.file)
            }
            (opened, _) => Ok(Box::new(opened?)),
        }
    }

    /// Size and SHA-256 of the audio file as it lies there.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn measure(&self) -> io::Result<(u64, String)> {
        measure(self.octets()?)
    }

    /// The octets of the audio, not encrypted any more.
    ///
    /// # Errors
    /// If no key opens it, or it cannot be read.
    pub fn audio(&self, keys: &Keys) -> Result<Box<dyn Read>, OpenError> {
        let file = BufReader::new(self.octets()?);
        Ok(if self.manifest.encryption.is_some() {
            Box::new(keys.open(file)?)
        } else {
            Box::new(file)
        })
    }

    /// The samples of both sides.
    ///
    /// # Errors
    /// If it cannot be opened, or is not what the manifest says.
    pub fn sound(&self, keys: &Keys) -> Result<Sound, OpenError> {
        let audio = self.audio(keys)?;
        let sound = if self.manifest.encoding == opus_file::ENCODING {
            Sound::opus(audio, self.manifest.sample_rate, self.manifest.samples)
        } else {
            Sound::wav(audio)
        };
        sound.map_err(OpenError::Disk)
    }

    /// Reads all of it, and says what is wrong with it; `Ok(None)` where nothing is. What is inside
    /// an encrypted file is looked at only if there is a key.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn fault(&self, keys: &Keys) -> io::Result<Option<String>> {
        let (bytes, sha256) = self.measure()?;
        let manifest = &self.manifest;
        if (bytes, &sha256) != (manifest.bytes, &manifest.sha256) {
            return Ok(Some(format!(
                "its manifest says {} octets with SHA-256 {}, found {bytes} with {sha256}",
                manifest.bytes, manifest.sha256
            )));
        }
        let Some(encryption) = &manifest.encryption else {
            return Ok(self.fault_of_header(keys));
        };
        if !keys.can_read() {
            return Ok(None);
        }
        let inside = self
            .audio(keys)
            .map_err(|error| error.to_string())
            .and_then(|audio| measure(audio).map_err(|error| error.to_string()));
        Ok(match inside {
            Err(why) => Some(format!("it cannot be decrypted: {why}")),
            Ok((_, sha256)) if sha256 != encryption.inner_sha256 => {
                Some("what is inside is not what was encrypted".to_owned())
            }
            Ok(_) => self.fault_of_header(keys),
        })
    }

    fn fault_of_header(&self, keys: &Keys) -> Option<String> {
        if self.manifest.encoding == opus_file::ENCODING {
            return self.sound(keys).err().map(|error| error.to_string());
        }
        let mut audio = match self.audio(keys) {
            Ok(audio) => audio,
            Err(error) => return Some(error.to_string()),
        };
        match wav::read(&mut audio) {
            Err(error) => Some(error.to_string()),
            Ok(heading) if heading.frames != self.manifest.samples => Some(format!(
                "its manifest says {} samples, its header {}",
                self.manifest.samples, heading.frames
            )),
            Ok(_) => None,
        }
    }
}

/// Size and SHA-256 of what is read.
pub(crate) fn measure(mut input: impl Read) -> io::Result<(u64, String)> {
    let mut buffer = vec![0; 256 << 10];
    let (mut length, mut hash) = (0, Sha256::new());
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok((length, hex(&hash.finalize()))),
            Ok(n) => {
                length += n as u64;
                hash.update(buffer.get(..n).unwrap_or_default());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

enum Source {
    Wav {
        input: Box<dyn Read>,
        format: Format,
        buffer: Vec<u8>,
    },
    Opus(Box<opus_file::Reader<Cursor<Vec<u8>>>>),
}

/// The samples of a recording, from front to end.
pub struct Sound {
    /// Samples a second and channel.
    pub rate: u32,
    /// Frames in all.
    pub frames: u64,
    left: u64,
    source: Source,
}

impl Sound {
    fn wav(mut input: Box<dyn Read>) -> io::Result<Self> {
        let heading = wav::read(&mut input)?;
        Ok(Self {
            rate: heading.rate,
            frames: heading.frames,
            left: heading.frames,
            source: Source::Wav {
                input,
                format: heading.format,
                buffer: vec![0; BLOCK * heading.format.frame()],
            },
        })
    }

    fn opus(input: Box<dyn Read>, rate: u32, frames: u64) -> io::Result<Self> {
        let mut file = Vec::new();
        input.take(OPUS_MAX).read_to_end(&mut file)?;
        let packets = PacketReader::new(Cursor::new(file));
        Ok(Self {
            rate,
            frames,
            left: frames,
            source: Source::Opus(Box::new(opus_file::Reader::new(packets, rate)?)),
        })
    }

    /// Appends the next frames (caller, operator). False: there are no more.
    ///
    /// # Errors
    /// If it cannot be read, or ends early.
    pub fn next(&mut self, frames: &mut Vec<[i16; 2]>) -> io::Result<bool> {
        if self.left == 0 {
            // Reads on to the end: what encrypts a file knows only there that it is whole.
            if let Source::Wav { input, .. } = &mut self.source {
                io::copy(input, &mut io::sink())?;
            }
            return Ok(false);
        }
        let before = frames.len();
        match &mut self.source {
            Source::Wav {
                input,
                format,
                buffer,
            } => {
                let wanted = BLOCK.min(usize::try_from(self.left).unwrap_or(BLOCK));
                let bytes = buffer
                    .get_mut(..wanted * format.frame())
                    .unwrap_or_default();
                input.read_exact(bytes)?;
                decode(*format, bytes, frames);
            }
            Source::Opus(reader) => {
                reader.next(frames)?;
                let most = before.saturating_add(usize::try_from(self.left).unwrap_or(usize::MAX));
                frames.truncate(most);
            }
        }
        self.left -= (frames.len() - before) as u64;
        Ok(true)
    }
}

fn decode(format: Format, bytes: &[u8], frames: &mut Vec<[i16; 2]>) {
    match format {
        Format::Alaw => {
            let codes = bytes.as_chunks::<2>().0.iter();
            frames.extend(codes.map(|codes| codes.map(|code| g711::decode(Law::Pcma, code))));
        }
        Format::Pcm => {
            let samples = bytes.as_chunks::<4>().0.iter();
            frames.extend(samples.map(|[a, b, c, d]| [[*a, *b], [*c, *d]].map(i16::from_le_bytes)));
        }
    }
}

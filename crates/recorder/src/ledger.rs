//! Owns the ledger check: what the journal says against what lies on the disk and stands in the
//! chain. Refuses to read the journal: it is told line by line. Changes nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use vocab::media::RecordingKey;
use vocab::{CallId, EventId};

use crate::afar::Afar;
use crate::chain::{self, Deed, Link};
use crate::crypt::Keys;
use crate::output::hex;
use crate::seal::Seal;
use crate::sound::{self, Stored};
use crate::{acts, names, opus_file, output};

/// How much shorter than its segment a recording may be.
const SHORT_MS: u64 = 1_000;

/// What the journal says of a segment that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Which.
    pub key: RecordingKey,
    /// Whether it was to be recorded.
    pub recorded: bool,
    /// How long it lasted; none while it lasts.
    pub talk_ms: Option<u64>,
    /// The audio: path below the root and SHA-256.
    pub file: Option<(String, String)>,
    /// The reason why there is none, or not all of it.
    pub missing: Option<String>,
}

/// What is wrong. Each is one plain sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A segment has neither a recording nor a reason for none.
    Gap(RecordingKey),
    /// The file is not there.
    Absent(RecordingKey, String),
    /// The file is not here, and the place where the chain says that it lies has it not.
    Lost(RecordingKey, String),
    /// The file is not as it was stored.
    Changed(RecordingKey, String),
    /// The manifest is not there, or none.
    Manifest(RecordingKey, String),
    /// Journal and manifest, or manifest and chain, say different things.
    Disagree(RecordingKey, String),
    /// It is much shorter than the talk was, and says no reason.
    Short(RecordingKey, u64, u64),
    /// A file that belongs to nothing.
    Orphan(String),
    /// The first line of the chain that does not follow from the one before.
    Broken(String),
    /// A day of the chain has no genuine signature.
    Unsigned(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap(key) => write!(
                f,
                "gap: {} was answered and has neither a recording nor a reason for none",
                of(*key)
            ),
            Self::Absent(key, path) => {
                write!(f, "gap: the recording of {} is not at {path}", of(*key))
            }
            Self::Lost(key, why) => {
                write!(
                    f,
                    "gap: the recording of {} is not here, and {why}",
                    of(*key)
                )
            }
            Self::Changed(key, why) => write!(f, "changed: the recording of {}: {why}", of(*key)),
            Self::Manifest(key, why) => write!(f, "manifest: that of {} {why}", of(*key)),
            Self::Disagree(key, why) => write!(f, "disagreement: on {} {why}", of(*key)),
            Self::Short(key, talk, audio) => write!(
                f,
                "gap: the talk of {} lasted {talk} ms, its recording {audio} ms",
                of(*key)
            ),
            Self::Orphan(path) => {
                write!(f, "orphan: {path} belongs to no recording of the journal")
            }
            Self::Broken(why) => write!(f, "chain: {why}"),
            Self::Unsigned(why) => write!(f, "signature: {why}"),
        }
    }
}

fn of(key: RecordingKey) -> String {
    format!("call {} segment {}", key.call, key.segment)
}

/// An archived recording, as the chain has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InArchive {
    /// Path of its audio below the root.
    pub file: String,
    /// SHA-256 of its audio.
    pub sha256: String,
    /// Since when that is so, UTC, RFC 3339.
    pub at: String,
    /// In which bucket it lies; none where it lies in none.
    pub to: Option<Arc<str>>,
}

/// The check while it runs.
#[derive(Debug)]
pub struct Ledger {
    root: PathBuf,
    keys: Keys,
    afar: Option<Arc<dyn Afar>>,
    /// The last deed on each recording.
    deeds: HashMap<RecordingKey, Deed>,
    /// Recordings in the archive: since when, and in which bucket they lie as well. There are as many
    /// as calls in years, so each holds what the deeds do not.
    archive: BTreeMap<RecordingKey, (String, Option<Arc<str>>)>,
    last_place: Option<Arc<str>>,
    /// Manifests of whole calls, by path.
    calls: HashMap<String, String>,
    /// Acts of destruction; what belongs into those that are not there.
    acts: BTreeMap<String, Option<Vec<Link>>>,
    /// Entries whose personal fields were destroyed.
    impersonal: HashSet<CallId>,
    cards_gone: HashSet<EventId>,
    /// Calls that are held, and why.
    held: HashMap<CallId, String>,
    /// Lines of the chain that hold.
    lines: u64,
    findings: Vec<Finding>,
}

impl Ledger {
    /// Reads the whole chain below a root. Signatures must be by `public_key`, where it is given.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn open(root: &Path, keys: Keys, public_key: Option<&str>) -> io::Result<Self> {
        let mut ledger = Self {
            root: root.to_owned(),
            keys,
            afar: None,
            deeds: HashMap::new(),
            archive: BTreeMap::new(),
            last_place: None,
            calls: HashMap::new(),
            acts: BTreeMap::new(),
            impersonal: HashSet::new(),
            cards_gone: HashSet::new(),
            held: HashMap::new(),
            lines: 0,
            findings: Vec::new(),
        };
        ledger.read_chain(public_key)?;
        Ok(ledger)
    }

    /// The same, where recordings may lie far away.
    #[must_use]
    pub fn with_afar(self, afar: Option<Arc<dyn Afar>>) -> Self {
        Self { afar, ..self }
    }

    /// The recordings that are in the archive, and not destroyed.
    pub fn archive(&self) -> impl Iterator<Item = (RecordingKey, InArchive)> {
        self.archive.iter().filter_map(|(key, (at, to))| {
            let Some(Deed::Stored { file, sha256, .. }) = self.deeds.get(key) else {
                return None;
            };
            let one = InArchive {
                file: file.clone(),
                sha256: sha256.clone(),
                at: at.clone(),
                to: to.clone(),
            };
            Some((*key, one))
        })
    }

    /// In which bucket a recording lies, if it lies in one.
    #[must_use]
    pub fn lies_in(&self, key: RecordingKey) -> Option<&str> {
        self.archive.get(&key)?.1.as_deref()
    }

    /// What was found since the last time.
    pub fn findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// Lines of the chain up to the first that is broken.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// The last deed on a recording.
    #[must_use]
    pub fn deed(&self, key: RecordingKey) -> Option<&Deed> {
        self.deeds.get(&key)
    }

    /// Why the recordings of a call are not to be destroyed, if they are held.
    #[must_use]
    pub fn held(&self, call: CallId) -> Option<&str> {
        self.held.get(&call).map(String::as_str)
    }

    /// Whether the personal fields of an entry were destroyed.
    #[must_use]
    pub fn is_impersonal(&self, call: CallId) -> bool {
        self.impersonal.contains(&call)
    }

    /// Whether the card of a person was destroyed.
    #[must_use]
    pub fn is_card_gone(&self, person: EventId) -> bool {
        self.cards_gone.contains(&person)
    }

    fn read_chain(&mut self, public_key: Option<&str>) -> io::Result<()> {
        let dir = self.root.join(chain::FOLDER);
        let days = match std::fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            listed => {
                let paths: Vec<PathBuf> = listed?
                    .map(|entry| entry.map(|entry| entry.path()))
                    .collect::<io::Result<_>>()?;
                chain::days(&paths)
            }
        };
        let mut before = chain::NOTHING.to_owned();
        let mut broken = false;
        for (index, day) in days.iter().enumerate() {
            let file = File::open(dir.join(format!("{day}.jsonl")))?;
            let mut number = 0;
            chain::each_line(&file, |line| {
                number += 1;
                match serde_json::from_slice::<Link>(line) {
                    Ok(link) if link.prev == before => self.lines += u64::from(!broken),
                    _ if broken => {}
                    Ok(link) => {
                        broken = true;
                        self.findings.push(Finding::Broken(format!(
                            "line {number} of {day} follows {}, expected {before}: a line before \
                             it was changed, added or removed",
                            link.prev
                        )));
                    }
                    Err(error) => {
                        broken = true;
                        self.findings.push(Finding::Broken(format!(
                            "line {number} of {day} is none: {error}"
                        )));
                    }
                }
                before = hex(&Sha256::digest(line));
                if let Ok(link) = serde_json::from_slice::<Link>(line) {
                    self.enter(link);
                }
            })?;
            let last = index + 1 == days.len();
            self.check_seal(&dir, day, (number, &before), public_key, last);
        }
        Ok(())
    }

    fn enter(&mut self, link: Link) {
        if let Deed::Destroyed { act, .. }
        | Deed::PersonalDestroyed { act, .. }
        | Deed::CardDestroyed { act, .. } = &link.deed
        {
            self.want_act(act.clone(), link.clone());
        }
        self.enter_archive(&link);
        let deed = link.deed;
        match (deed.key(), &deed) {
            // It is the same recording, with the same manifest.
            (Some(_), Deed::Uploaded { .. }) => {}
            (Some(key), _) => {
                self.deeds.insert(key, deed);
            }
            (None, Deed::Call { file, manifest, .. }) => {
                self.calls.insert(file.clone(), manifest.clone());
            }
            (None, Deed::PersonalDestroyed { call, .. }) => {
                self.impersonal.insert(*call);
            }
            (None, Deed::CardDestroyed { person, .. }) => {
                self.cards_gone.insert(*person);
            }
            (None, Deed::Held { call, reason, .. }) => {
                self.held.insert(*call, reason.clone());
            }
            (None, Deed::Released { call, .. }) => {
                self.held.remove(call);
            }
            (None, _) => {}
        }
    }

    fn enter_archive(&mut self, Link { at, deed, .. }: &Link) {
        let Some(key) = deed.key() else { return };
        match deed {
            Deed::Stored { file, .. } if opus_file::is_named(file) => {
                self.archive.insert(key, (at.clone(), None));
            }
            Deed::Uploaded { to, .. } => {
                let to = match &self.last_place {
                    Some(last) if **last == **to => Arc::clone(last),
                    _ => Arc::from(to.as_str()),
                };
                self.last_place = Some(Arc::clone(&to));
                self.archive.insert(key, (at.clone(), Some(to)));
            }
            Deed::Destroyed { .. } => {
                self.archive.remove(&key);
            }
            Deed::Stored { .. }
            | Deed::Call { .. }
            | Deed::Exported { .. }
            | Deed::Held { .. }
            | Deed::Released { .. }
            | Deed::PersonalDestroyed { .. }
            | Deed::CardDestroyed { .. } => {}
        }
    }

    /// An act that is not there is kept in mind, with what belongs into it.
    fn want_act(&mut self, act: String, link: Link) {
        let path = self.root.join(acts::FOLDER).join(format!("{act}.json"));
        let wanted = self
            .acts
            .entry(act)
            .or_insert_with(|| (!path.exists()).then(Vec::new));
        if let Some(links) = wanted {
            links.push(link);
        }
    }

    /// The acts that the chain names and that are not there, with what was destroyed by each.
    pub(crate) fn acts_wanted(&self) -> impl Iterator<Item = (&String, &Vec<Link>)> {
        self.acts
            .iter()
            .filter_map(|(act, links)| Some((act, links.as_ref()?)))
    }

    /// The last day is still being written, or its day is not over, so it needs no signature.
    fn check_seal(
        &mut self,
        dir: &Path,
        day: &str,
        (lines, hash): (u64, &str),
        public_key: Option<&str>,
        last: bool,
    ) {
        let text = match std::fs::read(dir.join(format!("{day}.sig"))) {
            Ok(text) => text,
            Err(_) if last => return,
            Err(error) => {
                self.findings
                    .push(Finding::Unsigned(format!("{day} has none: {error}")));
                return;
            }
        };
        let why = match serde_json::from_slice::<Seal>(&text) {
            Err(error) => format!("that of {day} is none: {error}"),
            Ok(seal) if !seal.is_genuine() || seal.day != day => {
                format!("that of {day} is not genuine")
            }
            Ok(seal) if public_key.is_some_and(|key| key != seal.public_key) => {
                format!("{day} was signed with another key, {}", seal.public_key)
            }
            Ok(seal) if (seal.lines, seal.hash.as_str()) != (lines, hash) => format!(
                "{day} was signed with {} lines up to {}, found {lines} up to {hash}",
                seal.lines, seal.hash
            ),
            Ok(_) => return,
        };
        self.findings.push(Finding::Unsigned(why));
    }

    /// Checks one segment of the journal. True: it has verified audio or a stated reason.
    ///
    /// # Errors
    /// If the disk cannot be read for another reason than that a file is not there.
    pub fn check(&mut self, expected: &Expected) -> io::Result<bool> {
        let before = self.findings.len();
        let key = expected.key;
        match (&expected.file, &expected.missing) {
            // Destroyed by an act: nothing may be left.
            (_, Some(reason)) if reason == "destroyed" => self.check_destroyed(expected),
            (Some((path, sha256)), _) => self.check_file(expected, path, sha256)?,
            (None, Some(_)) => {}
            // The talk goes on, or it was not to be recorded.
            (None, None) if !expected.recorded || expected.talk_ms.is_none() => {}
            (None, None) => self.findings.push(Finding::Gap(key)),
        }
        Ok(self.findings.len() == before)
    }

    fn check_destroyed(&mut self, expected: &Expected) {
        let key = expected.key;
        match self.deeds.get(&key) {
            Some(Deed::Destroyed { .. }) => {}
            _ => self.findings.push(Finding::Disagree(
                key,
                "the journal says that it was destroyed, the chain does not".to_owned(),
            )),
        }
        if let Some((path, _)) = &expected.file
            && self.root.join(path).exists()
        {
            self.findings.push(Finding::Disagree(
                key,
                format!("{path} is there, although it was destroyed"),
            ));
        }
    }

    fn check_file(&mut self, expected: &Expected, path: &str, sha256: &str) -> io::Result<()> {
        let key = expected.key;
        if let Some(Deed::Destroyed { act, .. }) = self.deeds.get(&key)
            && !self.root.join(path).exists()
        {
            // The engine tells the journal at its next start.
            tracing::debug!(%act, "destroyed, and not yet in the journal");
            return Ok(());
        }
        let far = self.lies_in(key).map(str::to_owned);
        let stored = match Stored::find(&self.root, path, key) {
            Ok(stored) => stored.with_afar(self.afar.clone().filter(|_| far.is_some())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let finding = if self.root.join(path).exists() {
                    Finding::Manifest(key, "is not there".to_owned())
                } else {
                    Finding::Absent(key, path.to_owned())
                };
                self.findings.push(finding);
                return Ok(());
            }
            Err(error) if is_content(&error) => {
                self.findings
                    .push(Finding::Manifest(key, format!("is none: {error}")));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.check_words(expected, path, sha256, &stored);
        if let Some(peaks) = &stored.manifest.peaks {
            let found = File::open(self.root.join(&peaks.file)).and_then(sound::measure);
            if found.as_ref().ok() != Some(&(peaks.bytes, peaks.sha256.clone())) {
                let why = format!("its peaks {} are not as they were stored", peaks.file);
                self.findings.push(Finding::Changed(key, why));
            }
        }
        match stored.fault(&self.keys) {
            Ok(None) => {}
            Ok(Some(why)) => self.findings.push(Finding::Changed(key, why)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = stored.manifest.file.clone();
                self.findings.push(match (far, &self.afar) {
                    (None, _) => Finding::Absent(key, file),
                    (Some(to), None) => Finding::Lost(
                        key,
                        format!("lies in {to}, of which the settings say nothing ([bucket])"),
                    ),
                    (Some(to), Some(afar)) => Finding::Lost(key, lost(&file, &to, &afar.at())),
                });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// What is said of the recording in the three places.
    fn check_words(&mut self, expected: &Expected, path: &str, sha256: &str, stored: &Stored) {
        let key = expected.key;
        let manifest = &stored.manifest;
        if manifest.key() != key {
            let why = "the manifest is of another recording".to_owned();
            self.findings.push(Finding::Disagree(key, why));
        }
        // The journal may not have heard of the archive yet.
        let before = manifest.archived.as_ref();
        let before = before.map(|was| (was.file.as_str(), was.sha256.as_str()));
        let now = (manifest.file.as_str(), manifest.sha256.as_str());
        if (path, sha256) != now && Some((path, sha256)) != before {
            self.findings.push(Finding::Disagree(
                key,
                format!(
                    "the journal says {path} with SHA-256 {sha256}, the manifest {} with {}",
                    manifest.file, manifest.sha256
                ),
            ));
        }
        let linked = match self.deeds.get(&key) {
            Some(Deed::Stored { manifest, .. }) => Some(manifest == &stored.manifest_sha256),
            Some(_) => Some(false),
            // Recordings of versions before the chain stand in none.
            None => (manifest.version < 2).then_some(true),
        };
        match linked {
            Some(true) => {}
            Some(false) => self.findings.push(Finding::Disagree(
                key,
                "the manifest is not the one that stands in the chain".to_owned(),
            )),
            None => self.findings.push(Finding::Disagree(
                key,
                "the manifest stands nowhere in the chain".to_owned(),
            )),
        }
        let explained = manifest.truncated || manifest.repaired || expected.missing.is_some();
        if let Some(talk) = expected.talk_ms
            && !explained
            && manifest.duration_ms + SHORT_MS < talk
        {
            self.findings
                .push(Finding::Short(key, talk, manifest.duration_ms));
        }
    }

    /// Walks over the folders of days, and asks for each recording there whether the journal knows
    /// its file. What belongs to nothing is found; also what was left half-made.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn check_orphans(
        &mut self,
        mut known: impl FnMut(RecordingKey) -> Option<String>,
    ) -> io::Result<u64> {
        let mut files = 0;
        for folder in day_folders(&self.root)? {
            let mut names: Vec<String> = std::fs::read_dir(self.root.join(&folder))?
                .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
                .collect::<io::Result<_>>()?;
            names.sort_unstable();
            let mut asked: Option<(RecordingKey, Option<String>)> = None;
            for name in names {
                files += 1;
                let path = format!("{folder}/{name}");
                let Some((key, ending)) = names::parse(&name) else {
                    if !self.calls.contains_key(&path) {
                        self.findings.push(Finding::Orphan(path));
                    }
                    continue;
                };
                if asked.as_ref().is_none_or(|(before, _)| *before != key) {
                    asked = Some((key, known(key)));
                }
                let audio = asked.as_ref().and_then(|(_, audio)| audio.as_deref());
                let plain = ending.strip_suffix(&format!(".{}", output::ENCRYPTED));
                let belongs = match plain.unwrap_or(ending) {
                    // The journal may not have heard of the archive yet.
                    "wav" | "opus" => {
                        audio == Some(&path) || audio.is_some() && self.is_stored_at(key, &path)
                    }
                    "json" | "peaks" => audio.is_some_and(|audio| audio.starts_with(&folder)),
                    _ => false,
                };
                if !belongs {
                    self.findings.push(Finding::Orphan(path));
                }
            }
        }
        self.check_calls()?;
        Ok(files)
    }

    fn is_stored_at(&self, key: RecordingKey, path: &str) -> bool {
        matches!(self.deeds.get(&key), Some(Deed::Stored { file, .. }) if file == path)
    }

    /// Manifests of whole calls are as the chain says.
    fn check_calls(&mut self) -> io::Result<()> {
        let mut paths: Vec<_> = self.calls.iter().collect();
        paths.sort_unstable();
        for (path, manifest) in paths {
            let found = match std::fs::read(self.root.join(path)) {
                Ok(text) => hex(&Sha256::digest(&text)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => "nothing".to_owned(),
                Err(error) => return Err(error),
            };
            if found != *manifest {
                self.findings.push(Finding::Broken(format!(
                    "the manifest {path} of a call has SHA-256 {manifest} there, found {found}"
                )));
            }
        }
        Ok(())
    }
}

/// That the place where a file should lie does not have it.
fn lost(file: &str, to: &str, at: &str) -> String {
    if to == at {
        format!("{at} does not have {file}")
    } else {
        format!("{at} does not have {file}, which was put into {to}")
    }
}

fn is_content(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, Other, UnexpectedEof};
    matches!(error.kind(), InvalidData | UnexpectedEof | Other)
}

/// The folders of days below a root, in order.
///
/// # Errors
/// If the disk cannot be read.
pub(crate) fn day_folders(root: &Path) -> io::Result<Vec<String>> {
    let mut folders = vec![String::new()];
    for digits in [4, 2, 2] {
        let mut below = Vec::new();
        for folder in &folders {
            for entry in std::fs::read_dir(root.join(folder))? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let numeric = name.len() == digits && name.bytes().all(|c| c.is_ascii_digit());
                if numeric && entry.file_type()?.is_dir() {
                    let path = if folder.is_empty() {
                        name
                    } else {
                        format!("{folder}/{name}")
                    };
                    below.push(path);
                }
            }
        }
        folders = below;
    }
    folders.sort_unstable();
    Ok(folders)
}

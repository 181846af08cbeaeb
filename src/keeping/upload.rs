//! Owns bringing archived recordings into the bucket, and taking away what is left here of them when its time is
//! over. What waits is read from the chain, so that a crash forgets none.

use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use bucket::{Bucket, Job, Next, Progress};
use recorder::ledger::{InArchive, Ledger};
use recorder::{Deed, Stored, archive};
use vocab::WallTime;
use vocab::media::RecordingKey;

use super::Keeping;

/// Folder of the states of uploads below the root.
const STATES: &str = "uploads";
/// Wait before the next try after a failure; it doubles with each, up to the longest.
const RETRY_FIRST: Duration = Duration::from_secs(5);
const RETRY_LONGEST: Duration = Duration::from_secs(600);

/// How uploads are, for other threads.
#[derive(Debug, Default)]
pub struct Figures {
    waiting: AtomicU64,
    /// Since when the oldest waits, ms since 1970; 0 where none does.
    oldest: AtomicI64,
    failures: AtomicU64,
}

impl Figures {
    /// Recordings that are in the archive and not in the bucket.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How long the oldest of them has waited.
    #[must_use]
    pub fn oldest(&self, now: WallTime) -> Duration {
        let since = self.oldest.load(Ordering::Relaxed);
        let waits = now.as_unix_millis().saturating_sub(since);
        let waits = u64::try_from(waits).ok().filter(|_| since != 0);
        Duration::from_millis(waits.unwrap_or(0))
    }

    /// Uploads, and deletions there, that failed since the start.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

/// What waits for the bucket.
#[derive(Debug, Default)]
pub struct Uploads {
    waiting: VecDeque<(RecordingKey, InArchive)>,
    /// Failures since the last success.
    failures: u32,
    not_before: Option<WallTime>,
}

impl Uploads {
    /// How many there are.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether one is due now.
    #[must_use]
    pub fn is_due(&self, now: WallTime) -> bool {
        !self.waiting.is_empty() && self.not_before.is_none_or(|at| now >= at)
    }

    fn put_off(&mut self, now: WallTime) {
        let wait = RETRY_FIRST.saturating_mul(1 << self.failures.min(10));
        let ms = i64::try_from(wait.min(RETRY_LONGEST).as_millis()).unwrap_or(i64::MAX);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(WallTime::from_unix_millis(now.as_unix_millis() + ms));
        // One that cannot be uploaded does not keep the others.
        if let Some(first) = self.waiting.pop_front() {
            self.waiting.push_back(first);
        }
    }
}

impl Keeping {
    /// Looks what waits for the bucket, and removes what needs to be here no longer.
    ///
    /// # Errors
    /// If the chain cannot be read.
    pub fn look_for_uploads(&self, uploads: &mut Uploads, now: WallTime) -> anyhow::Result<()> {
        let Some(bucket) = &self.bucket else {
            return Ok(());
        };
        let ledger = self.ledger()?;
        let waits = ledger.archive().filter(|(_, one)| one.to.is_none());
        let mut waiting: Vec<_> = waits.collect();
        waiting.sort_by(|(_, a), (_, b)| a.at.cmp(&b.at));
        uploads.waiting = waiting.into();
        self.tell(uploads);
        let Some(keep) = self.keep_local else {
            return Ok(());
        };
        let at = bucket.at();
        let there = ledger.archive();
        for (key, one) in there.filter(|(_, one)| one.to.as_deref() == Some(&at)) {
            if self.root.join(&one.file).exists() && is_over(&one.at, keep, now) {
                let (call, segment) = (key.call, key.segment);
                match self.leave(bucket, key, &one) {
                    Ok(()) => tracing::info!(%call, segment, "recording lies in the bucket alone"),
                    Err(error) => {
                        self.uploading.failed();
                        tracing::error!(%call, segment, %error, "copy of a recording kept here");
                    }
                }
            }
        }
        Ok(())
    }

    /// Uploads what has waited longest, or goes on with it. Between two requests `go_on` is asked.
    ///
    /// # Errors
    /// If it was not uploaded; it waits on.
    pub fn upload_next(
        &self,
        uploads: &mut Uploads,
        now: WallTime,
        go_on: &dyn Fn(Next) -> bool,
    ) -> anyhow::Result<()> {
        let (Some(bucket), Some((key, one))) = (&self.bucket, uploads.waiting.front()) else {
            return Ok(());
        };
        let (key, one) = (*key, one.clone());
        let done = self.upload(bucket, key, &one, now, go_on);
        match done {
            Ok(Progress::Begun) => return Ok(()),
            Ok(Progress::Verified) => {
                uploads.waiting.pop_front();
                uploads.failures = 0;
                uploads.not_before = None;
            }
            Err(_) => {
                self.uploading.failed();
                uploads.put_off(now);
            }
        }
        self.tell(uploads);
        let what = || {
            format!(
                "call {} segment {} waits for the bucket",
                key.call, key.segment
            )
        };
        done.map(drop).with_context(what)
    }

    fn tell(&self, uploads: &Uploads) {
        let oldest = uploads
            .waiting
            .iter()
            .filter_map(|(_, one)| millis(&one.at));
        let figures = &self.uploading;
        figures
            .waiting
            .store(uploads.waiting.len() as u64, Ordering::Relaxed);
        figures
            .oldest
            .store(oldest.min().unwrap_or(0), Ordering::Relaxed);
    }

    fn upload(
        &self,
        bucket: &Bucket,
        key: RecordingKey,
        one: &InArchive,
        now: WallTime,
        go_on: &dyn Fn(Next) -> bool,
    ) -> anyhow::Result<Progress> {
        let stored = Stored::find(&self.root, &one.file, key)
            .with_context(|| format!("the manifest of {} cannot be read", one.file))?;
        let manifest = &stored.manifest;
        if (&manifest.file, &manifest.sha256) != (&one.file, &one.sha256) {
            bail!(
                "the manifest of {} is not the one that stands in the chain",
                one.file
            );
        }
        let job = Job {
            file: stored.path(),
            name: one.file.clone(),
            bytes: manifest.bytes,
            sha256: manifest.sha256.clone(),
            state: self.state_of(&one.file),
        };
        if bucket.upload(&job, go_on)? == Progress::Begun {
            return Ok(Progress::Begun);
        }
        put_manifest(bucket, &self.root, &one.file)?;
        let deed = Deed::Uploaded {
            call: key.call,
            segment: key.segment,
            file: one.file.clone(),
            sha256: one.sha256.clone(),
            manifest: stored.manifest_sha256.clone(),
            to: bucket.at(),
        };
        self.chain().append(now, deed)?;
        bucket::forget(&job.state)?;
        let (call, segment) = (key.call, key.segment);
        tracing::info!(%call, segment, to = bucket.at(), "recording uploaded");
        // What fails here is done by the next look.
        if self.keep_local == Some(Duration::ZERO)
            && let Err(error) = archive::leave_to_afar(&self.root, &stored)
        {
            tracing::error!(%call, segment, %error, "copy of a recording kept here");
        }
        Ok(Progress::Verified)
    }

    /// The copy here goes, if the one there still is what it was.
    fn leave(&self, bucket: &Bucket, key: RecordingKey, one: &InArchive) -> anyhow::Result<()> {
        let stored = Stored::find(&self.root, &one.file, key)?;
        let (_, there) = bucket::measure(bucket.object(&one.file)?, &|| true)?;
        if there != stored.manifest.sha256 {
            bail!(
                "{} has the SHA-256 {} here, {there} in the bucket",
                one.file,
                stored.manifest.sha256
            );
        }
        Ok(archive::leave_to_afar(&self.root, &stored)?)
    }

    /// Destroys what lies of a recording in the bucket; nothing may.
    pub(super) fn destroy_afar(
        &self,
        ledger: &Ledger,
        key: RecordingKey,
        file: &str,
    ) -> anyhow::Result<()> {
        let to = ledger.lies_in(key);
        let state = self.state_of(file);
        if to.is_none() && !state.exists() {
            return Ok(());
        }
        let Some(bucket) = &self.bucket else {
            let to = to.unwrap_or("a bucket");
            bail!("it lies in {to}, of which the settings say nothing ([bucket])");
        };
        if let Some(to) = to.filter(|to| *to != bucket.at()) {
            bail!("it lies in {to}, the settings name {}", bucket.at());
        }
        bucket.abandon(&state)?;
        bucket.remove(file)?;
        bucket.remove(&manifest_of(file))?;
        Ok(())
    }

    fn state_of(&self, file: &str) -> PathBuf {
        let name = file.rsplit('/').next().unwrap_or(file);
        self.root.join(STATES).join(format!("{name}.json"))
    }
}

/// The manifest beside an archived recording.
fn manifest_of(file: &str) -> String {
    let stem = file.strip_suffix(".age").unwrap_or(file);
    let stem = stem.strip_suffix(".opus").unwrap_or(stem);
    format!("{stem}.json")
}

/// Puts the manifest beside its audio, and reads it back.
fn put_manifest(bucket: &Bucket, root: &Path, file: &str) -> anyhow::Result<()> {
    let name = manifest_of(file);
    let text = std::fs::read(root.join(&name))?;
    bucket.put(&name, &text)?;
    let mut found = Vec::new();
    bucket.object(&name)?.read_to_end(&mut found)?;
    if found != text {
        bail!("{name} in {} is not what was put there", bucket.at());
    }
    Ok(())
}

fn millis(at: &str) -> Option<i64> {
    let at: jiff::Timestamp = at.parse().ok()?;
    Some(at.as_millisecond())
}

fn is_over(at: &str, keep: Duration, now: WallTime) -> bool {
    let age = millis(at).map(|at| now.as_unix_millis().saturating_sub(at));
    let age = age.and_then(|age| u128::try_from(age).ok());
    age.is_some_and(|age| age >= keep.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_after_failures_doubles_up_to_ten_minutes() {
        let mut uploads = Uploads::default();
        let now = WallTime::from_unix_millis(0);
        let mut waits = Vec::new();
        for _ in 0..9 {
            uploads.put_off(now);
            waits.push(uploads.not_before.unwrap().as_unix_millis() / 1_000);
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
    }

    #[test]
    fn the_manifest_of_an_archived_recording_bears_its_name() {
        for file in ["2026/11/22/a-1.opus", "2026/11/22/a-1.opus.age"] {
            assert_eq!(manifest_of(file), "2026/11/22/a-1.json");
        }
    }

    #[test]
    fn an_age_counts_from_the_line_of_the_chain() {
        let now = WallTime::from_unix_millis(1_795_334_462_000); // 2026-11-22T08:01:02Z
        let minute = Duration::from_secs(60);
        assert!(is_over("2026-11-22T08:00:02.000Z", minute, now));
        assert!(!is_over("2026-11-22T08:00:02.001Z", minute, now));
    }
}

//! Owns one pass over the recordings that are due: the archive first, then destruction with its act.

use std::io;

use recorder::ledger::Ledger;
use recorder::{Deed, Stored, archive};
use vocab::media::RecordingKey;
use vocab::{RecordingFile, WallTime};

use super::{Candidate, Due, Keeping};

/// What was done, for the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// A recording lies in the archive.
    Archived(RecordingKey, Box<RecordingFile>),
    /// It was destroyed.
    Destroyed(RecordingKey),
}

/// What a pass did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passed {
    /// How many things were done.
    pub done: usize,
    /// What was not, and why; the next pass tries it again.
    pub failed: Vec<String>,
}

impl Keeping {
    /// Does what is due now. `tell` hears of each thing when it is done; false from it stops the
    /// pass.
    ///
    /// # Errors
    /// If the journal or the chain cannot be read. What fails with one recording is logged, and
    /// tried again by the next pass.
    pub async fn pass(
        &self,
        now: WallTime,
        mut tell: impl FnMut(Done) -> bool,
    ) -> anyhow::Result<Passed> {
        let act = act_of(now);
        let mut chain = self.chain();
        let ledger = self.ledger()?;
        let mut passed = Passed::default();
        for one in self.plan(now).await? {
            if one.held.is_some() {
                continue;
            }
            let destroyed = match ledger.deed(one.key) {
                Some(Deed::Destroyed { .. }) => true,
                Some(_) | None => false,
            };
            let done = match &one.due {
                Due::Destroy(reason) => {
                    let why = (act.as_str(), reason.as_str());
                    self.destroy((&one, &ledger), destroyed, why, &mut chain)
                }
                Due::Archive if destroyed => {
                    self.destroy((&one, &ledger), true, (&act, ""), &mut chain)
                }
                Due::Archive => self.archive(&one, &mut chain),
            };
            let (call, segment) = (one.key.call, one.key.segment);
            match done {
                Ok(done) => {
                    passed.done += 1;
                    tracing::info!(%call, segment, due = ?one.due, "recording");
                    if !tell(done) {
                        break;
                    }
                }
                Err(error) => {
                    tracing::error!(%call, segment, due = ?one.due, %error, "recording kept as it is");
                    let failed = format!("call {call} segment {segment} is kept as it is: {error}");
                    passed.failed.push(failed);
                }
            }
        }
        passed.done += self.destroy_personal(now, &act, &mut chain).await?;
        passed.done += self.destroy_cards(now, &act, &mut chain).await?;
        for act in recorder::acts::write_missing(&self.root, &self.ledger()?, &self.words)? {
            tracing::info!(act, "act of destruction written");
        }
        Ok(passed)
    }

    fn archive(&self, one: &Candidate, chain: &mut recorder::Chain) -> anyhow::Result<Done> {
        let stored = Stored::find(&self.root, &one.path, one.key)?;
        let bits = self.archive_bits;
        let manifest = archive::archive(&self.root, &stored, &self.keys, bits, chain)?;
        Ok(Done::Archived(one.key, Box::new(manifest.to_file())))
    }

    fn destroy(
        &self,
        (one, ledger): (&Candidate, &Ledger),
        before: bool,
        why: (&str, &str),
        chain: &mut recorder::Chain,
    ) -> anyhow::Result<Done> {
        match Stored::find(&self.root, &one.path, one.key) {
            Ok(stored) if before => archive::remove_all(&self.root, &stored)?,
            Ok(stored) => {
                // First there: the line of the chain, and so the act, says that nothing is left.
                let there = self.destroy_afar(ledger, one.key, &stored.manifest.file);
                there.inspect_err(|_| self.uploading.failed())?;
                archive::destroy(&self.root, &stored, why, chain)?;
            }
            // Destroyed before, and the journal was not told any more.
            Err(error) if before && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Done::Destroyed(one.key))
    }
}

/// The name of an act: the moment of its pass.
fn act_of(now: WallTime) -> String {
    let seconds = now.as_unix_millis().div_euclid(1_000);
    jiff::Timestamp::from_second(seconds)
        .map(|at| at.strftime("%Y%m%d-%H%M%S").to_string())
        .unwrap_or_else(|_| seconds.to_string())
}

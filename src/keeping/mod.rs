//! Owns how long recordings are kept: which are due for the archive or for destruction, by the
//! settings, and doing it. The journal is told what was done; a legal hold stops a destruction.

mod bucket;
mod calls;
mod pass;
mod personal;
mod upload;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::bucket::Bucket;
use anyhow::Context;
use journal::query;
use journal::recordings::SegmentRecording;
use recorder::acts::Words;
use recorder::crypt::Keys;
use recorder::ledger::Ledger;
use recorder::{Chain, SigningKey};
use vocab::WallTime;
use vocab::media::RecordingKey;

use crate::boot;
use crate::settings::{Retention, Settings};

pub use bucket::Afar;
pub use calls::Calls;
pub use pass::{Done, Passed};
pub use personal::{CardDue, PersonalDue};
pub use upload::{Figures, Uploads};

/// Recordings that one pass takes on at most; the next goes on.
const PASS_MAX: usize = 10_000;
const DAY: Duration = Duration::from_secs(86_400);

/// What is to be done with a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Its time is over, by this rule.
    Destroy(String),
    /// It goes into the archive.
    Archive,
}

/// A recording for which something is due.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Which.
    pub key: RecordingKey,
    /// Where its audio is, as the journal says.
    pub path: String,
    /// What is due.
    pub due: Due,
    /// Why it is not destroyed all the same: the reason of a legal hold.
    pub held: Option<String>,
}

/// How long recordings are kept, and all that is needed to act on it.
#[derive(Debug)]
pub struct Keeping {
    rules: Rules,
    root: PathBuf,
    database: journal::Location,
    keys: Keys,
    signing_key: PathBuf,
    words: Words,
    archive_bits: u32,
    bucket: Option<Bucket>,
    keep_local: Option<Duration>,
    uploading: Arc<Figures>,
}

#[derive(Debug, Clone)]
struct Rules {
    keep: Option<Duration>,
    keep_personal: Option<Duration>,
    retention: Vec<Retention>,
    archive_after: Option<Duration>,
}

impl Rules {
    /// How long a recording is kept, and by which rule.
    fn keep(&self, queue: Option<&str>, topic: Option<&str>) -> Option<(Duration, String)> {
        self.rule((queue, topic), self.keep, |rule| Some(rule.keep))
    }

    /// How long the personal fields of an entry are kept, and by which rule.
    fn keep_personal(
        &self,
        queue: Option<&str>,
        topic: Option<&str>,
    ) -> Option<(Duration, String)> {
        self.rule((queue, topic), self.keep_personal, |rule| {
            rule.keep_personal
        })
    }

    /// The rule that says most about a call, of those that say how long.
    fn rule(
        &self,
        (queue, topic): (Option<&str>, Option<&str>),
        otherwise: Option<Duration>,
        how_long: impl Fn(&Retention) -> Option<Duration>,
    ) -> Option<(Duration, String)> {
        let fits = |rule: &&Retention| {
            let matches = |wanted: &Option<String>, found: Option<&str>| {
                wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
            };
            matches(&rule.queue, queue) && matches(&rule.topic, topic) && how_long(rule).is_some()
        };
        // A topic says more than a queue, both more than one; of equals the first stands.
        let weight =
            |rule: &&Retention| u8::from(rule.topic.is_some()) * 2 + u8::from(rule.queue.is_some());
        let best = self.retention.iter().rev().filter(fits).max_by_key(weight);
        let Some((rule, keep)) = best.and_then(|rule| Some((rule, how_long(rule)?))) else {
            let keep = otherwise?;
            return Some((keep, format!("kept for {}", days(keep))));
        };
        let mut of = Vec::new();
        of.extend(rule.queue.iter().map(|queue| format!("queue {queue}")));
        of.extend(rule.topic.iter().map(|topic| format!("topic {topic}")));
        if of.is_empty() {
            of.push("every call".to_owned());
        }
        let of = of.join(", ");
        Some((keep, format!("{of}: kept for {}", days(keep))))
    }

    fn due(&self, segment: &SegmentRecording, now: WallTime) -> Option<Due> {
        let age = now.as_unix_millis().saturating_sub(segment.started_at);
        let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
        let keep = self.keep(segment.queue.as_deref(), segment.topic.as_deref());
        if let Some((_, reason)) = keep.filter(|(keep, _)| age >= *keep) {
            return Some(Due::Destroy(reason));
        }
        let path = segment.path.as_deref()?;
        let archived = path.ends_with(".opus") || path.ends_with(".opus.age");
        self.archive_after
            .filter(|after| age >= *after && !archived)
            .map(|_| Due::Archive)
    }

    /// Younger recordings are of no interest; none if no rule ever is.
    fn youngest(&self) -> Option<Duration> {
        let keeps = self.retention.iter().map(|rule| rule.keep);
        keeps.chain(self.keep).chain(self.archive_after).min()
    }

    /// Personal fields of younger entries are of no interest; none if no rule ever destroys any.
    fn youngest_personal(&self) -> Option<Duration> {
        let keeps = self.retention.iter().filter_map(|rule| rule.keep_personal);
        keeps.chain(self.keep_personal).min()
    }
}

fn days(keep: Duration) -> String {
    if keep >= DAY {
        format!("{} d", keep.as_secs() / DAY.as_secs())
    } else {
        format!("{} s", keep.as_secs())
    }
}

impl Keeping {
    /// What the settings say.
    ///
    /// # Errors
    /// If a key cannot be used.
    pub fn of(settings: &Settings) -> anyhow::Result<Self> {
        let ours = &settings.recordings;
        Ok(Self {
            rules: Rules {
                keep: ours.keep,
                keep_personal: settings.journal.keep_personal,
                retention: settings.retention.clone(),
                archive_after: ours.archive_after,
            },
            root: ours.root.clone(),
            database: settings.journal.database.clone(),
            keys: boot::recording_keys(settings)?,
            signing_key: ours.signing_key.clone(),
            words: Words {
                data_operator: ours.data_operator.clone().unwrap_or_default(),
                information_system: ours.information_system.clone(),
            },
            archive_bits: ours.archive_bits,
            bucket: Afar::of(settings)?.map(|afar| afar.0),
            keep_local: settings.bucket.keep_local,
            uploading: Arc::default(),
        })
    }

    /// Whether there is ever anything to do.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.rules.youngest().is_none() && self.rules.youngest_personal().is_none()
    }

    /// How uploads are.
    #[must_use]
    pub fn uploading(&self) -> Arc<Figures> {
        Arc::clone(&self.uploading)
    }

    fn chain(&self) -> Chain {
        let key = SigningKey::load(&self.signing_key).ok();
        Chain::of(&self.root, key.map(Arc::new))
    }

    fn ledger(&self) -> anyhow::Result<Ledger> {
        Ledger::open(&self.root, Keys::default(), None)
            .context("the chain of recordings cannot be read")
    }

    /// What is due at a moment, in the order of the calls.
    ///
    /// # Errors
    /// If journal or chain cannot be read.
    pub async fn plan(&self, now: WallTime) -> anyhow::Result<Vec<Candidate>> {
        let Some(youngest) = self.rules.youngest() else {
            return Ok(Vec::new());
        };
        let age = i64::try_from(youngest.as_millis()).unwrap_or(i64::MAX);
        let before = WallTime::from_unix_millis(now.as_unix_millis().saturating_sub(age));
        let mut journal = query::open(&self.database).await?;
        let mut found = Vec::new();
        let mut after = None;
        while found.len() < PASS_MAX {
            let page = journal.recordings_kept(before, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key());
            for segment in &page {
                let due = self.rules.due(segment, now);
                if let (Some(due), Some(path)) = (due, &segment.path) {
                    found.push(Candidate {
                        key: segment.key(),
                        path: path.clone(),
                        due,
                        held: None,
                    });
                }
            }
        }
        if !found.is_empty() {
            let ledger = self.ledger()?;
            for one in &mut found {
                let destroys = matches!(one.due, Due::Destroy(_));
                let held = ledger.held(one.key.call).filter(|_| destroys);
                one.held = held.map(str::to_owned);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(queue: Option<&str>, topic: Option<&str>, days: u64) -> Retention {
        Retention {
            queue: queue.map(str::to_owned),
            topic: topic.map(str::to_owned),
            keep: DAY * days as u32,
            keep_personal: None,
        }
    }

    #[test]
    fn personal_fields_have_rules_of_their_own_beside_those_of_recordings() {
        let complaints = Retention {
            keep_personal: Some(DAY * 1_825),
            ..rule(None, Some("complaint"), 90)
        };
        let rules = Rules {
            keep: None,
            keep_personal: Some(DAY * 1_095),
            retention: vec![rule(Some("health"), Some("complaint"), 60), complaints],
            archive_after: None,
        };
        let found = rules.keep_personal(Some("health"), Some("complaint"));
        let expected = (DAY * 1_825, "topic complaint: kept for 1825 d".to_owned());
        assert_eq!(found, Some(expected));
        let found = rules.keep_personal(Some("roads"), None);
        assert_eq!(found, Some((DAY * 1_095, "kept for 1095 d".to_owned())));
        assert_eq!(rules.keep(Some("roads"), None), None);
        assert_eq!(rules.youngest_personal(), Some(DAY * 1_095));
    }

    #[test]
    fn the_rule_that_says_most_about_a_call_stands() {
        let rules = Rules {
            keep: Some(DAY * 30),
            keep_personal: None,
            retention: vec![
                rule(Some("health"), None, 60),
                rule(None, Some("complaint"), 90),
                rule(Some("health"), Some("complaint"), 1_095),
                rule(Some("health"), Some("complaint"), 5),
            ],
            archive_after: None,
        };
        let keep = |queue, topic| {
            rules
                .keep(queue, topic)
                .map(|(keep, _)| keep.as_secs() / 86_400)
        };
        assert_eq!(keep(Some("health"), Some("complaint")), Some(1_095));
        assert_eq!(keep(Some("roads"), Some("complaint")), Some(90));
        assert_eq!(keep(Some("health"), Some("vaccination")), Some(60));
        assert_eq!(keep(None, None), Some(30));
        let (_, reason) = rules.keep(Some("health"), None).unwrap_or_default();
        assert_eq!(reason, "queue health: kept for 60 d");
    }

    #[test]
    fn without_a_rule_nothing_is_ever_destroyed() {
        let rules = Rules {
            keep: None,
            keep_personal: None,
            retention: vec![rule(Some("health"), None, 60)],
            archive_after: None,
        };
        assert_eq!(rules.keep(Some("roads"), None), None);
        assert_eq!(rules.youngest(), Some(DAY * 60));
    }
}

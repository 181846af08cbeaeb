//! Owns writing the manifest of each call that is over: found in the journal, so that a crash costs
//! none. Refuses to hurry: a call's manifest may come some seconds after its last recording.

use std::collections::BTreeSet;
use std::time::Duration;

use journal::query::{self, Journal};
use recorder::Chain;
use recorder::call::{self, CallManifest, Notice, SegmentPart};
use vocab::{CallId, Event, Fact, WallTime};

use super::Keeping;

/// How far back the first look goes: what a stop of a weekend left.
const LOOK_BACK: Duration = Duration::from_secs(3 * 86_400);
/// How far a look goes back behind the one before.
const OVERLAP: Duration = Duration::from_secs(5);
/// Calls that are known and not over at most; beyond it the newest wait for the next start.
const OPEN_MAX: usize = 20_000;

/// Which calls were looked at.
#[derive(Debug)]
pub struct Calls {
    since: WallTime,
    open: BTreeSet<CallId>,
    /// Written lately: each look overlaps with the one before.
    done: BTreeSet<CallId>,
}

impl Calls {
    /// Nothing was looked at yet.
    #[must_use]
    pub fn new(now: WallTime) -> Self {
        let back = i64::try_from(LOOK_BACK.as_millis()).unwrap_or(0);
        Self {
            since: WallTime::from_unix_millis(now.as_unix_millis() - back),
            open: BTreeSet::new(),
            done: BTreeSet::new(),
        }
    }
}

impl Keeping {
    /// Writes the manifests of calls that are over; how many.
    ///
    /// # Errors
    /// If the journal cannot be read or the disk refuses; the next look begins there.
    pub async fn write_calls(&self, calls: &mut Calls) -> anyhow::Result<usize> {
        let mut journal = query::open(&self.database).await?;
        let (found, since) = journal.calls_recorded_since(calls.since).await?;
        let room = OPEN_MAX.saturating_sub(calls.open.len());
        let fresh = found.into_iter().filter(|call| !calls.done.contains(call));
        calls.open.extend(fresh.take(room));
        let mut chain = self.chain();
        let mut written = 0;
        for call in calls.open.clone() {
            if let Some(wrote) = self.write_call(&mut journal, call, &mut chain).await? {
                written += usize::from(wrote);
                calls.open.remove(&call);
                calls.done.insert(call);
            }
        }
        // The database gets events in batches: what bears the same moment may come a little later.
        let overlap = i64::try_from(OVERLAP.as_millis()).unwrap_or(0);
        calls.since = calls
            .since
            .max(WallTime::from_unix_millis(since.as_unix_millis() - overlap));
        while calls.done.len() > OPEN_MAX {
            calls.done.pop_first();
        }
        Ok(written)
    }

    /// `None`: the call is not over.
    async fn write_call(
        &self,
        journal: &mut Journal,
        call: CallId,
        chain: &mut Chain,
    ) -> anyhow::Result<Option<bool>> {
        let Some(entry) = journal.entry(call).await? else {
            return Ok(Some(false));
        };
        let (Some(arrival), Some(end), true) = (&entry.arrival, &entry.end, entry.is_settled())
        else {
            return Ok(None);
        };
        let notices = notices(&journal.events(call).await?);
        let rows = journal.segments_of_call(call).await?;
        let sounds = &entry.recordings;
        let segments = rows.iter().map(|row| {
            let file = sounds.get(&row.key().segment);
            let file = file.and_then(|recording| recording.file.as_ref());
            let sound = file.and_then(|file| file.sound.as_ref());
            SegmentPart {
                segment: row.key().segment,
                started_at: call::rfc3339(WallTime::from_unix_millis(row.started_at)),
                talk_ms: row
                    .talk_ms
                    .and_then(|ms| u64::try_from(ms).ok())
                    .unwrap_or(0),
                recorded: row.recorded,
                file: row.path.clone(),
                sha256: row.sha256.clone(),
                audio_sha256: sound.map(|sound| sound.audio_sha256.clone()),
                missing: row.missing.clone(),
            }
        });
        let came = arrival.moment.at;
        let manifest = CallManifest {
            version: 1,
            call,
            arrived_at: call::rfc3339(came),
            ended_at: call::rfc3339(end.moment.at),
            outcome: serde_json::to_value(end.outcome)?
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            notices,
            segments: segments.collect(),
        };
        Ok(Some(call::write(&self.root, came, &manifest, chain)?))
    }
}

fn notices(events: &[Event]) -> Vec<Notice> {
    let heard = events.iter().filter_map(|event| match &event.fact {
        Fact::NoticePlayed { prompt, .. } => Some(Notice {
            prompt: prompt.clone(),
            heard_at: call::rfc3339(event.at),
        }),
        _ => None,
    });
    heard.collect()
}

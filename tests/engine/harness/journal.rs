//! The journal as a supervisor gets it: entries of `hotline journal export --format jsonl`.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::audio::Recording;
use super::{Place, text_of, until};

/// One entry.
#[derive(Debug, Clone)]
pub struct Entry(pub Value);

impl Entry {
    pub fn text(&self, column: &str) -> &str {
        self.0[column].as_str().unwrap_or_default()
    }

    pub fn number(&self, column: &str) -> Option<i64> {
        self.0[column].as_i64()
    }

    /// Rows of `offer_list`, `segment_list`, `queue_list` or `recording_list`.
    pub fn rows(&self, list: &str) -> Vec<Entry> {
        self.0[list]
            .as_array()
            .into_iter()
            .flatten()
            .cloned()
            .map(Entry)
            .collect()
    }

    /// Login and result of each offer, in order.
    pub fn offers(&self) -> Vec<(String, String)> {
        let pair = |offer: Entry| {
            (
                offer.text("operator_login").to_owned(),
                offer.text("result").to_owned(),
            )
        };
        self.rows("offer_list").into_iter().map(pair).collect()
    }

    /// Outcome and who ended it.
    pub fn end(&self) -> (&str, &str) {
        (self.text("outcome"), self.text("ended_by"))
    }

    /// Whether it is over, with its recording where a talk was to be recorded.
    pub fn is_finished(&self) -> bool {
        let settled = self.number("segments") == Some(0)
            || !self.text("recording_path").is_empty()
            || !self.text("recording_missing").is_empty();
        !self.text("outcome").is_empty() && settled
    }

    /// The recording's file.
    pub fn recording(&self, place: &Place) -> PathBuf {
        let path = self.text("recording_path");
        assert!(!path.is_empty(), "no recording in {}", self.0);
        place.path("recordings").join(path)
    }

    /// The recording, checked against what the journal says of it.
    pub fn check_recording(&self, place: &Place) -> Recording {
        let path = self.recording(place);
        let recording = Recording::read(&path);
        let said = self.number("recording_ms").unwrap_or_default();
        assert!(
            (recording.ms() as i64 - said).abs() <= 1,
            "{} ms, {}",
            recording.ms(),
            self.0
        );
        let output = std::process::Command::new("sha256sum")
            .arg(&path)
            .output()
            .unwrap();
        assert!(
            text_of(&output).starts_with(self.text("recording_sha256")),
            "{}",
            self.0
        );
        recording
    }
}

/// All entries of this moment, in the order of their arrival.
pub fn entries(place: &Place) -> Vec<Entry> {
    let output = place.run(&["journal", "export", "--format", "jsonl"]);
    assert!(
        output.status.success(),
        "journal export: {}",
        text_of(&output)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| Entry(serde_json::from_str(line).unwrap()))
        .collect()
}

/// The entries when there are `count` of them and each is over, with its recording where a
/// talk was to be recorded.
pub fn finished(place: &Place, count: usize) -> Vec<Entry> {
    let mut last = Vec::new();
    let what = format!("{count} finished entries in the journal");
    let wait = Duration::from_secs(30);
    let deadline = std::time::Instant::now() + wait;
    until(&what, wait, || {
        last = entries(place);
        if last.iter().filter(|entry| entry.is_finished()).count() >= count {
            return Some(());
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{what}; there are: {last:#?}"
        );
        None
    });
    assert_eq!(last.len(), count, "{last:#?}");
    last
}

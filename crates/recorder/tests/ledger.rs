//! What the journal says is held against the disk and the chain: each kind of damage is named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::{Bench, feed, key, pair, stored};
use recorder::afar::{Afar, Octets};
use recorder::crypt::{Keys, new_identity};
use recorder::ledger::{Expected, Finding, Ledger};
use recorder::{Chain, Deed, Seal, SigningKey, Stored, archive};
use vocab::media::RecordingKey;
use vocab::{RecordingFile, Time, WallTime};

const START: Time = Time::from_millis(5_000);

/// Calls of three seconds, stored.
fn record(
    bench: &Bench,
    calls: std::ops::RangeInclusive<u32>,
) -> Vec<(RecordingKey, RecordingFile)> {
    let (mut taps, recorder, seen) = bench.start();
    let streams = pair();
    for call in calls.clone() {
        taps[0].start(key(call), START);
        feed(&mut taps[0], key(call), START, &streams, 0..150);
        taps[0].stop(key(call), START + Duration::from_secs(3));
    }
    drop(taps);
    recorder.stop();
    let files: Vec<_> = seen.into_iter().map(|report| stored([report])).collect();
    calls
        .map(|call| {
            let name = key(call).call.to_string();
            let file = files.iter().find(|file| file.path.contains(&name)).unwrap();
            (key(call), file.clone())
        })
        .collect()
}

fn expected(key: RecordingKey, file: Option<&RecordingFile>) -> Expected {
    Expected {
        key,
        recorded: true,
        talk_ms: Some(3_000),
        file: file.map(|file| (file.path.clone(), file.sha256.clone())),
        missing: None,
    }
}

/// All findings on these recordings.
fn check(root: &Path, keys: &Keys, files: &[(RecordingKey, RecordingFile)]) -> Vec<Finding> {
    let mut ledger = Ledger::open(root, keys.clone(), None).unwrap();
    for (key, file) in files {
        ledger.check(&expected(*key, Some(file))).unwrap();
    }
    let known = |wanted: RecordingKey| {
        let found = files.iter().find(|(key, _)| *key == wanted);
        found.map(|(_, file)| file.path.clone())
    };
    ledger.check_orphans(known).unwrap();
    ledger.findings()
}

fn encrypted() -> (Bench, Keys) {
    let (identity, recipient) = new_identity();
    let keys = Keys::read(&[recipient], Some(&identity)).unwrap();
    let mut bench = Bench::new();
    bench.settings.keys = keys.clone();
    (bench, keys)
}

fn chain_files(root: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(root.join("chain"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .collect();
    files.sort();
    files
}

#[test]
fn what_is_whole_has_no_finding() {
    let bench = Bench::new();
    let files = record(&bench, 1..=3);
    assert_eq!(check(&bench.settings.root, &Keys::default(), &files), []);
}

#[test]
fn nothing_plain_is_ever_on_the_disk_of_who_encrypts() {
    let (bench, keys) = encrypted();
    let files = record(&bench, 1..=2);
    assert!(
        files
            .iter()
            .all(|(_, file)| file.path.ends_with(".wav.age"))
    );
    let sound = files[0].1.sound.as_ref().unwrap();
    assert!(sound.encrypted && sound.audio_sha256 != files[0].1.sha256);
    assert_eq!(check(&bench.settings.root, &keys, &files), []);
    // Without the key the file is still known to be the one that was stored.
    assert_eq!(check(&bench.settings.root, &Keys::default(), &files), []);
    let stored = Stored::find(&bench.settings.root, &files[0].1.path, files[0].0).unwrap();
    let mut wav = Vec::new();
    std::io::Read::read_to_end(&mut stored.audio(&keys).unwrap(), &mut wav).unwrap();
    assert!(wav.starts_with(b"RIFF") && wav.len() == 58 + 2 * 24_000);
    let bytes = std::fs::read(stored.path()).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1"));
}

#[test]
fn each_kind_of_damage_is_named() {
    type Damage = fn(&Path, &RecordingFile);
    fn flipped(path: PathBuf) {
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        std::fs::write(path, bytes).unwrap();
    }
    fn json(root: &Path, file: &RecordingFile) -> PathBuf {
        root.join(file.path.replace(".wav", ".json"))
    }
    let cases: [(&str, Damage); 7] = [
        ("changed: ", |root, file| flipped(root.join(&file.path))),
        ("gap: ", |root, file| {
            std::fs::remove_file(root.join(&file.path)).unwrap();
            std::fs::remove_file(json(root, file)).unwrap();
            std::fs::remove_file(root.join(file.path.replace(".wav", ".peaks"))).unwrap();
        }),
        ("gap: ", |root, file| {
            std::fs::remove_file(root.join(&file.path)).unwrap()
        }),
        ("manifest: ", |root, file| {
            std::fs::remove_file(json(root, file)).unwrap()
        }),
        ("disagreement: ", |root, file| {
            let path = json(root, file);
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(
                path,
                text.replace("\"repaired\": false", "\"repaired\": true"),
            )
            .unwrap();
        }),
        ("changed: ", |root, file| {
            flipped(root.join(file.path.replace(".wav", ".peaks")));
        }),
        ("orphan: ", |root, file| {
            let path = root.join(&file.path);
            std::fs::write(path.with_file_name("00000009-00000001-1.wav"), "x").unwrap();
        }),
    ];
    for (wanted, damage) in cases {
        let bench = Bench::new();
        let files = record(&bench, 1..=2);
        let root = &bench.settings.root;
        damage(root, &files[1].1);
        let found = check(root, &Keys::default(), &files);
        assert_eq!(found.len(), 1, "{wanted} {found:?}");
        let text = found[0].to_string();
        assert!(text.starts_with(wanted), "{text}");
        let named = wanted == "orphan: " || text.contains(&files[1].0.call.to_string());
        assert!(named, "{text}");
    }
}

#[test]
fn a_segment_without_audio_needs_a_reason_and_a_short_one_too() {
    let bench = Bench::new();
    let files = record(&bench, 1..=1);
    let mut ledger = Ledger::open(&bench.settings.root, Keys::default(), None).unwrap();
    let nothing = expected(key(2), None);
    assert!(!ledger.check(&nothing).unwrap());
    assert_eq!(ledger.findings(), [Finding::Gap(key(2))]);
    let reason = Some("no_audio".to_owned());
    for fine in [
        Expected {
            missing: reason,
            ..nothing.clone()
        },
        Expected {
            recorded: false,
            ..nothing.clone()
        },
        Expected {
            talk_ms: None,
            ..nothing
        },
    ] {
        assert!(ledger.check(&fine).unwrap(), "{fine:?}");
    }
    let long = Expected {
        talk_ms: Some(9_000),
        ..expected(key(1), Some(&files[0].1))
    };
    assert!(!ledger.check(&long).unwrap());
    assert_eq!(ledger.findings(), [Finding::Short(key(1), 9_000, 3_000)]);
}

#[test]
fn the_first_broken_link_is_named() {
    for what in ["changed", "removed", "added", "swapped"] {
        let bench = Bench::new();
        let files = record(&bench, 1..=5);
        let path = chain_files(&bench.settings.root).remove(0);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 5);
        match what {
            "changed" => lines[1] = lines[1].replace("\"segment\":1", "\"segment\":2"),
            "removed" => drop(lines.remove(1)),
            "added" => lines.insert(2, lines[1].clone()),
            _ => lines.swap(1, 2),
        }
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let ledger = Ledger::open(&bench.settings.root, Keys::default(), None);
        let found = ledger.unwrap().findings();
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        let number = match what {
            "changed" | "added" => 3,
            _ => 2,
        };
        let text = found[0].to_string();
        assert!(
            text.starts_with(&format!("chain: line {number} of ")),
            "{what}: {text}"
        );
        drop(files);
    }
}

#[test]
fn a_torn_last_line_is_cut_off_and_the_chain_goes_on() {
    let bench = Bench::new();
    record(&bench, 1..=2);
    let path = chain_files(&bench.settings.root).remove(0);
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"prev\":\"0123");
    std::fs::write(&path, text).unwrap();
    record(&bench, 3..=3);
    let mut ledger = Ledger::open(&bench.settings.root, Keys::default(), None).unwrap();
    assert_eq!((ledger.findings(), ledger.lines()), (vec![], 3));
}

#[test]
fn days_are_signed_when_they_are_over_and_a_forger_without_the_key_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let key = Arc::new(SigningKey::load_or_make(&root.join("key")).unwrap());
    let day = |n: i64| WallTime::from_unix_millis(1_795_334_400_000 + n * 86_400_000);
    let deed = |n: u32| Deed::Released {
        call: common::key(n).call,
        by: "test".to_owned(),
    };
    let mut chain = Chain::of(root, Some(Arc::clone(&key)));
    for n in 0..3 {
        chain.append(day(n), deed(n as u32)).unwrap();
        chain.append(day(n), deed(9)).unwrap();
    }
    let public = key.public();
    let findings = |public: &str| {
        let ledger = Ledger::open(root, Keys::default(), Some(public));
        ledger.unwrap().findings()
    };
    assert_eq!(findings(&public), []);
    let seal = root.join("chain/2026-11-23.sig");
    let signed: Seal = serde_json::from_slice(&std::fs::read(&seal).unwrap()).unwrap();
    assert!(signed.is_genuine() && signed.lines == 2);
    assert!(
        !root.join("chain/2026-11-24.sig").exists(),
        "the day goes on"
    );
    chain.sign_due(day(3)).unwrap();
    assert!(root.join("chain/2026-11-24.sig").exists());
    assert_eq!(findings("00").len(), 3, "another key signed");

    // One who makes the rest of the chain anew cannot sign it.
    let path = root.join("chain/2026-11-23.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.lines().next().unwrap().to_owned() + "\n").unwrap();
    let found = findings(&public);
    assert!(
        matches!(&found[..], [Finding::Unsigned(_), Finding::Broken(_)]),
        "{found:?}"
    );
    std::fs::remove_file(&seal).unwrap();
    assert!(
        findings(&public)[0]
            .to_string()
            .contains("2026-11-23 has none")
    );
}

#[test]
fn a_clock_that_is_set_back_breaks_no_chain() {
    let dir = tempfile::tempdir().unwrap();
    let mut chain = Chain::of(dir.path(), None);
    for ms in [1_795_334_400_000, 1_795_134_400_000, 1_795_534_400_000] {
        let by = "test".to_owned();
        let call = key(1).call;
        let deed = Deed::Released { call, by };
        chain.append(WallTime::from_unix_millis(ms), deed).unwrap();
    }
    let mut ledger = Ledger::open(dir.path(), Keys::default(), None).unwrap();
    assert_eq!(ledger.lines(), 3);
    let broken = |finding: &Finding| matches!(finding, Finding::Broken(_));
    assert!(!ledger.findings().iter().any(broken));
}

#[test]
fn the_archive_keeps_the_sound_and_a_tenth_of_the_room() {
    for encrypts in [false, true] {
        let (mut bench, mut keys) = encrypted();
        if !encrypts {
            keys = Keys::default();
            bench.settings.keys = Keys::default();
        }
        let root = bench.settings.root.clone();
        let mut files = record(&bench, 1..=1);
        let stored = Stored::find(&root, &files[0].1.path, files[0].0).unwrap();
        let mut chain = Chain::of(&root, None);
        let manifest = archive::archive(&root, &stored, &keys, 32_000, &mut chain).unwrap();
        assert_eq!(manifest.encoding, "opus");
        assert!(
            manifest.bytes < stored.manifest.bytes / 2,
            "{}",
            manifest.bytes
        );
        assert!(!stored.path().exists());
        files[0].1 = manifest.to_file();
        assert_eq!(check(&root, &keys, &files), []);
        let made = Stored::find(&root, &manifest.file, files[0].0).unwrap();
        let mut sound = made.sound(&keys).unwrap();
        let mut frames = Vec::new();
        while sound.next(&mut frames).unwrap() {}
        assert_eq!(frames.len(), 24_000);
        let left: Vec<i16> = frames.iter().map(|frame| frame[0]).collect();
        let likeness = common::likeness(&left, 0, 440.0, 23_000);
        assert!(likeness > 0.8, "{likeness}");
        // Once more, as after a crash: nothing more happens.
        let again = archive::archive(&root, &made, &keys, 32_000, &mut chain).unwrap();
        assert_eq!(again, manifest);
        assert_eq!(check(&root, &keys, &files), []);
    }
}

/// A far place that is another folder.
#[derive(Debug)]
struct Folder(PathBuf);

impl Afar for Folder {
    fn at(&self) -> String {
        "there".to_owned()
    }

    fn open(&self, file: &str) -> std::io::Result<Box<dyn Octets>> {
        Ok(Box::new(std::fs::File::open(self.0.join(file))?))
    }
}

#[test]
fn what_lies_afar_is_checked_there_and_what_is_lost_there_is_named() {
    let (bench, keys) = encrypted();
    let files = record(&bench, 1..=1);
    let root = bench.settings.root.clone();
    let (key, file) = &files[0];
    let stored = Stored::find(&root, &file.path, *key).unwrap();
    let mut chain = Chain::of(&root, None);
    let manifest = archive::archive(&root, &stored, &keys, 32_000, &mut chain).unwrap();
    // The journal hears of it later, and that is no finding.
    assert_eq!(check(&root, &keys, &files), []);
    let made = Stored::find(&root, &manifest.file, *key).unwrap();
    let there = tempfile::tempdir().unwrap();
    let far = there.path().join(&manifest.file);
    std::fs::create_dir_all(far.parent().unwrap()).unwrap();
    std::fs::copy(made.path(), &far).unwrap();
    let deed = Deed::Uploaded {
        call: key.call,
        segment: key.segment,
        file: manifest.file.clone(),
        sha256: manifest.sha256.clone(),
        manifest: made.manifest_sha256.clone(),
        to: "there".to_owned(),
    };
    let waits = |root: &Path| {
        let ledger = Ledger::open(root, Keys::default(), None).unwrap();
        ledger.archive().filter(|(_, one)| one.to.is_none()).count()
    };
    assert_eq!(waits(&root), 1);
    chain.append(WallTime::from_unix_millis(0), deed).unwrap();
    assert_eq!(waits(&root), 0);
    archive::leave_to_afar(&root, &made).unwrap();
    assert!(!made.path().exists());

    let afar: Arc<dyn Afar> = Arc::new(Folder(there.path().to_owned()));
    let made = made.with_afar(Some(Arc::clone(&afar)));
    assert_eq!(made.sound(&keys).unwrap().frames, manifest.samples);
    let journal = [(*key, manifest.to_file())];
    let check = |afar: Option<Arc<dyn Afar>>| {
        let ledger = Ledger::open(&root, keys.clone(), None).unwrap();
        let mut ledger = ledger.with_afar(afar);
        ledger.check(&expected(*key, Some(&journal[0].1))).unwrap();
        let findings = ledger.findings();
        findings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(check(Some(Arc::clone(&afar))), Vec::<String>::new());
    let told = check(None);
    assert!(
        told[0].contains("lies in there, of which the settings say nothing"),
        "{told:?}"
    );
    let mut octets = std::fs::read(&far).unwrap();
    octets[500] ^= 1;
    std::fs::write(&far, octets).unwrap();
    let told = check(Some(Arc::clone(&afar)));
    assert!(told[0].starts_with("changed: "), "{told:?}");
    std::fs::remove_file(&far).unwrap();
    let told = check(Some(afar));
    assert!(
        told[0].contains("is not here, and there does not have"),
        "{told:?}"
    );
}

#[test]
fn what_is_destroyed_leaves_nothing_but_its_act() {
    let bench = Bench::new();
    let root = bench.settings.root.clone();
    let files = record(&bench, 1..=2);
    let stored = Stored::find(&root, &files[0].1.path, files[0].0).unwrap();
    let mut chain = Chain::of(&root, None);
    let why = ("20261122-080000", "kept for 30 d");
    archive::destroy(&root, &stored, why, &mut chain).unwrap();
    assert!(!stored.path().exists());
    let mut ledger = Ledger::open(&root, Keys::default(), None).unwrap();
    let words = recorder::acts::Words {
        data_operator: "ГКУ «Горячая линия»".to_owned(),
        information_system: "hotline".to_owned(),
    };
    assert_eq!(
        recorder::acts::write_missing(&root, &ledger, &words).unwrap(),
        [why.0]
    );
    for ending in ["json", "txt", "csv"] {
        let text = std::fs::read_to_string(root.join(format!("acts/{}.{ending}", why.0))).unwrap();
        assert!(
            text.contains(&files[0].0.call.to_string()) && text.contains(why.1),
            "{text}"
        );
    }
    let destroyed = Expected {
        missing: Some("destroyed".to_owned()),
        ..expected(files[0].0, Some(&files[0].1))
    };
    assert!(ledger.check(&destroyed).unwrap(), "{:?}", ledger.findings());
    // The journal was not told yet: the chain explains it.
    assert!(
        ledger
            .check(&expected(files[0].0, Some(&files[0].1)))
            .unwrap()
    );
    assert!(
        ledger
            .check(&expected(files[1].0, Some(&files[1].1)))
            .unwrap()
    );
    let again = Ledger::open(&root, Keys::default(), None).unwrap();
    let none: Vec<String> = Vec::new();
    assert_eq!(
        recorder::acts::write_missing(&root, &again, &words).unwrap(),
        none
    );
}

#[test]
fn repair_enters_what_a_crash_left_out_of_the_chain() {
    let bench = Bench::new();
    let root = bench.settings.root.clone();
    let files = record(&bench, 1..=2);
    let path = chain_files(&root).remove(0);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.lines().next().unwrap().to_owned() + "\n").unwrap();
    let day = root.join(&files[0].1.path);
    std::fs::write(day.with_file_name(".half.wav.part"), "x").unwrap();
    assert_eq!(check(&root, &Keys::default(), &files).len(), 2);
    let mut chain = Chain::of(&root, None);
    let done = recorder::mend::mend(&root, &Keys::default(), &mut chain).unwrap();
    assert_eq!(done.len(), 2, "{done:?}");
    assert_eq!(check(&root, &Keys::default(), &files), []);
    let found = recorder::mend::find(&root, &[files[1].0, key(7)]).unwrap();
    assert_eq!(found, [files[1].clone()]);
}

//! The life of recordings in the whole process: encrypted, checked against the journal, exported,
//! held, destroyed with an act.

use std::path::PathBuf;
use std::time::Duration;

use crate::harness::audio::{Recording, share_of_tone};
use crate::harness::journal::{Entry, finished};
use crate::harness::people::talking;
use crate::harness::{Engine, LogOnPanic, Place, Setup, sipp, text_of};

/// So many calls of two seconds, and the engine stopped after them.
fn recorded(setup: &Setup, calls: u64) -> (Place, Vec<Entry>) {
    let engine = Engine::start_in(Place::new(setup));
    let _log = LogOnPanic::of(&engine);
    let load = talking(&engine, &setup.operators, calls, Duration::from_secs(2));
    let entries = finished(&engine.place, calls as usize);
    drop(load);
    crate::harness::until("the manifest of each call", Duration::from_secs(40), || {
        let there = |entry: &Entry| {
            let path = entry.recording(&engine.place);
            path.with_file_name(format!("{}.json", call_of(entry)))
                .exists()
        };
        entries.iter().all(there).then_some(())
    });
    let (code, place) = engine.terminate();
    assert_eq!(code, Some(0));
    (place, entries)
}

fn setup(more: &str) -> Setup {
    Setup {
        operators: vec!["anna".to_owned(), "boris".to_owned()],
        more: format!("[recordings]\n{more}"),
        ..Setup::default()
    }
}

fn audio(place: &Place, entry: &Entry) -> PathBuf {
    entry.recording(place)
}

fn verify(place: &Place) -> (bool, String) {
    let output = place.run(&["recordings", "verify"]);
    (output.status.success(), text_of(&output))
}

#[test]
fn recordings_are_whole_by_the_journal_and_each_damage_is_found() {
    let (place, entries) = recorded(&setup(""), 2);
    let (good, text) = verify(&place);
    assert!(good, "{text}");
    assert!(text.contains("2 segments: 2 with verified audio"), "{text}");

    let manifest =
        audio(&place, &entries[0]).with_file_name(format!("{}.json", call_of(&entries[0])));
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
    assert_eq!(manifest["notices"][0]["prompt"], "greeting", "{manifest}");
    assert_eq!(
        manifest["segments"][0]["sha256"],
        entries[0].text("recording_sha256")
    );

    let row = &entries[0].rows("recording_list")[0];
    assert!(row.number("caller_speech_ms") > Some(500), "{}", row.0);
    assert_eq!(row.text("encoding"), "alaw");

    let path = audio(&place, &entries[1]);
    let whole = std::fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    bytes[1_000] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    std::fs::write(path.with_file_name("stray.wav"), "x").unwrap();
    let (good, text) = verify(&place);
    assert!(!good);
    let call = entries[1].text("call_id").to_owned();
    assert!(text.contains("changed: the recording of call"), "{text}");
    assert!(text.contains("stray.wav"), "{text}");
    let refused = place.run(&[
        "recordings",
        "export",
        &call_of(&entries[1]),
        "--format",
        "wav",
        "--to",
        "-",
    ]);
    assert!(
        !refused.status.success(),
        "a changed recording is not exported: {call}"
    );
    std::fs::write(&path, &whole).unwrap();
    std::fs::remove_file(path.with_file_name("stray.wav")).unwrap();
    let (good, text) = verify(&place);
    assert!(good, "{text}");
}

/// The call as its recording's file names it.
fn call_of(entry: &Entry) -> String {
    let path = entry.text("recording_path");
    let name = path.rsplit('/').next().unwrap();
    name[..17].to_owned()
}

#[test]
fn an_encrypted_recording_is_exported_by_who_has_the_key_and_that_is_written_down() {
    let keys = tempfile::tempdir().unwrap();
    let identity = keys.path().join("identity");
    let identity = identity.to_str().unwrap();
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(["recordings", "keygen", identity])
        .output()
        .unwrap();
    let recipient = String::from_utf8(made.stdout).unwrap();
    let more = format!(
        "encryption = \"age\"\nrecipients = [\"{}\"]\nidentity = \"{identity}\"\n",
        recipient.trim()
    );
    let (place, entries) = recorded(&setup(&more), 1);
    let path = audio(&place, &entries[0]);
    assert!(path.to_str().unwrap().ends_with(".wav.age"));
    assert!(
        std::fs::read(&path)
            .unwrap()
            .starts_with(b"age-encryption.org/v1")
    );
    let (good, text) = verify(&place);
    assert!(good, "{text}");

    let call = call_of(&entries[0]);
    for (format, magic) in [("wav", &b"RIFF"[..]), ("opus", b"OggS")] {
        let to = place.path(&format!("out.{format}"));
        let exported = place.run(&[
            "recordings",
            "export",
            &call,
            "--format",
            format,
            "--to",
            to.to_str().unwrap(),
        ]);
        assert!(exported.status.success(), "{}", text_of(&exported));
        let bytes = std::fs::read(&to).unwrap();
        assert!(bytes.starts_with(magic) && bytes.len() > 2_000);
    }
    let chain = std::fs::read_dir(place.path("recordings").join("chain")).unwrap();
    let lines: String = chain
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(lines.matches("\"deed\":\"exported\"").count(), 2, "{lines}");
    let shown = place.run(&["recordings", "show", &call]);
    assert!(
        text_of(&shown).contains(recipient.trim()),
        "{}",
        text_of(&shown)
    );
    let (good, text) = verify(&place);
    assert!(good, "{text}");
}

#[test]
fn what_is_over_its_time_is_destroyed_with_an_act_unless_it_is_held() {
    let more = "keep = \"1s\"\n[journal]\nkeep_personal = \"1s\"\n";
    let (place, entries) = recorded(&setup(more), 2);
    let callers: Vec<&str> = entries.iter().map(|entry| entry.text("caller")).collect();
    assert!(callers.iter().all(|caller| !caller.is_empty()));
    std::thread::sleep(Duration::from_secs(1));
    let held = call_of(&entries[0]);
    let hold = place.run(&["recordings", "hold", &held, "--reason", "case 2-117/2026"]);
    assert!(hold.status.success(), "{}", text_of(&hold));
    let plan = place.run(&["recordings", "purge", "--dry-run"]);
    let text = text_of(&plan);
    assert!(
        text.contains("1 would be destroyed, 0 archived, 1 are held"),
        "{text}"
    );
    assert!(
        text.contains("personal fields of 1 entries would be destroyed"),
        "{text}"
    );
    assert!(
        audio(&place, &entries[1]).exists(),
        "a dry run destroys nothing"
    );

    let done = place.run(&["recordings", "purge"]);
    assert!(done.status.success(), "{}", text_of(&done));
    assert!(!audio(&place, &entries[1]).exists());
    assert!(audio(&place, &entries[0]).exists());
    let acts = std::fs::read_dir(place.path("recordings").join("acts")).unwrap();
    let acts: Vec<PathBuf> = acts.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(acts.len(), 3);
    let text = acts
        .iter()
        .find(|path| path.extension().is_some_and(|end| end == "txt"));
    let text = std::fs::read_to_string(text.unwrap()).unwrap();
    assert!(
        text.contains("Стёрто персональных данных в записях журнала: 1"),
        "{text}"
    );
    let left = finished(&place, 2);
    let left: Vec<&str> = left.iter().map(|entry| entry.text("caller")).collect();
    assert_eq!(left, [callers[0], ""], "held, and destroyed");
    let (good, text) = verify(&place);
    assert!(good, "{text}");

    let release = place.run(&["recordings", "release", &held]);
    assert!(release.status.success(), "{}", text_of(&release));
    let plan = text_of(&place.run(&["recordings", "purge", "--dry-run"]));
    assert!(plan.contains(&format!("destroy  {held}")), "{plan}");
}

#[test]
fn old_recordings_go_into_the_archive_and_stay_exportable() {
    let (place, entries) = recorded(&setup("archive_after = \"1s\"\n"), 1);
    std::thread::sleep(Duration::from_secs(1));
    let done = place.run(&["recordings", "purge"]);
    assert!(done.status.success(), "{}", text_of(&done));
    let wav = audio(&place, &entries[0]);
    assert!(!wav.exists() && wav.with_extension("opus").exists());
    let to = place.path("out.wav");
    let call = call_of(&entries[0]);
    let arguments = ["recordings", "export", &call, "--format", "wav", "--to"];
    let exported = place.run(&[&arguments[..], &[to.to_str().unwrap()]].concat());
    assert!(exported.status.success(), "{}", text_of(&exported));
    let ms = entries[0].number("recording_ms").unwrap();
    let bytes = std::fs::metadata(&to).unwrap().len() as i64;
    assert_eq!((bytes - 44) / 32, ms);
}

#[test]
fn what_a_caller_hears_while_waiting_is_recorded_where_the_plan_wants_it() {
    let place = Place::new(&setup(""));
    let plan = place.path("dialplans/tests.toml");
    let text = std::fs::read_to_string(&plan).unwrap();
    let wanted = text.replace("recorded = true", "recorded = true, wait_recorded = true");
    assert_ne!(text, wanted);
    std::fs::write(&plan, wanted).unwrap();
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let caller = sipp::start_call(&engine, "uac-talk", |options| options.stay = 5_000);
    // The music is heard for as long as nobody is there.
    std::thread::sleep(Duration::from_secs(2));
    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    caller.succeed();
    operator.succeed();
    let entry = finished(&engine.place, 1).remove(0);
    let recordings = entry.rows("recording_list");
    let [wait, talk] = &recordings[..] else {
        panic!("{}", entry.0);
    };
    assert_eq!(entry.text("recording_path"), talk.text("path"));
    let stay = &entry.rows("queue_list")[0];
    assert_eq!(stay.number("recording"), wait.number("segment"));
    let waited = stay.number("wait_ms").unwrap();
    let length = wait.number("duration_ms").unwrap();
    assert!(
        waited >= 1_500 && (length - waited).abs() <= 200,
        "{}",
        entry.0
    );
    let heard = Recording::read(&engine.place.path("recordings").join(wait.text("path")));
    assert!(share_of_tone(&heard.operator, 600.0) > 0.9, "the music");
    let (code, place) = engine.terminate();
    assert_eq!(code, Some(0));
    let (good, text) = verify(&place);
    assert!(good && text.contains("2 with verified audio"), "{text}");
    let check = place.run(&["journal", "check"]);
    assert!(check.status.success(), "{}", text_of(&check));
}

//! Archived recordings in a bucket, in the whole process: uploaded, compared, gone from here, and still played,
//! exported, verified and destroyed.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use s3_server::{Fault, Server};

use crate::harness::journal::{Entry, finished};
use crate::harness::people::talking;
use crate::harness::{Engine, LogOnPanic, Place, Setup, http, text_of};

const SECRET: &str = "the secret of the bucket";

/// A call that was recorded, encrypted; the engine is off, and the recording is due for the archive.
struct World {
    server: Server,
    place: Place,
    entry: Entry,
    keys: tempfile::TempDir,
    token: String,
}

impl World {
    fn new(keep_local: &str) -> Self {
        let server = Server::start("calls", "hotline", SECRET).unwrap();
        let keys = tempfile::tempdir().unwrap();
        std::fs::write(keys.path().join("secret"), format!("{SECRET}\n")).unwrap();
        let identity = keys.path().join("identity");
        let made = std::process::Command::new(env!("CARGO_BIN_EXE_hotline"))
            .args(["recordings", "keygen", identity.to_str().unwrap()])
            .output()
            .unwrap();
        let more = format!(
            "[recordings]\nencryption = \"age\"\nrecipients = [\"{}\"]\nidentity = {identity:?}\n\
             archive_after = \"1s\"\n[api]\nlisten = \"127.0.0.1:0\"\n\
             [bucket]\nendpoint = \"{}\"\nplain_http = true\nname = \"calls\"\nprefix = \"a/b\"\n\
             access_key = \"hotline\"\nsecret_file = {:?}\ntimeout = \"2s\"\n{keep_local}\n",
            String::from_utf8(made.stdout).unwrap().trim(),
            server.endpoint(),
            keys.path().join("secret"),
        );
        let setup = Setup {
            more,
            ..Setup::default()
        };
        let place = Place::new(&setup);
        let token = place.run(&["token", "add", "test", "--right", "read,listen,metrics"]);
        let token = String::from_utf8(token.stdout).unwrap().trim().to_owned();
        let engine = Engine::start_in(place);
        let _log = LogOnPanic::of(&engine);
        let load = talking(&engine, &setup.operators, 1, Duration::from_secs(2));
        let entry = finished(&engine.place, 1).remove(0);
        drop(load);
        let wav = entry.recording(&engine.place);
        crate::harness::until("the call's manifest", Duration::from_secs(40), || {
            let call = entry.text("recording_path").rsplit('/').next().unwrap();
            let manifest = wav.with_file_name(format!("{}.json", &call[..17]));
            manifest.exists().then_some(())
        });
        let (code, place) = engine.terminate();
        assert_eq!(code, Some(0));
        std::thread::sleep(Duration::from_secs(1));
        Self {
            server,
            place,
            entry,
            keys,
            token,
        }
    }

    fn call(&self) -> String {
        let path = self.entry.text("recording_path");
        path.rsplit('/').next().unwrap()[..17].to_owned()
    }

    /// Path of the archived audio below the root.
    fn file(&self) -> String {
        let path = self.entry.text("recording_path");
        path.replace(".wav.age", ".opus.age")
    }

    fn here(&self) -> PathBuf {
        self.place.path("recordings").join(self.file())
    }

    fn there(&self) -> Option<Vec<u8>> {
        self.server.object(&format!("a/b/{}", self.file()))
    }

    fn purge(&self) -> (bool, String) {
        told(&self.place.run(&["recordings", "purge"]))
    }

    fn verify(&self) -> (bool, String) {
        told(&self.place.run(&["recordings", "verify"]))
    }

    fn export(&self, to: &Path) -> (bool, String) {
        let call = self.call();
        let to = to.to_str().unwrap();
        let words = ["recordings", "export", &call, "--format", "wav", "--to", to];
        told(&self.place.run(&words))
    }

    fn chain(&self) -> String {
        let chain = std::fs::read_dir(self.place.path("recordings/chain")).unwrap();
        let lines = chain.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
        lines.collect()
    }
}

fn told(output: &Output) -> (bool, String) {
    (output.status.success(), text_of(output))
}

#[test]
fn a_recording_in_the_bucket_alone_is_played_exported_verified_and_destroyed() {
    let world = World::new("keep_local = \"0s\"");
    let (good, text) = world.purge();
    assert!(
        good && text.contains("1 recordings uploaded, 0 wait"),
        "{text}"
    );
    assert!(!world.here().exists());
    let octets = world.there().unwrap();
    assert!(octets.starts_with(b"age-encryption.org/v1"));
    let manifest = world.file().replace(".opus.age", ".json");
    assert_eq!(
        world.server.object(&format!("a/b/{manifest}")),
        std::fs::read(world.place.path("recordings").join(&manifest)).ok()
    );
    assert_eq!(world.chain().matches("\"deed\":\"uploaded\"").count(), 1);
    let states = std::fs::read_dir(world.place.path("recordings/uploads")).unwrap();
    assert_eq!(states.count(), 0, "nothing is left of the upload");

    let (good, text) = world.verify();
    assert!(good && text.contains("1 with verified audio"), "{text}");
    let out = world.place.path("out.wav");
    let (good, text) = world.export(&out);
    assert!(good, "{text}");
    assert!(std::fs::metadata(&out).unwrap().len() > 20_000);
    world.damaged(&octets);
    let world = world.played();
    world.destroyed();
}

impl World {
    /// What is another in the bucket, or not there, is named, and not given away.
    fn damaged(&self, octets: &[u8]) {
        let name = format!("a/b/{}", self.file());
        let mut changed = octets.to_vec();
        changed[octets.len() / 2] ^= 1;
        let out = self.place.path("never.wav");
        for (octets, finding) in [
            (Some(changed), "changed: the recording of call"),
            (None, "is not here, and http://"),
        ] {
            self.server.tamper(&name, octets);
            let (good, text) = self.verify();
            assert!(!good && text.contains(finding), "{text}");
            let (good, text) = self.export(&out);
            assert!(!good && !out.exists(), "{text}");
        }
        self.server.tamper(&name, Some(octets.to_vec()));
        // A bucket that cannot be asked is no proof of anything.
        self.server.order(Fault::Unavailable, usize::MAX);
        let (good, text) = self.verify();
        assert!(!good && text.contains("503"), "{text}");
        self.server.recover();
        let (good, text) = self.verify();
        assert!(good, "{text}");
    }

    /// By the API, whole and in parts.
    fn played(self) -> Self {
        let token = &self.token;
        let path = format!("/api/v1/entries/{}/recordings/1", self.call());
        let engine = Engine::start_in(self.place);
        let _log = LogOnPanic::of(&engine);
        let api = engine.others["http"];
        // The journal hears of the archive by the first look of the engine, after a minute.
        let whole = crate::harness::until("the recording", Duration::from_secs(100), || {
            let (status, octets) = http::octets(api, &path, token);
            (status == 200).then_some(octets)
        });
        assert!(whole.starts_with(b"OggS"));
        let (status, part) = http::part(api, &path, token, "bytes=1000-1999");
        assert_eq!((status, &part[..]), (206, &whole[1_000..2_000]));
        let (status, end) = http::part(api, &path, token, "bytes=-100");
        assert_eq!((status, &end[..]), (206, &whole[whole.len() - 100..]));
        self.server.order(Fault::Unavailable, usize::MAX);
        let (status, text) = http::octets(api, &path, token);
        assert_eq!(status, 503, "{}", String::from_utf8_lossy(&text));
        self.server.recover();
        let (_, page) = http::ask(api, "GET", "/metrics", token, "");
        assert!(
            page.contains("\nhotline_recording_uploads_waiting 0\n"),
            "{page}"
        );
        let (code, place) = engine.terminate();
        assert_eq!(code, Some(0));
        Self { place, ..self }
    }

    /// Not before the bucket has destroyed it.
    fn destroyed(&self) {
        let config = std::fs::read_to_string(self.place.config()).unwrap();
        let config = config.replace("[recordings]\n", "[recordings]\nkeep = \"1s\"\n");
        std::fs::write(self.place.config(), config).unwrap();
        self.server.order(Fault::Undeletable, usize::MAX);
        let (good, text) = self.purge();
        assert!(!good && text.contains("is kept as it is"), "{text}");
        assert!(self.there().is_some());
        assert!(!self.chain().contains("\"deed\":\"destroyed\""));
        assert!(!self.place.path("recordings/acts").exists());
        let (good, text) = self.verify();
        assert!(good, "{text}");

        self.server.recover();
        let (good, text) = self.purge();
        assert!(good, "{text}");
        assert_eq!(self.server.names(), Vec::<String>::new());
        assert!(self.chain().contains("\"deed\":\"destroyed\""));
        assert!(self.place.path("recordings/acts").exists());
        let (good, text) = self.verify();
        assert!(good, "{text}");
    }
}

#[test]
fn the_copy_here_stays_until_the_one_in_the_bucket_is_what_it_should_be() {
    let world = World::new("keep_local = \"0s\"");
    for (fault, said) in [
        (Fault::Refuse, "waits for the bucket"),
        (Fault::Unavailable, "SlowDown"),
        (Fault::Flip, "is not what was put there"),
    ] {
        let times = if fault == Fault::Flip { 1 } else { usize::MAX };
        world.server.order(fault, times);
        let (good, text) = world.purge();
        assert!(!good && text.contains(said), "{fault:?}: {text}");
        assert!(world.here().exists(), "{fault:?}");
        assert_eq!(world.there(), None, "{fault:?}");
        assert!(!world.chain().contains("\"deed\":\"uploaded\""));
        world.server.recover();
    }
    std::fs::write(world.keys.path().join("secret"), "another\n").unwrap();
    let (good, text) = world.purge();
    assert!(
        !good && text.contains("refuses the access key \"hotline\""),
        "{text}"
    );
    assert!(text.contains("SignatureDoesNotMatch"), "{text}");
    assert!(!text.contains("another") && world.here().exists(), "{text}");
    std::fs::remove_file(world.keys.path().join("secret")).unwrap();
    let (good, text) = told(&world.place.run(&["check"]));
    assert!(!good && text.contains("secret_file of bucket"), "{text}");

    std::fs::write(world.keys.path().join("secret"), SECRET).unwrap();
    let (good, text) = world.purge();
    assert!(good && !world.here().exists(), "{text}");
    let (good, text) = world.verify();
    assert!(good, "{text}");
}

#[test]
fn a_running_engine_uploads_by_itself_and_both_copies_stay_without_a_word() {
    let world = World::new("");
    // Into the archive, while the bucket is away.
    world.server.order(Fault::Refuse, usize::MAX);
    let (good, text) = world.purge();
    assert!(!good, "{text}");
    world.server.recover();
    world.server.order(Fault::Unavailable, 1);
    let engine = Engine::start_in(world.place);
    let _log = LogOnPanic::of(&engine);
    let name = format!("a/b/{}", world.entry.text("recording_path"));
    let name = name.replace(".wav.age", ".opus.age");
    let octets = crate::harness::until("the upload", Duration::from_secs(40), || {
        world.server.object(&name)
    });
    let here = engine.place.path("recordings").join(&name[4..]);
    assert_eq!(std::fs::read(here).unwrap(), octets);
    let (code, place) = engine.terminate();
    assert_eq!(code, Some(0));
    let (good, text) = told(&place.run(&["recordings", "verify"]));
    assert!(good, "{text}");
}

#[test]
fn a_copy_whose_time_here_is_over_goes_only_while_the_one_in_the_bucket_is_the_same() {
    let world = World::new("keep_local = \"2s\"");
    let (good, text) = world.purge();
    assert!(good && world.here().exists(), "{text}");
    let octets = world.there().unwrap();
    std::thread::sleep(Duration::from_millis(2_500));
    let mut changed = octets.clone();
    changed[100] ^= 1;
    let mut names = world.server.names().into_iter();
    let name = names.find(|name| name.ends_with(".opus.age")).unwrap();
    world.server.tamper(&name, Some(changed));
    world.purge();
    assert!(world.here().exists(), "another lies there");
    world.server.tamper(&name, Some(octets));
    let (good, text) = world.purge();
    assert!(good && !world.here().exists(), "{text}");
    let (good, text) = world.verify();
    assert!(good, "{text}");
}

//! The bucket against a server that fails by order.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::cell::Cell;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use bucket::{Bucket, Error, Job, Next, Place, Progress, forget};
use s3_server::{Fault, Server};
use sha2::{Digest, Sha256};

const NAME: &str = "2026/11/22/00000007-00000001-1.opus.age";
const PART: usize = 64 << 10;

struct World {
    server: Server,
    bucket: Bucket,
    dir: tempfile::TempDir,
    octets: Vec<u8>,
}

fn place(server: &Server) -> Place {
    Place {
        endpoint: server.endpoint(),
        bucket: "calls".into(),
        region: "ru-1".into(),
        prefix: "archive".into(),
        access_key: "AK".into(),
        secret: "the secret".into(),
        plain_http: true,
        part_bytes: PART as u64,
        timeout: Duration::from_secs(5),
    }
}

/// A file of so many octets that is to be uploaded.
fn world(length: usize) -> World {
    let server = Server::start("calls", "AK", "the secret").unwrap();
    let bucket = Bucket::open(&place(&server)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let octets: Vec<u8> = (0..length).map(|at| (at / 7 % 251) as u8).collect();
    std::fs::write(dir.path().join("file"), &octets).unwrap();
    World {
        server,
        bucket,
        dir,
        octets,
    }
}

impl World {
    fn state(&self) -> PathBuf {
        self.dir.path().join("uploads/state.json")
    }

    fn job(&self) -> Job {
        let digest = Sha256::digest(&self.octets);
        Job {
            file: self.dir.path().join("file"),
            name: NAME.to_owned(),
            bytes: self.octets.len() as u64,
            sha256: digest.iter().map(|octet| format!("{octet:02x}")).collect(),
            state: self.state(),
        }
    }

    fn upload(&self) -> Result<Progress, Error> {
        self.bucket.upload(&self.job(), &|_| true)
    }

    fn there(&self) -> Option<Vec<u8>> {
        self.server.object(&format!("archive/{NAME}"))
    }

    /// The numbers of the parts that were sent since the last time.
    fn parts_sent(&self) -> Vec<u32> {
        let requests = self.server.requests();
        let parts = requests.iter().filter_map(|request| {
            let (_, number) = request.split_once("partNumber=")?;
            number.split('&').next()?.parse().ok()
        });
        parts.collect()
    }
}

#[test]
fn a_short_file_goes_in_one_piece_and_is_read_back() {
    let world = world(1_000);
    assert_eq!(world.upload().unwrap(), Progress::Verified);
    assert_eq!(world.there(), Some(world.octets.clone()));
    let requests = world.server.requests();
    assert!(requests[0].starts_with("PUT archive/2026"), "{requests:?}");
    assert!(requests.iter().any(|request| request.starts_with("GET")));
    forget(&world.state()).unwrap();
}

#[test]
fn an_upload_cut_in_a_part_goes_on_there_after_a_restart() {
    let world = world(5 * PART + 100);
    world.server.order(Fault::CutPart(4), 1);
    let error = world.upload().unwrap_err();
    assert!(matches!(error, Error::Trouble { .. }), "{error}");
    assert_eq!(world.parts_sent(), [1, 2, 3, 4]);
    // Another process: nothing is known but what stands on the disk.
    let bucket = Bucket::open(&place(&world.server)).unwrap();
    let done = bucket.upload(&world.job(), &|_| true).unwrap();
    assert_eq!(done, Progress::Verified);
    assert_eq!(world.parts_sent(), [4, 5, 6]);
    assert_eq!(world.there(), Some(world.octets.clone()));
    assert_eq!(world.server.uploads(), 0);
}

#[test]
fn an_upload_that_is_told_to_stop_goes_on_where_it_was() {
    let world = world(4 * PART);
    let asked = Cell::new(0);
    let twice = |_: Next| {
        asked.set(asked.get() + 1);
        asked.get() <= 2
    };
    let stopped = world.bucket.upload(&world.job(), &twice).unwrap();
    assert_eq!((stopped, world.parts_sent()), (Progress::Begun, vec![1, 2]));
    assert_eq!(world.upload().unwrap(), Progress::Verified);
    assert_eq!(world.parts_sent(), [3, 4]);
}

#[test]
fn an_upload_whose_end_was_not_heard_of_is_not_made_again() {
    let world = world(3 * PART);
    world.server.order(Fault::Untold, 1);
    assert_eq!(world.upload().unwrap(), Progress::Verified);
    assert_eq!(world.parts_sent(), [1, 2, 3]);
}

#[test]
fn an_upload_that_the_store_threw_away_begins_anew() {
    let world = world(3 * PART);
    world.server.order(Fault::CutPart(3), 1);
    world.upload().unwrap_err();
    world.server.expire_uploads();
    assert!(matches!(world.upload(), Err(Error::Absent { .. })));
    assert_eq!(world.parts_sent(), [1, 2, 3, 3]);
    assert_eq!(world.upload().unwrap(), Progress::Verified);
    assert_eq!(world.parts_sent(), [1, 2, 3]);
}

#[test]
fn what_was_changed_on_the_way_is_found_and_does_not_stay_there() {
    for length in [1_000, 3 * PART] {
        let world = world(length);
        world.server.order(Fault::Flip, 1);
        let error = world.upload().unwrap_err();
        assert!(matches!(error, Error::Changed(_)), "{error}");
        assert_eq!(world.there(), None);
        assert_eq!(world.upload().unwrap(), Progress::Verified);
        assert_eq!(world.there(), Some(world.octets.clone()));
    }
}

#[test]
fn a_file_that_is_not_as_it_was_stored_is_not_uploaded() {
    let world = world(1_000);
    std::fs::write(world.dir.path().join("file"), "other").unwrap();
    assert!(matches!(world.upload(), Err(Error::Changed(_))));
    assert_eq!(world.server.requests(), Vec::<String>::new());
}

#[test]
fn a_store_that_is_down_is_told_and_works_when_it_is_up_again() {
    let world = world(1_000);
    for fault in [Fault::Refuse, Fault::Unavailable] {
        world.server.order(fault, 3);
        let error = world.upload().unwrap_err();
        assert!(matches!(error, Error::Trouble { .. }), "{error}");
        world.server.recover();
    }
    assert_eq!(world.upload().unwrap(), Progress::Verified);
}

#[test]
fn a_wrong_secret_is_told_with_the_key_and_without_the_secret() {
    let world = world(1_000);
    let wrong = |key: &str, secret: &str| Place {
        access_key: key.into(),
        secret: secret.into(),
        ..place(&world.server)
    };
    for (key, secret, code) in [
        ("AK", "another", "SignatureDoesNotMatch"),
        ("KA", "the secret", "InvalidAccessKeyId"),
    ] {
        let bucket = Bucket::open(&wrong(key, secret)).unwrap();
        let error = bucket.upload(&world.job(), &|_| true).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(code) && text.contains(key), "{text}");
        assert!(!text.contains(secret), "{text}");
        assert!(!format!("{bucket:?}").contains(secret));
    }
}

#[test]
fn any_part_of_an_object_is_read_without_the_rest() {
    let world = world(3 << 20);
    world.upload().unwrap();
    let mut object = world.bucket.object(NAME).unwrap();
    assert_eq!(object.size(), 3 << 20);
    world.server.requests();
    for at in [2_500_000_u64, 5, (1 << 20) - 5] {
        let mut part = [0; 10];
        object.seek(SeekFrom::Start(at)).unwrap();
        object.read_exact(&mut part).unwrap();
        assert_eq!(part, world.octets[at as usize..at as usize + 10], "{at}");
    }
    assert_eq!(object.seek(SeekFrom::End(-1)).unwrap(), (3 << 20) - 1);
    let asked = world.server.requests();
    assert!(asked.len() <= 4, "{asked:?}");
    // Another object under the name is not taken for the one that was opened.
    world
        .server
        .tamper(&format!("archive/{NAME}"), Some(vec![0; 3 << 20]));
    object.seek(SeekFrom::Start(2_000_000)).unwrap();
    let error = object.read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error}");
}

#[test]
fn what_is_removed_is_gone_and_what_is_not_is_not_told_as_gone() {
    let world = world(1_000);
    world.upload().unwrap();
    world.server.order(Fault::Undeletable, 1);
    assert!(world.bucket.remove(NAME).is_err());
    assert!(world.there().is_some());
    world.bucket.remove(NAME).unwrap();
    assert_eq!(world.there(), None);
    world.bucket.remove(NAME).unwrap();
    assert!(matches!(world.bucket.size(NAME), Err(Error::Absent { .. })));
    // Of a bucket that is not there nothing is known, also not that an object is gone.
    let elsewhere = Place {
        bucket: "others".into(),
        ..place(&world.server)
    };
    let elsewhere = Bucket::open(&elsewhere).unwrap().remove(NAME);
    assert!(
        matches!(elsewhere, Err(Error::Absent { .. })),
        "{elsewhere:?}"
    );
}

#[test]
fn an_upload_that_is_abandoned_leaves_nothing_there() {
    let world = world(3 * PART);
    world.server.order(Fault::CutPart(2), 1);
    world.upload().unwrap_err();
    assert_eq!(world.server.uploads(), 1);
    world.bucket.abandon(&world.state()).unwrap();
    assert_eq!((world.server.uploads(), world.there()), (0, None));
    assert!(!world.state().exists());
    world.bucket.abandon(&world.state()).unwrap();
}

#[test]
fn clear_text_needs_a_word_of_its_own() {
    let server = Server::start("calls", "AK", "the secret").unwrap();
    let place = Place {
        plain_http: false,
        ..place(&server)
    };
    let error = Bucket::open(&place).unwrap_err();
    assert!(error.to_string().contains("clear text"), "{error}");
}

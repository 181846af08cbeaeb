//! A real file system that is really full: a tmpfs of some megabytes is filled while a call is
//! recorded, and is then made larger. `disk` has the same with a double, and more of it.
//!
//! Needs the right to mount: root, or a user namespace (`unshare -Urm`). Where there is neither the
//! test says so and proves nothing; `HOTLINE_MOUNTS=1` makes that a failure.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod common;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{Bench, feed, key, likeness, pair, read, stored, until};
use recorder::Report;
use vocab::Time;
use vocab::media::Side;

const START: Time = Time::from_millis(5_000);
/// Names the folder to the process that may mount.
const FOLDER: &str = "HOTLINE_TMPFS_IN";
/// Says that its test came to its end.
const DONE: &str = "the tmpfs test came to its end";
/// Packets of 20 ms in a second.
const SECOND: usize = 50;

#[test]
fn a_tmpfs_that_is_full_for_a_while_truncates_the_recording_which_then_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mounts = |options: &str| {
        let mut command = Command::new("unshare");
        command.args([options, "--", "mount", "-t", "tmpfs", "none"]);
        let said = command.arg(folder.path()).output();
        said.is_ok_and(|said| said.status.success())
    };
    let Some(options) = ["-m", "-Urm"].into_iter().find(|options| mounts(options)) else {
        let why = "NOT TESTED: no right to mount a tmpfs, neither as root nor with unshare -Urm";
        assert!(std::env::var_os("HOTLINE_MOUNTS").is_none(), "{why}");
        eprintln!("{why}");
        return;
    };
    let said = Command::new("unshare")
        .args([options, "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&said.stdout);
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{out}\n{err}");
    assert!(out.contains(DONE), "{out}\n{err}");
}

fn mount(options: &str, folder: &Path) {
    let done = Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "none"])
        .arg(folder)
        .status();
    assert!(done.unwrap().success(), "mount -o {options}");
}

/// Not a test by itself: what runs where it may mount.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    mount("size=3m", folder);
    let mut bench = Bench::new();
    bench.settings.root = folder.join("recordings");
    bench.settings.spool = folder.join("spool");
    bench.limits.backlog_bytes = 200_000;
    let (mut taps, recorder, seen) = bench.start();
    let (streams, tap) = (pair(), &mut taps[0]);
    tap.start(key(1), START);
    let (mut fed, mut told) = (0, None);
    // As fast as the writer takes it, until the disk and the backlog are full. A slow machine drops some
    // before that.
    while told.is_none() || recorder.counts().dropped < 500 {
        assert!(fed < 2_000 * SECOND, "3 MB hold {fed} packets");
        feed(tap, key(1), START, &streams, fed..fed + SECOND);
        fed += SECOND;
        until("they are taken", || {
            let counts = recorder.counts();
            (counts.packets + counts.dropped) as usize == 2 * fed
        });
        told = told.or_else(|| seen.try_recv().ok());
    }
    assert!(
        matches!(&told, Some(Report::DiskTrouble { message }) if message.contains("os error 28")),
        "{told:?}"
    );
    let full = fed;

    mount("remount,size=30m", folder);
    until("what waited is written", || {
        let counts = recorder.counts();
        counts.spool_bytes >= counts.packets * 180
    });
    feed(tap, key(1), START, &streams, fed..fed + 4 * SECOND);
    fed += 4 * SECOND;
    tap.stop(key(1), START + Duration::from_millis(20 * fed as u64));
    until("goes on when space returns", || recorder.pending() == 0);
    let dropped = recorder.counts().dropped;
    recorder.stop();

    let reports: Vec<_> = seen.into_iter().collect();
    assert_eq!(reports[0], Report::DiskFine);
    let file = stored(reports[1..].to_vec());
    let ([left, right], manifest) = read(&bench.settings.root, &file);
    assert!(manifest.truncated && dropped >= 500);
    assert_eq!(file.dropped, dropped);
    assert_eq!(
        manifest.gaps.iter().map(|gap| gap.packets).sum::<u64>(),
        dropped
    );
    assert_eq!((file.caller_lost, file.operator_lost), (0, 0));
    assert_eq!(file.duration_ms, 20 * fed as u64);
    for (side, channel, hz) in [
        (Side::Caller, &left, 440.0),
        (Side::Operator, &right, 950.0),
    ] {
        let gaps: Vec<_> = manifest
            .gaps
            .iter()
            .filter(|gap| gap.side == side)
            .collect();
        let last = gaps.last().unwrap();
        assert_eq!(last.to_ms, 20 * full as u64, "{gaps:?}");
        let mut kept = vec![0; channel.len()];
        let before = gaps[0].from_ms as usize * 8;
        kept[..before].copy_from_slice(&channel[..before]);
        assert!(likeness(&kept, 0, hz, before) > 0.99);
        let after = full * 160;
        let all = (before + channel.len() - after) as f64 / channel.len() as f64;
        kept[after..].copy_from_slice(&channel[after..]);
        assert!(likeness(&kept, 0, hz, channel.len()) > 0.99 * all.sqrt());
    }
    println!("{DONE}");
}

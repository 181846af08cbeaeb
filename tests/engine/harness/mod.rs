//! The shared harness of the whole-process tests: a real `hotline serve` in a folder of its own,
//! real clients, the journal as it is exported, recordings as they lie on the disk.
//!
//! Every test has loopback addresses of its own, so that no two meet; every child process is
//! killed when its owner is dropped.

// Each test file uses its part of the harness.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, unreachable_pub)]

pub mod audio;
pub mod baresip;
pub mod browser;
pub mod chromium;
pub mod hostile;
pub mod http;
pub mod impaired;
pub mod journal;
pub mod kamailio;
pub mod linphone;
pub mod people;
#[path = "../../../crates/journal/src/tests/server.rs"]
pub mod postgres;
pub mod proxy;
pub mod room;
pub mod sipp;
pub mod wire;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A child process that does not outlive its owner.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until the answer is there, `within` at the longest; then fails saying what was awaited.
pub fn until<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Three loopback addresses that no other test of any process uses: of the engine, of the
/// callers (the trunk), of the operators.
#[derive(Debug, Clone, Copy)]
pub struct Net {
    pub engine: IpAddr,
    pub callers: IpAddr,
    pub operators: IpAddr,
}

impl Net {
    /// IPv6 has one loopback address for all.
    pub fn v6() -> Self {
        let address = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
        Self {
            engine: address,
            callers: address,
            operators: address,
        }
    }

    pub fn fresh() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Process ids and a counter; a clash with an old process only shares an address.
        let number = std::process::id().wrapping_mul(61) + NEXT.fetch_add(1, Ordering::Relaxed);
        let (high, low) = ((number / 250 % 250) as u8, (number % 250) as u8);
        let address = |last| IpAddr::V4(Ipv4Addr::new(127, high + 1, low + 1, last));
        Self {
            engine: address(1),
            callers: address(2),
            operators: address(3),
        }
    }

    /// One address more, of nobody yet; with [`fresh`](Self::fresh) only.
    pub fn other(&self) -> IpAddr {
        match self.callers {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                IpAddr::V4(Ipv4Addr::new(a, b, c, 4))
            }
            IpAddr::V6(v6) => IpAddr::V6(v6),
        }
    }
}

/// A free UDP port of an address, for programs that must be told one.
pub fn free_port(address: IpAddr) -> u16 {
    // RTP ports are even, with RTCP above (RFC 3550 §11).
    for _ in 0..100 {
        let port = UdpSocket::bind((address, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        if port.is_multiple_of(2) && UdpSocket::bind((address, port + 1)).is_ok() {
            return port;
        }
    }
    panic!("no free pair of ports at {address}");
}

/// Fails, saying what to install, if a program of the tests is not there.
pub fn need(program: &str, package: &str) {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    assert!(
        found,
        "{program} is not installed: apt-get install {package} (or `make setup`)"
    );
}

/// What a test wants of its engine. The defaults make a quick hotline with number 1300.
pub struct Setup {
    pub net: Net,
    /// Of SIP; 0 is any free one.
    pub port: u16,
    pub operators: Vec<String>,
    pub calls: u32,
    pub ring_time: &'static str,
    pub wait_max: Option<&'static str>,
    pub rest_after_no_answer: &'static str,
    /// Lines added to the settings of signalling.
    pub sip: String,
    /// Lines added to the settings of audio.
    pub media: String,
    /// Lines added to the trunk of the callers.
    pub trunk: String,
    /// Lines added to the settings.
    pub more: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            net: Net::fresh(),
            port: 0,
            operators: vec!["anna".to_owned()],
            calls: 200,
            ring_time: "20s",
            wait_max: None,
            rest_after_no_answer: "0s",
            sip: String::new(),
            media: String::new(),
            trunk: String::new(),
            more: String::new(),
        }
    }
}

/// Every operator's password in the tests is this and the login.
pub fn password(login: &str) -> String {
    format!("secret-{login}")
}

/// The number of the tests' hotline.
pub const NUMBER: &str = "1300";

const PLAN: &str = r#"
name = "tests"
numbers = ["1300"]
languages = ["en"]
[[step]]
answer = {}
[[step]]
say = { name = "greeting", notice = true, text = { en = "Calls are recorded." } }
[[step]]
queue = { name = "operators", music = "music/waiting.wav", priority = 5, recorded = true }
[[step]]
say = { name = "sorry", text = { en = "Nobody could answer." } }
[[step]]
hangup = {}
"#;

/// A folder with settings, a plan, prompts and operators.
pub struct Place {
    pub folder: TempDir,
    pub net: Net,
    /// What stands before each command: the way into a room of its own, mostly nothing.
    within: Vec<String>,
    /// What the engine finds in its environment.
    pub environment: Vec<(String, String)>,
}

impl Place {
    pub fn new(setup: &Setup) -> Self {
        Self::within(setup, |_| Vec::new())
    }

    /// A place whose commands run in a room that `furnish` makes for its folder.
    pub fn within(setup: &Setup, furnish: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self {
            within: furnish(folder.path()),
            folder,
            net: setup.net,
            environment: Vec::new(),
        };
        let path = place.folder.path();
        for folder in ["dialplans", "prompts/music"] {
            std::fs::create_dir_all(path.join(folder)).unwrap();
        }
        std::fs::write(path.join("dialplans/tests.toml"), PLAN).unwrap();
        audio::write_tone(&path.join("prompts/greeting.wav"), 400.0, 300);
        audio::write_tone(&path.join("prompts/sorry.wav"), 500.0, 300);
        audio::write_tone(&path.join("prompts/music/waiting.wav"), 600.0, 2_000);
        std::fs::write(place.config(), settings(setup)).unwrap();
        for (index, login) in setup.operators.iter().enumerate() {
            let line = format!("{}", 101 + index);
            let output = place.run_with_input(
                &["user", "add", login, "--line", &line, "--password-stdin"],
                &format!("{}\n", password(login)),
            );
            assert!(
                output.status.success(),
                "user add {login}: {}",
                text_of(&output)
            );
        }
        place
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("hotline.toml")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `hotline` with the settings of this place.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with_input(arguments, "")
    }

    /// The program, to be run in this place.
    fn hotline(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_hotline");
        let Some((first, rest)) = self.within.split_first() else {
            return Command::new(program);
        };
        let mut command = Command::new(first);
        command.args(rest).arg(program);
        command
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .hotline()
            .args(arguments)
            .arg("--config")
            .arg(self.config())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that refuses its arguments reads nothing: its exit says so.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }
}

/// Standard output and error of a program that has ended.
pub fn text_of(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    format!("{out}{err}")
}

fn settings(setup: &Setup) -> String {
    let Net {
        engine, callers, ..
    } = setup.net;
    let Setup {
        calls,
        ring_time,
        rest_after_no_answer,
        sip,
        media,
        trunk,
        more,
        ..
    } = setup;
    let wait_max = setup
        .wait_max
        .map(|wait| format!("wait_max = \"{wait}\"\n"))
        .unwrap_or_default();
    let listen = SocketAddr::new(engine, setup.port);
    // SIPp 3.6 and baresip 1.0 know MD5 only, and fail when another algorithm comes first.
    format!(
        r#"
[sip]
listen = ["{listen}"]
digest = ["md5"]
{sip}
[limits]
calls = {calls}
[media]
address = "{engine}"
threads = 1
{media}
[log]
level = "debug"
[[trunk]]
name = "loopback"
addresses = ["{callers}"]
{trunk}
[[queue]]
name = "operators"
ring_time = "{ring_time}"
wrap_up = "0s"
retry_delay = "0s"
rest_after_no_answer = "{rest_after_no_answer}"
{wait_max}{more}
"#
    )
}

/// A running engine.
pub struct Engine {
    pub place: Place,
    pub sip: SocketAddr,
    /// The rest of the ready line: where each other transport is taken.
    pub others: BTreeMap<String, SocketAddr>,
    child: Running,
}

/// Making prompts and opening the journal, on a machine that builds something else as well.
const READY_WITHIN: Duration = Duration::from_secs(60);

impl Engine {
    pub fn start(setup: &Setup) -> Self {
        Self::start_in(Place::new(setup))
    }

    /// Starts in a place where an engine may have run before.
    pub fn start_in(place: Place) -> Self {
        Self::start_with(place, &[])
    }

    /// Starts one that takes over from this one, in the same place; and this one's process, which goes on.
    pub fn successor(self) -> (Self, Running) {
        let Self { place, child, .. } = self;
        (Self::start_with(place, &["--take-over"]), child)
    }

    fn start_with(place: Place, more: &[&str]) -> Self {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(place.path("engine.log"))
            .unwrap();
        let mut child = place
            .hotline()
            .arg("serve")
            .args(more)
            .arg("--config")
            .arg(place.config())
            .envs(place.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let child = Running(child);
        let (lines, ready) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(rest) = line.strip_prefix("ready ") {
                    let _ = lines.send(rest.to_owned());
                }
            }
        });
        let Ok(ready) = ready.recv_timeout(READY_WITHIN) else {
            let log = std::fs::read_to_string(place.path("engine.log")).unwrap_or_default();
            panic!("the engine was not ready within {READY_WITHIN:?}; its log:\n{log}");
        };
        let others: BTreeMap<String, SocketAddr> = ready
            .split_whitespace()
            .filter_map(|field| field.split_once('='))
            .filter_map(|(name, address)| Some((name.to_owned(), address.parse().ok()?)))
            .collect();
        let sip = others.get("sip").copied();
        let sip = sip.unwrap_or_else(|| panic!("no address in the line: ready {ready}"));
        Self {
            place,
            sip,
            others,
            child,
        }
    }

    /// Kills it as a power cut would, and gives back its place.
    pub fn kill(self) -> Place {
        let Self { place, child, .. } = self;
        // Dropping it sends SIGKILL and waits.
        drop(child);
        place
    }

    /// Asks it to end (SIGTERM) and waits; the exit code and its place.
    pub fn terminate(self) -> (Option<i32>, Place) {
        let Self {
            place, mut child, ..
        } = self;
        let pid = rustix::process::Pid::from_child(&child.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = until(
            "the engine's end after SIGTERM",
            Duration::from_secs(60),
            || child.0.try_wait().unwrap(),
        );
        (status.code(), place)
    }

    /// The id of its process.
    pub fn process(&self) -> u32 {
        self.child.0.id()
    }

    /// Whether the process is still there.
    pub fn alive(&mut self) -> bool {
        self.child.0.try_wait().unwrap().is_none()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.place.path("engine.log")).unwrap_or_default()
    }
}

/// Prints the end of the engine's log when the test has failed.
pub struct LogOnPanic(pub PathBuf);

impl LogOnPanic {
    pub fn of(engine: &Engine) -> Self {
        Self(engine.place.path("engine.log"))
    }
}

impl Drop for LogOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.0).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines.len().saturating_sub(60);
            eprintln!(
                "--- the engine's log, its end ---\n{}",
                lines[tail..].join("\n")
            );
        }
    }
}

/// A certificate for the engine's address in its folder, and the settings that use it.
pub fn with_tls(setup: Setup, more: &str) -> Place {
    let address = setup.net.engine;
    let place = Place::new(&Setup {
        sip: format!(
            "tls = [\"{address}:0\"]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n{more}"
        ),
        ..setup
    });
    let made = rcgen::generate_simple_self_signed(vec![address.to_string()]).unwrap();
    std::fs::write(place.path("certificate.pem"), made.cert.pem()).unwrap();
    std::fs::write(place.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    place
}

/// The folder of SIPp scenarios.
pub fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sipp-scenarios")
}

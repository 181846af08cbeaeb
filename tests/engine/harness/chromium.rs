//! Chromium, headless, as an operator's telephone: a page of `tests/engine/browser` with a microphone that
//! says a WAV file. The page asks this harness for commands and tells it what happens.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Running, need, password, until};

const PAGE: &str = include_str!("../browser/page.html");
const SCRIPT: &str = include_str!("../browser/phone.js");
const MD5: &str = include_str!("../browser/md5.js");
/// A browser that starts on a machine that builds something else as well.
const PATIENCE: Duration = Duration::from_secs(60);
/// The page asks again after so long without a command.
const POLL: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Desk {
    commands: VecDeque<Value>,
    events: Vec<Value>,
}

/// One browser with one page.
pub struct Chromium {
    running: Running,
    folder: TempDir,
    desk: Arc<Mutex<Desk>>,
}

/// What a browser needs to know before it begins.
pub struct Page {
    listener: TcpListener,
    address: SocketAddr,
}

impl Page {
    /// A page at an address of its own.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    /// Its origin, for the settings.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// What the telephone in a page is.
pub struct Phone<'a> {
    /// The engine's WebSocket.
    pub url: String,
    /// As whom it registers.
    pub login: &'a str,
    /// What its microphone says.
    pub speech: &'a Path,
    /// The only codecs it has, by their names in SDP, best first; `None`: all that Chromium has.
    pub codec: Option<&'a str>,
}

impl Chromium {
    /// A browser whose page is such a telephone.
    pub fn start(page: Page, phone: &Phone<'_>) -> Self {
        need("chromium", "chromium");
        let folder = tempfile::tempdir().unwrap();
        let url = format!("{}/", page.origin());
        let config = json!({
            "url": phone.url,
            "login": phone.login,
            "password": password(phone.login),
            "codec": phone.codec,
        });
        let desk = Arc::<Mutex<Desk>>::default();
        let shared = Arc::clone(&desk);
        std::thread::spawn(move || {
            for stream in page.listener.incoming().map_while(Result::ok) {
                let (desk, config) = (Arc::clone(&shared), config.clone());
                std::thread::spawn(move || serve(&stream, &desk, &config));
            }
        });
        let output = std::fs::File::create(folder.path().join("output.log")).unwrap();
        let child = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu"])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync"])
            .args([
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
            ])
            .arg(format!(
                "--use-file-for-fake-audio-capture={}",
                phone.speech.display()
            ))
            // Nobody vouches for the certificate of a test.
            .arg("--ignore-certificate-errors")
            .arg("--allow-loopback-in-peer-connection")
            .arg("--autoplay-policy=no-user-gesture-required")
            .arg(format!(
                "--user-data-dir={}",
                folder.path().join("profile").display()
            ))
            .arg(url)
            // It has children of its own; they are ended with it.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self {
            running: Running(child),
            folder,
            desk,
        }
    }

    /// Waits until it is registered.
    pub fn registered(&self) {
        let told = self.told("registered");
        assert_eq!(told["status"], 200, "{told}");
    }

    /// Tells the page to do something.
    pub fn command(&self, command: Value) {
        self.desk.lock().unwrap().commands.push_back(command);
    }

    /// What the page told first of an event, once it has.
    pub fn told(&self, event: &str) -> Value {
        self.told_that(event, |_| true)
    }

    /// The first telling of an event that is as wanted.
    pub fn told_that(&self, event: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(&format!("the page to tell: {event}"), PATIENCE, || {
            let events = self.events(event);
            events.into_iter().find(|one| wanted(one))
        })
    }

    /// All tellings of an event so far.
    pub fn events(&self, event: &str) -> Vec<Value> {
        let desk = self.desk.lock().unwrap();
        let named = desk.events.iter().filter(|one| one["event"] == event);
        named.cloned().collect()
    }

    /// Waits until the page hears a tone of so many hertz.
    pub fn hears(&self, hertz: f64) {
        let near = |one: &Value| {
            let loud = one["decibels"].as_f64().is_some_and(|level| level > -60.0);
            let heard = one["hertz"].as_f64().unwrap_or_default();
            loud && (heard - hertz).abs() < 15.0
        };
        self.told_that("heard", near);
    }

    /// Kills it, and all its processes, as a power cut would.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.running.0);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("output.log"));
            eprintln!("--- Chromium's log ---\n{}", log.unwrap_or_default());
            for event in &self.desk.lock().unwrap().events {
                if event["event"] != "heard" {
                    eprintln!("page: {event}");
                }
            }
        }
    }
}

fn serve(stream: &TcpStream, desk: &Mutex<Desk>, config: &Value) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (kind, text) = match first.split(' ').nth(1)? {
        "/" => ("text/html", PAGE.to_owned()),
        "/phone.js" => ("text/javascript", SCRIPT.to_owned()),
        "/md5.js" => ("text/javascript", MD5.to_owned()),
        "/config" => ("application/json", config.to_string()),
        "/command" => ("application/json", next_command(desk).to_string()),
        "/event" => {
            let event = serde_json::from_slice(&body).ok()?;
            desk.lock().unwrap().events.push(event);
            ("application/json", "{}".to_owned())
        }
        _ => ("text/plain", String::new()),
    };
    let octets = text.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {octets}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    );
    (&mut &*stream)
        .write_all(format!("{head}{text}").as_bytes())
        .ok()
}

fn next_command(desk: &Mutex<Desk>) -> Value {
    let deadline = Instant::now() + POLL;
    loop {
        if let Some(command) = desk.lock().unwrap().commands.pop_front() {
            return command;
        }
        if Instant::now() >= deadline {
            return json!({});
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

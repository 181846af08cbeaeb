//! baresip as an operator's telephone, which registers and answers by itself, and as a caller.
//! It speaks a WAV file.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{Engine, NUMBER, Running, need, password, until};

/// The folder in which it keeps what it decoded.
const HEARD: &str = "heard";

/// One baresip process.
pub struct Baresip {
    running: Running,
    folder: TempDir,
}

/// Modules of Debian's baresip, found beside the program's package files.
fn modules() -> String {
    let output = Command::new("dpkg")
        .args(["-L", "baresip-core"])
        .output()
        .unwrap();
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = list.lines().find_map(|line| line.strip_suffix("/g711.so"));
    found
        .expect("modules of the package baresip-core (apt-get install baresip-core)")
        .to_owned()
}

/// How a telephone reaches the engine.
#[derive(Clone, Copy)]
pub struct Way<'a> {
    /// `udp`, `tcp` or `tls`.
    pub transport: &'a str,
    /// The proxy it sends everything to.
    pub proxy: Option<SocketAddr>,
    /// Lines added to its configuration.
    pub more: &'a str,
    /// Parameters added to its account.
    pub account: &'a str,
    /// The codec it has, by its name in SDP.
    pub codec: &'a str,
}

impl<'a> Way<'a> {
    pub const UDP: Self = Self {
        transport: "udp",
        proxy: None,
        more: "",
        account: "",
        codec: "pcma",
    };

    /// Straight to the engine.
    pub fn over(transport: &'a str, more: &'a str) -> Self {
        Self {
            transport,
            more,
            ..Self::UDP
        }
    }

    /// Where the engine takes the transport.
    fn engine(self, engine: &Engine) -> SocketAddr {
        *engine.others.get(self.transport).unwrap_or(&engine.sip)
    }

    fn outbound(self) -> String {
        self.proxy
            .map(|proxy| format!(";outbound=\"sip:{proxy};transport={}\"", self.transport))
            .unwrap_or_default()
    }
}

impl Baresip {
    /// Registers `login` at the engine; when called it answers at once and says `speech`.
    pub fn start(engine: &Engine, login: &str, speech: &Path) -> Self {
        Self::operator(engine, login, speech, Way::UDP)
    }

    /// The same over another transport, with lines added to its configuration.
    pub fn start_over(
        engine: &Engine,
        login: &str,
        speech: &Path,
        transport: &str,
        more: &str,
    ) -> Self {
        Self::operator(engine, login, speech, Way::over(transport, more))
    }

    /// The same by any way.
    pub fn operator(engine: &Engine, login: &str, speech: &Path, way: Way<'_>) -> Self {
        let account = format!(
            "<sip:{login}@{};transport={}>;auth_user={login};auth_pass={};answermode=auto;\
             audio_codecs={};regint=60{}{}\n",
            way.engine(engine),
            way.transport,
            password(login),
            way.codec,
            way.account,
            way.outbound(),
        );
        Self::run(engine.place.net.operators, &account, speech, way.more, &[])
    }

    /// Calls the hotline without registering, talks for so many seconds, hangs up and ends.
    pub fn caller(engine: &Engine, speech: &Path, way: Way<'_>, seconds: u32) -> Self {
        let address = engine.place.net.callers;
        let account = format!(
            "<sip:79140000002@{address};transport={}>{};regint=0;audio_codecs={}{}\n",
            way.transport,
            way.account,
            way.codec,
            way.outbound(),
        );
        // It adds the transport of its account itself.
        let dial = format!("/dial sip:{NUMBER}@{}", way.engine(engine));
        let seconds = seconds.to_string();
        Self::run(
            address,
            &account,
            speech,
            way.more,
            &["-e", &dial, "-t", &seconds],
        )
    }

    fn run(address: IpAddr, account: &str, speech: &Path, more: &str, arguments: &[&str]) -> Self {
        need("baresip", "baresip-core");
        let folder = tempfile::tempdir().unwrap();
        let heard = folder.path().join(HEARD);
        std::fs::create_dir(&heard).unwrap();
        let config = format!(
            "sip_listen {address}:0\n\
             audio_source aufile,{speech}\n\
             snd_path {heard}\n\
             audio_buffer 20-160\n\
             module_path {modules}\n\
             ausrc_srate 8000\nausrc_channels 1\n\
             auplay_srate 8000\nauplay_channels 1\n\
             module g711.so\nmodule g722.so\nmodule opus.so\nmodule aufile.so\nmodule sndfile.so\n\
             module_tmp account.so\n\
             module_app menu.so\n{more}\n",
            speech = speech.display(),
            heard = heard.display(),
            modules = modules(),
        );
        std::fs::write(folder.path().join("config"), config).unwrap();
        std::fs::write(folder.path().join("accounts"), account).unwrap();
        let output = std::fs::File::create(folder.path().join("output.log")).unwrap();
        let child = Command::new("baresip")
            .arg("-f")
            .arg(folder.path())
            .args(["-n", &address.to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self {
            running: Running(child),
            folder,
        }
    }

    /// Waits until it is registered.
    pub fn registered(&self) {
        until("baresip's registration", Duration::from_secs(20), || {
            let log = self.log();
            (log.contains("200 OK") || log.contains("registered successfully")).then_some(())
        });
    }

    /// Waits for the end of a caller.
    pub fn ended(&mut self) {
        until("baresip's end", Duration::from_secs(60), || {
            self.running.0.try_wait().unwrap()
        });
    }

    /// What was said to it in its last call, once that is over.
    pub fn heard(&self) -> Vec<i16> {
        let folder = std::fs::read_dir(self.folder.path().join(HEARD)).unwrap();
        let files = folder.map(|file| file.unwrap().path());
        let decoded = |path: &std::path::PathBuf| path.to_string_lossy().ends_with("-dec.wav");
        let file = files.filter(decoded).max();
        super::audio::read_mono(&file.expect("what was decoded"))
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("output.log")).unwrap_or_default()
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- baresip's log ---\n{}", self.log());
        }
    }
}

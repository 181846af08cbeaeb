//! baresip as an operator's telephone: registers, answers by itself, speaks a WAV file.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{Engine, Running, need, password};

/// One baresip process.
pub struct Baresip {
    _running: Running,
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

impl Baresip {
    /// Registers `login` at the engine; when called it answers at once and says `speech`.
    pub fn start(engine: &Engine, login: &str, speech: &Path) -> Self {
        Self::start_over(engine, login, speech, "udp", "")
    }

    /// The same over another transport, with lines added to its configuration.
    pub fn start_over(
        engine: &Engine,
        login: &str,
        speech: &Path,
        transport: &str,
        more: &str,
    ) -> Self {
        need("baresip", "baresip-core");
        let folder = tempfile::tempdir().unwrap();
        let address = engine.place.net.operators;
        let heard = folder.path().join("heard.wav");
        let config = format!(
            "sip_listen {address}:0\n\
             audio_source aufile,{speech}\n\
             audio_player aufile,{heard}\n\
             audio_alert aufile,{heard}.alert\n\
             audio_buffer 20-160\n\
             module_path {modules}\n\
             module g711.so\nmodule aufile.so\n\
             module_tmp account.so\n\
             module_app menu.so\n{more}\n",
            speech = speech.display(),
            heard = heard.display(),
            modules = modules(),
        );
        std::fs::write(folder.path().join("config"), config).unwrap();
        let account = format!(
            "<sip:{login}@{};transport={transport}>;auth_user={login};auth_pass={};answermode=auto;\
             audio_codecs=pcma;regint=60\n",
            engine.others.get(transport).unwrap_or(&engine.sip),
            password(login)
        );
        std::fs::write(folder.path().join("accounts"), account).unwrap();
        let output = std::fs::File::create(folder.path().join("output.log")).unwrap();
        let child = Command::new("baresip")
            .arg("-f")
            .arg(folder.path())
            .args(["-n", &address.to_string()])
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self {
            _running: Running(child),
            folder,
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("output.log")).unwrap_or_default()
    }
}

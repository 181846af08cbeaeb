//! linphonec (Debian's linphone-cli) as an operator's telephone that answers by itself.

use std::io::Write;
use std::process::{ChildStdin, Command, Stdio};

use tempfile::TempDir;

use super::{Engine, Running, need, password};

/// One linphonec, which takes its commands from standard input.
pub struct Linphone {
    commands: ChildStdin,
    _running: Running,
    folder: TempDir,
}

impl Linphone {
    /// Registers `login` at the engine; when called it answers at once, with sound from a file.
    pub fn start(engine: &Engine, login: &str) -> Self {
        need("linphonec", "linphone-cli");
        let folder = tempfile::tempdir().unwrap();
        let rc = folder.path().join("linphonerc");
        // It looks for a way to the Internet before it registers, unless told not to.
        let settings = "[sip]\nsip_port=-1\nsip_tcp_port=0\nsip_tls_port=0\nguess_hostname=0\n\
             media_encryption=none\n[net]\nauto_net_state_mon=0\n\
             [video]\nenabled=0\ncapture=0\ndisplay=0\n";
        // It makes its database itself, but not the folder.
        std::fs::create_dir_all(folder.path().join(".local/share/linphone")).unwrap();
        std::fs::write(&rc, settings).unwrap();
        let output = std::fs::File::create(folder.path().join("output.log")).unwrap();
        let mut child = Command::new("linphonec")
            .arg("-a")
            .arg("-c")
            .arg(&rc)
            .env("HOME", folder.path())
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let mut linphone = Self {
            commands,
            _running: Running(child),
            folder,
        };
        linphone.command("soundcard use files");
        linphone.command(&format!(
            "register sip:{login}@{} sip:{} {}",
            engine.sip,
            engine.sip,
            password(login)
        ));
        linphone
    }

    fn command(&mut self, line: &str) {
        writeln!(self.commands, "{line}").unwrap();
        self.commands.flush().unwrap();
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("output.log")).unwrap_or_default()
    }
}

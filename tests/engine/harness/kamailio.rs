//! Kamailio as a carrier's proxy and as the proxy in front of telephones.

use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{Running, free_port, need, scenarios, until};

/// One Kamailio, with its children.
pub struct Kamailio {
    pub address: SocketAddr,
    running: Running,
    folder: TempDir,
}

impl Kamailio {
    /// Runs `tests/engine/kamailio/NAME.cfg` on a free port of the address; each name of `told` in it
    /// becomes its value.
    pub fn start(name: &str, address: IpAddr, told: &[(&str, String)]) -> Self {
        Self::start_at(name, SocketAddr::new(address, free_port(address)), told)
    }

    /// The same on a port of which others know already.
    pub fn start_at(name: &str, address: SocketAddr, told: &[(&str, String)]) -> Self {
        // Debian puts it where the PATH of a user need not lead.
        let mut program = "/usr/sbin/kamailio";
        if !std::path::Path::new(program).is_file() {
            need("kamailio", "kamailio");
            program = "kamailio";
        }
        let folder = tempfile::tempdir().unwrap();
        let template = scenarios()
            .parent()
            .unwrap()
            .join(format!("tests/engine/kamailio/{name}.cfg"));
        let mut config = std::fs::read_to_string(template).unwrap();
        for (name, value) in told {
            config = config.replace(name, value);
        }
        let file = folder.path().join("kamailio.cfg");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(program);
        // In the foreground, messages on standard error, one worker, little memory.
        command
            .arg("-f")
            .arg(&file)
            .args(["-DD", "-E", "-n", "1", "-m", "16", "-M", "4"]);
        command.args(["-l", &format!("udp:{address}")]);
        command.arg("-Y").arg(folder.path());
        command.arg("-P").arg(folder.path().join("pid"));
        let output = std::fs::File::create(folder.path().join("output.log")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let running = Running(command.spawn().unwrap());
        let kamailio = Self {
            address,
            running,
            folder,
        };
        until("Kamailio's socket", Duration::from_secs(20), || {
            std::net::UdpSocket::bind(kamailio.address)
                .is_err()
                .then_some(())
        });
        kamailio
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("output.log")).unwrap_or_default()
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- Kamailio's log ---\n{}", self.log());
        }
        // SIGTERM lets it end its children; the SIGKILL of `Running` would leave them.
        let pid = rustix::process::Pid::from_child(&self.running.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        for _ in 0..100 {
            if !matches!(self.running.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

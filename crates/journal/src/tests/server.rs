//! A PostgreSQL of our own: in a temporary folder, on a free port, gone with the test. The tests of the
//! whole engine use this file as well.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    bin: PathBuf,
}

impl Server {
    pub(crate) fn start() -> Self {
        let bin = programs();
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        give_to_postgres(folder.path());
        let made = as_postgres(&bin.join("initdb"))
            .args([
                "-A",
                "trust",
                "-U",
                "hotline",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ])
            .arg("-D")
            .arg(&data)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = free_port();
        let child = serve(&bin, folder.path(), port);
        let server = Self {
            child,
            port,
            folder,
            bin,
        };
        server.wait();
        server
    }

    /// Makes a new, empty database; its URL.
    pub(crate) fn database(&self, name: &str) -> String {
        let made = Command::new(self.bin.join("createdb"))
            .args([
                "-h",
                "127.0.0.1",
                "-U",
                "hotline",
                "-p",
                &self.port.to_string(),
                name,
            ])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        format!("postgres://hotline@127.0.0.1:{}/{name}", self.port)
    }

    /// Stops it at once, as a crash would.
    pub(crate) fn stop(&mut self) {
        // A process that is paused hears nothing.
        self.go_on();
        let pid = self.child.id().to_string();
        // SIGQUIT: immediate shutdown.
        Command::new("kill").args(["-QUIT", &pid]).status().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops every process of it where it is, so that it takes connections and answers nothing.
    pub(crate) fn pause(&self) {
        self.signal_all("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal_all("-CONT");
    }

    /// Each backend has a process group of its own, so they are found by their parent.
    fn signal_all(&self, signal: &str) {
        let server = self.child.id();
        let mut pids = vec![server.to_string()];
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else {
                continue;
            };
            // pid (name) state parent …
            let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            let parent = after_name
                .split(' ')
                .nth(1)
                .and_then(|pid| pid.parse().ok());
            if parent == Some(server) {
                pids.push(process.file_name().into_string().unwrap());
            }
        }
        // A backend may have ended since it was found.
        let _ = Command::new("kill").arg(signal).args(&pids).status();
    }

    pub(crate) fn start_again(&mut self) {
        self.child = serve(&self.bin, self.folder.path(), self.port);
        self.wait();
    }

    fn wait(&self) {
        let begun = Instant::now();
        loop {
            let ready = Command::new(self.bin.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .unwrap();
            if ready.success() {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "PostgreSQL does not start"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.stop();
        }
    }
}

fn serve(bin: &Path, folder: &Path, port: u16) -> Child {
    as_postgres(&bin.join("postgres"))
        .arg("-D")
        .arg(folder.join("data"))
        .args([
            "-p",
            &port.to_string(),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
        ])
        .arg("-c")
        .arg(format!("unix_socket_directories={}", folder.display()))
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Where Debian puts them, or wherever the PATH leads; the newest.
fn programs() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|bin| is_whole(bin))
        .collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path).filter(|bin| is_whole(bin)));
    found.sort();
    found
        .pop()
        .expect("PostgreSQL is not there: scripts/setup test installs it")
}

fn is_whole(bin: &Path) -> bool {
    ["initdb", "postgres", "pg_isready", "createdb"]
        .iter()
        .all(|program| bin.join(program).exists())
}

/// It refuses to run as root: then it is its own user's.
fn as_postgres(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    command.arg(program);
    command
}

fn give_to_postgres(folder: &Path) {
    if rustix::process::geteuid().is_root() {
        let given = Command::new("chown")
            .args(["-R", "postgres"])
            .arg(folder)
            .status();
        assert!(given.unwrap().success());
    }
}

fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

//! SIPp as callers and operators. Each run has a folder of its own with `g711a.pcap` in it.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{Engine, NUMBER, Running, free_port, need, password, scenarios, until};

/// Where Debian's `sip-tester` keeps its audio.
pub fn g711a() -> PathBuf {
    let output = Command::new("dpkg")
        .args(["-L", "sip-tester"])
        .output()
        .unwrap();
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = list.lines().find(|line| line.ends_with("/g711a.pcap"));
    PathBuf::from(found.expect("g711a.pcap of the package sip-tester (apt-get install sip-tester)"))
}

/// One SIPp process.
pub struct Sipp {
    scenario: String,
    running: Running,
    folder: TempDir,
}

/// What SIPp is told beyond its scenario.
pub struct Options {
    pub address: IpAddr,
    pub port: u16,
    pub remote: Option<SocketAddr>,
    pub calls: u32,
    /// `-d`, milliseconds.
    pub stay: u32,
    pub number: String,
    pub caller: String,
    /// `-t`: `u1` for UDP, `t1` for TCP.
    pub transport: &'static str,
    /// Lines of the file of `-inf`.
    pub fields: Vec<String>,
    /// Words of the scenario and what stands in their place (`-key`).
    pub keys: Vec<(&'static str, String)>,
}

impl Options {
    pub fn caller(engine: &Engine) -> Self {
        let address = engine.place.net.callers;
        Self {
            remote: Some(engine.sip),
            ..Self::server(SocketAddr::new(address, free_port(address)))
        }
    }

    /// One that waits for what comes.
    pub fn server(at: SocketAddr) -> Self {
        Self {
            address: at.ip(),
            port: at.port(),
            remote: None,
            calls: 1,
            stay: 1_000,
            number: NUMBER.to_owned(),
            caller: "79140000001".to_owned(),
            transport: "u1",
            fields: Vec::new(),
            keys: Vec::new(),
        }
    }
}

impl Sipp {
    pub fn start(scenario: &str, options: &Options) -> Self {
        need("sipp", "sip-tester");
        let folder = tempfile::tempdir().unwrap();
        symlink(g711a(), folder.path().join("g711a.pcap")).unwrap();
        let file = scenarios().join(format!("{scenario}.xml"));
        assert!(file.is_file(), "{} is not there", file.display());
        let mut command = Command::new("sipp");
        let text = options.address.to_string();
        command.current_dir(folder.path()).arg("-sf").arg(file);
        command.args(["-i", &text, "-mi", &text, "-p", &options.port.to_string()]);
        command.args(["-t", options.transport]);
        if options.transport == "tn" {
            // It reckons with one for each call that it might make in a lifetime.
            command.args(["-max_socket", "100"]);
        }
        command.args(["-mp", &free_port(options.address).to_string()]);
        command.args([
            "-m",
            &options.calls.to_string(),
            "-l",
            &options.calls.to_string(),
        ]);
        command.args([
            "-r",
            "50",
            "-d",
            &options.stay.to_string(),
            "-s",
            &options.number,
        ]);
        command.args(["-key", "caller", &options.caller, "-nostdin", "-trace_err"]);
        for (word, value) in &options.keys {
            command.args(["-key", word, value]);
        }
        command.args([
            "-error_file",
            "errors.log",
            "-timeout",
            "90s",
            "-timeout_error",
        ]);
        if !options.fields.is_empty() {
            let fields = format!("SEQUENTIAL\n{}\n", options.fields.join("\n"));
            std::fs::write(folder.path().join("fields.csv"), fields).unwrap();
            command.args(["-inf", "fields.csv"]);
        }
        if let Some(remote) = options.remote.filter(SocketAddr::is_ipv6) {
            // By itself it leaves the brackets out.
            command.args(["-auth_uri", &remote.to_string()]);
        }
        if let Some(remote) = options.remote {
            command.arg(remote.to_string());
        }
        let output = std::fs::File::create(folder.path().join("output.log")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let running = Running(command.spawn().unwrap());
        Self {
            scenario: scenario.to_owned(),
            running,
            folder,
        }
    }

    /// Waits until its port is taken: from then on it takes calls.
    pub fn listens(&self, options: &Options) {
        let at = (options.address, options.port);
        until("SIPp's socket", Duration::from_secs(10), || {
            let taken = match options.transport {
                "u1" => std::net::UdpSocket::bind(at).is_err(),
                _ => std::net::TcpListener::bind(at).is_err(),
            };
            taken.then_some(())
        });
    }

    /// Waits for the end; fails unless every call of it went as the scenario says.
    pub fn succeed(mut self) {
        let what = format!("the end of SIPp {}", self.scenario);
        let status = until(&what, Duration::from_secs(120), || {
            self.running.0.try_wait().unwrap()
        });
        let errors = self.errors();
        assert!(
            status.success(),
            "SIPp {} failed ({status}):\n{errors}",
            self.scenario
        );
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("errors.log")).unwrap_or_default()
    }
}

/// Runs a caller's scenario to its good end.
pub fn call(engine: &Engine, scenario: &str, change: impl FnOnce(&mut Options)) {
    start_call(engine, scenario, change).succeed();
}

/// Starts a caller's scenario.
pub fn start_call(engine: &Engine, scenario: &str, change: impl FnOnce(&mut Options)) -> Sipp {
    let mut options = Options::caller(engine);
    change(&mut options);
    Sipp::start(scenario, &options)
}

/// A line of `-inf` for an operator: login, password, and what SIPp answers a challenge with.
pub fn credentials(login: &str, password: &str) -> String {
    format!("{login};{password};[authentication username={login} password={password}]")
}

/// Registers from a port, expecting what the scenario says.
pub fn register(engine: &Engine, scenario: &str, port: u16, accounts: &[(&str, String)]) {
    register_over(engine, "u1", scenario, port, accounts);
}

fn register_over(
    engine: &Engine,
    transport: &'static str,
    scenario: &str,
    port: u16,
    accounts: &[(&str, String)],
) {
    let options = Options {
        address: engine.place.net.operators,
        port,
        transport,
        calls: accounts.len() as u32,
        fields: accounts
            .iter()
            .map(|(login, password)| credentials(login, password))
            .collect(),
        ..Options::caller(engine)
    };
    Sipp::start(scenario, &options).succeed();
}

/// Operators who register and then take calls as a scenario says, all from one port.
pub fn operators(
    engine: &Engine,
    scenario: &str,
    logins: &[&str],
    change: impl FnOnce(&mut Options),
) -> Sipp {
    let address = engine.place.net.operators;
    let port = free_port(address);
    let accounts: Vec<_> = logins
        .iter()
        .map(|login| (*login, password(login)))
        .collect();
    let calls = logins.len() as u32;
    let mut options = Options {
        address,
        port,
        remote: None,
        calls,
        stay: 300,
        ..Options::caller(engine)
    };
    change(&mut options);
    register_over(engine, options.transport, "uac-register", port, &accounts);
    let sipp = Sipp::start(scenario, &options);
    sipp.listens(&options);
    sipp
}

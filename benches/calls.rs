//! What a recorded call costs the whole process: CPU per call-second, CPU per set-up and
//! tear-down, memory per call. The load generator runs in this process, the engine in its own,
//! so that the engine's figures are its alone.
//!
//! `cargo bench --bench calls -- [--calls 100,500] [--seconds 30] [--runs 3]
//! [--io auto|io_uring|epoll]`
//!
//! After the whole process the media plane alone, beside a bare forwarder with the same backend
//! ("floor"): the ratio of both holds on any machine, and here the added delay is measured.
//!
//! `cargo bench --bench calls -- --offered 1000 [--seconds 60] [--unrecorded]` offers so many calls a
//! second instead, and counts those that failed. `--soak 120 --calls 200` keeps so many up for so many
//! minutes and tells what grows. `--freed 100` measures how long after an operator's BYE the INVITE of the
//! next call comes, at so many calls a second. `--restart 1000000` measures how long a start takes until the
//! first call is answered, with so many entries in the journal.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot run is to say why and stop"
)]

#[path = "../crates/media/benches/relay/compare.rs"]
#[allow(unreachable_pub, reason = "shared with the benchmark of crates/media")]
mod compare;
#[path = "calls/freed.rs"]
mod freed;
#[path = "calls/restart.rs"]
mod restart;
#[path = "calls/soak.rs"]
mod soak;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use journal::operators::{self, Operator};
use load::{
    CallerPattern, DurationRange, Load, LoadSettings, OperatorAccount, OperatorBehaviour, Voices,
};
use sip::Secrets;
use udp_io::{Backend, Choice};
use vocab::OperatorId;

const SETTINGS: &str = r#"
[sip]
listen = ["127.0.0.1:0"]
strangers_rate = 10000
[media]
address = "127.0.0.1"
backend = "BACKEND"
[journal]
events = "events"
database = "journal.db"
[limits]
calls = 5000
transactions = 400000
[trace]
enabled = false
[log]
level = "warn"
[[trunk]]
name = "load"
addresses = ["127.0.0.2"]
[[queue]]
name = "operators"
wrap_up = "0s"
"#;

const PLAN: &str = r#"
name = "bench"
numbers = ["1300"]
languages = ["en"]
notice = "none"
[[step]]
answer = {}
[[step]]
queue = { name = "operators", recorded = RECORDED }
[[step]]
hangup = {}
"#;

/// Calls of the run that measures set-up and tear-down, and how fast they come.
const SHORT_CALLS: u64 = 1_000;
const SHORT_RATE: f64 = 50.0;

fn main() {
    let arguments = Arguments::read();
    if let Some(rate) = arguments.offered {
        offered_calls(rate, &arguments);
        return;
    }
    if let Some(rate) = arguments.freed {
        freed::freed(rate, arguments.seconds, &arguments.io);
        return;
    }
    if let Some(minutes) = arguments.soak {
        soak::soak(arguments.calls[0], minutes, &arguments.io);
        return;
    }
    if let Some(entries) = arguments.restart {
        restart::restart(entries, arguments.runs, &arguments.io);
        return;
    }
    println!(
        "| calls at once | run | CPU-ms per call-second | of it user | kernel | busiest threads | \
         load |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut costs = Vec::new();
    for calls in &arguments.calls {
        let runs = 1..=arguments.runs;
        let runs: Vec<Cost> = runs
            .map(|run| long_calls(*calls, run, &arguments))
            .collect();
        costs.push((*calls, runs));
    }
    println!();
    print_costs(&costs);
    println!();
    print_relays(&arguments);
    println!();
    let per_call = short_calls(&arguments.io);
    println!("set-up and tear-down, journal and recording included: {per_call:.2} CPU-ms a call");
}

/// What all runs of as many calls have shown, as least / middle / most.
fn print_costs(costs: &[(usize, Vec<Cost>)]) {
    println!(
        "| calls at once | CPU-ms per call-second | to finish the recordings | memory a call, KiB \
         | RTP packets missing | of | load generator late by, ms |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (calls, runs) in costs {
        let spread = |of: fn(&Cost) -> f64| {
            let [least, middle, most] = compare::spread(runs.iter().map(of));
            format!("{least:.3} / {middle:.3} / {most:.3}")
        };
        let (lost, sent): (u64, u64) = runs.iter().fold((0, 0), |(lost, sent), cost| {
            (lost + cost.lost, sent + cost.sent)
        });
        println!(
            "| {calls} | {} | {} | {} | {lost} ({:.4} %) | {sent} | {} |",
            spread(|cost| cost.call_second_ms),
            spread(|cost| cost.finishing_ms),
            spread(|cost| cost.memory_kib),
            100.0 * lost as f64 / sent.max(1) as f64,
            runs.iter().map(|cost| cost.late_ms).max().unwrap_or(0),
        );
    }
    if let [(few, first), .., (many, last)] = costs {
        let middle = |runs: &[Cost]| compare::spread(runs.iter().map(|cost| cost.memory_kib))[1];
        let (few, many) = (*few as f64, *many as f64);
        let more = (middle(last) * many - middle(first) * few) / (many - few);
        println!("\none more call takes {more:.1} KiB");
    }
}

/// The media plane alone and its floor, by the backend that the engine used.
fn print_relays(arguments: &Arguments) {
    let choice = match arguments.io.as_str() {
        "epoll" => Choice::Epoll,
        "io_uring" => Choice::IoUring,
        _ => Choice::Auto,
    };
    let backend: Backend = udp_io::choose(choice).unwrap().backend;
    compare::print_head();
    for calls in &arguments.calls {
        compare::print(compare::Plan {
            backend,
            calls: *calls,
            gather: media::Settings::default().gather,
            length: Duration::from_secs(5),
            runs: arguments.runs as usize,
        });
    }
}

struct Arguments {
    calls: Vec<usize>,
    /// Calls a second.
    offered: Option<f64>,
    recorded: bool,
    /// Calls a second to operators who are never without a next one.
    freed: Option<f64>,
    /// For so many minutes the first of `calls`.
    soak: Option<u64>,
    /// With so many entries in the journal.
    restart: Option<u64>,
    /// `[media] backend` of the engine.
    io: String,
    seconds: u64,
    runs: u32,
}

impl Arguments {
    fn read() -> Self {
        let mut arguments = Self {
            calls: vec![100, 500],
            offered: None,
            recorded: true,
            freed: None,
            soak: None,
            restart: None,
            io: "auto".to_owned(),
            seconds: 30,
            runs: 3,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().expect("a value after an option");
            match word.as_str() {
                "--calls" => {
                    let list = value();
                    arguments.calls = list.split(',').map(|n| n.parse().unwrap()).collect();
                }
                "--offered" => arguments.offered = Some(value().parse().unwrap()),
                "--freed" => arguments.freed = Some(value().parse().unwrap()),
                "--soak" => arguments.soak = Some(value().parse().unwrap()),
                "--restart" => arguments.restart = Some(value().parse().unwrap()),
                "--io" => arguments.io = value(),
                "--unrecorded" => arguments.recorded = false,
                "--seconds" => arguments.seconds = value().parse().unwrap(),
                "--runs" => arguments.runs = value().parse().unwrap(),
                // What cargo adds.
                "--bench" => {}
                other => panic!("unknown option {other}"),
            }
        }
        arguments
    }
}

/// The engine in a process and a folder of its own.
struct Engine {
    process: Child,
    address: SocketAddr,
    accounts: Vec<OperatorAccount>,
    folder: Option<tempfile::TempDir>,
}

impl Engine {
    fn start(operators: usize, recorded: bool, io: &str) -> Self {
        Self::start_with(&SETTINGS.replace("BACKEND", io), operators, recorded)
    }

    /// With the SIP trace, and recorded.
    fn start_traced(operators: usize, io: &str) -> Self {
        let settings = SETTINGS.replace("BACKEND", io);
        let traced = settings.replace("enabled = false", "enabled = true");
        Self::start_with(&traced, operators, true)
    }

    fn start_with(settings: &str, operators: usize, recorded: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("hotline.toml");
        fs::write(&config, settings).unwrap();
        fs::create_dir(folder.path().join("dialplans")).unwrap();
        let plan = PLAN.replace("RECORDED", &recorded.to_string());
        fs::write(folder.path().join("dialplans/bench.toml"), plan).unwrap();
        let accounts = enrol(&folder.path().join("journal.db"), operators);
        let mut process = Command::new(env!("CARGO_BIN_EXE_hotline"))
            .args(["serve", "--config"])
            .arg(&config)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        let address = ready
            .split_whitespace()
            .find_map(|word| word.strip_prefix("sip="))
            .expect("the engine starts");
        Self {
            address: address.parse().unwrap(),
            process,
            accounts,
            folder: Some(folder),
        }
    }

    /// Lets it end, and gives back its folder.
    fn end(mut self) -> tempfile::TempDir {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
        self.folder.take().unwrap()
    }

    fn load(&self, calls: Option<u64>, at_once: usize, rate: f64, talk: Duration) -> Load {
        let settings = LoadSettings {
            callers: CallerPattern {
                number: "1300".to_owned(),
                calls,
                rate,
                at_once,
                talk: DurationRange::exactly(talk),
                patience: DurationRange::exactly(Duration::from_secs(600)),
                ..CallerPattern::default()
            },
            operators: self.accounts.clone(),
            behaviour: OperatorBehaviour {
                answer_delay: DurationRange::exactly(Duration::from_millis(100)),
                ..OperatorBehaviour::default()
            },
            voices: Voices::generated(1),
            ..LoadSettings::new(self.address)
        };
        Load::start(settings).unwrap()
    }

    /// CPU of the process so far. The sum over its threads in nanoseconds; the ticks of
    /// `/proc/PID/stat` charge a thread that wakes up briefly with a whole tick now and then.
    fn cpu(&self) -> Duration {
        self.threads().values().sum()
    }

    /// CPU of each thread so far, by name.
    fn threads(&self) -> BTreeMap<String, Duration> {
        let mut threads = BTreeMap::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap() {
            let task = task.unwrap().path();
            // A thread may end between the listing and the look.
            let read = |file: &str| fs::read_to_string(task.join(file)).unwrap_or_default();
            let ran = read("schedstat")
                .split(' ')
                .next()
                .and_then(|ns| ns.parse().ok());
            let ran = Duration::from_nanos(ran.unwrap_or_default());
            *threads.entry(read("comm").trim().to_owned()).or_default() += ran;
        }
        threads
    }

    /// Ticks of CPU so far: in user mode, and in the kernel. Good for their ratio (proc(5)).
    fn ticks(&self) -> (f64, f64) {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        (fields[11].parse().unwrap(), fields[12].parse().unwrap())
    }

    /// Resident memory, KiB.
    fn memory_kib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits until the process does next to nothing, a minute at most: thousands of registered
    /// operators keep it at a few hundredths of a core.
    fn wait_idle(&self) {
        let mut before = self.cpu();
        for _ in 0..60 {
            std::thread::sleep(Duration::from_secs(1));
            let now = self.cpu();
            if now.saturating_sub(before) < Duration::from_millis(20) {
                return;
            }
            before = now;
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn enrol(database: &Path, operators: usize) -> Vec<OperatorAccount> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        journal::migrate(database).await.unwrap();
        let mut accounts = Vec::new();
        for n in 0..operators {
            let login = format!("op{n}");
            let Secrets { sha256, md5 } = Secrets::new(&login, "hotline", "secret");
            let operator = Operator {
                id: OperatorId(0),
                login: login.clone(),
                name: login.clone(),
                line: (1_000 + n).to_string(),
                ha1_sha256: sha256,
                ha1_md5: md5,
                skills: BTreeMap::new(),
                enabled: true,
                address: None,
            };
            operators::add(database, operator).await.unwrap();
            accounts.push(OperatorAccount::new(login, "secret"));
        }
        accounts
    })
}

struct Cost {
    call_second_ms: f64,
    memory_kib: f64,
    finishing_ms: f64,
    lost: u64,
    sent: u64,
    late_ms: u64,
}

/// Calls that all talk at the same time; measured while nothing else happens.
fn long_calls(calls: usize, run: u32, arguments: &Arguments) -> Cost {
    let seconds = arguments.seconds;
    let engine = Engine::start(calls, true, &arguments.io);
    let idle_kib = engine.memory_kib();
    let load = engine.load(None, calls, 50.0, Duration::from_secs(36_000));
    let until = Instant::now() + Duration::from_secs(120);
    while load.counts().talking < calls as u64 {
        assert!(
            Instant::now() < until,
            "not all calls came up: {:?}",
            load.counts()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let began = Instant::now();
    std::thread::sleep(Duration::from_secs(2));
    let (before, threads_before, ticks_before) = (engine.cpu(), engine.threads(), engine.ticks());
    let counts_before = load.counts();
    let started = Instant::now();
    std::thread::sleep(Duration::from_secs(seconds));
    let (after, threads, ticks) = (engine.cpu(), engine.threads(), engine.ticks());
    let counts = load.counts();
    let call_seconds = started.elapsed().as_secs_f64() * calls as f64;
    let per = |cpu: Duration| cpu.as_secs_f64() * 1e3 / call_seconds;
    let cost = per(after - before);
    let (user, kernel) = (ticks.0 - ticks_before.0, ticks.1 - ticks_before.1);
    let user = cost * user / (user + kernel);
    let busiest = busiest(&threads_before, &threads, per);
    println!(
        "| {calls} | {run} | {cost:.3} | {user:.3} | {:.3} | {busiest} | {} |",
        cost - user,
        compare::load_average()
    );
    let memory_kib = (engine.memory_kib() - idle_kib) / calls as f64;
    let talked = began.elapsed().as_secs_f64() * calls as f64;
    drop(load.stop());
    let hung_up = engine.cpu();
    engine.wait_idle();
    let finished = engine.cpu();
    let finishing = finished.saturating_sub(hung_up);
    let sent = counts.rtp_sent - counts_before.rtp_sent;
    let received = counts.rtp_received - counts_before.rtp_received;
    Cost {
        call_second_ms: cost,
        memory_kib,
        finishing_ms: finishing.as_secs_f64() * 1e3 / talked,
        lost: sent.saturating_sub(received),
        sent,
        late_ms: counts.late_us_max / 1_000,
    }
}

/// The five threads that worked most between two looks, with what each took.
fn busiest(
    before: &BTreeMap<String, Duration>,
    after: &BTreeMap<String, Duration>,
    per: impl Fn(Duration) -> f64,
) -> String {
    let mut threads: Vec<(f64, &str)> = after
        .iter()
        .map(|(name, cpu)| {
            let was = before.get(name).copied().unwrap_or_default();
            (per(cpu.saturating_sub(was)), name.as_str())
        })
        .collect();
    threads.sort_by(|a, b| b.0.total_cmp(&a.0));
    let threads: Vec<String> = threads
        .iter()
        .take(5)
        .map(|(cpu, name)| format!("{name} {cpu:.3}"))
        .collect();
    threads.join(", ")
}

/// Many calls of next to no length: what is left is set-up and tear-down.
fn short_calls(io: &str) -> f64 {
    let engine = Engine::start(50, true, io);
    let load = engine.load(
        Some(SHORT_CALLS),
        200,
        SHORT_RATE,
        Duration::from_millis(100),
    );
    while load.counts().registered < 50 {
        std::thread::sleep(Duration::from_millis(50));
    }
    let (before, threads_before) = (engine.cpu(), engine.threads());
    assert!(
        load.wait(Duration::from_secs(120)),
        "calls are stuck: {:?}",
        load.counts()
    );
    let report = load.stop();
    engine.wait_idle();
    let (after, threads) = (engine.cpu(), engine.threads());
    assert_eq!(report.counts.talked, SHORT_CALLS, "{:?}", report.counts);
    let cpu = after - before;
    let per = |cpu: Duration| cpu.as_secs_f64() * 1e3 / SHORT_CALLS as f64;
    println!("by thread: {}", busiest(&threads_before, &threads, per));
    per(cpu)
}

/// So many calls a second for so long, each answered, talked and hung up, over real sockets with
/// the journal and the recordings on. Nothing may fail: a refused call, a lost one, a double offer.
fn offered_calls(rate: f64, arguments: &Arguments) {
    let (seconds, recorded) = (arguments.seconds, arguments.recorded);
    let talk = Duration::from_millis(100);
    // Three times what the rate needs at half a second of set-up, ringing and talk.
    let operators = (rate * 1.5) as usize;
    let engine = Engine::start(operators, recorded, &arguments.io);
    let calls = (rate * seconds as f64) as u64;
    let load = engine.load(Some(calls), operators * 3, rate, talk);
    while load.counts().registered < operators as u64 {
        std::thread::sleep(Duration::from_millis(50));
    }
    let (before, threads_before) = (engine.cpu(), engine.threads());
    let began = Instant::now();
    let ended = load.wait(Duration::from_secs(seconds * 2 + 60));
    let took = began.elapsed();
    let report = load.stop();
    let (during, threads) = (engine.cpu(), engine.threads());
    engine.wait_idle();
    let after = engine.cpu();
    let per = |cpu: Duration| cpu.as_secs_f64() * 1e3 / calls as f64;
    println!("ended: {ended}; {:?}", report.counts);
    let with_operator = |call: &&load::CallReport| {
        let talked = |offer: &load::OfferReport| offer.end == load::OfferEnd::Talked;
        call.offers.iter().any(talked)
    };
    let with_operator = report.calls.iter().filter(with_operator).count();
    let mut endings = BTreeMap::new();
    for call in &report.calls {
        *endings.entry(format!("{:?}", call.ending)).or_insert(0) += 1;
    }
    println!("endings: {endings:?}");
    println!(
        "{calls} calls in {:.1} s: {:.0} a second; {} came to an operator; engine {:.3} CPU-ms a call while \
         they came, {:.3} after it (recordings, SQL)",
        took.as_secs_f64(),
        calls as f64 / took.as_secs_f64(),
        with_operator,
        per(during - before),
        per(after.saturating_sub(during)),
    );
    println!("by thread: {}", busiest(&threads_before, &threads, per));
}

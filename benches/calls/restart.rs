//! From the start of the process to the first call that is answered, with so many entries in the journal.
//! Forty calls are real; the rest are their rows again, earlier and of other callers, a day of ten thousand
//! after another. The table of all facts stays as it is: no start reads it. Needs the program `sqlite3`.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Engine;

/// Calls that are made; the other entries are made of them.
const MADE: u64 = 40;
/// Milliseconds between the copies of those: 10,000 calls a day.
const APART_MS: u64 = MADE * 86_400_000 / 10_000;
/// Numbers of all callers.
const CALLERS: u64 = 500_000;
/// The tables that have rows for each call.
const TABLES: [&str; 6] = [
    "entries",
    "queue_entries",
    "offers",
    "segments",
    "recordings",
    "legs",
];

/// Starts an engine with so many entries again and again and prints how long each start took.
pub(crate) fn restart(entries: u64, runs: u32, io: &str) {
    let engine = Engine::start(10, true, io);
    let load = engine.load(Some(MADE), 10, 20.0, Duration::from_millis(300));
    assert!(load.wait(Duration::from_secs(120)), "{:?}", load.counts());
    drop(load.stop());
    // The last recordings reach the journal a moment later.
    std::thread::sleep(Duration::from_secs(3));
    let folder = engine.end();
    let database = folder.path().join("journal.db");
    multiply(&database, entries / MADE);
    println!("| run | file of the database | ready, ms | the first call answered, ms |");
    println!("|---|---|---|---|");
    for run in 1..=runs {
        for cache in ["not in memory", "in memory"] {
            if cache == "not in memory" {
                forget(&database);
            }
            let [ready, answered] = start(&folder.path().join("hotline.toml"));
            let ms = |time: Duration| time.as_millis();
            println!("| {run} | {cache} | {} | {} |", ms(ready), ms(answered));
        }
    }
}

/// Starts the engine and calls it: until it says that it is ready, until the call is answered. It is
/// killed then.
fn start(config: &Path) -> [Duration; 2] {
    let begun = Instant::now();
    let mut engine = Killed(
        Command::new(env!("CARGO_BIN_EXE_hotline"))
            .args(["serve", "--config"])
            .arg(config)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut line = String::new();
    let mut lines = BufReader::new(engine.0.stdout.take().unwrap());
    lines.read_line(&mut line).unwrap();
    let ready = begun.elapsed();
    let sip = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("sip="));
    let sip: SocketAddr = sip.expect("the engine starts").parse().unwrap();
    let caller = UdpSocket::bind("127.0.0.2:0").unwrap();
    caller
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    caller
        .send_to(invite(sip, caller.local_addr().unwrap()).as_bytes(), sip)
        .unwrap();
    let mut answer = [0; 4_096];
    loop {
        let (length, _) = caller.recv_from(&mut answer).expect("an answer");
        if answer[..length].starts_with(b"SIP/2.0 200") {
            return [ready, begun.elapsed()];
        }
    }
}

/// A process that is killed when it is not looked at any more.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn invite(engine: SocketAddr, caller: SocketAddr) -> String {
    let (ip, port) = (caller.ip(), caller.port());
    let body = format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    );
    format!(
        "INVITE sip:1300@{engine} SIP/2.0\r\nVia: SIP/2.0/UDP {caller};branch=z9hG4bK{port};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:79140009999@{caller}>;tag=restart\r\nTo: <sip:1300@{engine}>\r\n\
         Call-ID: restart-{port}\r\nCSeq: 1 INVITE\r\nContact: <sip:79140009999@{caller}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Makes so many of each call's rows.
fn multiply(database: &Path, copies: u64) {
    let copies = copies.saturating_sub(1);
    let mut sql = String::from("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000;\n");
    for table in TABLES {
        let list = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns = sqlite(database, &list);
        let columns: Vec<&str> = columns.lines().collect();
        let values: Vec<String> = columns.iter().map(|column| earlier(column)).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            sql,
            "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < {copies})
             INSERT INTO {table} ({}) SELECT {} FROM n, {table};",
            columns.join(", "),
            values.join(", ")
        );
    }
    sql.push_str("PRAGMA wal_checkpoint(TRUNCATE);\n");
    sqlite(database, &sql);
    let entries = sqlite(database, "SELECT count(*) FROM entries");
    println!("{} entries", entries.trim());
}

/// What stands in a column of copy `k`: ids of a boot so many seconds before, times of an earlier day,
/// callers of their own.
fn earlier(column: &str) -> String {
    match column {
        "call" | "offer" | "event" | "leg" => format!("{column} - (n.k << 32)"),
        "caller" | "party_key" => format!(
            "iif({column} = '', '', '7914' || ((n.k * {MADE} + (call & 63)) % {CALLERS} + 1000000))"
        ),
        _ if column.ends_with("_at") => format!("{column} - n.k * {APART_MS}"),
        _ => column.to_owned(),
    }
}

fn sqlite(database: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3").arg(database).arg(sql).output();
    let output = output.expect("the program sqlite3 (apt-get install sqlite3)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Lets the kernel forget what it has of the file, as after a start of the machine.
fn forget(database: &Path) {
    let file = format!("of={}", database.display());
    let dropped = Command::new("dd")
        .args([
            &file,
            "oflag=nocache",
            "conv=notrunc,fdatasync",
            "count=0",
            "status=none",
        ])
        .status();
    assert!(dropped.unwrap().success());
}

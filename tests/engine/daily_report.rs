//! The daily report that is made by itself: its files, its mail, and each day once over restarts.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::{Engine, LogOnPanic, Setup, until};

/// A mail server that takes everything (RFC 5321, the least of it) and remembers each message.
fn mail_server() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mails: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&mails);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _ = take_mail(&stream, &kept);
        }
    });
    (address, mails)
}

fn take_mail(stream: &TcpStream, mails: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut say = stream;
    let mut lines = BufReader::new(stream).lines();
    say.write_all(b"220 mail.test\r\n")?;
    while let Some(line) = lines.next() {
        let verb = line?.to_ascii_uppercase();
        if verb.starts_with("DATA") {
            say.write_all(b"354 go on\r\n")?;
            let mut mail = String::new();
            for line in lines.by_ref() {
                let line = line?;
                if line == "." {
                    break;
                }
                mail.push_str(&line);
                mail.push('\n');
            }
            mails.lock().unwrap().push(mail);
        }
        say.write_all(b"250 fine\r\n")?;
        if verb.starts_with("QUIT") {
            break;
        }
    }
    Ok(())
}

const WAIT: Duration = Duration::from_secs(60);

#[test]
fn a_report_of_each_day_lies_in_the_folder_and_is_mailed_once_over_restarts() {
    let (server, mails) = mail_server();
    let engine = Engine::start(&Setup {
        more: format!(
            "[journal]\ntime_zone = \"Asia/Sakhalin\"\n\
             [daily_report]\nfolder = \"reports\"\nat = \"00:00\"\nforms = [\"xlsx\", \"json\"]\n\
             mail_to = [\"head@hotline.example\"]\nmail_from = \"Hotline <hotline@hotline.example>\"\n\
             mail_server = \"{server}\"\nmail_tls = \"none\"\n"
        ),
        ..Setup::default()
    });
    let note = engine.place.path("reports/.last-daily-report");
    let done = || {
        let text = std::fs::read_to_string(&note).ok()?;
        text.trim().parse::<jiff::civil::Date>().ok()
    };
    let day = until("the first report", WAIT, done);
    for form in ["xlsx", "json"] {
        let file = engine.place.path(&format!("reports/daily-{day}.{form}"));
        assert!(file.is_file(), "{}", file.display());
    }
    let text = std::fs::read(engine.place.path(&format!("reports/daily-{day}.json"))).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(json["identity_holds"], true);
    let (code, place) = engine.terminate();
    assert_eq!(code, Some(0));

    // As if two days had been missed; after that nothing is due at a start.
    let two_before = day.checked_sub(jiff::Span::new().days(2)).unwrap();
    std::fs::write(&note, format!("{two_before}\n")).unwrap();
    let engine = Engine::start_in(place);
    until("the days that were missed", WAIT, || {
        (done() == Some(day)).then_some(())
    });
    let engine = Engine::start_in(engine.kill());
    let _log = LogOnPanic::of(&engine);
    let ids = |mails: &[String]| -> Vec<String> {
        let id = |mail: &String| {
            let found = mail.lines().find(|line| line.starts_with("Message-ID:"));
            found.unwrap_or_default().to_owned()
        };
        mails.iter().map(id).collect()
    };
    let mails = mails.lock().unwrap();
    let day_before = day.checked_sub(jiff::Span::new().days(1)).unwrap();
    let id = |day| format!("Message-ID: <hotline-daily-{day}@hotline.example>");
    assert_eq!(ids(&mails), [id(day), id(day_before), id(day)]);
    assert!(
        mails[0].contains("To: head@hotline.example"),
        "{}",
        mails[0]
    );
    assert!(
        mails[0].contains(&format!("daily-{day}.xlsx")),
        "{}",
        mails[0]
    );
}

//! HTTP by hand: a web server of the tests, which takes requests one connection each, remembers them and
//! answers as told, and requests to the API.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub head: Vec<String>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        let of_name = self.head.iter().filter_map(|line| line.split_once(": "));
        let mut found = of_name.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        found.next().map_or("", |(_, value)| value)
    }
}

/// The server; its thread ends with the process.
pub struct Server {
    pub address: SocketAddr,
    status: Arc<AtomicU16>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// On a free port.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap())
    }

    pub fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            status: Arc::new(AtomicU16::new(200)),
            requests: Arc::default(),
        };
        let (status, requests) = (Arc::clone(&server.status), Arc::clone(&server.requests));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A client that goes away in the middle asked nothing.
                if let Ok(request) = take(&stream, status.load(Ordering::Relaxed)) {
                    requests.lock().unwrap().push(request);
                }
            }
        });
        server
    }

    /// What is answered from now on.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// What came so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn take(stream: &TcpStream, status: u16) -> std::io::Result<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let mut request = Request {
        head,
        body: String::new(),
    };
    let length: usize = request.header("content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    (&mut &*stream).write_all(answer.as_bytes())?;
    Ok(request)
}

/// A request over a connection of its own; status and body.
pub fn ask(api: SocketAddr, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
    let (status, octets) = exchange(api, method, path, token, "", body);
    (status, String::from_utf8(octets).unwrap())
}

/// What is at a path that is no text; status and body.
pub fn octets(api: SocketAddr, path: &str, token: &str) -> (u16, Vec<u8>) {
    exchange(api, "GET", path, token, "", "")
}

/// A range of it, as `bytes=0-99`; status and body.
pub fn part(api: SocketAddr, path: &str, token: &str, range: &str) -> (u16, Vec<u8>) {
    let range = format!("Range: {range}\r\n");
    exchange(api, "GET", path, token, &range, "")
}

/// `more` are further lines of the head, each with its end.
fn exchange(
    api: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    more: &str,
    body: &str,
) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(api).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n"
    );
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer[end + 4..].to_vec())
}

//! A SIP caller as plain text over one UDP socket, for what no well-behaved client does.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A socket that speaks SIP by hand.
pub struct Wire {
    pub socket: UdpSocket,
    pub engine: SocketAddr,
    call: u32,
}

impl Wire {
    pub fn new(address: IpAddr, engine: SocketAddr) -> Self {
        Self::on(SocketAddr::new(address, 0), engine)
    }

    pub fn on(local: SocketAddr, engine: SocketAddr) -> Self {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let socket = UdpSocket::bind(local).unwrap();
        Self {
            socket,
            engine,
            call: CALLS.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// A request of this wire's one call; `to_tag` as the engine gave it.
    pub fn request(
        &self,
        method: &str,
        number: &str,
        cseq: u32,
        branch: &str,
        to_tag: &str,
    ) -> String {
        let local = self.socket.local_addr().unwrap();
        let (engine, call, id) = (self.engine, self.call, std::process::id());
        let (cseq_method, body) = match method {
            "INVITE" => (method, offer(local.ip())),
            _ => (method, String::new()),
        };
        let content = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        format!(
            "{method} sip:{number}@{engine} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {local};branch=z9hG4bK{id}-{call}-{branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:79140009999@{local}>;tag=wire{call}\r\n\
             To: <sip:{number}@{engine}>{to_tag}\r\n\
             Call-ID: wire-{id}-{call}\r\n\
             CSeq: {cseq} {cseq_method}\r\n\
             Contact: <sip:79140009999@{local}>\r\n\
             {content}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    pub fn send(&self, text: impl AsRef<[u8]>) {
        self.socket.send_to(text.as_ref(), self.engine).unwrap();
    }

    /// Answers a request that came from `to`; `answer` is the status and phrase, and what headers come
    /// with them.
    pub fn answer(&self, to: SocketAddr, request: &str, answer: &str) {
        let lines = ["Via", "From", "Call-ID", "CSeq", "To"].map(|name| {
            let value = header(request, name).unwrap();
            format!("{name}: {value}")
        });
        let text = format!(
            "SIP/2.0 {}\r\n{};tag=t\r\nContent-Length: 0\r\n\r\n",
            answer.trim_end(),
            lines.join("\r\n")
        );
        self.socket.send_to(text.as_bytes(), to).unwrap();
    }

    /// The next datagram, if one comes in time.
    pub fn receive(&self, within: Duration) -> Option<String> {
        self.socket
            .set_read_timeout(Some(within.max(Duration::from_millis(1))))
            .unwrap();
        let mut bytes = [0; 65_536];
        let (length, _) = self.socket.recv_from(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    /// The next response to a method with a status that is wanted; others are passed over.
    pub fn response(&self, method: &str, wanted: impl Fn(u16) -> bool) -> Option<(u16, String)> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Some(rest) = deadline.checked_duration_since(Instant::now()) {
            let Some(text) = self.receive(rest) else {
                continue;
            };
            let Some(status) = status(&text) else {
                continue;
            };
            if header(&text, "CSeq").is_some_and(|cseq| cseq.ends_with(method)) && wanted(status) {
                return Some((status, text));
            }
        }
        None
    }

    /// Whether an OPTIONS is answered: the engine lives and reads its socket.
    pub fn options_answered(&self, branch: &str) -> bool {
        self.send(self.request("OPTIONS", "1300", 77, branch, ""));
        self.response("OPTIONS", |status| status >= 200).is_some()
    }
}

/// Status of a response.
pub fn status(text: &str) -> Option<u16> {
    text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

/// Value of a header.
pub fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found
            .trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim())
    })
}

/// `;tag=…` of the To header.
pub fn to_tag(text: &str) -> String {
    let to = header(text, "To").unwrap_or_default();
    to.find(";tag=")
        .map(|at| to[at..].to_owned())
        .unwrap_or_default()
}

/// A session of A-law at an address where nobody listens.
pub fn offer(address: IpAddr) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
         m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    )
}

/// Messages of a folder, by name.
pub fn messages(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|end| end == "dat" || end == "sip")
    });
    files.sort();
    files
}

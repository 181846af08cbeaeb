//! A telephone in a browser, by hand: SIP over WebSocket (RFC 7118).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use sip::{Datagram, HeaderName, Message, Method, Uri, parse_datagram};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

use super::password;

type Socket = WebSocketStream<tokio::net::TcpStream>;

/// A telephone in a browser, by hand.
pub struct Browser {
    pub socket: Socket,
    engine: SocketAddr,
    cseq: u32,
}

/// What a browser's telephone calls itself (RFC 7118 §5).
pub const HOST: &str = "df7jal23ls0d.invalid";

impl Browser {
    pub async fn open(engine: SocketAddr, origin: &str) -> Result<Self, Error> {
        let mut request = format!("ws://{engine}/").into_client_request()?;
        let fields = request.headers_mut();
        fields.insert("Sec-WebSocket-Protocol", "sip".parse().unwrap());
        fields.insert("Origin", origin.parse().unwrap());
        let stream = tokio::net::TcpStream::connect(engine).await.unwrap();
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        Ok(Self {
            socket,
            engine,
            cseq: 0,
        })
    }

    pub async fn send(&mut self, message: &Message) {
        let text = String::from_utf8(message.to_bytes()).unwrap();
        self.socket.send(Frame::text(text)).await.unwrap();
    }

    pub async fn next(&mut self) -> Message {
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(20), self.socket.next()).await;
            if let Frame::Text(text) = frame.unwrap().unwrap().unwrap() {
                match parse_datagram(text.as_bytes()).unwrap() {
                    Datagram::Message(message) => return message,
                    Datagram::KeepAlive => {}
                }
            }
        }
    }

    /// The next request of a method; others are passed over.
    pub async fn request(&mut self, method: &Method) -> Message {
        loop {
            let message = self.next().await;
            if message.method() == Some(method) {
                return message;
            }
        }
    }

    pub fn register_request(&mut self) -> Message {
        self.cseq += 1;
        let uri = Uri::parse(&format!("sip:{}", self.engine)).unwrap();
        let mut request = Message::request(Method::Register, uri);
        let via = format!("SIP/2.0/WS {HOST};branch=z9hG4bKws{}", self.cseq);
        let address = format!("<sip:anna@{}>", self.engine);
        for (name, value) in [
            (HeaderName::Via, via),
            (HeaderName::From, format!("{address};tag=ws")),
            (HeaderName::To, address),
            (HeaderName::CallId, "websocket-register".to_owned()),
            (HeaderName::CSeq, format!("{} REGISTER", self.cseq)),
            (
                HeaderName::Contact,
                format!("<sip:anna@{HOST};transport=ws>"),
            ),
            (HeaderName::MaxForwards, "70".to_owned()),
        ] {
            request.headers.push(name, value);
        }
        request
    }

    pub async fn register(&mut self) {
        let request = self.register_request();
        self.send(&request).await;
        let challenge = self.next().await;
        assert_eq!(challenge.status(), Some(401));
        let mut request = self.register_request();
        sip::authorize(&mut request, &challenge, "anna", &password("anna"), "c", 1).unwrap();
        self.send(&request).await;
        let answer = self.next().await;
        assert_eq!(answer.status(), Some(200), "{answer:?}");
    }

    /// Takes a call: it rings, answers from this address as a browser does, but for audio, of which it
    /// has none, and waits for the ACK.
    pub async fn take(&mut self, invite: &Message, address: IpAddr) {
        let respond = |status| {
            let mut response = invite.respond(status, Some("browser"));
            let contact = format!("<sip:anna@{HOST};transport=ws>");
            response.headers.set(HeaderName::Contact, contact);
            response
        };
        self.send(&respond(180)).await;
        let certificate = ["AB"; 32].join(":");
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
             m=audio 9 UDP/TLS/RTP/SAVPF 8\r\na=rtpmap:8 PCMA/8000\r\na=rtcp-mux\r\n\
             a=ice-ufrag:name\r\na=ice-pwd:a-password-of-the-browser\r\na=setup:active\r\n\
             a=fingerprint:sha-256 {certificate}\r\n"
        );
        let ok = respond(200).with_body("application/sdp", sdp.into_bytes());
        self.send(&ok).await;
        self.request(&Method::Ack).await;
    }

    /// Its machine loses the network: from now on not a segment of the engine's is even acknowledged.
    pub fn vanish(&self) {
        let nothing = socket2::SockFilter::new(BPF_RETURN, 0, 0, 0);
        let socket = socket2::SockRef::from(self.socket.get_ref());
        socket.attach_filter(&[nothing]).unwrap();
    }
}

/// "Return a constant", the octets of the packet that are kept (linux/filter.h).
const BPF_RETURN: u16 = 0x06;

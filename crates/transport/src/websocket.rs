//! Owns one connection that carries WebSocket messages (RFC 7118): the handshake with its
//! subprotocol and Origin, one SIP message in each WebSocket message, pings.

use core::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sip::wire::{Frame, Opener, PONG, frame_of_websocket, limits};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::tungstenite::handshake::server::{
    Callback, ErrorResponse, Request, Response,
};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use crate::table::{Place, Queue};

/// A browser answers each ping; after so many without a word it is gone (a laptop that was shut).
const PINGS_UNANSWERED: u32 = 3;

/// Serves a connection to its end.
pub(crate) async fn run<IO>(io: IO, place: Place, queue: Queue, origins: &[String])
where
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits::MESSAGE_OCTETS))
        .max_frame_size(Some(limits::MESSAGE_OCTETS))
        .read_buffer_size(16 << 10)
        .write_buffer_size(0);
    let door = Door { origins };
    let handshake = accept_hdr_async_with_config(io, door, Some(config));
    let counts = place.table.counts();
    let socket = match timeout(place.table.limits.message, handshake).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => {
            counts.handshakes_failed.add();
            tracing::debug!(remote = %place.flow.remote, %error, "WebSocket handshake");
            return;
        }
        Err(_) => {
            counts.slow.add();
            return;
        }
    };
    let (sink, stream) = socket.split();
    tokio::select! {
        () = read(stream, &place) => {}
        () = write(sink, &place, queue) => {}
        () = place.closing() => {}
    }
}

/// Who may come in.
struct Door<'a> {
    origins: &'a [String],
}

impl Callback for Door<'_> {
    /// RFC 7118 §4: the client must offer the subprotocol `sip`. A page of another origin is refused
    /// (RFC 6455 §10.2), lest a script of any page in an operator's browser uses our network.
    fn on_request(
        self,
        request: &Request,
        mut response: Response,
    ) -> Result<Response, ErrorResponse> {
        if let Some(origin) = request.headers().get(header::ORIGIN) {
            let allowed = origin.to_str().is_ok_and(|origin| {
                let same = |one: &String| one == "*" || one.eq_ignore_ascii_case(origin);
                self.origins.iter().any(same)
            });
            if !allowed {
                return Err(refusal(StatusCode::FORBIDDEN, "not from this origin\n"));
            }
        }
        let offered = request
            .headers()
            .get_all(header::SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|name| name.trim() == "sip");
        if !offered {
            let why = "the subprotocol sip is expected\n";
            return Err(refusal(StatusCode::BAD_REQUEST, why));
        }
        let chosen = HeaderValue::from_static("sip");
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, chosen);
        Ok(response)
    }
}

fn refusal(status: StatusCode, why: &str) -> ErrorResponse {
    let mut refusal = ErrorResponse::new(Some(why.to_owned()));
    *refusal.status_mut() = status;
    refusal
}

async fn read<IO>(mut stream: SplitStream<WebSocketStream<IO>>, place: &Place)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let silence = place.table.limits.keep_alive * PINGS_UNANSWERED;
    loop {
        let message = match timeout(silence, stream.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(tungstenite::Error::Capacity(_)))) => {
                place.table.counts().framing_lost.add();
                return;
            }
            Ok(None | Some(Err(_))) | Err(_) => return,
        };
        let bytes: Vec<u8> = match message {
            Message::Text(text) => text.as_bytes().to_vec(),
            Message::Binary(bytes) => bytes.to_vec(),
            // tungstenite answers pings and closings by itself.
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) | Message::Frame(_) => return,
        };
        match frame_of_websocket(Opener::Peer, bytes) {
            Ok(Some(Frame::Message(bytes))) => place.deliver(bytes).await,
            Ok(Some(Frame::Ping)) => place.send(PONG),
            Ok(Some(Frame::Pong) | None) => {}
            Err(_) => {
                place.table.counts().framing_lost.add();
                return;
            }
        }
    }
}

async fn write<IO>(
    mut sink: SplitSink<WebSocketStream<IO>, Message>,
    place: &Place,
    mut queue: Queue,
) where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let every: Duration = place.table.limits.keep_alive;
    let mut beat = interval_at(Instant::now() + every, every);
    loop {
        let (message, octets) = tokio::select! {
            bytes = queue.next() => match bytes {
                Some(bytes) => {
                    let octets = bytes.len();
                    (framed(bytes), octets)
                }
                None => return,
            },
            _ = beat.tick() => (Message::Ping(tungstenite::Bytes::new()), 0),
        };
        match timeout(place.table.limits.message, sink.send(message)).await {
            Ok(Ok(())) => queue.written(octets),
            Ok(Err(_)) => return,
            Err(_) => {
                place.table.counts().slow.add();
                return;
            }
        }
    }
}

/// RFC 7118 §4.1: text, where it is text.
fn framed(bytes: Vec<u8>) -> Message {
    match String::from_utf8(bytes) {
        Ok(text) => Message::Text(Utf8Bytes::from(text)),
        Err(other) => Message::Binary(other.into_bytes().into()),
    }
}

//! SIP over WebSocket (RFC 7118), with a real WebSocket client.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{Stream, WITHIN, World, request};
use futures_util::{SinkExt, StreamExt};
use sip::Transport as Protocol;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use transport::Limits;

const BOTH: [Protocol; 2] = [Protocol::Ws, Protocol::Wss];

/// Opens a WebSocket with these header fields.
async fn open(
    w: &World,
    protocol: Protocol,
    fields: &[(&'static str, &str)],
) -> Result<WebSocketStream<Stream>, Error> {
    let stream = w.connect(protocol).await;
    let scheme = if protocol == Protocol::Ws {
        "ws"
    } else {
        "wss"
    };
    let mut request = format!("{scheme}://localhost/").into_client_request()?;
    for (name, value) in fields {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    let (socket, response) = tokio_tungstenite::client_async(request, stream).await?;
    let chosen = response.headers().get("sec-websocket-protocol");
    assert_eq!(chosen.unwrap(), "sip");
    Ok(socket)
}

const SIP: (&str, &str) = ("Sec-WebSocket-Protocol", "sip");

async fn next(socket: &mut WebSocketStream<Stream>) -> Message {
    timeout(WITHIN, socket.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn a_message_passes_both_ways_as_text_and_as_octets() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut w = World::on(address, Limits::default());
        for protocol in BOTH {
            let origin = ("Origin", "https://desk.example");
            let mut socket = open(&w, protocol, &[SIP, origin]).await.unwrap();
            socket.send(Message::text(request(1))).await.unwrap();
            let message = w.message().await;
            assert_eq!(message.bytes, request(1).into_bytes());
            assert_eq!(message.flow.transport, protocol);
            assert_eq!(message.flow.local, w.address(protocol));
            let octets = request(2).into_bytes();
            socket.send(Message::binary(octets.clone())).await.unwrap();
            assert_eq!(w.message().await.bytes, octets);
            w.transport.send(&message.flow, b"SIP/2.0 200 OK\r\n\r\n");
            assert_eq!(
                next(&mut socket).await,
                Message::text("SIP/2.0 200 OK\r\n\r\n")
            );
            w.transport.send(&message.flow, b"\xff\xfe");
            assert_eq!(next(&mut socket).await, Message::binary(&b"\xff\xfe"[..]));
            socket.send(Message::text("\r\n\r\n")).await.unwrap();
            assert_eq!(next(&mut socket).await, Message::text("\r\n"));
            socket.close(None).await.unwrap();
            assert_eq!(w.closed().await, message.flow);
            // There is no way to a browser but its own.
            w.transport.send(&message.flow, b"late");
            assert_eq!(w.closed().await, message.flow);
        }
    }
}

#[tokio::test]
async fn a_page_of_another_origin_gets_403_and_no_subprotocol_gets_400() {
    let mut w = World::new(Limits::default());
    let refused = |outcome: Result<WebSocketStream<Stream>, Error>| match outcome {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{:?}", other.map(|_| ())),
    };
    for protocol in BOTH {
        let evil = ("Origin", "https://evil.example");
        assert_eq!(refused(open(&w, protocol, &[SIP, evil]).await), 403);
        let prefix = ("Origin", "https://desk.example.evil.example");
        assert_eq!(refused(open(&w, protocol, &[SIP, prefix]).await), 403);
        assert_eq!(refused(open(&w, protocol, &[]).await), 400);
        let chat = ("Sec-WebSocket-Protocol", "chat");
        assert_eq!(refused(open(&w, protocol, &[chat]).await), 400);
        let several = ("Sec-WebSocket-Protocol", "chat, sip");
        open(&w, protocol, &[several]).await.unwrap();
    }
    assert_eq!(w.transport.counts().handshakes_failed.value(), 8);
    w.connections(0).await;
    w.nothing_more();
}

#[tokio::test]
async fn what_is_no_websocket_or_too_large_ends_its_connection() {
    let mut w = World::new(Limits {
        message: Duration::from_millis(500),
        ..Limits::default()
    });
    let mut plain = w.connect(Protocol::Ws).await;
    common::write(&mut plain, request(1)).await;
    common::rest(&mut plain).await;
    let mut silent = w.connect(Protocol::Ws).await;
    common::rest(&mut silent).await;
    assert_eq!(w.transport.counts().slow.value(), 1);
    let mut socket = open(&w, Protocol::Ws, &[SIP]).await.unwrap();
    let _ = socket.send(Message::text("x".repeat(70_000))).await;
    while let Some(Ok(_)) = timeout(WITHIN, socket.next()).await.unwrap() {}
    w.connections(0).await;
    w.nothing_more();
}

#[tokio::test]
async fn a_browser_is_pinged_and_one_that_is_gone_is_noticed() {
    let mut w = World::new(Limits {
        keep_alive: Duration::from_millis(200),
        ..Limits::default()
    });
    let mut socket = open(&w, Protocol::Ws, &[SIP]).await.unwrap();
    socket.send(Message::text(request(1))).await.unwrap();
    let flow = w.message().await.flow;
    // Whoever reads answers pings: longer than three of them.
    for _ in 0..6 {
        assert!(matches!(next(&mut socket).await, Message::Ping(_)));
    }
    w.nothing_more();
    // The laptop is shut: nothing is read or answered any more, and no end is told.
    assert_eq!(w.closed().await, flow);
}

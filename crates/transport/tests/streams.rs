//! TCP and TLS held to what hostile and unlucky peers do, over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{Certificate, Seen, WITHIN, World, expect, request, rest, write};
use sip::{Flow, Transport as Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use transport::Limits;

const STREAMS: [Protocol; 2] = [Protocol::Tcp, Protocol::Tls];

fn brief() -> Limits {
    Limits {
        message: Duration::from_millis(300),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_message_comes_whole_however_it_is_cut_and_the_answer_goes_back() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut w = World::on(address, Limits::default());
        for protocol in STREAMS {
            let mut client = w.connect(protocol).await;
            for octet in request(1).as_bytes() {
                write(&mut client, [*octet]).await;
            }
            let first = w.message().await;
            assert_eq!(first.bytes, request(1).into_bytes());
            assert_eq!(first.flow.transport, protocol);
            assert_eq!(first.flow.local, w.address(protocol));
            let many: String = (2..40).map(request).collect();
            write(&mut client, &many).await;
            for number in 2..40 {
                let message = w.message().await;
                assert_eq!(message.bytes, request(number).into_bytes());
                assert_eq!(message.flow, first.flow);
            }
            w.transport.send(&first.flow, b"SIP/2.0 200 OK\r\n\r\n");
            expect(&mut client, b"SIP/2.0 200 OK\r\n\r\n").await;
            drop(client);
            assert_eq!(w.closed().await, first.flow);
            w.connections(0).await;
        }
    }
}

#[tokio::test]
async fn half_a_message_and_then_the_end_is_nothing() {
    let mut w = World::new(Limits::default());
    for protocol in STREAMS {
        let mut client = w.connect(protocol).await;
        write(&mut client, &request(1)[..100]).await;
        w.connections(1).await;
        drop(client);
        w.connections(0).await;
        w.nothing_more();
    }
}

#[tokio::test]
async fn garbage_ends_its_connection_and_no_other() {
    let mut w = World::new(Limits::default());
    for protocol in STREAMS {
        let mut good = w.connect(protocol).await;
        write(&mut good, request(1)).await;
        w.message().await;
        let before = w.transport.counts().framing_lost.value();
        for garbage in [
            &b"\x01\x02\x03\xff\xfe\r\n\r\n"[..],
            b"GET / HTTP/1.1\r\n\r\n",
        ] {
            let mut bad = w.connect(protocol).await;
            write(&mut bad, garbage).await;
            assert_eq!(rest(&mut bad).await, "");
        }
        assert_eq!(w.transport.counts().framing_lost.value(), before + 2);
        write(&mut good, request(2)).await;
        assert_eq!(w.message().await.bytes, request(2).into_bytes());
        drop(good);
        w.closed().await;
    }
}

#[tokio::test]
async fn a_message_that_is_too_long_is_answered_and_its_connection_ended() {
    let w = World::new(Limits::default());
    let mut client = w.connect(Protocol::Tcp).await;
    let long = request(1).replace("Content-Length: ", "Content-Length: 99999");
    write(&mut client, long).await;
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("SIP/2.0 513 "), "{answer}");
    assert!(answer.contains("z9hG4bK1"), "{answer}");
    let mut client = w.connect(Protocol::Tcp).await;
    let endless = format!("OPTIONS sip:a@h SIP/2.0\r\nX: {}", "x".repeat(200_000));
    // It may be closed before all of it is taken.
    let _ = client.write_all(endless.as_bytes()).await;
    rest(&mut client).await;
    w.connections(0).await;
}

#[tokio::test]
async fn who_sends_too_slowly_is_closed() {
    let w = World::new(brief());
    // No octet at all, within TLS and without, and no TLS at all.
    for protocol in STREAMS {
        let mut silent = w.connect(protocol).await;
        assert_eq!(rest(&mut silent).await, "");
    }
    let mut no_hello = TcpStream::connect(w.address(Protocol::Tls)).await.unwrap();
    let mut octet = [0];
    let read = timeout(WITHIN, no_hello.read(&mut octet)).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
    // One octet after the other, each in time, the message never whole.
    let before = w.transport.counts().slow.value();
    let mut loris = w.connect(Protocol::Tcp).await;
    let head = request(1);
    let dripping = async {
        for octet in head.as_bytes() {
            if loris.write_all(&[*octet]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let _ = timeout(Duration::from_secs(3), dripping).await;
    w.connections(0).await;
    assert_eq!(w.transport.counts().slow.value(), before + 1);
}

#[tokio::test]
async fn silence_after_a_message_ends_a_connection_by_the_idle_limit() {
    let mut w = World::new(Limits {
        idle: Duration::from_millis(300),
        ..Limits::default()
    });
    let mut client = w.connect(Protocol::Tcp).await;
    write(&mut client, request(1)).await;
    let flow = w.message().await.flow;
    assert_eq!(rest(&mut client).await, "");
    assert_eq!(w.closed().await, flow);
}

#[tokio::test]
async fn a_flood_of_one_address_leaves_room_for_others() {
    let mut w = World::new(Limits {
        per_address: 5,
        connections: 8,
        ..Limits::default()
    });
    let address = w.address(Protocol::Tcp);
    let from = |source: &'static str| async move {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(source.parse().unwrap()).unwrap();
        socket.connect(address).await.unwrap()
    };
    let mut flood = Vec::new();
    for _ in 0..20 {
        flood.push(from("127.0.0.2:0").await);
    }
    w.connections(5).await;
    let mut other = from("127.0.0.3:0").await;
    other.write_all(request(1).as_bytes()).await.unwrap();
    assert_eq!(w.message().await.bytes, request(1).into_bytes());
    assert_eq!(w.transport.counts().turned_away.value(), 15);
    for _ in 0..20 {
        flood.push(from("127.0.0.4:0").await);
    }
    w.connections(8).await;
    flood.clear();
    w.connections(1).await;
    from("127.0.0.2:0").await.write_all(b"").await.unwrap();
}

#[tokio::test]
async fn who_does_not_read_is_closed_when_the_queue_is_full() {
    let mut w = World::new(Limits {
        queue: 100_000,
        ..Limits::default()
    });
    let mut client = w.connect(Protocol::Tcp).await;
    write(&mut client, request(1)).await;
    let flow = w.message().await.flow;
    let large = vec![b'x'; 60_000];
    // The kernel's buffers take some megabytes before ours fills.
    for _ in 0..500 {
        w.transport.send(&flow, &large);
        if w.transport.counts().queue_full.value() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(w.transport.counts().queue_full.value() > 0);
    assert_eq!(w.closed().await, flow);
    w.connections(0).await;
}

#[tokio::test]
async fn where_there_is_no_room_above_a_stream_waits_and_loses_nothing() {
    let mut w = World::new(Limits::default());
    w.set_full(true);
    let mut client = w.connect(Protocol::Tcp).await;
    let many: String = (0..50).map(request).collect();
    write(&mut client, many).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    w.nothing_more();
    w.set_full(false);
    for number in 0..50 {
        assert_eq!(w.message().await.bytes, request(number).into_bytes());
    }
}

#[tokio::test]
async fn keep_alives_are_answered_and_sent() {
    let mut w = World::new(Limits {
        keep_alive: Duration::from_millis(200),
        ..Limits::default()
    });
    let mut client = w.connect(Protocol::Tcp).await;
    write(&mut client, "\r\n\r\n").await;
    expect(&mut client, b"\r\n").await;
    w.nothing_more();
    // On a connection of ours we are the one who pings, and who misses the pong.
    let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let flow = Flow {
        transport: Protocol::Tcp,
        local: w.address(Protocol::Tcp),
        remote: peer.local_addr().unwrap(),
    };
    w.transport.send(&flow, request(1).as_bytes());
    let (mut taken, _) = peer.accept().await.unwrap();
    let mut buffer = vec![0; request(1).len()];
    taken.read_exact(&mut buffer).await.unwrap();
    let mut ping = [0; 4];
    for _ in 0..2 {
        let read = timeout(WITHIN, taken.read_exact(&mut ping)).await;
        read.unwrap().unwrap();
        assert_eq!(&ping, b"\r\n\r\n");
        taken.write_all(b"\r\n").await.unwrap();
    }
    assert_eq!(w.closed().await, flow, "the third had no answer");
}

#[tokio::test]
async fn a_connection_is_opened_on_demand_used_again_and_its_loss_told() {
    let mut w = World::new(Limits::default());
    let peer = TcpListener::bind("127.0.0.9:0").await.unwrap();
    let flow = Flow {
        transport: Protocol::Tcp,
        local: w.address(Protocol::Tcp),
        remote: peer.local_addr().unwrap(),
    };
    w.transport.send(&flow, b"one ");
    w.transport.send(&flow, b"two ");
    let (mut taken, from) = peer.accept().await.unwrap();
    assert_eq!(from.ip(), flow.local.ip());
    let mut buffer = [0; 8];
    taken.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"one two ");
    taken.write_all(request(3).as_bytes()).await.unwrap();
    assert_eq!(w.message().await.flow, flow);
    w.transport.send(&flow, b"three");
    taken.read_exact(&mut buffer[..5]).await.unwrap();
    assert_eq!(w.transport.connections(), 1);
    drop(taken);
    assert_eq!(w.closed().await, flow);
    // Nobody listens any more.
    drop(peer);
    w.transport.send(&flow, b"four");
    assert_eq!(w.closed().await, flow);
    assert_eq!(w.transport.counts().unconnected.value(), 1);
    w.connections(0).await;
}

/// A peer that takes TLS with this certificate, and what it read first.
async fn tls_peer(certificate: &Certificate) -> (TcpListener, TlsAcceptor) {
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let provider = std::sync::Arc::new(ring::default_provider());
    let chain = vec![CertificateDer::from_pem_file(certificate.file()).unwrap()];
    let key = PrivateKeyDer::from_pem_file(certificate.key()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener, TlsAcceptor::from(std::sync::Arc::new(config)))
}

#[tokio::test]
async fn a_peer_must_show_a_certificate_that_is_believed_and_names_it() {
    let mut w = World::new(Limits::default());
    let flow_to = |w: &World, listener: &TcpListener| Flow {
        transport: Protocol::Tls,
        local: w.address(Protocol::Tls),
        remote: listener.local_addr().unwrap(),
    };
    // Believed, and it names the address.
    let (listener, acceptor) = tls_peer(&w.certificate).await;
    let flow = flow_to(&w, &listener);
    w.transport.send(&flow, b"hello");
    let (tcp, _) = listener.accept().await.unwrap();
    let mut tls = acceptor.accept(tcp).await.unwrap();
    let mut buffer = [0; 5];
    tls.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"hello");
    drop(tls);
    assert_eq!(w.closed().await, flow);
    // Believed, but another name is expected.
    let (listener, acceptor) = tls_peer(&w.certificate).await;
    let flow = flow_to(&w, &listener);
    w.transport.expect_name(flow, "carrier.example");
    w.transport.send(&flow, b"hello");
    let (tcp, _) = listener.accept().await.unwrap();
    assert!(acceptor.accept(tcp).await.is_err());
    assert_eq!(w.closed().await, flow);
    w.transport.expect_name(flow, "localhost");
    w.transport.send(&flow, b"hello");
    let (tcp, _) = listener.accept().await.unwrap();
    let mut tls = acceptor.accept(tcp).await.unwrap();
    tls.read_exact(&mut buffer).await.unwrap();
    // Of nobody whom we believe.
    let stranger = Certificate::of(&["127.0.0.1"]);
    let (listener, acceptor) = tls_peer(&stranger).await;
    let flow = flow_to(&w, &listener);
    w.transport.send(&flow, b"hello");
    let (tcp, _) = listener.accept().await.unwrap();
    assert!(acceptor.accept(tcp).await.is_err());
    assert_eq!(w.closed().await, flow);
    assert_eq!(w.transport.counts().unconnected.value(), 2);
}

#[tokio::test]
async fn a_connection_is_used_for_another_name_only_if_its_certificate_covers_that() {
    let mut w = World::new(Limits::default());
    let (listener, acceptor) = tls_peer(&w.certificate).await;
    let flow = Flow {
        transport: Protocol::Tls,
        local: w.address(Protocol::Tls),
        remote: listener.local_addr().unwrap(),
    };
    w.transport.expect_name(flow, "localhost");
    w.transport.send(&flow, b"first");
    let (tcp, _) = listener.accept().await.unwrap();
    let mut tls = acceptor.accept(tcp).await.unwrap();
    let mut buffer = [0; 5];
    tls.read_exact(&mut buffer).await.unwrap();
    // The certificate names the address as well.
    w.transport.expect_name(flow, "127.0.0.1");
    w.transport.send(&flow, b"again");
    tls.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"again");
    // It does not name this one: the message is not for whom we are connected to.
    w.transport.expect_name(flow, "carrier.example");
    w.transport.send(&flow, b"other");
    let (tcp, _) = listener.accept().await.unwrap();
    assert!(acceptor.accept(tcp).await.is_err());
    assert_eq!(w.closed().await, flow);
    assert_eq!(tls.read(&mut buffer).await.unwrap_or(0), 0, "it was told");
}

#[tokio::test]
async fn a_connection_that_a_peer_opened_carries_nothing_for_a_name() {
    let mut w = World::new(Limits::default());
    let mut peer = w.connect(Protocol::Tls).await;
    write(&mut peer, request(1)).await;
    let flow = w.message().await.flow;
    w.transport.send(&flow, b"hello");
    expect(&mut peer, b"hello").await;
    w.transport.expect_name(flow, "localhost");
    w.transport.send(&flow, b"other");
    let mut buffer = [0; 5];
    // Nobody listens where it came from.
    assert_eq!(w.closed().await, flow);
    assert_eq!(peer.read(&mut buffer).await.unwrap_or(0), 0, "it was told");
}

#[tokio::test]
async fn plain_text_on_the_port_of_tls_is_turned_away() {
    let mut w = World::new(Limits::default());
    let mut client = TcpStream::connect(w.address(Protocol::Tls)).await.unwrap();
    client.write_all(request(1).as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let _ = timeout(WITHIN, client.read_to_end(&mut all)).await.unwrap();
    w.connections(0).await;
    assert_eq!(w.transport.counts().handshakes_failed.value(), 1);
    w.nothing_more();
}

#[tokio::test]
async fn a_peer_that_comes_back_from_the_same_port_replaces_its_old_connection() {
    let mut w = World::new(Limits::default());
    let address = w.address(Protocol::Tcp);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.5:0".parse().unwrap()).unwrap();
    let own = socket.local_addr().unwrap();
    let mut first = socket.connect(address).await.unwrap();
    first.write_all(request(1).as_bytes()).await.unwrap();
    let flow = w.message().await.flow;
    assert_eq!(flow.remote, own);
    // A reset: the peer's machine lost power and came back.
    first.set_zero_linger().unwrap();
    drop(first);
    assert_eq!(w.closed().await, flow);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(own).unwrap();
    let mut second = socket.connect(address).await.unwrap();
    second.write_all(request(2).as_bytes()).await.unwrap();
    assert_eq!(w.message().await.flow, flow);
    w.transport.send(&flow, b"hello");
    let mut buffer = [0; 5];
    second.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"hello");
}

#[tokio::test]
async fn datagrams_pass_both_ways_and_stun_is_answered() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut w = World::on(address, Limits::default());
        let engine = w.address(Protocol::Udp);
        assert_eq!(engine, w.address(Protocol::Tcp), "one port for both");
        let phone = UdpSocket::bind(address).await.unwrap();
        phone.send_to(b"ping", engine).await.unwrap();
        let datagram = w.message().await;
        assert_eq!(datagram.bytes, b"ping");
        assert_eq!(datagram.flow.remote, phone.local_addr().unwrap());
        assert_eq!(datagram.flow.local, engine);
        w.transport.send(&datagram.flow, b"pong");
        let mut buffer = [0; 64];
        let (length, from) = phone.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..length], from), (&b"pong"[..], engine));
        let mut stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        stun.extend([7; 12]);
        phone.send_to(&stun, engine).await.unwrap();
        let (length, _) = phone.recv_from(&mut buffer).await.unwrap();
        assert_eq!(buffer[..2], [1, 1]);
        assert!(length >= 32);
        w.nothing_more();
        assert_eq!(w.transport.counts().unsent.value(), 0);
    }
}

#[tokio::test]
async fn a_datagram_that_finds_no_way_is_told() {
    let mut w = World::new(Limits::default());
    let flow = Flow {
        transport: Protocol::Udp,
        local: w.address(Protocol::Udp),
        remote: "127.0.0.9:5060".parse().unwrap(),
    };
    w.transport.send(&flow, &vec![b'x'; 70_000]);
    assert!(matches!(w.next().await, Seen::Closed(closed) if closed == flow));
}

#[tokio::test]
async fn a_port_in_use_is_said_in_one_plain_sentence() {
    let error = |protocol: Protocol| {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = std::net::UdpSocket::bind(taken.local_addr().unwrap()).unwrap();
        let address = taken.local_addr().unwrap();
        let mut settings = transport::Settings {
            tcp: Some(Vec::new()),
            ..transport::Settings::default()
        };
        match protocol {
            Protocol::Udp => settings.udp = vec![udp.local_addr().unwrap()],
            _ => settings.ws = vec![address],
        }
        struct Nobody;
        impl transport::Sink for Nobody {
            fn message(&self, _: transport::Datagram) -> Result<(), transport::Datagram> {
                Ok(())
            }
            fn closed(&self, _: Flow) {}
        }
        let error = transport::Transport::bind(settings, Nobody).err().unwrap();
        error.to_string().replace(&address.to_string(), "HERE")
    };
    let end = "another program uses this port";
    assert_eq!(
        error(Protocol::Udp),
        format!("cannot listen for SIP on HERE: {end}")
    );
    assert_eq!(
        error(Protocol::Ws),
        format!("cannot listen for SIP on HERE (WS): {end}")
    );
}

#[test]
fn certificates_that_cannot_be_used_name_their_file() {
    let good = Certificate::of(&["localhost"]);
    let other = Certificate::of(&["localhost"]);
    let load = |certificate: &std::path::Path, key: &std::path::Path| {
        transport::Identity::load(certificate, key)
            .unwrap_err()
            .to_string()
    };
    let empty = good.folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let missing = good.folder.path().join("missing.pem");
    let (file, key) = (good.file(), good.key());
    assert!(load(&missing, &key).contains("missing.pem: expected a certificate in PEM, No such"));
    assert!(load(&empty, &key).ends_with("empty.pem: expected a certificate in PEM, found none"));
    assert!(load(&file, &empty).ends_with("empty.pem: expected a key in PEM, found none"));
    assert!(load(&file, &other.key()).contains("does not fit the certificate"));
}

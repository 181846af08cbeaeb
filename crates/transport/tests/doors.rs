//! Listening sockets that change hands while peers send: nothing is refused, nothing is lost.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{World, expect, request, write};
use sip::Transport as Protocol;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};
use transport::Limits;

const LIMITS: fn() -> Limits = Limits::default;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_in_the_sockets_reaches_the_successor_and_connections_stay() {
    let mut leaving = World::new(LIMITS());
    let sip = leaving.address(Protocol::Udp);
    let telephone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    telephone.connect(sip).await.unwrap();
    telephone.send(request(1).as_bytes()).await.unwrap();
    let first = leaving.message().await;
    let mut up = leaving.connect(Protocol::Tcp).await;
    write(&mut up, request(2)).await;
    let connected = leaving.message().await.flow;

    let doors = leaving.transport.doors();
    let sockets = doors.close().unwrap();
    assert_eq!(sockets.len(), leaving.transport.addresses().len());
    telephone.send(request(3).as_bytes()).await.unwrap();
    let mut waits = TcpStream::connect(leaving.address(Protocol::Tcp))
        .await
        .unwrap();
    waits.write_all(request(4).as_bytes()).await.unwrap();
    // What the leaving one has to say goes out of the same port.
    let answer = b"SIP/2.0 200 OK\r\n\r\n";
    leaving.transport.send(&first.flow, answer);
    let mut buffer = [0; 100];
    let (length, from) = telephone.recv_from(&mut buffer).await.unwrap();
    assert_eq!((buffer.get(..length).unwrap(), from), (&answer[..], sip));

    let mut successor = World::with("127.0.0.1:0", LIMITS(), sockets);
    assert_eq!(
        successor.transport.addresses(),
        leaving.transport.addresses()
    );
    let mut came: Vec<Vec<u8>> = Vec::new();
    for _ in 0..2 {
        came.push(successor.message().await.bytes);
    }
    came.sort();
    assert_eq!(came, [request(3).into_bytes(), request(4).into_bytes()]);
    // A connection that was up is still the leaving one's, for as long as it is in use.
    write(&mut up, request(5)).await;
    assert_eq!(leaving.message().await.flow, connected);
    leaving.transport.close_unused(|flow| *flow == connected);
    leaving.transport.send(&connected, answer);
    expect(&mut up, answer).await;
    leaving.transport.close_unused(|_| false);
    assert_eq!(leaving.closed().await, connected);
    leaving.connections(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_come_back_from_a_successor_that_died() {
    let mut leaving = World::new(LIMITS());
    let telephone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    telephone
        .connect(leaving.address(Protocol::Udp))
        .await
        .unwrap();
    let doors = leaving.transport.doors();
    let mut successor = World::with("127.0.0.1:0", LIMITS(), doors.close().unwrap());
    telephone.send(request(1).as_bytes()).await.unwrap();
    assert_eq!(successor.message().await.bytes, request(1).into_bytes());
    drop(successor);
    telephone.send(request(2).as_bytes()).await.unwrap();
    doors.open().unwrap();
    assert_eq!(leaving.message().await.bytes, request(2).into_bytes());
    let mut client = leaving.connect(Protocol::Tls).await;
    write(&mut client, request(3)).await;
    assert_eq!(leaving.message().await.bytes, request(3).into_bytes());
}

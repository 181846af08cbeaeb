//! The resolver against a DNS server of a few lines on a free port.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use common::World;
use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use sip::Transport as Protocol;
use sip::{Answer, Naptr, Question, Srv};
use tokio::io::AsyncReadExt;
use tokio::net::UdpSocket;
use transport::Resolver;

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// What the zone holds for a question.
fn zone(asked: &str, kind: RecordType) -> Vec<RData> {
    let srv = |priority, weight, target| RData::SRV(SRV::new(priority, weight, 5070, name(target)));
    match (asked, kind) {
        ("carrier.example.", RecordType::NAPTR) => {
            let record = NAPTR::new(
                10,
                20,
                b"s".to_vec().into_boxed_slice(),
                b"SIP+D2T".to_vec().into_boxed_slice(),
                Vec::new().into_boxed_slice(),
                name("_sip._tcp.carrier.example."),
            );
            vec![RData::NAPTR(record)]
        }
        ("_sip._tcp.carrier.example.", RecordType::SRV) => {
            vec![
                srv(1, 2, "a.carrier.example."),
                srv(2, 0, "b.carrier.example."),
            ]
        }
        ("a.carrier.example.", RecordType::A) => vec![RData::A(A(Ipv4Addr::new(192, 0, 2, 1)))],
        ("a.carrier.example.", RecordType::AAAA) => {
            let address: Ipv6Addr = "2001:db8::1".parse().unwrap();
            vec![RData::AAAA(AAAA(address))]
        }
        ("local.example.", RecordType::NAPTR) => {
            let record = NAPTR::new(
                1,
                1,
                b"s".to_vec().into_boxed_slice(),
                b"SIP+D2T".to_vec().into_boxed_slice(),
                Vec::new().into_boxed_slice(),
                name("_sip._tcp.local.example."),
            );
            vec![RData::NAPTR(record)]
        }
        ("_sip._tcp.local.example.", RecordType::SRV) => {
            vec![
                srv(2, 0, "up.local.example."),
                srv(1, 0, "down.local.example."),
            ]
        }
        ("down.local.example.", RecordType::A) => vec![RData::A(A(Ipv4Addr::new(127, 0, 0, 61)))],
        ("up.local.example.", RecordType::A) => vec![RData::A(A(Ipv4Addr::new(127, 0, 0, 62)))],
        _ => Vec::new(),
    }
}

/// Answers each question until the test is over.
async fn serve() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2_048];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let question = Message::from_vec(&buffer[..length]).unwrap();
            let query = question.queries[0].clone();
            let asked = query.name().to_ascii().to_ascii_lowercase();
            let found = zone(&asked, query.query_type());
            let mut answer =
                Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
            answer.metadata.recursion_available = true;
            answer.metadata.response_code = ResponseCode::NoError;
            answer.add_query(query.clone());
            for data in found {
                answer.add_answer(Record::from_rdata(query.name().clone(), 77, data));
            }
            let bytes = answer.to_vec().unwrap();
            socket.send_to(&bytes, from).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn records_of_each_kind_are_found_with_their_time() {
    let resolver = Resolver::new(&[serve().await]).unwrap();
    let (answer, holds) = resolver
        .ask(&Question::Naptr("carrier.example".into()))
        .await;
    let expected = Naptr {
        order: 10,
        preference: 20,
        flags: "s".into(),
        services: "SIP+D2T".into(),
        replacement: "_sip._tcp.carrier.example.".into(),
    };
    assert_eq!(answer, Answer::Naptr(vec![expected]));
    assert!(holds > Duration::from_secs(70) && holds <= Duration::from_secs(77));
    let service = Question::Srv("_sip._tcp.carrier.example.".into());
    let (answer, _) = resolver.ask(&service).await;
    let server = |priority, weight, target: &str| Srv {
        priority,
        weight,
        port: 5070,
        target: target.into(),
    };
    assert_eq!(
        answer,
        Answer::Srv(vec![
            server(1, 2, "a.carrier.example."),
            server(2, 0, "b.carrier.example.")
        ])
    );
    let host = Question::Addresses("a.carrier.example.".into());
    let (answer, _) = resolver.ask(&host).await;
    let addresses = ["192.0.2.1", "2001:db8::1"].map(|text| text.parse().unwrap());
    assert_eq!(answer, Answer::Addresses(addresses.into()));
}

/// Locates a URI with the resolver, as the switch does.
async fn locate(resolver: &Resolver, uri: &str) -> Vec<sip::Candidate> {
    let uri = sip::Uri::parse(uri).unwrap();
    let mut known: Vec<(Question, Answer)> = Vec::new();
    for _ in 0..8 {
        let found = |question: &Question| {
            let one = known.iter().find(|(one, _)| one == question);
            one.map(|(_, answer)| answer.clone())
        };
        match sip::locate(&uri, &[Protocol::Udp, Protocol::Tcp], 1, found) {
            sip::Located::Ways(ways) => return ways,
            sip::Located::Nowhere(why) => panic!("{why}"),
            sip::Located::Missing(questions) => {
                for question in questions {
                    let (answer, _) = resolver.ask(&question).await;
                    known.push((question, answer));
                }
            }
        }
    }
    panic!("it asks without end")
}

/// NAPTR says TCP, SRV names two servers, the first is down: the second is connected to.
#[tokio::test]
async fn the_second_server_is_reached_when_the_first_is_down() {
    let mut w = World::new(transport::Limits::default());
    let resolver = Resolver::new(&[serve().await]).unwrap();
    let ways = locate(&resolver, "sip:local.example").await;
    let addresses: Vec<String> = ways.iter().map(|way| way.address.to_string()).collect();
    let down = "127.0.0.61:5070".to_owned();
    let up = "127.0.0.62:5070".to_owned();
    assert_eq!(addresses, [down, up.clone()]);
    let listener = tokio::net::TcpListener::bind(&up).await.unwrap();
    let flow = |way: &sip::Candidate| sip::Flow {
        transport: way.transport,
        local: w.address(Protocol::Tcp),
        remote: way.address,
    };
    let flows: Vec<sip::Flow> = ways.iter().map(flow).collect();
    w.transport.send(&flows[0], b"hello");
    assert_eq!(w.closed().await, flows[0]);
    w.transport.send(&flows[1], b"hello");
    let (mut taken, _) = listener.accept().await.unwrap();
    let mut buffer = [0; 5];
    taken.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"hello");
}

#[tokio::test]
async fn nothing_and_nobody_are_empty_answers() {
    let resolver = Resolver::new(&[serve().await]).unwrap();
    let host = Question::Addresses("none.example".into());
    assert_eq!(resolver.ask(&host).await.0, Answer::Addresses(Vec::new()));
    let resolver = Resolver::without_dns();
    assert_eq!(resolver.ask(&host).await.0, Answer::Addresses(Vec::new()));
}

#[tokio::test]
async fn our_own_address_toward_a_peer_is_known_without_dns() {
    let resolver = Resolver::without_dns();
    let question = Question::Local("127.0.0.9".parse().unwrap());
    let ours = vec!["127.0.0.1".parse().unwrap()];
    assert_eq!(resolver.ask(&question).await.0, Answer::Addresses(ours));
}

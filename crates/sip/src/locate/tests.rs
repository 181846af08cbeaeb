//! Owns the tests of the location of servers: RFC 3263 §4 case by case.

use std::collections::BTreeMap;

use super::*;

const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

/// A DNS of a few records, and what was asked of it.
#[derive(Default)]
struct Zone(BTreeMap<Question, Answer>);

impl Zone {
    fn address(mut self, host: &str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.0.insert(
            Question::Addresses(host.to_owned()),
            Answer::Addresses(addresses),
        );
        self
    }

    fn srv(mut self, name: &str, records: &[(u16, u16, u16, &str)]) -> Self {
        let records = records
            .iter()
            .map(|(priority, weight, port, target)| Srv {
                priority: *priority,
                weight: *weight,
                port: *port,
                target: (*target).to_owned(),
            })
            .collect();
        self.0
            .insert(Question::Srv(name.to_owned()), Answer::Srv(records));
        self
    }

    fn naptr(mut self, name: &str, records: &[(u16, u16, &str, &str)]) -> Self {
        let records = records
            .iter()
            .map(|(order, preference, services, replacement)| Naptr {
                order: *order,
                preference: *preference,
                flags: "s".to_owned(),
                services: (*services).to_owned(),
                replacement: (*replacement).to_owned(),
            })
            .collect();
        self.0
            .insert(Question::Naptr(name.to_owned()), Answer::Naptr(records));
        self
    }

    /// Asks until all is known, as the switch does. The questions, and the outcome.
    fn locate(&self, uri: &str, transports: &[Transport], seed: u64) -> (Vec<Question>, Located) {
        let uri = Uri::parse(uri).unwrap();
        let mut known: BTreeMap<Question, Answer> = BTreeMap::new();
        let mut asked = Vec::new();
        for _ in 0..8 {
            let located = locate(&uri, transports, seed, |question| {
                known.get(question).cloned()
            });
            let Located::Missing(questions) = located else {
                return (asked, located);
            };
            for question in questions {
                let nothing = match question {
                    Question::Naptr(_) => Answer::Naptr(Vec::new()),
                    Question::Srv(_) => Answer::Srv(Vec::new()),
                    Question::Addresses(_) | Question::Local(_) => Answer::Addresses(Vec::new()),
                };
                let answer = self.0.get(&question).cloned().unwrap_or(nothing);
                asked.push(question.clone());
                known.insert(question, answer);
            }
        }
        panic!("it asks without end: {asked:?}");
    }

    fn ways(&self, uri: &str) -> Vec<String> {
        match self.locate(uri, &ALL, 1).1 {
            Located::Ways(ways) => ways
                .iter()
                .map(|way| format!("{} {}", way.transport.as_str(), way.address))
                .collect(),
            other => panic!("{uri}: {other:?}"),
        }
    }
}

#[test]
fn an_address_needs_no_question() {
    let zone = Zone::default();
    for (uri, way) in [
        ("sip:192.0.2.1", "UDP 192.0.2.1:5060"),
        ("sip:192.0.2.1:5070;transport=tcp", "TCP 192.0.2.1:5070"),
        ("sip:[2001:db8::1];transport=tls", "TLS [2001:db8::1]:5061"),
        ("sips:192.0.2.1", "TLS 192.0.2.1:5061"),
    ] {
        assert_eq!(zone.ways(uri), [way]);
        assert_eq!(zone.locate(uri, &ALL, 1).0, []);
    }
}

#[test]
fn a_port_spares_srv_and_a_transport_spares_naptr() {
    let zone = Zone::default()
        .address("h", &["192.0.2.1", "2001:db8::1"])
        .srv("_sip._tcp.h", &[(0, 0, 5080, "a.h")])
        .address("a.h", &["192.0.2.2"]);
    assert_eq!(
        zone.ways("sip:h:5070"),
        ["UDP 192.0.2.1:5070", "UDP [2001:db8::1]:5070"]
    );
    assert_eq!(zone.ways("sip:h;transport=tcp"), ["TCP 192.0.2.2:5080"]);
    let (asked, _) = zone.locate("sip:h;transport=tcp", &ALL, 1);
    assert_eq!(
        asked,
        [
            Question::Srv("_sip._tcp.h".into()),
            Question::Addresses("a.h".into())
        ]
    );
    // No SRV of this transport: the name itself, at the transport's port.
    assert_eq!(
        zone.ways("sip:h;transport=tls"),
        ["TLS 192.0.2.1:5061", "TLS [2001:db8::1]:5061"]
    );
}

#[test]
fn naptr_chooses_the_transports_in_its_order() {
    let zone = Zone::default()
        .naptr(
            "h",
            &[
                (50, 50, "SIP+D2U", "_sip._udp.x"),
                (20, 90, "SIP+D2T", "_sip._tcp.x"),
                (20, 10, "SIPS+D2T", "_sips._tcp.x"),
                (1, 1, "E2U+sip", "enum.x"),
            ],
        )
        .srv("_sip._udp.x", &[(0, 0, 5060, "u.x")])
        .srv("_sip._tcp.x", &[(0, 0, 5062, "t.x")])
        .srv("_sips._tcp.x", &[(0, 0, 5063, "s.x")])
        .address("u.x", &["192.0.2.1"])
        .address("t.x", &["192.0.2.2"])
        .address("s.x", &["192.0.2.3"]);
    let tls = "TLS 192.0.2.3:5063";
    assert_eq!(
        zone.ways("sip:h"),
        [tls, "TCP 192.0.2.2:5062", "UDP 192.0.2.1:5060"]
    );
    assert_eq!(zone.ways("sips:h"), [tls], "never down to plain");
    let (_, located) = zone.locate("sip:h", &[Transport::Udp], 1);
    assert!(matches!(located, Located::Ways(ways) if ways.len() == 1));
}

#[test]
fn without_naptr_each_transport_is_asked_and_without_srv_the_name_itself() {
    let zone = Zone::default()
        .srv("_sip._udp.h", &[(0, 0, 5066, "a.h")])
        .address("a.h", &["192.0.2.1"])
        .address("bare", &["192.0.2.9"]);
    assert_eq!(zone.ways("sip:h"), ["UDP 192.0.2.1:5066"]);
    assert_eq!(zone.ways("sip:bare"), ["UDP 192.0.2.9:5060"]);
    assert_eq!(zone.ways("sips:bare"), ["TLS 192.0.2.9:5061"]);
    let (asked, _) = zone.locate("sip:bare", &ALL, 1);
    assert_eq!(
        asked,
        [
            Question::Naptr("bare".into()),
            Question::Srv("_sip._udp.bare".into()),
            Question::Srv("_sip._tcp.bare".into()),
            Question::Addresses("bare".into()),
        ]
    );
}

#[test]
fn priorities_are_kept_and_weights_drawn() {
    let zone = Zone::default()
        .srv(
            "_sip._udp.h",
            &[
                (20, 0, 5060, "backup"),
                (10, 75, 5060, "large"),
                (10, 25, 5060, "small"),
            ],
        )
        .address("large", &["192.0.2.1"])
        .address("small", &["192.0.2.2"])
        .address("backup", &["192.0.2.3"]);
    let mut large_first = 0_u32;
    for seed in 0..1_000 {
        let (_, located) = zone.locate("sip:h;transport=udp", &ALL, seed);
        let Located::Ways(ways) = located else {
            panic!("{located:?}")
        };
        let last = |way: &Candidate| way.address.to_string();
        assert_eq!(last(&ways[2]), "192.0.2.3:5060");
        large_first += u32::from(last(&ways[0]) == "192.0.2.1:5060");
        assert_eq!(
            zone.locate("sip:h;transport=udp", &ALL, seed).1,
            Located::Ways(ways)
        );
    }
    assert!((680..820).contains(&large_first), "{large_first} of 1000");
}

#[test]
fn a_service_that_is_not_offered_is_not_called() {
    let zone = Zone::default()
        .srv("_sip._udp.h", &[(0, 0, 0, ".")])
        .address("h", &["192.0.2.1"]);
    let (_, located) = zone.locate("sip:h;transport=udp", &ALL, 1);
    assert_eq!(located, Located::Nowhere(Nowhere::Name));
}

#[test]
fn what_leads_nowhere_says_why() {
    let zone = Zone::default().address("h", &["0.0.0.0"]);
    let nowhere = |uri: &str, transports: &[Transport]| match zone.locate(uri, transports, 1).1 {
        Located::Nowhere(why) => why,
        other => panic!("{uri}: {other:?}"),
    };
    assert_eq!(nowhere("tel:+7", &ALL), Nowhere::Scheme);
    assert_eq!(nowhere("sip:h;transport=sctp", &ALL), Nowhere::Transport);
    assert_eq!(nowhere("sips:h;transport=udp", &ALL), Nowhere::Transport);
    assert_eq!(
        nowhere("sip:192.0.2.1;transport=ws", &ALL),
        Nowhere::Transport
    );
    assert_eq!(
        nowhere("sips:192.0.2.1", &[Transport::Udp]),
        Nowhere::Transport
    );
    assert_eq!(nowhere("sip:none.h", &ALL), Nowhere::Name);
    assert_eq!(
        nowhere("sip:h:5060", &ALL),
        Nowhere::Transport,
        "no address to send to"
    );
}

#[test]
fn an_answer_with_many_records_costs_a_bounded_number_of_questions() {
    let names: Vec<String> = (0..100).map(|n| format!("t{n}")).collect();
    let many: Vec<_> = names
        .iter()
        .map(|name| (0, 1, 5060, name.as_str()))
        .collect();
    let zone = names
        .iter()
        .fold(Zone::default().srv("_sip._udp.h", &many), |zone, name| {
            zone.address(name, &["192.0.2.1"; 50])
        });
    let (asked, located) = zone.locate("sip:h;transport=udp", &ALL, 7);
    assert_eq!(asked.len(), 1 + RECORDS_MAX);
    let Located::Ways(ways) = located else {
        panic!("{located:?}")
    };
    assert_eq!(ways.len(), CANDIDATES_MAX);
}

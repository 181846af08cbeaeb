//! Owns the tests of requests by URI: resolution, failover, limits, in virtual time.

use sip::{HeaderName, Method, Srv};
use vocab::{CallId, LegId};

use super::*;
use crate::output::Output;
use crate::settings::Settings;

const OWNER: Owner = Owner {
    call: CallId::new(1, 1),
    leg: LegId::new(1, 1),
};

struct World {
    ctx: Context,
}

fn message(ctx: &Context, flow: &Flow) -> Message {
    let uri = Uri::parse("sip:+74242123456@example.com").unwrap();
    let mut message = Message::request(Method::Invite, uri);
    message.headers.push(HeaderName::From, "<sip:us@h>;tag=1");
    message.headers.push(HeaderName::To, "<sip:them@h>");
    message.headers.push(HeaderName::CallId, "c1");
    message.headers.push(HeaderName::CSeq, "1 INVITE");
    message.headers.push(HeaderName::Contact, ctx.contact(flow));
    message
}

impl World {
    fn new() -> Self {
        let mut settings = Settings::example();
        let at = |text: &str| text.parse().unwrap();
        settings.sockets = vec![
            (Transport::Udp, at("198.51.100.1:5060")),
            (Transport::Tcp, at("198.51.100.1:5060")),
            (Transport::Tls, at("0.0.0.0:5061")),
        ];
        Self {
            ctx: Context::new(settings),
        }
    }

    fn request(&mut self, uri: &str) -> ClientTx {
        let uri = Uri::parse(uri).unwrap();
        self.ctx.request_to(Some(OWNER), uri, Box::new(message))
    }

    /// What went out: flow and message.
    fn sent(&mut self) -> Vec<(Flow, Message)> {
        let mut sent = Vec::new();
        while let Some(output) = self.ctx.transactions.poll() {
            if let sip::Output::Send { flow, bytes, .. } = output {
                let Ok(sip::Datagram::Message(message)) = sip::parse_datagram(&bytes) else {
                    panic!("{bytes:?}")
                };
                sent.push((flow, message));
            }
        }
        sent
    }

    /// The one request that went out.
    fn one(&mut self) -> (Flow, Message) {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    fn questions(&mut self) -> Vec<Question> {
        let mut questions = Vec::new();
        while let Some(output) = self.ctx.poll() {
            if let Output::Resolve { question } = output {
                questions.push(question);
            }
        }
        questions
    }

    fn answer(&mut self, question: Question, answer: Answer) {
        self.ctx.resolved(question, answer, Duration::from_secs(60));
    }

    /// A domain with two servers, the first preferred.
    fn answer_two_servers(&mut self) {
        let domain = || Question::Srv("_sip._tcp.example.com".to_owned());
        assert_eq!(self.questions(), [domain()]);
        let server = |priority, target: &str| Srv {
            priority,
            weight: 0,
            port: 5070,
            target: target.to_owned(),
        };
        self.answer(domain(), Answer::Srv(vec![server(1, "a"), server(2, "b")]));
        assert_eq!(self.questions().len(), 2);
        for (host, address) in [("a", [192, 0, 2, 1]), ("b", [192, 0, 2, 2])] {
            let question = Question::Addresses(host.to_owned());
            self.answer(question, Answer::Addresses(vec![address.into()]));
        }
    }

    /// The next outcome of the transaction layer, after the owner's part was taken out of it.
    fn outcome(&mut self) -> Option<(ClientTx, Option<u16>)> {
        while let Some(output) = self.ctx.transactions.poll() {
            let (tx, status) = match output {
                sip::Output::Response { tx, response } => (tx, response.status()),
                sip::Output::TimedOut { tx } | sip::Output::Failed { tx } => (tx, None),
                _ => continue,
            };
            return self.ctx.outcome(tx, status).map(|tx| (tx, status));
        }
        None
    }

    fn lose(&mut self, flow: Flow) -> Option<(ClientTx, Option<u16>)> {
        self.ctx.transactions.flow_lost(self.ctx.now, flow);
        self.outcome()
    }

    fn reply(&mut self, flow: Flow, request: &Message, status: u16) {
        let response = request.respond(status, Some("t"));
        self.ctx.transactions.receive(self.ctx.now, flow, response);
    }
}

fn branch(message: &Message) -> String {
    message.via().unwrap().branch().unwrap().to_owned()
}

#[test]
fn a_request_to_an_address_goes_out_at_once_with_its_own_contact() {
    let mut w = World::new();
    let tx = w.request("sip:192.0.2.9:5080;transport=tcp");
    assert_eq!(w.questions(), []);
    let (flow, invite) = w.one();
    assert_eq!(flow.transport, Transport::Tcp);
    assert_eq!(flow.local.to_string(), "198.51.100.1:5060");
    assert_eq!(flow.remote.to_string(), "192.0.2.9:5080");
    assert_eq!(
        invite.headers.first(&HeaderName::Contact),
        Some("<sip:198.51.100.1:5060;transport=tcp>")
    );
    assert_eq!(w.ctx.flow_of(tx), Some(flow));
    assert_eq!(w.ctx.client_owner(tx), Some(OWNER));
    w.reply(flow, &invite, 180);
    assert_eq!(w.outcome(), Some((tx, Some(180))));
    w.ctx.forget_client(tx);
    assert_eq!(w.ctx.outgoing.len(), 0);
}

#[test]
fn a_failed_way_is_followed_by_the_next_under_a_new_branch() {
    let mut w = World::new();
    let tx = w.request("sip:example.com;transport=tcp");
    assert_eq!(w.sent(), []);
    assert!(w.ctx.is_heard(tx), "our own wait is no silence of the peer");
    w.answer_two_servers();
    let (first, invite) = w.one();
    assert_eq!(first.remote.to_string(), "192.0.2.1:5070");
    assert!(!w.ctx.is_heard(tx));
    w.ctx.transactions.flow_lost(w.ctx.now, first);
    assert_eq!(w.outcome(), None, "the owner hears nothing of it");
    let (second, again) = w.one();
    assert_eq!(second.remote.to_string(), "192.0.2.2:5070");
    assert_ne!(branch(&invite), branch(&again));
    assert_eq!(w.ctx.flow_of(tx), Some(second));
    w.reply(second, &again, 503);
    assert_eq!(w.outcome(), Some((tx, Some(503))), "no way is left");
    w.ctx.forget_client(tx);
    assert_eq!(w.ctx.outgoing.len(), 0);
    // The second time nothing is asked.
    w.sent();
    w.request("sip:example.com;transport=tcp");
    assert_eq!(w.questions(), []);
    assert_eq!(w.sent().len(), 1);
}

#[test]
fn unavailable_servers_are_passed_over_and_other_refusals_are_the_owners() {
    let mut w = World::new();
    let tx = w.request("sip:example.com;transport=tcp");
    w.answer_two_servers();
    let (first, invite) = w.one();
    w.reply(first, &invite, 503);
    assert_eq!(w.outcome(), None);
    let (second, again) = w.one();
    w.reply(second, &again, 486);
    assert_eq!(w.outcome(), Some((tx, Some(486))));
}

#[test]
fn a_cancelled_request_takes_no_further_way() {
    let mut w = World::new();
    let tx = w.request("sip:example.com;transport=tcp");
    w.answer_two_servers();
    let (first, _) = w.one();
    w.ctx.cancel(tx, Withdrawn::Unwanted);
    assert_eq!(w.lose(first), Some((tx, None)));
    assert_eq!(w.sent(), []);
    // Before it is located, nothing goes out at all.
    let tx = w.request("sip:other.example;transport=tcp");
    w.ctx.cancel(tx, Withdrawn::Unwanted);
    assert_eq!(w.ctx.outgoing.poll(), Some(tx));
    for question in w.questions() {
        w.answer(question, Answer::Srv(Vec::new()));
    }
    assert_eq!(w.sent(), []);
}

#[test]
fn a_silent_dns_fails_a_request_after_five_seconds() {
    let mut w = World::new();
    let tx = w.request("sip:example.com");
    assert_eq!(
        w.ctx.outgoing.next_deadline(),
        Some(Time::from_millis(5_000))
    );
    w.ctx.now = Time::from_millis(5_000);
    w.ctx.outgoing_timeout();
    assert_eq!(w.ctx.outgoing.poll(), Some(tx));
    w.ctx.forget_client(tx);
    assert_eq!(w.ctx.outgoing.len(), 0);
    assert_eq!(w.ctx.outgoing.next_deadline(), None);
}

#[test]
fn a_name_without_address_fails_at_once() {
    let mut w = World::new();
    let tx = w.request("sip:example.com:5060");
    let questions = w.questions();
    assert_eq!(questions.len(), 1);
    for question in questions {
        w.answer(question, Answer::Addresses(Vec::new()));
    }
    assert_eq!(w.ctx.outgoing.poll(), Some(tx));
}

#[test]
fn a_socket_on_all_addresses_asks_which_of_them_leads_to_the_peer() {
    let mut w = World::new();
    w.request("sips:192.0.2.9");
    let question = Question::Local([192, 0, 2, 9].into());
    assert_eq!(w.questions(), core::slice::from_ref(&question));
    assert_eq!(w.sent(), []);
    w.answer(question, Answer::Addresses(vec![[198, 51, 100, 7].into()]));
    let (flow, invite) = w.one();
    assert_eq!(flow.local.to_string(), "198.51.100.7:5061");
    assert_eq!(
        invite.headers.first(&HeaderName::Contact),
        Some("<sip:198.51.100.7:5061;transport=tls>")
    );
}

#[test]
fn a_certificate_must_name_the_domain_that_was_asked_for() {
    let mut w = World::new();
    w.request("sips:example.com");
    let service = Question::Srv("_sips._tcp.example.com".to_owned());
    for question in w.questions() {
        w.answer(question, Answer::Naptr(Vec::new()));
    }
    assert_eq!(w.questions(), core::slice::from_ref(&service));
    let server = Srv {
        priority: 1,
        weight: 0,
        port: 5061,
        target: "host.of.somebody.example".to_owned(),
    };
    w.answer(service, Answer::Srv(vec![server]));
    for question in w.questions() {
        w.answer(question, Answer::Addresses(vec![[192, 0, 2, 9].into()]));
    }
    for question in w.questions() {
        w.answer(question, Answer::Addresses(vec![[198, 51, 100, 7].into()]));
    }
    let (flow, _) = w.one();
    let Some(Output::ExpectName { flow: of, name }) = w.ctx.poll() else {
        panic!("no name is expected")
    };
    assert_eq!((of, name.as_str()), (flow, "example.com"));
}

#[test]
fn requests_that_wait_for_the_dns_are_bounded() {
    let mut w = World::new();
    for n in 0..LOCATING_MAX {
        w.request(&format!("sip:h{n}.example:5060"));
    }
    assert_eq!(w.ctx.outgoing.poll(), None);
    let tx = w.request("sip:one-more.example:5060");
    assert_eq!(w.ctx.outgoing.poll(), Some(tx));
}

#[test]
fn a_long_request_goes_by_tcp_and_by_udp_where_that_is_refused() {
    let mut w = World::new();
    let udp = Flow {
        transport: Transport::Udp,
        local: "198.51.100.1:5060".parse().unwrap(),
        remote: "192.0.2.9:5060".parse().unwrap(),
    };
    let tcp = Flow {
        transport: Transport::Tcp,
        ..udp
    };
    let long = |w: &World, octets: usize| {
        message(&w.ctx, &udp).with_body("application/sdp", vec![b'v'; octets])
    };
    let short = long(&w, 500);
    w.ctx.request(OWNER, udp, short);
    assert_eq!(w.one().0, udp);
    let invite = long(&w, 1_100);
    let tx = w.ctx.request(OWNER, udp, invite);
    let (flow, sent) = w.one();
    assert_eq!(flow, tcp);
    assert_eq!(sent.via().unwrap().transport, "TCP");
    w.ctx.transactions.flow_lost(w.ctx.now, tcp);
    assert_eq!(w.outcome(), None);
    let (flow, sent) = w.one();
    assert_eq!(flow, udp);
    assert_eq!(sent.via().unwrap().transport, "UDP");
    w.reply(udp, &sent, 200);
    assert_eq!(w.outcome(), Some((tx, Some(200))));
    w.sent();
    // For a while that peer is not asked again.
    let invite = long(&w, 1_100);
    w.ctx.request(OWNER, udp, invite);
    assert_eq!(w.one().0, udp);
    w.ctx.now = Time::ZERO + REFUSED_FOR;
    let invite = long(&w, 1_100);
    w.ctx.request(OWNER, udp, invite);
    assert_eq!(w.one().0, tcp);
}

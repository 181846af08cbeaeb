//! Each preset against a carrier that behaves as that one does, in virtual time: registration, a
//! call in with the number where the carrier puts it, a call out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use sip::{Datagram, Flow, HeaderName, Message, Method, Transport};
use switch::trunk::{Trunks, Wanted, Way};
use switch::{Input, Output, Switch};
use vocab::{Event, Fact, RegistrationState, Time, WallTime};

use super::*;
use crate::settings::{Settings, preset, preset_names};

const PLAN: &str = r#"
name = "all"
numbers = ["NUMBER"]
languages = ["en"]

[[step]]
answer = {}

[[step]]
hangup = {}
"#;

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 198.18.7.1\r\ns=-\r\nc=IN IP4 198.18.7.1\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 8\r\n";

/// A carrier's server, by address: names are the resolver's tests.
const CARRIER: &str = "198.18.7.1:5060";

fn flow() -> Flow {
    Flow {
        transport: Transport::Udp,
        local: "198.51.100.1:5060".parse().unwrap(),
        remote: CARRIER.parse().unwrap(),
    }
}

/// The preset as a person fills it in: the password in a file, the server by address.
fn filled_in(name: &str) -> Trunk {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "secret\n").unwrap();
    let mut text = String::new();
    for line in preset(name).unwrap().lines() {
        let (key, _) = line.split_once(" = ").unwrap_or((line, ""));
        text.push_str(&match key {
            "account_secret_file" => {
                format!("account_secret_file = {:?}", secret.display().to_string())
            }
            "servers" => format!("servers = [\"{CARRIER}\"]"),
            "proxy" => format!("proxy = \"{CARRIER}\""),
            _ => line.to_owned(),
        });
        text.push('\n');
    }
    let settings = Settings::parse("preset.toml", &text).unwrap();
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    trunk(&settings.trunks[0], "hotline").unwrap()
}

struct Carrier {
    switch: Switch,
    now: Time,
    facts: Vec<Event>,
    sent: Vec<Message>,
}

impl Carrier {
    fn new(trunk: Trunk, number: &str) -> Self {
        let mut settings = switch::Settings::example();
        settings.trunks = vec![trunk];
        let mut carrier = Self {
            switch: Switch::new(settings),
            now: Time::ZERO,
            facts: Vec::new(),
            sent: Vec::new(),
        };
        carrier.input(Input::Wall(WallTime::from_unix_millis(1_795_000_000_000)));
        let plan = dialplan::parse("all.toml", &PLAN.replace("NUMBER", number)).unwrap();
        let plans = dialplan::Plans::new(vec![Arc::new(plan)]).unwrap();
        let prompts = BTreeMap::new();
        carrier.input(Input::Plans { plans, prompts });
        carrier
    }

    fn input(&mut self, input: Input) {
        self.switch.handle(self.now, input);
        while let Some(output) = self.switch.poll() {
            match output {
                Output::Send { flow, bytes, .. } => {
                    let to: SocketAddr = CARRIER.parse().unwrap();
                    assert_eq!(flow.remote, to, "sent elsewhere");
                    let Ok(Datagram::Message(message)) = sip::parse_datagram(&bytes) else {
                        panic!("the switch sent no message");
                    };
                    self.sent.push(message);
                }
                Output::Record(event) => self.facts.push(event),
                _ => {}
            }
        }
    }

    fn send(&mut self, message: &Message) {
        let bytes = message.to_bytes();
        self.input(Input::Datagram {
            flow: flow(),
            bytes,
        });
    }

    /// The newest REGISTER of the engine.
    fn newest(&mut self) -> Message {
        let register = |message: &Message| message.method() == Some(&Method::Register);
        let at = self.sent.iter().rposition(register);
        self.sent.swap_remove(at.expect("a REGISTER of the engine"))
    }

    /// Plays the registrar: a challenge of this realm, then 200. Gives the accepted REGISTER.
    fn register(&mut self, realm: &str) -> Message {
        let first = self.newest();
        let mut challenge = first.respond(401, Some("t"));
        let value = format!("Digest realm=\"{realm}\", nonce=\"n\", algorithm=MD5, qop=\"auth\"");
        challenge.headers.push(HeaderName::WwwAuthenticate, value);
        self.send(&challenge);
        let second = self.newest();
        let mut granted = second.respond(200, Some("t"));
        let contact = second.headers.first(&HeaderName::Contact).unwrap();
        granted
            .headers
            .push(HeaderName::Contact, format!("{contact};expires=60"));
        self.send(&granted);
        let state = self.switch.snapshot().trunks[0].registration;
        assert_eq!(state, Some(RegistrationState::Registered));
        second
    }

    /// A call of the carrier; the number and caller that the journal has.
    fn call(&mut self, target: &str, headers: &[(&str, &str)]) -> (String, String) {
        let uri = sip::Uri::parse(target).unwrap();
        let mut invite = Message::request(Method::Invite, uri);
        let via = format!("SIP/2.0/UDP {CARRIER};rport;branch=z9hG4bKcall");
        let mut put = |name: HeaderName, value: &str| invite.headers.set(name, value);
        put(HeaderName::Via, &via);
        put(HeaderName::From, "<sip:89161112233@x>;tag=1");
        put(HeaderName::To, &format!("<{target}>"));
        put(HeaderName::CallId, "call");
        put(HeaderName::CSeq, "1 INVITE");
        put(HeaderName::Contact, &format!("<sip:{CARRIER}>"));
        for (name, value) in headers {
            put(HeaderName::parse(name), value);
        }
        self.send(&invite.with_body("application/sdp", OFFER.into()));
        let arrived = self.facts.iter().rev().find_map(|event| match &event.fact {
            Fact::CallArrived {
                number,
                caller,
                plan,
                ..
            } => {
                assert_eq!(plan, "all", "no plan has {number}");
                Some((number.clone(), caller.clone()))
            }
            _ => None,
        });
        arrived.expect("a call")
    }
}

/// The way out for a number, without a registration, which `Carrier::register` has shown.
fn way(mut trunk: Trunk, number: &str) -> (Way, Message) {
    trunk.registration = None;
    let wanted = Wanted {
        number,
        caller: "+79161112233",
        caller_name: "",
        private: false,
    };
    let way = Trunks::new(vec![trunk])
        .route(Time::ZERO, wanted)
        .unwrap()
        .remove(0);
    let invite = way.invite("t", "c");
    (way, invite)
}

fn text(message: &Message, name: HeaderName) -> String {
    message.headers.first(&name).unwrap_or_default().to_owned()
}

const DIALLED: &str = "+74957778899";

#[test]
fn every_preset_is_a_trunk_that_the_settings_take() {
    for name in preset_names() {
        let trunk = filled_in(name);
        assert!(trunk.outbound.is_some(), "{name}");
        assert!(
            preset(name).unwrap().starts_with("# "),
            "{name} has no comment"
        );
    }
}

#[test]
fn beeline_wants_its_proxy_and_its_own_authentication_user() {
    let mut carrier = Carrier::new(filled_in("beeline"), "84951112233");
    let register = carrier.register("sip.beeline.ru");
    assert_eq!(
        text(&register, HeaderName::Route),
        format!("<sip:{CARRIER};lr>")
    );
    let credentials = text(&register, HeaderName::Authorization);
    assert!(
        credentials.contains("username=\"SIP0123456789@sip.beeline.ru\""),
        "{credentials}"
    );
    assert_eq!(
        register.to().unwrap().uri.to_string(),
        "sip:74951112233@sip.beeline.ru"
    );
    let call = carrier.call("sip:74951112233@198.51.100.1", &[]);
    assert_eq!(call, ("+74951112233".into(), "+79161112233".into()));
    let (way, invite) = way(filled_in("beeline"), DIALLED);
    assert_eq!(way.next_hop.to_string(), format!("sip:{CARRIER}"));
    assert_eq!(
        text(&invite, HeaderName::Route),
        format!("<sip:{CARRIER};lr>")
    );
    assert_eq!(
        invite.request_uri().unwrap().to_string(),
        "sip:84957778899@sip.beeline.ru"
    );
}

#[test]
fn megafon_wants_the_number_in_from() {
    let mut carrier = Carrier::new(filled_in("megafon"), "89231112233");
    let register = carrier.register("sip.megafon.ru");
    assert_eq!(
        register.from().unwrap().uri.user.as_deref(),
        Some("79231112233")
    );
    let call = carrier.call("sip:79231112233@198.51.100.1", &[]);
    assert_eq!(call.0, "+79231112233");
    let (_, invite) = way(filled_in("megafon"), DIALLED);
    assert_eq!(
        invite.from().unwrap().uri.to_string(),
        "sip:79231112233@sip.megafon.ru"
    );
}

#[test]
fn domru_has_a_short_login_a_whole_address_and_a_short_number() {
    let mut carrier = Carrier::new(filled_in("domru"), "83421112233");
    let register = carrier.register("sip.domru.ru");
    let credentials = text(&register, HeaderName::Authorization);
    assert!(
        credentials.contains("username=\"1112233\""),
        "{credentials}"
    );
    for address in [register.from().unwrap(), register.to().unwrap()] {
        assert_eq!(address.uri.to_string(), "sip:73421112233@sip.domru.ru");
    }
    let call = carrier.call("sip:1112233@198.51.100.1", &[]);
    assert_eq!(call.0, "+73421112233");
    let (_, invite) = way(filled_in("domru"), DIALLED);
    assert_eq!(
        invite.from().unwrap().uri.user.as_deref(),
        Some("73421112233")
    );
}

#[test]
fn mango_calls_from_its_subnets_with_the_number_in_diversion() {
    let mut trunk = filled_in("mango");
    assert!(trunk.registration.is_none() && trunk.account.is_none());
    assert!(trunk.source.networks.len() > 1);
    trunk.source.networks.push("198.18.7.0/24".parse().unwrap());
    let mut carrier = Carrier::new(trunk, "88001112233");
    carrier.sent.clear();
    let diversion = ("Diversion", "<sip:88001112233@mango>;reason=unconditional");
    let asserted = ("P-Asserted-Identity", "<tel:+79167654321>");
    let call = carrier.call("sip:user1@198.51.100.1", &[diversion, asserted]);
    assert_eq!(call, ("+78001112233".into(), "+79167654321".into()));
    let (_, invite) = way(filled_in("mango"), DIALLED);
    let asserted = text(&invite, HeaderName::PAssertedIdentity);
    assert!(asserted.contains("74951112233"), "{asserted}");
}

#[test]
fn zadarma_calls_its_login_with_the_number_in_a_header() {
    let mut carrier = Carrier::new(filled_in("zadarma"), "84951112233");
    carrier.register("sip.zadarma.com");
    let call = carrier.call("sip:123456@198.51.100.1", &[("X-DID", "74951112233")]);
    assert_eq!(call.0, "+74951112233");
    let mut carrier = Carrier::new(filled_in("zadarma"), "84951112233");
    carrier.register("sip.zadarma.com");
    let call = carrier.call("sip:123456@198.51.100.1", &[("To", "<sip:84951112233@x>")]);
    assert_eq!(call.0, "+74951112233");
    let (_, invite) = way(filled_in("zadarma"), DIALLED);
    assert_eq!(invite.from().unwrap().uri.user.as_deref(), Some("123456"));
}

#[test]
fn sipnet_is_registered_for_an_hour_with_user_and_domain_in_from() {
    let mut carrier = Carrier::new(filled_in("sipnet"), "84951112233");
    let register = carrier.register("sipnet.ru");
    assert_eq!(text(&register, HeaderName::Expires), "3600");
    assert_eq!(
        register.from().unwrap().uri.to_string(),
        "sip:0012345678@sipnet.ru"
    );
    let call = carrier.call("sip:84951112233@198.51.100.1", &[]);
    assert_eq!(call.0, "+74951112233");
    let (_, invite) = way(filled_in("sipnet"), DIALLED);
    assert_eq!(
        invite.from().unwrap().uri.to_string(),
        "sip:0012345678@sipnet.ru"
    );
}

#[test]
fn rostelecoms_domain_is_its_realm() {
    let mut carrier = Carrier::new(filled_in("rostelecom"), "84951112233");
    let register = carrier.register("74951112233.sip.rt.ru");
    let credentials = text(&register, HeaderName::Authorization);
    assert!(
        credentials.contains("realm=\"74951112233.sip.rt.ru\""),
        "{credentials}"
    );
    let call = carrier.call("sip:74951112233@198.51.100.1", &[]);
    assert_eq!(call.0, "+74951112233");
    let (way, invite) = way(filled_in("rostelecom"), DIALLED);
    assert_eq!(way.next_hop.to_string(), format!("sip:{CARRIER}"));
    let target = invite.request_uri().unwrap().to_string();
    assert_eq!(target, "sip:84957778899@74951112233.sip.rt.ru");
}

#[test]
fn others_call_the_login_with_the_number_in_to() {
    let mut carrier = Carrier::new(filled_in("other"), "84951112233");
    carrier.register("asterisk");
    let asserted = ("P-Asserted-Identity", "<tel:+79167654321>");
    let call = carrier.call(
        "sip:login1@198.51.100.1",
        &[("To", "<sip:84951112233@x>"), asserted],
    );
    // Not trusted: the caller is whom From names.
    assert_eq!(call, ("+74951112233".into(), "+79161112233".into()));
    let (_, invite) = way(filled_in("other"), DIALLED);
    assert_eq!(
        invite.request_uri().unwrap().to_string(),
        "sip:+74957778899@sip.example.com"
    );
}

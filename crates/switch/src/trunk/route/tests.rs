//! Which ways there are, and how the INVITE of each looks.

use super::*;
use crate::trunk::{DialForm, Dialling, NumberRules, Password, Trunks};
use core::time::Duration;
use vocab::Time;

const NUMBER: &str = "+74951112233";

fn outbound(server: &str) -> Outbound {
    Outbound {
        servers: vec![Uri::parse(server).unwrap()],
        proxy: None,
        domain: None,
        from_user: None,
        contact_user: None,
        number: None,
        identity: Identity::From,
        early_media: Default::default(),
        dialling: Dialling::default(),
        allowed: vec!["+7".into()],
        refused: vec!["+7809".into()],
        priority: 0,
    }
}

fn trunk(name: &str, outbound: Outbound) -> Trunk {
    Trunk {
        outbound: Some(outbound),
        numbers: NumberRules {
            country_code: "7".into(),
            national_prefixes: vec!["8".into()],
            international_prefix: "810".into(),
            national_length: 10,
            area_code: String::new(),
        },
        ..Trunk::new(name)
    }
}

fn wanted(number: &str) -> Wanted<'_> {
    Wanted {
        number,
        caller: "+79001112233",
        caller_name: "Ivan",
        private: false,
    }
}

fn names(trunks: &Trunks, now: Time) -> Vec<String> {
    let ways = trunks.route(now, wanted(NUMBER)).unwrap_or_default();
    ways.into_iter()
        .map(|way| way.next_hop.to_string())
        .collect()
}

fn first(trunk: Trunk, wanted: Wanted<'_>) -> Message {
    let ways = Trunks::new(vec![trunk]).route(Time::ZERO, wanted).unwrap();
    ways[0].invite("tag", "call")
}

#[track_caller]
fn header<'a>(message: &'a Message, name: &HeaderName) -> Option<&'a str> {
    assert!(message.headers.all(name).count() <= 1, "{name} twice");
    message.headers.first(name)
}

#[test]
fn a_plain_trunk_gets_the_number_at_its_server_and_the_caller_in_from() {
    let invite = first(trunk("a", outbound("sip:192.0.2.1:5070")), wanted(NUMBER));
    let target = invite.request_uri().unwrap();
    assert_eq!(target.to_string(), "sip:+74951112233@192.0.2.1:5070");
    assert_eq!(
        header(&invite, &HeaderName::From),
        Some("\"Ivan\" <sip:+79001112233@192.0.2.1>;tag=tag")
    );
    assert_eq!(
        header(&invite, &HeaderName::To),
        Some("<sip:+74951112233@192.0.2.1>")
    );
    assert_eq!(header(&invite, &HeaderName::Route), None);
}

#[test]
fn an_outbound_proxy_is_a_loose_route_and_the_next_hop() {
    let settings = Outbound {
        proxy: Some(Uri::parse("sip:msk.proxy.example:5060").unwrap()),
        domain: Some(Host::Name("sip.example".into())),
        from_user: Some("4951234567".into()),
        ..outbound("sip:sip.example:5061")
    };
    let trunks = Trunks::new(vec![trunk("beeline", settings)]);
    let way = trunks.route(Time::ZERO, wanted(NUMBER)).unwrap().remove(0);
    assert_eq!(way.next_hop.to_string(), "sip:msk.proxy.example:5060");
    let invite = way.invite("t", "c");
    assert_eq!(
        header(&invite, &HeaderName::Route),
        Some("<sip:msk.proxy.example:5060;lr>")
    );
    let target = invite.request_uri().unwrap();
    assert_eq!(target.to_string(), "sip:+74951112233@sip.example");
    let from = invite.from().unwrap();
    assert_eq!(from.uri.to_string(), "sip:4951234567@sip.example");
}

#[test]
fn trunks_come_by_priority_then_by_place_and_their_servers_in_order() {
    let second = Outbound {
        priority: 1,
        servers: ["sip:192.0.2.2", "sip:192.0.2.3"]
            .map(|server| Uri::parse(server).unwrap())
            .to_vec(),
        ..outbound("sip:x")
    };
    let trunks = Trunks::new(vec![
        trunk("b", second),
        trunk("a", outbound("sip:192.0.2.1")),
        trunk("c", outbound("sip:192.0.2.4")),
    ]);
    assert_eq!(
        names(&trunks, Time::ZERO),
        [
            "sip:192.0.2.1",
            "sip:192.0.2.4",
            "sip:192.0.2.2",
            "sip:192.0.2.3"
        ]
    );
}

#[test]
fn only_allowed_numbers_go_out_and_refused_ones_never() {
    let trunks = Trunks::new(vec![trunk("a", outbound("sip:192.0.2.1"))]);
    for number in [
        "+380617871580",
        "+78091234567",
        "112",
        "",
        "+7;x=y",
        "*78#",
        "+7495@evil",
    ] {
        let route = trunks.route(Time::ZERO, wanted(number));
        assert_eq!(route, Err(NoWay::NotAllowed), "{number}");
    }
    let inbound_only = Trunks::new(vec![Trunk::new("in")]);
    let route = inbound_only.route(Time::ZERO, wanted(NUMBER));
    assert_eq!(route, Err(NoWay::NotAllowed));
}

#[test]
fn a_server_that_is_full_is_passed_over_until_its_time_is_over() {
    let servers = ["sip:192.0.2.1", "sip:192.0.2.2"].map(|server| Uri::parse(server).unwrap());
    let settings = Outbound {
        servers: servers.to_vec(),
        ..outbound("sip:x")
    };
    let mut trunks = Trunks::new(vec![trunk("a", settings)]);
    let ways = trunks.route(Time::ZERO, wanted(NUMBER)).unwrap();
    trunks.refused(Time::ZERO, &ways[0], 503, Some(Duration::from_secs(7)));
    assert_eq!(names(&trunks, Time::from_millis(6_999)), ["sip:192.0.2.2"]);
    assert_eq!(names(&trunks, Time::from_millis(7_000)).len(), 2);
    trunks.refused(Time::ZERO, &ways[0], 503, Some(Duration::from_secs(86_400)));
    assert_eq!(names(&trunks, Time::from_millis(600_000)).len(), 2);
    trunks.refused(Time::ZERO, &ways[0], 486, None);
    trunks.silent(Time::ZERO, &ways[1]);
    assert_eq!(names(&trunks, Time::from_millis(29_000)), [] as [&str; 0]);
    let none = trunks.route(Time::from_millis(29_000), wanted(NUMBER));
    assert_eq!(none, Err(NoWay::Unavailable));
}

#[test]
fn a_caller_who_hides_is_shown_to_nobody_but_the_trunk() {
    let hidden = Wanted {
        private: true,
        ..wanted(NUMBER)
    };
    let plain = first(trunk("a", outbound("sip:192.0.2.1")), hidden);
    assert_eq!(
        plain.from().unwrap().uri.to_string(),
        "sip:anonymous@anonymous.invalid"
    );
    assert!(!plain.to_bytes().windows(9).any(|part| part == b"900111223"));
    let asserted = Outbound {
        identity: Identity::Asserted,
        early_media: Default::default(),
        ..outbound("sip:192.0.2.1")
    };
    let invite = first(trunk("a", asserted), hidden);
    assert_eq!(
        invite.from().unwrap().uri.user.as_deref(),
        Some("anonymous")
    );
    assert_eq!(header(&invite, &HeaderName::Privacy), Some("id"));
    assert_eq!(
        header(&invite, &HeaderName::PAssertedIdentity),
        Some("\"Ivan\" <sip:+79001112233@192.0.2.1>")
    );
    let remote_party = Outbound {
        identity: Identity::RemoteParty,
        early_media: Default::default(),
        ..outbound("sip:192.0.2.1")
    };
    let invite = first(trunk("a", remote_party), hidden);
    let value = header(&invite, &HeaderName::RemotePartyId).unwrap();
    assert!(
        value.ends_with(";party=calling;screen=yes;privacy=full"),
        "{value}"
    );
}

#[test]
fn a_trunk_that_wants_its_own_number_shows_that_and_not_the_caller() {
    let settings = Outbound {
        number: Some("+74242123456".into()),
        from_user: Some("SIP01".into()),
        identity: Identity::Asserted,
        early_media: Default::default(),
        dialling: Dialling {
            form: DialForm::National,
            ..Dialling::default()
        },
        ..outbound("sip:sip.example")
    };
    let invite = first(trunk("a", settings), wanted(NUMBER));
    assert_eq!(
        invite.request_uri().unwrap().to_string(),
        "sip:84951112233@sip.example"
    );
    assert_eq!(
        invite.from().unwrap().uri.to_string(),
        "sip:SIP01@sip.example"
    );
    assert_eq!(
        header(&invite, &HeaderName::PAssertedIdentity),
        Some("<sip:74242123456@sip.example>")
    );
}

fn challenge(realms: &[&str]) -> Message {
    let mut response = Message::response(401, "");
    for realm in realms {
        response.headers.push(
            HeaderName::WwwAuthenticate,
            format!("Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\""),
        );
    }
    response
}

#[test]
fn credentials_go_to_the_configured_realm_only() {
    let account = Account {
        user: "SIP01@sip.example".into(),
        password: Password("secret".into()),
        realm: "sip.example".into(),
    };
    let mut request = first(trunk("a", outbound("sip:192.0.2.1")), wanted(NUMBER));
    let denied = account.authorize(&mut request, &challenge(&["evil"]), "c", 1);
    assert_eq!(
        denied,
        Err(Denied::WrongRealm {
            expected: "sip.example".into(),
            found: "evil".into()
        })
    );
    assert_eq!(header(&request, &HeaderName::Authorization), None);
    account
        .authorize(&mut request, &challenge(&["evil", "sip.example"]), "c", 1)
        .unwrap();
    let value = header(&request, &HeaderName::Authorization).unwrap();
    assert!(
        value.contains("username=\"SIP01@sip.example\", realm=\"sip.example\""),
        "{value}"
    );
    let none = account.authorize(&mut request, &Message::response(401, ""), "c", 1);
    assert_eq!(none, Err(Denied::Unmet(AuthError::NoChallenge)));
}

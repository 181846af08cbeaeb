//! Owns the properties that hold for any input: what is printed is read back, no octets panic the
//! parser, no value breaks the frame.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9.!%*_+`'~-]{1,12}"
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![
        "[a-z][a-z0-9-]{0,8}(\\.[a-z]{2,4}){0,2}".prop_map(Host::Name),
        any::<[u8; 4]>().prop_map(|octets| Host::Ip(octets.into())),
        any::<[u16; 8]>().prop_map(|groups| Host::Ip(groups.into())),
    ]
}

fn params() -> impl Strategy<Value = Params> {
    let value = prop_oneof![token(), Just("[::1]:5060".to_owned())];
    vec((token(), option::of(value)), 0..5).prop_map(|list| {
        let mut params = Params::new();
        for (name, value) in list {
            params.set(&name, value.as_deref());
        }
        params
    })
}

fn uri() -> impl Strategy<Value = Uri> {
    let sip = (
        prop_oneof![Just(Scheme::Sip), Just(Scheme::Sips)],
        option::of(("\\PC{1,12}", option::of("\\PC{0,8}"))),
        host(),
        option::of(any::<u16>()),
        params(),
        option::of("[a-z]{1,5}=[a-z%]{0,5}(&[a-z]=[0-9])?"),
    )
        .prop_map(|(scheme, userinfo, host, port, params, headers)| {
            let (user, password) = userinfo.map_or((None, None), |(u, p)| (Some(u), p));
            Uri {
                scheme,
                user,
                password,
                host,
                port,
                params,
                headers,
            }
        });
    let tel = ("[+]?[0-9.()-]{1,14}", params()).prop_map(|(number, params)| Uri {
        scheme: Scheme::Tel,
        params,
        ..Uri::sip(Some(&number), Host::Name(String::new()), None)
    });
    prop_oneof![4 => sip, 1 => tel]
}

fn name_addr() -> impl Strategy<Value = NameAddr> {
    (option::of("[^\r\n\0]{0,16}"), uri(), params()).prop_map(|(display, uri, params)| NameAddr {
        display,
        uri,
        params,
    })
}

fn via() -> impl Strategy<Value = Via> {
    (token(), host(), option::of(any::<u16>()), params()).prop_map(
        |(transport, host, port, params)| Via {
            transport,
            host,
            port,
            params,
        },
    )
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![
        Just(Method::Invite),
        Just(Method::Register),
        Just(Method::Bye),
        "[A-Z]{1,9}".prop_map(|name| Method::parse(&name).unwrap()),
    ]
}

prop_compose! {
    fn request()(
        method in method(),
        uri in uri(),
        via in via(),
        from in name_addr(),
        to in name_addr(),
        number in any::<u32>(),
        contacts in vec(name_addr(), 0..3),
        extra in vec(("X-[A-Za-z]{1,8}", "([!-~à-яЀ-ӿ][ !-~]{0,30}[!-~])?"), 0..6),
        body in vec(any::<u8>(), 0..64),
    ) -> Message {
        let uri = Uri { headers: None, ..uri };
        let mut message = Message::request(method.clone(), uri);
        message.headers.push(HeaderName::Via, via.to_string());
        message.headers.push(HeaderName::From, from.to_string());
        message.headers.push(HeaderName::To, to.to_string());
        message.headers.push(HeaderName::CallId, "call@example.com");
        message.headers.push(HeaderName::CSeq, CSeq { number, method }.to_string());
        for contact in contacts {
            message.headers.push(HeaderName::Contact, contact.to_string());
        }
        for (name, value) in extra {
            message.headers.push(HeaderName::parse(&name), value);
        }
        message.with_body("application/octet-stream", body)
    }
}

/// As parsed messages have it: Content-Length is a field like others.
fn without_length(mut message: Message) -> Message {
    message.headers.remove(&HeaderName::ContentLength);
    message
}

fn parsed(bytes: &[u8]) -> Result<Message, String> {
    match parse_datagram(bytes) {
        Ok(Datagram::Message(message)) => Ok(message),
        other => Err(format!("{other:?}")),
    }
}

/// Walks over all that may be asked of a message.
fn look_at_everything(message: &Message) {
    let _ = (
        message.via(),
        message.from(),
        message.to(),
        message.call_id(),
        message.cseq(),
    );
    let _ = (
        message.contacts(),
        message.routes(),
        message.record_routes(),
    );
    let _ = (
        message.expires(),
        message.max_forwards(),
        message.content_type(),
    );
    let again = parsed(&message.to_bytes()).expect("printed messages are read back");
    assert_eq!(again.to_bytes(), message.to_bytes());
    if message.is_request() {
        parsed(&message.respond(486, Some("t1")).to_bytes()).expect("responses are read back");
    }
}

const SAMPLE: &str = "INVITE sip:1300@127.0.0.1;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK1;rport, SIP/2.0/TCP [::1]:5070;branch=z9\r\n\
    From: \"J \\\" R\" <sip:caller@example.com>;tag=f1\r\nt: sip:1300@127.0.0.1\r\n\
    Call-ID: sample\r\nCSeq: 1\r\n INVITE\r\nMax-Forwards: 70\r\n\
    Contact: <sip:c@127.0.0.2;transport=udp>;q=0.5, \"b, c\" <tel:+7914>;p=\"<,>\"\r\n\
    Route: <sip:p.example.com;lr>\r\nRecord-Route: <sip:[::1];lr>\r\n\
    Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n";

proptest! {
    #[test]
    fn uris_are_read_back(uri in uri()) {
        prop_assert_eq!(Uri::parse(&uri.to_string()), Ok(uri.clone()));
        prop_assert!(uri.equivalent(&uri));
    }

    #[test]
    fn addresses_are_read_back(address in name_addr()) {
        prop_assert_eq!(NameAddr::parse(&address.to_string()), Ok(address));
    }

    #[test]
    fn vias_are_read_back(via in via()) {
        prop_assert_eq!(Via::parse(&via.to_string()), Ok(via));
    }

    #[test]
    fn requests_are_read_back(message in request()) {
        let read = parsed(&message.to_bytes()).map(without_length);
        prop_assert_eq!(read, Ok(message));
    }

    #[test]
    fn responses_are_read_back(message in request(), status in 100_u16..700) {
        let response = message.respond(status, Some("tag1"));
        let read = parsed(&response.to_bytes()).map(without_length);
        prop_assert_eq!(read.as_ref(), Ok(&response));
        let to = response.to().unwrap();
        prop_assert!(to.tag().is_some());
    }

    #[test]
    fn folding_and_line_ends_do_not_matter(message in request()) {
        let bytes = Message { body: Vec::new(), ..message }.to_bytes();
        let text = String::from_utf8(bytes.clone()).unwrap();
        let plain = parsed(&bytes);
        prop_assert_eq!(parsed(text.replace("\r\n", "\n").as_bytes()), plain.clone());
        let folded = text.replace("\r\nFrom: ", "\r\nFrom:\r\n\t  ");
        prop_assert_eq!(parsed(folded.as_bytes()), plain);
    }

    #[test]
    fn random_octets_never_panic(bytes in vec(any::<u8>(), 0..600)) {
        let _ = parse_datagram(&bytes);
    }

    #[test]
    fn random_text_in_the_typed_views_never_panics(text in "[ -~\t\"<>;,:@%=\\[\\]\u{0}à-я]{0,60}") {
        let _ = (Uri::parse(&text), NameAddr::parse(&text), Via::parse(&text));
        let _ = (CSeq::parse(&text), Params::parse(&text), Host::parse(&text));
        let _ = (unquote(&text), Method::parse(&text), HeaderName::parse(&text));
        prop_assert!(Values::new(&text).count() <= limits::FIELD_VALUES);
        let quoted = quote(&text);
        prop_assert_eq!(unquote(&quoted), text.replace('\0', " "));
    }

    #[test]
    fn mutated_messages_never_panic(
        changes in vec((0..SAMPLE.len(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let mut bytes = SAMPLE.as_bytes().to_vec();
        for (at, octet, kind) in changes {
            let at = at % bytes.len();
            match kind {
                0 => bytes[at] = octet,
                1 => bytes.insert(at, octet),
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b" \t\r\n\"<>;,:@%=\\*\0"[usize::from(octet % 16)]),
            }
        }
        if let Ok(Datagram::Message(message)) = parse_datagram(&bytes) {
            look_at_everything(&message);
        }
    }

    #[test]
    fn no_value_breaks_the_frame(
        name in "[\\PC\r\n:]{0,8}",
        value in "[\\PC\r\n\u{0}]{0,40}",
        user in "[\\PC\r\n\u{0} ]{1,20}",
        reason in "[\\PC\r\n\u{0}]{0,20}",
    ) {
        let host = Host::Name(value.clone());
        let mut request = Message::request(Method::Other(name.clone()), Uri::sip(Some(&user), host, None));
        request.headers.push(HeaderName::Other(name), value.clone());
        request.headers.push(HeaderName::Subject, value);
        let response = Message { headers: request.headers.clone(), ..Message::response(200, &reason) };
        for message in [request, response] {
            let text = String::from_utf8(message.to_bytes()).unwrap();
            let lines: Vec<&str> = text.split("\r\n").collect();
            prop_assert!(lines.len() <= 6 && lines.len() >= 5, "{:?}", text);
            prop_assert!(lines.iter().all(|line| !line.contains(['\r', '\n', '\0'])));
            prop_assert_eq!(text.matches("\r\n\r\n").count(), 1);
        }
    }
}

#[test]
fn the_sample_is_a_message() {
    look_at_everything(&parsed(SAMPLE.as_bytes()).unwrap());
}

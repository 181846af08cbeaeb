//! Owns the tests of authentication: server and client against each other, and forged credentials.

use super::*;
use crate::wire::Method;

const SOURCE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 5));

fn authenticator() -> Authenticator {
    Authenticator::new("hot\"line", [7; 32])
}

fn secrets(user: &str) -> Option<Secrets> {
    matches!(user, "1001" | "a\"b\\c").then(|| Secrets::new(user, "hot\"line", "secret"))
}

fn register() -> Message {
    let mut request = Message::request(Method::Register, Uri::parse("sip:example.com").unwrap());
    request
        .headers
        .push(HeaderName::Via, "SIP/2.0/UDP 192.0.2.5;branch=z9hG4bK1");
    request
        .headers
        .push(HeaderName::From, "<sip:1001@example.com>;tag=1");
    request
        .headers
        .push(HeaderName::To, "<sip:1001@example.com>");
    request.headers.push(HeaderName::CallId, "c");
    request.headers.push(HeaderName::CSeq, "1 REGISTER");
    request
}

fn challenged(auth: &mut Authenticator, now: Time, status: u16) -> Message {
    let mut response = register().respond(status, Some("t"));
    auth.challenge(now, SOURCE, false, &mut response);
    response
}

fn signed(auth: &mut Authenticator, now: Time, user: &str, password: &str) -> Message {
    let mut request = register();
    authorize(
        &mut request,
        &challenged(auth, now, 401),
        user,
        password,
        "cn",
        1,
    )
    .unwrap();
    request
}

fn verdict(auth: &mut Authenticator, now: Time, request: &Message) -> Verdict {
    auth.check(now, SOURCE, request, secrets)
}

fn edited(request: &Message, from: &str, to: &str) -> Message {
    let mut request = request.clone();
    let value = request
        .headers
        .first(&HeaderName::Authorization)
        .unwrap()
        .to_owned();
    assert!(value.contains(from), "{value}");
    request
        .headers
        .set(HeaderName::Authorization, value.replace(from, to));
    request
}

#[test]
fn right_password_is_accepted_with_every_algorithm_and_status() {
    let now = Time::from_millis(5_000);
    for algorithms in [&[Algorithm::Sha256, Algorithm::Md5][..], &[Algorithm::Md5]] {
        let mut auth = authenticator().with_algorithms(algorithms);
        for status in [401, 407] {
            for user in ["1001", "a\"b\\c"] {
                let mut request = register();
                let challenge = challenged(&mut auth, now, status);
                authorize(&mut request, &challenge, user, "secret", "cn", 1).unwrap();
                assert_eq!(
                    verdict(&mut auth, now, &request),
                    Verdict::Accepted {
                        user: user.to_owned()
                    },
                    "{algorithms:?} {status}"
                );
            }
        }
    }
}

#[test]
fn challenge_offers_sha256_before_md5() {
    let mut response = challenged(&mut authenticator(), Time::ZERO, 401);
    let offers: Vec<_> = response.headers.all(&HeaderName::WwwAuthenticate).collect();
    assert_eq!(offers.len(), 2);
    assert!(offers[0].contains("algorithm=SHA-256") && offers[0].contains("qop=\"auth\""));
    assert!(offers[1].contains("algorithm=MD5"));
    assert!(offers[0].contains("realm=\"hot\\\"line\""), "{}", offers[0]);
    assert!(!offers[0].contains("stale"));
    response.headers.remove(&HeaderName::WwwAuthenticate);
    authenticator().challenge(Time::ZERO, SOURCE, true, &mut response);
    let offer = response
        .headers
        .first(&HeaderName::WwwAuthenticate)
        .unwrap();
    assert!(offer.ends_with("stale=true"));
}

#[test]
fn wrong_password_and_unknown_user_are_refused_alike() {
    let mut auth = authenticator();
    for (user, password) in [("1001", "Secret"), ("nobody", "secret"), ("", "")] {
        let request = signed(&mut auth, Time::ZERO, user, password);
        assert_eq!(
            verdict(&mut auth, Time::ZERO, &request),
            Verdict::Refused {
                user: user.to_owned()
            }
        );
    }
    // The stand-in for an unknown user's secrets opens nothing.
    let mut request = register();
    let nonce = auth.nonce(Time::ZERO, SOURCE);
    let inputs = Inputs {
        method: "REGISTER",
        uri: "sip:example.com",
        nonce: &nonce,
        qop: None,
    };
    let response = digest::response(Algorithm::Md5, &"0".repeat(32), inputs);
    request.headers.push(
        HeaderName::Authorization,
        format!(
            "Digest username=\"x\", realm=\"hot\\\"line\", nonce=\"{nonce}\", \
             uri=\"sip:example.com\", response=\"{}\"",
            response.as_str()
        ),
    );
    assert_eq!(
        verdict(&mut auth, Time::ZERO, &request),
        Verdict::Refused { user: "x".into() }
    );
}

#[test]
fn nonce_is_stale_after_its_life_and_from_another_address() {
    let mut auth = authenticator();
    let made = Time::from_millis(1_000);
    let request = signed(&mut auth, made, "1001", "secret");
    let stale = Verdict::Stale;
    let accepted = Verdict::Accepted {
        user: "1001".into(),
    };
    assert_eq!(
        verdict(&mut auth, made + Duration::from_secs(301), &request),
        stale
    );
    assert_eq!(
        verdict(&mut auth, Time::ZERO, &request),
        stale,
        "from the future"
    );
    let elsewhere = "192.0.2.6".parse().unwrap();
    assert_eq!(auth.check(made, elsewhere, &request, secrets), stale);
    let mapped = "::ffff:192.0.2.5".parse().unwrap();
    let last = made + Duration::from_secs(300);
    assert_eq!(auth.check(last, mapped, &request, secrets), accepted);
    let mut other_key = Authenticator::new("hot\"line", [8; 32]);
    assert_eq!(verdict(&mut other_key, made, &request), stale);
    // Nor does an old nonce tell whether the password was right.
    let wrong = signed(&mut auth, made, "1001", "x");
    assert_eq!(
        verdict(&mut auth, made + Duration::from_secs(900), &wrong),
        stale
    );
}

#[test]
fn credentials_are_taken_once_and_the_next_count_again() {
    let mut auth = authenticator();
    let now = Time::from_millis(1_000);
    let challenge = challenged(&mut auth, now, 401);
    let signed = |nc| {
        let mut request = register();
        authorize(&mut request, &challenge, "1001", "secret", "cn", nc).unwrap();
        request
    };
    let accepted = Verdict::Accepted {
        user: "1001".into(),
    };
    assert_eq!(verdict(&mut auth, now, &signed(1)), accepted);
    assert_eq!(verdict(&mut auth, now, &signed(1)), Verdict::Stale);
    assert_eq!(verdict(&mut auth, now, &signed(2)), accepted);
    assert_eq!(verdict(&mut auth, now, &signed(0)), Verdict::Stale);
    // A wrong password uses nothing up.
    let wrong = edited(&signed(3), "username=\"1001\"", "username=\"1002\"");
    assert!(matches!(
        verdict(&mut auth, now, &wrong),
        Verdict::Refused { .. }
    ));
    assert_eq!(verdict(&mut auth, now, &signed(3)), accepted);
}

#[test]
fn two_challenges_of_one_moment_are_two_nonces() {
    let mut auth = authenticator();
    for _ in 0..2 {
        let request = signed(&mut auth, Time::ZERO, "1001", "secret");
        assert!(matches!(
            verdict(&mut auth, Time::ZERO, &request),
            Verdict::Accepted { .. }
        ));
    }
}

#[test]
fn credentials_of_other_realms_and_schemes_do_not_count() {
    let mut auth = authenticator();
    assert_eq!(
        verdict(&mut auth, Time::ZERO, &register()),
        Verdict::Missing
    );
    let mut other = Authenticator::new("elsewhere", [7; 32]);
    let mut request = signed(&mut other, Time::ZERO, "1001", "secret");
    request
        .headers
        .push(HeaderName::Authorization, "Basic YTpi");
    assert_eq!(verdict(&mut auth, Time::ZERO, &request), Verdict::Missing);
    // Several fields: ours is found behind the others, and behind a wrong one of ours.
    let wrong = signed(&mut auth, Time::ZERO, "1001", "x");
    let right = signed(&mut auth, Time::ZERO, "1001", "secret");
    for extra in [wrong, right] {
        let value = extra.headers.first(&HeaderName::Authorization).unwrap();
        request.headers.push(HeaderName::Authorization, value);
    }
    assert_eq!(
        verdict(&mut auth, Time::ZERO, &request),
        Verdict::Accepted {
            user: "1001".into()
        }
    );
}

#[test]
fn endless_guesses_in_one_request_are_cut_off() {
    let mut auth = authenticator();
    let mut request = register();
    for _ in 0..ATTEMPTS_MAX {
        let wrong = signed(&mut auth, Time::ZERO, "1001", "x");
        let value = wrong.headers.first(&HeaderName::Authorization).unwrap();
        request.headers.push(HeaderName::Authorization, value);
    }
    let right = signed(&mut auth, Time::ZERO, "1001", "secret");
    let value = right.headers.first(&HeaderName::Authorization).unwrap();
    request.headers.push(HeaderName::Authorization, value);
    assert_eq!(
        verdict(&mut auth, Time::ZERO, &request),
        Verdict::Refused {
            user: "1001".into()
        }
    );
}

#[test]
fn faulty_credentials_are_malformed() {
    let mut auth = authenticator();
    let good = signed(&mut auth, Time::ZERO, "1001", "secret");
    for (from, to) in [
        ("qop=auth", "qop=auth-int"),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=0000000g"),
        (", nc=00000001", ""),
        (", cnonce=\"cn\"", ""),
        ("algorithm=SHA-256", "algorithm=SHA-256-sess"),
        ("uri=\"sip:example.com\"", "uri=\"nonsense\""),
        ("response=", "x="),
        ("username=\"", "username=\"\\"),
        ("Digest ", "Digest broken "),
    ] {
        let verdict = verdict(&mut auth, Time::ZERO, &edited(&good, from, to));
        let escaped = from.starts_with("username");
        assert!(
            matches!(verdict, Verdict::Malformed(_)) != escaped,
            "{from} → {to}: {verdict:?}"
        );
    }
    assert_eq!(
        verdict(
            &mut auth,
            Time::ZERO,
            &edited(&good, "nc=00000001", "nc=00000002")
        ),
        Verdict::Refused {
            user: "1001".into()
        }
    );
}

#[test]
fn md5_is_not_accepted_when_it_is_not_offered() {
    let mut lax = authenticator().with_algorithms(&[Algorithm::Md5]);
    let mut strict = authenticator().with_algorithms(&[Algorithm::Sha256]);
    let request = signed(&mut lax, Time::ZERO, "1001", "secret");
    assert_eq!(verdict(&mut strict, Time::ZERO, &request), Verdict::Missing);
}

#[test]
fn old_telephones_without_qop_and_algorithm_are_accepted() {
    let mut auth = authenticator();
    let mut challenge = challenged(&mut auth, Time::ZERO, 401);
    let nonce = auth.nonce(Time::ZERO, SOURCE);
    challenge.headers.set(
        HeaderName::WwwAuthenticate,
        format!("Digest realm=\"hot\\\"line\", nonce=\"{nonce}\""),
    );
    let mut request = register();
    authorize(&mut request, &challenge, "1001", "secret", "cn", 1).unwrap();
    let value = request.headers.first(&HeaderName::Authorization).unwrap();
    assert!(
        !value.contains("qop") && !value.contains("cnonce"),
        "{value}"
    );
    let request = edited(&request, ", algorithm=MD5", "");
    assert_eq!(
        verdict(&mut auth, Time::ZERO, &request),
        Verdict::Accepted {
            user: "1001".into()
        }
    );
    assert_eq!(
        verdict(&mut auth, Time::ZERO, &request),
        Verdict::Stale,
        "without a count a nonce is good for one request"
    );
}

#[test]
fn digest_uri_may_differ_as_telephones_let_it_differ() {
    let uri = |text: &str| Uri::parse(text).unwrap();
    let target = uri("sip:1300@192.0.2.1:5060;transport=udp");
    for claimed in [
        "sip:1300@192.0.2.1",
        "sip:1300@example.com;user=phone",
        "sip:example.com",
        "sip:192.0.2.1:5060",
    ] {
        assert!(fits(claimed, &target), "{claimed}");
    }
    for claimed in ["sip:1301@192.0.2.1", "tel:112", "", "/index.html"] {
        assert!(!fits(claimed, &target), "{claimed}");
    }
}

#[test]
fn user_with_domain_is_looked_up_in_both_forms() {
    let mut auth = authenticator();
    let whole = |user: &str| {
        (user == "1001@example.com").then(|| Secrets::new(user, "hot\"line", "secret"))
    };
    let request = signed(&mut auth, Time::ZERO, "1001@example.com", "secret");
    assert_eq!(
        auth.check(Time::ZERO, SOURCE, &request, whole),
        Verdict::Accepted {
            user: "1001@example.com".into()
        }
    );
    // A telephone that hashes its bare name and sends the domain with it.
    let bare = signed(&mut auth, Time::ZERO, "1001", "secret");
    let request = edited(&bare, "username=\"1001\"", "username=\"1001@example.com\"");
    assert_eq!(
        verdict(&mut auth, Time::ZERO, &request),
        Verdict::Accepted {
            user: "1001".into()
        }
    );
}

#[test]
fn client_chooses_the_strongest_challenge_it_can_meet() {
    let mut request = register();
    let mut response = register().respond(401, Some("t"));
    let name = HeaderName::WwwAuthenticate;
    assert_eq!(
        authorize(&mut request, &response, "u", "p", "c", 1),
        Err(AuthError::NoChallenge)
    );
    response.headers.push(
        name.clone(),
        "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512",
    );
    assert_eq!(
        authorize(&mut request, &response, "u", "p", "c", 1),
        Err(AuthError::Unsupported)
    );
    let md5 = "Digest realm=\"r\", nonce=\"n\", algorithm=MD5, qop=\"auth-int,auth\", opaque=\"o\"";
    response.headers.push(name.clone(), md5);
    let sha = "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"";
    response.headers.push(name, sha);
    request.headers.push(
        HeaderName::Authorization,
        "Digest realm=\"other\", nonce=\"x\"",
    );
    for _ in 0..2 {
        authorize(&mut request, &response, "u", "p", "c", 1).unwrap();
    }
    let fields: Vec<_> = request.headers.all(&HeaderName::Authorization).collect();
    assert_eq!(fields.len(), 2, "one per realm");
    assert!(fields[1].contains("algorithm=SHA-256"));
}

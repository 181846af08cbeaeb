//! Owns the number that a caller dialled: carriers put it in one of six places. Refuses to know
//! which plan has it.

use sip::{HeaderName, Message, NameAddr, Scheme, Uri};

use super::clean;
use super::settings::{DidSource, Trunk};

/// What was dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialled {
    /// As it came.
    pub raw: String,
    /// In E.164 where a rule fits, and what the settings say it stands for.
    pub number: String,
}

impl Dialled {
    /// Reads the first of the trunk's places that holds a number. Where that place is the
    /// Request-URI and it holds the name of our account, the call was sent to our registration and
    /// says nothing: the next place counts, and To after the last.
    #[must_use]
    pub fn read(trunk: &Trunk, invite: &Message) -> Self {
        let sources = trunk.inbound.did.iter().chain([&DidSource::To]);
        let raw = sources
            .filter_map(|source| value(source, invite))
            .find(|raw| !trunk.is_account(raw))
            .or_else(|| value(&DidSource::RequestUri, invite))
            .unwrap_or_default();
        let number = trunk.numbers.normalise(&raw);
        let number = trunk
            .inbound
            .aliases
            .get(&number)
            .map_or(number, |alias| trunk.numbers.normalise(alias));
        Self { raw, number }
    }
}

impl Trunk {
    /// Whether a user part is the name of our account rather than a number of ours. One that is a
    /// whole number by the trunk's rules is a number: many carriers name accounts so.
    fn is_account(&self, user: &str) -> bool {
        let name = |text: &str| text.split('@').next().unwrap_or(text).to_ascii_lowercase();
        let registration = self.registration.as_ref();
        let names = [
            self.account.as_ref().map(|account| account.user.as_str()),
            registration.map(|registration| registration.contact_user.as_str()),
            registration.and_then(|registration| registration.address.user.as_deref()),
        ];
        let ours = names
            .into_iter()
            .flatten()
            .any(|own| name(own) == name(user));
        ours && !self.numbers.normalise(user).starts_with('+')
    }
}

fn value(source: &DidSource, invite: &Message) -> Option<String> {
    match source {
        DidSource::RequestUri => number_of(invite.request_uri()?),
        DidSource::To => number_of(&invite.to().ok()?.uri),
        // RFC 5806 §5: each diversion goes on top, so the first one stands last.
        DidSource::Diversion => addresses(invite, &HeaderName::Diversion).last(),
        DidSource::HistoryInfo => first_target(invite),
        DidSource::CalledParty => addresses(invite, &HeaderName::PCalledPartyId).next(),
        DidSource::Header(name) => invite.headers.all(name).find_map(plain),
    }
}

fn addresses<'a>(invite: &'a Message, name: &'a HeaderName) -> impl Iterator<Item = String> + 'a {
    let parsed = invite.headers.values(name).map(NameAddr::parse);
    parsed
        .flatten()
        .filter_map(|address| number_of(&address.uri))
}

/// The target with the lowest index (RFC 7044 §10.3): 1, 1.1, 1.2, 1.10.
fn first_target(invite: &Message) -> Option<String> {
    let entries = invite.headers.values(&HeaderName::HistoryInfo);
    entries
        .filter_map(|entry| NameAddr::parse(entry).ok())
        .filter_map(|entry| Some((index(&entry), number_of(&entry.uri)?)))
        .min_by(|(a, _), (b, _)| a.cmp(b))
        .map(|(_, number)| number)
}

fn index(entry: &NameAddr) -> Vec<u32> {
    let parts = entry.params.value("index").unwrap_or("").split('.');
    parts.filter_map(|part| part.parse().ok()).collect()
}

/// The value of a carrier's own header: an address or a bare number.
fn plain(value: &str) -> Option<String> {
    let is_address = ["sip:", "sips:", "tel:"]
        .iter()
        .any(|scheme| value.to_ascii_lowercase().contains(scheme));
    if is_address {
        return number_of(&NameAddr::parse(value).ok()?.uri);
    }
    let bare = value.split(';').next().unwrap_or(value);
    Some(clean::number(bare)).filter(|number| !number.is_empty())
}

/// The number in a URI: of `tel:` (RFC 3966), or the user of `sip:` without its parameters. A local
/// number is made whole with its phone-context where that is one of digits.
pub(super) fn number_of(uri: &Uri) -> Option<String> {
    let user = uri.user.as_deref()?;
    let (number, context) = match uri.scheme {
        Scheme::Tel => (user, uri.params.value("phone-context")),
        Scheme::Sip | Scheme::Sips => {
            let mut parts = user.split(';');
            let number = parts.next().unwrap_or(user);
            let context = parts.find_map(|part| part.strip_prefix("phone-context="));
            (number, context)
        }
        Scheme::Other(_) => return None,
    };
    let number = clean::number(number);
    let context = context.filter(|context| context.starts_with('+') && !number.starts_with('+'));
    let whole = format!("{}{number}", clean::number(context.unwrap_or("")));
    (!number.is_empty()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use sip::Method;

    use super::*;
    use crate::trunk::{Account, NumberRules, Password};

    fn trunk(did: Vec<DidSource>) -> Trunk {
        let mut trunk = Trunk::new("t");
        trunk.inbound.did = did;
        trunk.numbers = NumberRules {
            country_code: "7".into(),
            national_prefixes: vec!["8".into()],
            international_prefix: "810".into(),
            national_length: 10,
            area_code: "495".into(),
        };
        trunk.account = Some(Account {
            user: "SIP01@sip.example".into(),
            password: Password("x".into()),
            realm: "r".into(),
        });
        trunk
    }

    fn invite(target: &str, headers: &[(&str, &str)]) -> Message {
        let mut invite = Message::request(Method::Invite, Uri::parse(target).unwrap());
        for (name, value) in headers {
            invite.headers.push(HeaderName::parse(name), *value);
        }
        invite
    }

    fn did(source: DidSource, target: &str, headers: &[(&str, &str)]) -> String {
        Dialled::read(&trunk(vec![source]), &invite(target, headers)).number
    }

    #[test]
    fn the_number_is_found_in_each_of_the_places() {
        let other = "sip:other@192.0.2.1";
        let header = |name: &str| DidSource::Header(HeaderName::parse(name));
        let cases = [
            (DidSource::RequestUri, "sip:84951112233@x", "Subject", "-"),
            (DidSource::To, other, "To", "<sip:4951112233@x>"),
            (
                DidSource::Diversion,
                other,
                "Diversion",
                "<tel:+7-495-111-22-33>;reason=unknown",
            ),
            (
                DidSource::CalledParty,
                other,
                "P-Called-Party-ID",
                "\"n\" <sip:1112233@x>;x=y",
            ),
            (
                DidSource::HistoryInfo,
                other,
                "History-Info",
                "<sip:74951112233@x>;index=1",
            ),
            (header("x-did"), other, "X-DID", " 8 (495) 111-22-33 "),
            (
                header("x-did"),
                other,
                "x-did",
                "<sip:+74951112233@x;user=phone>",
            ),
            (header("x-did"), other, "X-Did", "74951112233;type=did"),
        ];
        for (source, target, name, value) in cases {
            let found = did(source.clone(), target, &[(name, value)]);
            assert_eq!(found, "+74951112233", "{source:?} {value}");
        }
    }

    #[test]
    fn where_the_call_was_sent_to_our_account_to_holds_the_number() {
        for target in ["sip:SIP01@192.0.2.1", "sip:sip01@192.0.2.1:5070;ob"] {
            let found = did(
                DidSource::RequestUri,
                target,
                &[("To", "<sip:84951112233@x>")],
            );
            assert_eq!(found, "+74951112233", "{target}");
        }
        let alone = did(
            DidSource::RequestUri,
            "sip:SIP01@x",
            &[("To", "<sip:sip01@x>")],
        );
        assert_eq!(alone, "SIP01");
    }

    #[test]
    fn an_account_that_is_a_number_is_one() {
        let mut trunk = trunk(vec![DidSource::RequestUri]);
        trunk.account = trunk.account.map(|account| Account {
            user: "1112233".into(),
            ..account
        });
        let invite = invite("sip:1112233@x", &[("To", "<sip:777@x>")]);
        assert_eq!(Dialled::read(&trunk, &invite).number, "+74951112233");
    }

    #[test]
    fn of_several_forwardings_the_first_counts() {
        let diversion = "<sip:84952222222@x>;reason=no-answer, <sip:88001112233@x>";
        let found = did(DidSource::Diversion, "sip:a@x", &[("Diversion", diversion)]);
        assert_eq!(found, "+78001112233");
        let history = "<sip:84952222222@x>;index=1.10, <sip:84953333333@x?Reason=SIP>;index=1.2, \
            <sip:88001112233@x>;index=1";
        let found = did(
            DidSource::HistoryInfo,
            "sip:a@x",
            &[("History-Info", history)],
        );
        assert_eq!(found, "+78001112233");
    }

    #[test]
    fn the_next_place_counts_where_the_first_is_empty() {
        let trunk = trunk(vec![DidSource::Diversion, DidSource::RequestUri]);
        let invite = invite("sip:84951112233@x", &[("To", "<sip:777@x>")]);
        assert_eq!(Dialled::read(&trunk, &invite).number, "+74951112233");
    }

    #[test]
    fn a_city_number_stands_for_the_number_that_was_advertised() {
        let mut trunk = trunk(vec![DidSource::RequestUri]);
        let aliases = &mut trunk.inbound.aliases;
        aliases.insert("+74951112233".into(), "88001234567".into());
        let found = Dialled::read(&trunk, &invite("sip:1112233@x", &[]));
        assert_eq!(found.number, "+78001234567");
        assert_eq!(found.raw, "1112233");
    }

    #[test]
    fn local_numbers_are_made_whole_by_their_context() {
        let uri = |text: &str| number_of(&Uri::parse(text).unwrap());
        let whole = Some("+74951112233".to_owned());
        assert_eq!(uri("tel:111-22-33;phone-context=+7495"), whole);
        assert_eq!(uri("sip:1112233;phone-context=+7495@x;user=phone"), whole);
        assert_eq!(
            uri("tel:1112233;phone-context=example.com").unwrap(),
            "1112233"
        );
        assert_eq!(uri("sip:x"), None);
        assert_eq!(uri("urn:service:sos"), None);
    }
}

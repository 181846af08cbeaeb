//! Owns who calls: the number and name that a trunk tells, as far as it is believed, and whether
//! they are to be seen.

use sip::{HeaderName, Message, NameAddr};

use super::clean;
use super::did::number_of;
use super::settings::{CallerSource, Trunk};

/// A caller as the trunk shows one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// In E.164 where a rule fits; empty if nobody says.
    pub number: String,
    /// Cleaned; often empty.
    pub name: String,
    /// Not for the operator's display: the journal has it all the same.
    pub private: bool,
}

/// Users by which exchanges say that they know nothing or may not tell.
const NOBODY: [&str; 6] = [
    "anonymous",
    "unknown",
    "restricted",
    "unavailable",
    "private",
    "asserted",
];

impl Caller {
    /// Reads the caller of an INVITE of this trunk: of the trunk's places the first that names a
    /// number. From is the caller's own word and needs no trust; the others are the trunk's word
    /// about the caller, and are read only where it is trusted (RFC 3325 §5).
    #[must_use]
    pub fn read(trunk: &Trunk, invite: &Message) -> Self {
        let trusted = trunk.inbound.trusted;
        let believed = |source: &&CallerSource| trusted || **source == CallerSource::From;
        let sources = trunk.inbound.caller.iter().filter(believed);
        let mut found: Vec<Party> = sources
            .filter_map(|source| party(*source, invite))
            .collect();
        if found.is_empty() {
            found.extend(party(CallerSource::From, invite));
        }
        let hidden = found.iter().any(|party| party.hidden) || from_hides(invite);
        let named = found.into_iter().find(|party| !party.number.is_empty());
        let (number, name) = named
            .map(|party| (party.number, party.name))
            .unwrap_or_default();
        Self {
            number: trunk.numbers.normalise(&number),
            name,
            private: wish(invite).unwrap_or(hidden),
        }
    }
}

/// What one header says.
struct Party {
    /// As it came; empty if it hides.
    number: String,
    name: String,
    hidden: bool,
}

fn party(source: CallerSource, invite: &Message) -> Option<Party> {
    match source {
        CallerSource::Asserted => asserted(invite),
        CallerSource::RemoteParty => remote_party(invite),
        CallerSource::From => invite.from().ok().map(|from| read(&from)),
    }
}

/// RFC 3325 §9.1: one value, or one `sip:` and one `tel:`.
fn asserted(invite: &Message) -> Option<Party> {
    let values = invite.headers.values(&HeaderName::PAssertedIdentity);
    let mut parties = values
        .filter_map(|value| NameAddr::parse(value).ok())
        .map(|one| read(&one));
    let first = parties.next()?;
    if !first.number.is_empty() {
        return Some(first);
    }
    let second = parties.next().filter(|second| !second.number.is_empty());
    Some(second.unwrap_or(first))
}

/// The calling party of Remote-Party-ID; without `party` it is meant.
fn remote_party(invite: &Message) -> Option<Party> {
    let values = invite.headers.values(&HeaderName::RemotePartyId);
    let calling = values
        .filter_map(|value| NameAddr::parse(value).ok())
        .find(|one| {
            let party = one.params.value("party").unwrap_or("calling");
            party.eq_ignore_ascii_case("calling")
        })?;
    let privacy = calling.params.value("privacy").unwrap_or("off");
    // It may be a list: "uri;name" is written quoted.
    let hidden = ["full", "uri"]
        .iter()
        .any(|wish| privacy.to_ascii_lowercase().contains(wish));
    let party = read(&calling);
    Some(Party {
        hidden: hidden || party.hidden,
        ..party
    })
}

fn read(address: &NameAddr) -> Party {
    let user = number_of(&address.uri).unwrap_or_default();
    let hidden = is_nobody(&user) || address.uri.host.to_string().ends_with("anonymous.invalid");
    let name = clean::name(address.display.as_deref().unwrap_or_default());
    Party {
        number: if hidden { String::new() } else { user },
        name: if is_nobody(&name) {
            String::new()
        } else {
            name
        },
        hidden,
    }
}

fn is_nobody(text: &str) -> bool {
    NOBODY
        .iter()
        .any(|nobody| text.eq_ignore_ascii_case(nobody))
}

/// An anonymous From is a wish, whoever the trunk asserts (RFC 3323 §4.1.1.3).
fn from_hides(invite: &Message) -> bool {
    invite.from().is_ok_and(|from| read(&from).hidden)
}

/// What the Privacy header wishes (RFC 3323 §4.2, RFC 3325 §7): `none` is a wish, too.
fn wish(invite: &Message) -> Option<bool> {
    let mut wishes = invite
        .headers
        .all(&HeaderName::Privacy)
        .flat_map(|value| value.split([';', ',']))
        .map(|wish| wish.trim().to_ascii_lowercase());
    wishes.find_map(|wish| match wish.as_str() {
        "id" | "user" | "header" => Some(true),
        "none" => Some(false),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use sip::{Method, Uri};

    use super::*;
    use crate::trunk::NumberRules;

    fn trunk(trusted: bool) -> Trunk {
        let mut trunk = Trunk::new("t");
        trunk.inbound.trusted = trusted;
        trunk.numbers = NumberRules {
            country_code: "7".into(),
            national_prefixes: vec!["8".into()],
            national_length: 10,
            ..NumberRules::default()
        };
        trunk
    }

    fn identity(trunk: &Trunk, headers: &[(&str, &str)]) -> (String, String, bool) {
        let mut invite = Message::request(Method::Invite, Uri::parse("sip:1300@x").unwrap());
        for (name, value) in headers {
            invite.headers.push(HeaderName::parse(name), *value);
        }
        let Caller {
            number,
            name,
            private,
        } = Caller::read(trunk, &invite);
        (number, name, private)
    }

    fn seen(number: &str, name: &str, private: bool) -> (String, String, bool) {
        (number.to_owned(), name.to_owned(), private)
    }

    const FROM: (&str, &str) = ("From", "\"Иван\" <sip:89001112233@x>;tag=1");
    const ASSERTED: (&str, &str) = (
        "P-Asserted-Identity",
        "\"Pyotr\" <sip:+79003334455@x>, <tel:+79003334455>",
    );
    const REMOTE: (&str, &str) = (
        "Remote-Party-ID",
        "<sip:9005556677@x>;party=calling;screen=yes;privacy=full",
    );

    #[test]
    fn from_is_read_of_any_trunk_and_the_rest_of_trusted_ones_only() {
        let all = [FROM, ASSERTED, REMOTE];
        assert_eq!(
            identity(&trunk(false), &all),
            seen("+79001112233", "Иван", false)
        );
        let (number, name, _) = identity(&trunk(true), &all);
        assert_eq!((number.as_str(), name.as_str()), ("+79003334455", "Pyotr"));
    }

    #[test]
    fn the_trunk_says_which_header_counts_first() {
        let mut trunk = trunk(true);
        trunk.inbound.caller = vec![CallerSource::RemoteParty, CallerSource::Asserted];
        assert_eq!(
            identity(&trunk, &[FROM, ASSERTED, REMOTE]),
            seen("+79005556677", "", true)
        );
        assert_eq!(
            identity(&trunk, &[FROM]),
            seen("+79001112233", "Иван", false)
        );
        trunk.inbound.caller = vec![CallerSource::From];
        assert_eq!(identity(&trunk, &[FROM, ASSERTED]).0, "+79001112233");
    }

    #[test]
    fn privacy_hides_and_none_shows() {
        for wish in ["id", "user;id", "header", "critical;id", "ID"] {
            let found = identity(&trunk(true), &[FROM, ASSERTED, ("Privacy", wish)]);
            assert_eq!(found, seen("+79003334455", "Pyotr", true), "{wish}");
        }
        for wish in ["none", "session"] {
            let found = identity(&trunk(true), &[FROM, ASSERTED, ("Privacy", wish)]);
            assert!(!found.2, "{wish}");
        }
    }

    #[test]
    fn an_anonymous_caller_has_no_number_but_the_one_a_trusted_trunk_asserts() {
        let anonymous = (
            "From",
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1",
        );
        assert_eq!(
            identity(&trunk(false), &[anonymous, ASSERTED]),
            seen("", "", true)
        );
        let found = identity(&trunk(true), &[anonymous, ASSERTED]);
        assert_eq!(found, seen("+79003334455", "Pyotr", true));
        for user in ["unknown", "Restricted", "unavailable"] {
            let from = format!("<sip:{user}@x>;tag=1");
            assert_eq!(
                identity(&trunk(false), &[("From", &from)]),
                seen("", "", true)
            );
        }
    }

    #[test]
    fn tel_uris_and_called_parties_are_told_apart() {
        let called = (
            "Remote-Party-ID",
            "<sip:1@x>;party=called, <tel:9005556677>;privacy=off",
        );
        assert_eq!(
            identity(&trunk(true), &[FROM, called]),
            seen("+79005556677", "", false)
        );
        let no_number = (
            "P-Asserted-Identity",
            "<sip:carrier.example>, <tel:+79003334455>",
        );
        assert_eq!(identity(&trunk(true), &[FROM, no_number]).0, "+79003334455");
    }

    #[test]
    fn a_caller_of_whom_nothing_can_be_read_is_nobody() {
        assert_eq!(identity(&trunk(true), &[]), seen("", "", false));
        let broken = [("From", "\"x"), ("P-Asserted-Identity", "<<>>")];
        assert_eq!(identity(&trunk(true), &broken), seen("", "", false));
    }
}

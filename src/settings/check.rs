//! Owns the rules that more than one setting takes part in; those of trunks are `check_trunk`'s.

use std::path::{Component, Path};

use super::problem::Problem;
use super::reader::{Reader, path_of};
use super::webhooks;
use super::{Elsewhere, Encryption, Settings};
use super::{bucket, check_trunk, daily};

/// Keys in a code with which an operator pauses a recording: what the switch remembers.
const RECORDING_CODE_MAX: usize = 8;

/// Notes what does not fit together; returns what is allowed but probably not meant.
pub(super) fn check(settings: &Settings, reader: &mut Reader<'_>) -> Vec<Problem> {
    let mut warnings = Vec::new();
    lists(settings, reader);
    registrar(settings, reader);
    folders(settings, reader);
    recordings(settings, reader);
    bucket::check(settings, reader, &mut warnings);
    recording_codes(settings, reader);
    supervision_keys(settings, reader);
    media(settings, reader, &mut warnings);
    prompts(settings, reader);
    names(
        reader,
        "queue",
        settings.queues.iter().map(|queue| queue.name.as_str()),
    );
    queues(settings, reader);
    breaks(settings, reader);
    feature_codes(settings, reader);
    let lists = settings.caller_lists.iter();
    names(reader, "caller_list", lists.map(|list| list.name.as_str()));
    names(
        reader,
        "trunk",
        settings.trunks.iter().map(|trunk| trunk.name.as_str()),
    );
    for (at, one) in settings.trunks.iter().enumerate() {
        check_trunk::trunk(one, &path_of("trunk", at), reader, &mut warnings);
    }
    names(
        reader,
        "webhook",
        settings
            .webhooks
            .iter()
            .map(|webhook| webhook.name.as_str()),
    );
    webhooks::check(settings, reader);
    daily::check(settings, reader);
    warnings
}

fn lists(settings: &Settings, reader: &mut Reader<'_>) {
    if settings.sip.listen.is_empty() {
        let message = "listen: expected at least one address, found an empty list";
        reader.note_at("sip.listen", message.to_owned(), None);
    }
    if settings.sip.digest.is_empty() {
        let message = "digest: expected at least one algorithm, found an empty list";
        reader.note_at("sip.digest", message.to_owned(), None);
    }
    if settings.media.codecs.is_empty() {
        let message = "codecs: expected at least one codec, found an empty list";
        reader.note_at("media.codecs", message.to_owned(), None);
    }
    twice(
        reader,
        "sip.digest",
        settings.sip.digest.iter().map(|one| one.as_str()),
    );
    twice(
        reader,
        "media.codecs",
        settings.media.codecs.iter().map(|one| one.as_str()),
    );
    for (at, address) in settings.sip.listen.iter().enumerate() {
        if address.port() != 0
            && settings
                .sip
                .listen
                .iter()
                .take(at)
                .any(|one| one == address)
        {
            reader.note_at(
                "sip.listen",
                format!("listen: {address} stands twice"),
                None,
            );
        }
    }
    tls(settings, reader);
    if settings
        .sip
        .advertise
        .is_some_and(|address| address.is_unspecified())
    {
        let message = "advertise: expected an address that peers can send to, found none";
        reader.note_at("sip.advertise", message.to_owned(), None);
    }
    for (key, text) in [
        ("realm", &settings.sip.realm),
        ("user_agent", &settings.sip.user_agent),
    ] {
        // Both go into SIP headers, the realm between quotation marks.
        if text
            .chars()
            .any(|c| c.is_control() || c == '"' || c == '\\')
        {
            let message = format!("{key}: expected text without quotation marks and controls");
            reader.note_at(&format!("sip.{key}"), message, None);
        }
    }
}

/// TLS needs a certificate and its key, and a certificate without use is a mistake, too.
fn tls(settings: &Settings, reader: &mut Reader<'_>) {
    let sip = &settings.sip;
    let needed = [("tls", &sip.tls), ("wss", &sip.wss)]
        .into_iter()
        .find(|(_, addresses)| !addresses.is_empty());
    let have = [("certificate", &sip.certificate), ("key", &sip.key)];
    for (key, file) in have {
        match (needed, file) {
            (Some((listener, _)), None) => {
                let message = format!("{listener}: needs a {key}");
                reader.note_at(&format!("sip.{listener}"), message, None);
            }
            (None, Some(_)) => {
                let message = format!("{key}: has no meaning without tls or wss");
                reader.note_at(&format!("sip.{key}"), message, None);
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
    let wrong = |origin: &&String| {
        let (scheme, host) = origin.split_once("://").unwrap_or_default();
        let whole = matches!(scheme, "http" | "https") && !host.is_empty() && !host.contains('/');
        !whole && *origin != "*"
    };
    if let Some(origin) = sip.origins.iter().find(wrong) {
        let message =
            format!("origins: expected pages such as \"https://desk.example\", found {origin:?}");
        reader.note_at("sip.origins", message, None);
    }
}

/// Notes names that stand twice in a list in which the place of each means something.
fn twice<'a>(reader: &mut Reader<'_>, path: &str, names: impl Iterator<Item = &'a str>) {
    let key = path.rsplit_once('.').map_or(path, |(_, key)| key);
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if seen.contains(&name) {
            reader.note_at(path, format!("{key}: {name:?} stands twice"), None);
        }
        seen.push(name);
    }
}

fn registrar(settings: &Settings, reader: &mut Reader<'_>) {
    let one = &settings.registrar;
    if one.expiry_min > one.expiry_default || one.expiry_default > one.expiry_max {
        let message = format!(
            "expected expiry_min <= expiry_default <= expiry_max, found {} s, {} s, {} s",
            one.expiry_min.as_secs(),
            one.expiry_default.as_secs(),
            one.expiry_max.as_secs()
        );
        reader.note_at("registrar.expiry_default", message, None);
    }
}

/// A call that is bridged has two legs, and each leg takes an even port and the next.
const PORTS_PER_CALL: usize = 4;

fn media(settings: &Settings, reader: &mut Reader<'_>, warnings: &mut Vec<Problem>) {
    let address = settings.media.address;
    let other = settings
        .sip
        .listen
        .iter()
        .find(|sip| sip.is_ipv4() != address.is_ipv4());
    if let Some(sip) = other.filter(|_| settings.sip.advertise.is_none()) {
        let message =
            format!("address: {address} and the SIP address {sip} are not of one IP version");
        let help = "telephones are told one address for audio and signalling".to_owned();
        reader.note_at("media.address", message, Some(help));
    }
    if let Some(range) = &settings.media.ports {
        let (ports, calls) = (range.0.len(), settings.limits.calls);
        if ports < calls * PORTS_PER_CALL {
            let message = format!(
                "ports: {ports} ports are enough for {} calls, [limits] calls allows {calls}",
                ports / PORTS_PER_CALL
            );
            let help = "callers who wait hold ports that an operator's answer needs".to_owned();
            warnings.push(reader.problem_at("media.ports", message, Some(help)));
        }
    }
}

/// Queues that others name must be there.
fn queues(settings: &Settings, reader: &mut Reader<'_>) {
    let known = |name: &str| settings.queues.iter().any(|queue| queue.name == name);
    for (at, queue) in settings.queues.iter().enumerate() {
        if queue.name == "callback" {
            let message = "name: \"callback\" means a callback where the name of a queue may stand";
            let path = format!("{}.name", path_of("queue", at));
            reader.note_at(&path, message.to_owned(), None);
        }
        let unserved = queue.unserved.iter().map(|rule| ("unserved", &rule.to));
        for (key, to) in [
            ("full_to", &queue.full_to),
            ("wait_max_to", &queue.wait_max_to),
            ("closed_to", &queue.closed_to),
        ]
        .into_iter()
        .chain(unserved)
        {
            let Some(Elsewhere::Queue(to)) = to else {
                continue;
            };
            if *to == queue.name || !known(to) {
                let message = format!("{key}: expected the name of another queue, found {to:?}");
                reader.note_at(&format!("{}.{key}", path_of("queue", at)), message, None);
            }
        }
        if queue.wait_max_to.is_some() && queue.wait_max.is_none() {
            let message = "wait_max_to: has no meaning without wait_max".to_owned();
            let path = format!("{}.wait_max_to", path_of("queue", at));
            reader.note_at(&path, message, None);
        }
    }
}

/// A code is told by what is dialled: keys of a telephone, and no code twice.
fn feature_codes(settings: &Settings, reader: &mut Reader<'_>) {
    let ours = &settings.feature_codes;
    let codes = [
        ("sign_in", &ours.sign_in),
        ("sign_out", &ours.sign_out),
        ("break_begin", &ours.break_begin),
        ("break_end", &ours.break_end),
        ("done", &ours.done),
    ];
    let codes = codes.map(|(key, code)| (format!("feature_codes.{key}"), key, code, "*#"));
    let kinds = settings.breaks.iter().enumerate();
    let kinds = kinds.map(|(at, one)| {
        (
            format!("{}.code", path_of("break", at)),
            "code",
            &one.code,
            "",
        )
    });
    for group in [codes.to_vec(), kinds.collect()] {
        let mut seen: Vec<&str> = Vec::new();
        for (path, key, code, more) in group {
            let Some(code) = code.as_deref() else {
                continue;
            };
            let keys = code.chars().all(|c| c.is_ascii_digit() || more.contains(c));
            if code.is_empty() || !keys || seen.contains(&code) {
                let of = if more.is_empty() {
                    "digits"
                } else {
                    "digits, * and #"
                };
                let message = format!("{key}: expected {of}, and no code twice, found {code:?}");
                reader.note_at(&path, message, None);
            }
            seen.push(code);
        }
    }
}

/// A break is asked for by its reason.
fn breaks(settings: &Settings, reader: &mut Reader<'_>) {
    let mut seen: Vec<&str> = Vec::new();
    for (at, one) in settings.breaks.iter().enumerate() {
        let reason = one.reason.as_str();
        let path = format!("{}.reason", path_of("break", at));
        if seen.contains(&reason) {
            let message = format!("reason: two tables [[break]] are for {reason:?}");
            reader.note_at(&path, message, None);
        }
        if reason != reason.trim() || reason.chars().any(char::is_control) {
            let message =
                format!("reason: expected words and nothing around them, found {reason:?}");
            reader.note_at(&path, message, None);
        }
        seen.push(reason);
    }
}

fn recordings(settings: &Settings, reader: &mut Reader<'_>) {
    let ours = &settings.recordings;
    let path = "recordings.recipients";
    if ours.encryption == Encryption::Age && ours.recipients.is_empty() {
        let message = "recipients: expected at least one public key, since encryption is \"age\"";
        let help = "`hotline recordings keygen` makes a pair of keys".to_owned();
        reader.note_at(path, message.to_owned(), Some(help));
    }
    if ours.encryption == Encryption::None && !ours.recipients.is_empty() {
        let message = "recipients: has no meaning while encryption is \"none\"".to_owned();
        reader.note_at(path, message, None);
    }
    if let Err(error) = recorder::crypt::Keys::read(&ours.recipients, None) {
        reader.note_at(path, format!("recipients: {error}"), None);
    }
}

/// Codes that a telephone can send, and of which none hides another.
fn recording_codes(settings: &Settings, reader: &mut Reader<'_>) {
    let ours = &settings.recordings;
    let codes = [
        ("pause_card_keys", &ours.pause_card_keys),
        ("pause_medical_keys", &ours.pause_medical_keys),
        ("resume_keys", &ours.resume_keys),
        ("conference_keys", &settings.operator_calls.conference_keys),
    ];
    for (at, (key, code)) in codes.iter().enumerate() {
        let Some(code) = code else { continue };
        let section = match *key {
            "conference_keys" => "operator_calls",
            _ => "recordings",
        };
        let path = format!("{section}.{key}");
        let typed = code.chars().all(|c| matches!(c, '0'..='9' | '*' | '#'));
        if code.is_empty() || code.len() > RECORDING_CODE_MAX || !typed {
            let message =
                format!("{key}: expected 1 to 8 of the keys 0-9, * and #, found {code:?}");
            reader.note_at(&path, message, None);
        }
        let others = codes.iter().enumerate().filter(|(other, _)| *other != at);
        for (_, (other, longer)) in others {
            if longer
                .as_ref()
                .is_some_and(|longer| longer.ends_with(code.as_str()))
            {
                let message = format!("{key}: {other} ends with it, so that it would mean both");
                reader.note_at(&path, message, None);
            }
        }
    }
}

/// One key each, and each another.
fn supervision_keys(settings: &Settings, reader: &mut Reader<'_>) {
    let ours = &settings.supervision;
    let keys = [
        ("listen_key", &ours.listen_key),
        ("whisper_key", &ours.whisper_key),
        ("barge_key", &ours.barge_key),
    ];
    for (at, (name, key)) in keys.iter().enumerate() {
        let path = format!("supervision.{name}");
        let one = matches!(key.as_bytes(), [b'0'..=b'9' | b'*' | b'#']);
        if !one {
            let message = format!("{name}: expected one of the keys 0-9, * and #, found {key:?}");
            reader.note_at(&path, message, None);
        }
        if let Some((other, _)) = keys.iter().take(at).find(|(_, other)| other == key) {
            let message = format!("{name}: {other} is the same key, so that it would mean both");
            reader.note_at(&path, message, None);
        }
    }
}

fn folders(settings: &Settings, reader: &mut Reader<'_>) {
    if same(&settings.recordings.spool, &settings.recordings.root) {
        let message = "spool: expected another folder than root, found the same".to_owned();
        reader.note_at("recordings.spool", message, None);
    }
    let file = settings.journal.database.file();
    if file.is_some_and(|file| same(&settings.journal.events, file)) {
        let message = "database: expected another path than events, found the same".to_owned();
        let help = "the database is a file, events is a folder".to_owned();
        reader.note_at("journal.database", message, Some(help));
    }
    if same(&settings.prompts.cache, &settings.prompts.folder) {
        let message = "cache: expected another folder than the prompts', found the same";
        let help = "the cache may be emptied, the prompts may not".to_owned();
        reader.note_at("prompts.cache", message.to_owned(), Some(help));
    }
}

/// Whether two paths name one place, as far as their text tells.
fn same(one: &Path, other: &Path) -> bool {
    let here = |part: &Component<'_>| *part != Component::CurDir;
    one.components()
        .filter(here)
        .eq(other.components().filter(here))
}

fn prompts(settings: &Settings, reader: &mut Reader<'_>) {
    for (needed, for_what) in [
        ("{text_file}", "the text comes in"),
        ("{output}", "to write"),
    ] {
        if !settings
            .prompts
            .speech_command
            .iter()
            .any(|word| word.contains(needed))
        {
            let message = format!("speech_command: no argument has {needed}, the file {for_what}");
            reader.note_at("prompts.speech_command", message, None);
        }
    }
    for language in &settings.prompts.languages {
        // The name is a folder's and goes to the speech command.
        let plain = language
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !plain || language.starts_with('-') {
            let message = format!(
                "languages: expected codes such as \"uk\" or \"pt-br\", found {language:?}"
            );
            reader.note_at("prompts.languages", message, None);
        }
    }
}

fn names<'a>(reader: &mut Reader<'_>, section: &str, all: impl Iterator<Item = &'a str>) {
    let mut seen: Vec<&str> = Vec::new();
    for (at, name) in all.enumerate() {
        if seen.contains(&name) {
            let message = format!("name: two tables [[{section}]] are called {name:?}");
            reader.note_at(&format!("{}.name", path_of(section, at)), message, None);
        }
        seen.push(name);
    }
}

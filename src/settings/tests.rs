//! The promises of the settings: defaults hold, every mistake is told with its place, the
//! generated texts are those in the tree.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::define::Preset;
use super::sections::SECTIONS;
use super::*;

/// The mistakes in a text, as shown.
fn mistakes(text: &str) -> Vec<String> {
    Settings::parse("h.toml", text)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let settings = Settings::parse("hotline.toml", "").unwrap();
    assert_eq!(
        settings.sip.listen,
        ["0.0.0.0:5060".parse::<SocketAddr>().unwrap()]
    );
    assert_eq!(settings.limits.calls, 2_000);
    assert_eq!(settings.registrar.expiry_max, Duration::from_secs(600));
    assert_eq!(
        settings.media.codecs,
        [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus]
    );
    assert_eq!(settings.media.ports, None);
    assert_eq!(settings.recordings.format, RecordingFormat::Alaw);
    assert_eq!(settings.prompts.voices["en"], "en-gb");
    assert!(settings.trunks.is_empty() && settings.queues.is_empty());
    assert!(settings.warnings.is_empty());
}

#[test]
fn tls_needs_its_certificate_and_a_certificate_its_use() {
    let tls = "[sip]\ntls = [\"0.0.0.0:5061\"]\n";
    assert_eq!(
        mistakes(tls),
        [
            "h.toml:2:7: tls: needs a certificate",
            "h.toml:2:7: tls: needs a key"
        ]
    );
    assert_eq!(
        mistakes("[sip]\nkey = \"key.pem\"\n"),
        ["h.toml:2:7: key: has no meaning without tls or wss"]
    );
    let whole = format!("{tls}certificate = \"c.pem\"\nkey = \"k.pem\"\n");
    let settings = Settings::parse("etc/h.toml", &whole).unwrap();
    assert_eq!(settings.sip.key, Some(PathBuf::from("etc/k.pem")));
    assert_eq!(settings.sip.tcp, None);
    let none = Settings::parse("h.toml", "[sip]\ntcp = []\n").unwrap();
    assert_eq!(none.sip.tcp, Some(Vec::new()));
}

#[test]
fn origins_are_whole() {
    let origins = |list: &str| format!("[sip]\norigins = [{list}]\n");
    for good in [
        "\"*\"",
        "\"https://desk.example\", \"http://127.0.0.1:8080\"",
    ] {
        Settings::parse("h.toml", &origins(good)).unwrap();
    }
    for bad in [
        "desk.example",
        "https://",
        "https://desk.example/page",
        "ws://desk.example",
    ] {
        let said = mistakes(&origins(&format!("{bad:?}")));
        assert_eq!(said.len(), 1, "{bad}");
        assert!(
            said[0].contains("origins: expected pages such as"),
            "{said:?}"
        );
    }
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let text = "[recordings]\nroot = \"calls\"\nspool = \"/var/spool/hotline\"\n";
    let settings = Settings::parse("conf/hotline.toml", text).unwrap();
    assert_eq!(settings.recordings.root, PathBuf::from("conf/calls"));
    assert_eq!(
        settings.recordings.spool,
        PathBuf::from("/var/spool/hotline")
    );
    assert_eq!(
        settings.journal.database,
        journal::Location::File("conf/journal/journal.db".into())
    );
}

#[test]
fn values_of_every_kind_are_read() {
    let text = r#"
[sip]
listen = ["127.0.0.1:0", "[::1]:5062"]
advertise = "203.0.113.7"
[media]
ports = "20000-20999"
codecs = ["pcmu"]
[log]
level = "debug"
format = "json"
[[trunk]]
name = "carrier"
addresses = ["192.0.2.0/24", "2001:db8::1"]
user = "c1"
secret_env = "X"
country_code = "7"
national_prefix = "8"
national_length = 0x0a
[[queue]]
name = "operators"
ring_time = "1 min 5s"
wait_max = "15 min"
wrap_up = "0s"
[[queue]]
name = "second"
"#;
    let settings = Settings::parse("hotline.toml", text).unwrap();
    assert_eq!(
        settings.sip.listen[1],
        "[::1]:5062".parse::<SocketAddr>().unwrap()
    );
    assert_eq!(settings.media.ports, Some(PortRange(20_000..=20_999)));
    assert_eq!(settings.log.format, LogFormat::Json);
    assert!(settings.trunks[0].addresses[0].contains("192.0.2.77".parse().unwrap()));
    assert_eq!(settings.trunks[0].national_length, 10);
    assert_eq!(settings.queues[0].ring_time, Duration::from_secs(65));
    assert_eq!(settings.queues[0].wait_max, Some(Duration::from_secs(900)));
    assert_eq!(settings.queues[1].wait_max, None);
    assert_eq!(settings.queues[1].length_max, 200);
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    assert_eq!(
        mistakes("[sip]\n  lissten = [\"127.0.0.1:0\"]\n"),
        ["h.toml:2:3: unknown key \"lissten\" in [sip] (did you mean listen?)"]
    );
    assert_eq!(
        mistakes("[[queue]]\nname = \"a\"\nrealm = \"x\"\n"),
        [
            "h.toml:3:1: unknown key \"realm\" in [[queue]] (did you mean relax? realm belongs \
             to [sip])"
        ]
    );
    assert_eq!(
        mistakes("[recording]\nroot = \"a\"\n"),
        ["h.toml:1:2: unknown section \"recording\" (did you mean recordings?)"]
    );
    assert_eq!(
        mistakes("[[queue]]\nname = \"a\"\nmax_length = 5\n"),
        ["h.toml:3:1: unknown key \"max_length\" in [[queue]] (did you mean length_max?)"]
    );
    let far = mistakes("[log]\nzzzz = 1\n");
    assert_eq!(
        far,
        [
            "h.toml:2:1: unknown key \"zzzz\" in [log] (known: level, format; \
             the nearest is level)"
        ]
    );
    assert!(
        mistakes("[zzzz]\n")[0].ends_with("webhook; the nearest is sip)"),
        "{:?}",
        mistakes("[zzzz]\n")
    );
}

#[test]
fn a_wrong_value_is_told_with_place_expectation_and_finding() {
    let cases = [
        (
            "[limits]\ncalls = \"many\"",
            "2:9: calls: expected a whole number, found the text \"many\"",
        ),
        (
            "[limits]\ncalls = 0",
            "2:9: calls: expected 1 to 20000, found 0",
        ),
        (
            "[limits]\ncalls = -1",
            "2:9: calls: expected a whole number, found the number -1",
        ),
        (
            "[sip]\nlisten = [\"127.0.0.1:5060\", \"localhost\"]",
            "2:29: listen: expected an address with a port, such as \"192.0.2.1:5060\" or \
             \"[2001:db8::1]:5060\", found the text \"localhost\"",
        ),
        (
            "[registrar]\nexpiry_min = 60",
            "2:14: expiry_min: expected a duration, such as \"500ms\", \"20s\", \"5 min\" or \
             \"1h\", found the number 60",
        ),
        (
            "[[queue]]\nname = \"q\"\nring_time = \"1h\"",
            "3:13: ring_time: expected \"1s\" to \"3 min\", found \"1h\"",
        ),
        (
            "[recordings]\nformat = \"mp3\"",
            "2:10: format: expected \"alaw\" or \"pcm\", found the text \"mp3\"",
        ),
        (
            "[media]\nports = \"30000-20000\"",
            "2:9: ports: expected a range of ports above 1023, the lower first, such as \
             \"16384-32767\", found the text \"30000-20000\"",
        ),
        ("sip = 5", "1:1: expected [sip]"),
        ("[queue]\nname = \"q\"", "1:2: expected [[queue]]"),
        (
            "[[queue]]\nwrap_up = \"1s\"",
            "1:1: [[queue]] has no name (for example name = \"operators\")",
        ),
        (
            "[dialplans]\nfolder = \"\"",
            "2:10: folder: expected a path, found the text \"\"",
        ),
        (
            "[sip]\nrealm = \"\"",
            "2:9: realm: expected text that is not empty, found \"\"",
        ),
        (
            "[prompts]\nvoices = { ru = 1 }",
            "2:17: voices: expected text, found the number 1",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(mistakes(text), [format!("h.toml:{expected}")], "{text}");
    }
}

#[test]
fn every_mistake_is_listed_in_the_order_of_the_file() {
    let text = "[limits]\ncalls = 0\n[sip]\nlisten = [\"a\", \"b\"]\nrelm = \"x\"\n[[queue]]\n";
    let places: Vec<_> = Settings::parse("h.toml", text)
        .unwrap_err()
        .iter()
        .map(|problem| problem.place.unwrap().0)
        .collect();
    assert_eq!(places, [2, 4, 4, 5, 6]);
}

#[test]
fn broken_toml_is_told_with_its_place() {
    let mistakes = mistakes("[sip]\nrealm = \"open\nuser_agent = 'x'\n");
    assert!(mistakes[0].starts_with("h.toml:2:"), "{mistakes:?}");
}

#[test]
fn a_key_or_a_table_that_stands_twice_is_named() {
    for (text, expected) in [
        (
            "[log]\nlevel = \"info\"\nlevel = \"warn\"\n",
            "h.toml:3:1: duplicate key \"level\": it stands here twice",
        ),
        (
            "[log]\n[sip]\n[log]\n",
            "h.toml:3:2: duplicate key \"log\": it stands here twice",
        ),
    ] {
        assert_eq!(mistakes(text), [expected]);
    }
}

#[test]
fn a_password_in_the_file_is_refused_with_advice() {
    let text = "[[trunk]]\nname = \"c\"\nuser = \"u\"\npassword = \"hunter2\"\n";
    let mistakes = mistakes(text);
    assert!(
        mistakes
            .iter()
            .any(|m| m.starts_with("h.toml:4:1:") && m.contains("secret_file"))
    );
    assert!(
        !mistakes.join("\n").contains("hunter2"),
        "a secret is shown: {mistakes:?}"
    );
}

#[test]
fn settings_that_do_not_fit_together_are_refused() {
    let cases = [
        (
            "[registrar]\nexpiry_min = \"10 min\"",
            "expected expiry_min <= expiry_default",
        ),
        (
            "[recordings]\nroot = \"a\"\nspool = \"a\"",
            "expected another folder than root",
        ),
        (
            "[prompts]\nspeech_command = [\"say\", \"{output}\"]",
            "no argument has {text_file}",
        ),
        (
            "[prompts]\nlanguages = [\"../ru\"]",
            "expected codes such as",
        ),
        ("[sip]\nlisten = []", "expected at least one address"),
        ("[sip]\nrealm = \"a\\\"b\"", "without quotation marks"),
        ("[media]\ncodecs = []", "expected at least one codec"),
        (
            "[media]\ncodecs = [\"pcma\", \"pcma\"]",
            "codecs: \"pcma\" stands twice",
        ),
        (
            "[sip]\ndigest = [\"md5\", \"sha-256\", \"md5\"]",
            "digest: \"md5\" stands twice",
        ),
        (
            "[journal]\nevents = \"a\"\ndatabase = \"./a\"",
            "database: expected another path than events",
        ),
        (
            "[[queue]]\nname = \"a\"\n[[queue]]\nname = \"a\"",
            "are called \"a\"",
        ),
        ("[[trunk]]\nname = \"a\"", "neither addresses nor a user"),
        (
            "[[trunk]]\nname = \"a\"\nuser = \"u\"",
            "needs secret_file or secret_env",
        ),
        (
            "[[trunk]]\nname = \"a\"\nuser = \"u\"\nsecret_env = \"A\"\nsecret_file = \"b\"",
            "one of them",
        ),
        (
            "[[trunk]]\nname = \"a\"\naddresses = [\"192.0.2.1\"]\nsecret_env = \"A\"",
            "a secret without a user",
        ),
        (
            "[[trunk]]\nname = \"a\"\naddresses = [\"192.0.2.1\"]\narea_code = \"4242\"",
            "no meaning without country_code",
        ),
        (
            "[[trunk]]\nname = \"a\"\naddresses = [\"192.0.2.1\"]\ncountry_code = \"+7\"",
            "expected digits only",
        ),
    ];
    for (text, expected) in cases {
        let mistakes = mistakes(text);
        assert!(
            mistakes.iter().any(|one| one.contains(expected)),
            "{text}\n{mistakes:?}"
        );
        assert!(
            mistakes.iter().all(|one| one.starts_with("h.toml:")),
            "{mistakes:?}"
        );
    }
}

#[test]
fn a_trunk_open_to_everybody_is_a_warning() {
    let text = "[[trunk]]\nname = \"all\"\naddresses = [\"0.0.0.0/0\"]\n";
    let settings = Settings::parse("h.toml", text).unwrap();
    assert_eq!(settings.warnings.len(), 1);
    assert!(
        settings.warnings[0]
            .to_string()
            .starts_with("h.toml:3:13: trunk \"all\" takes calls")
    );
}

#[test]
fn a_trunk_secret_comes_from_a_file_or_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secret"), "pa ss\nnotes\n").unwrap();
    std::fs::write(dir.path().join("empty"), "\n").unwrap();
    let trunk = |line: &str| {
        let file = dir.path().join("hotline.toml");
        let text = format!("[[trunk]]\nname = \"c\"\nuser = \"u\"\n{line}\n");
        Settings::parse(file.to_str().unwrap(), &text)
            .unwrap()
            .trunks
            .remove(0)
    };
    assert_eq!(
        trunk("secret_file = \"secret\"").secret(),
        Ok(Some("pa ss".to_owned()))
    );
    assert!(
        trunk("secret_file = \"empty\"")
            .secret()
            .unwrap_err()
            .contains("is empty")
    );
    assert!(
        trunk("secret_file = \"none\"")
            .secret()
            .unwrap_err()
            .contains("none")
    );
    let unset = trunk("secret_env = \"HOTLINE_TEST_SURELY_UNSET\"")
        .secret()
        .unwrap_err();
    assert!(
        unset.contains("HOTLINE_TEST_SURELY_UNSET is not set"),
        "{unset}"
    );
}

#[test]
fn a_trunk_without_its_secret_is_told_at_the_key_that_names_it() {
    let text = "[[trunk]]\nname = \"a\"\nuser = \"u\"\nsecret_file = \"/none\"\n\
                [[trunk]]\nname = \"b\"\naddresses = [\"192.0.2.1\"]\n\
                [[trunk]]\nname = \"c\"\nuser = \"u\"\nsecret_env = \"HOTLINE_TEST_UNSET\"\n";
    let problems = Settings::parse("h.toml", text).unwrap().secret_problems();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("h.toml:4:15: secret_file of trunk \"a\": /none: "));
    assert!(told[1].starts_with("h.toml:11:14: secret_env of trunk \"c\": HOTLINE_TEST_UNSET"));
}

#[test]
fn a_problem_beside_the_file_is_told_at_the_setting_its_table_or_the_file() {
    for (text, expected) in [
        ("[log]\n[dialplans]\nfolder = \"x\"\n", "h.toml:3:10: gone"),
        ("[log]\n[dialplans]\n", "h.toml:2:2: gone"),
        ("[log]\n", "h.toml: gone"),
    ] {
        let settings = Settings::parse("h.toml", text).unwrap();
        let problem = settings.problem_at("dialplans.folder", "gone".to_owned());
        assert_eq!(problem.to_string(), expected, "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_one_plain_problem() {
    let dir = tempfile::tempdir().unwrap();
    let missing = load(&dir.path().join("none.toml")).unwrap_err();
    assert_eq!((missing.len(), missing[0].place), (1, None));
    assert!(
        missing[0].to_string().contains("cannot be read"),
        "{}",
        missing[0]
    );
    assert_eq!(
        load(dir.path()).unwrap_err()[0].message,
        "expected a settings file, found a folder"
    );
    let bytes = dir.path().join("bytes.toml");
    std::fs::write(&bytes, [0x66, 0xff, 0xfe]).unwrap();
    assert!(load(&bytes).unwrap_err()[0].message.contains("UTF-8"));
}

/// Every default, example and range of the definitions can be read and is in range.
#[test]
fn definitions_hold() {
    for section in SECTIONS {
        for field in section.fields {
            let value = match field.preset {
                Preset::Default(value) | Preset::Empty(value) | Preset::Required(value) => value,
            };
            let mut values = vec![value];
            values.extend(field.range.map(|(low, _)| low));
            values.extend(field.range.map(|(_, high)| high));
            for value in values {
                let heading = reader::heading(section);
                let text = format!("{heading}\n{} = {value}\n", field.key);
                let problems = Settings::parse("h.toml", &text).err().unwrap_or_default();
                let wrong = problems
                    .iter()
                    .filter(|p| p.place.is_some_and(|(line, _)| line == 2));
                // One bound alone may not fit the defaults of its neighbours.
                let crossed = "expected expiry_min <= expiry_default <= expiry_max";
                let wrong: Vec<_> = wrong
                    .filter(|p| p.message.contains("expected") && !p.message.contains(crossed))
                    .collect();
                assert!(wrong.is_empty(), "{text}{wrong:?}");
            }
            assert!(
                !field.why.is_empty(),
                "{}.{} has no reason",
                section.name,
                field.key
            );
        }
    }
}

#[test]
fn the_sample_can_be_used_as_it_is_and_means_the_defaults() {
    let settings = Settings::parse("hotline.toml", &sample()).unwrap();
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    let defaults = Settings::parse("hotline.toml", "").unwrap();
    assert_eq!(settings.sip, defaults.sip);
    assert_eq!(settings.prompts, defaults.prompts);
    assert_eq!((settings.trunks.len(), settings.queues.len()), (1, 1));
}

#[test]
fn every_commented_setting_of_the_sample_is_a_legal_line() {
    let sample = sample();
    let settings = sample
        .lines()
        .filter(|line| line.starts_with('#') && !line.starts_with("# ") && line.contains(" = "));
    let mut seen = 0;
    for line in settings {
        let text = sample.replacen(line, line.trim_start_matches('#'), 1);
        let mistakes = Settings::parse("h.toml", &text).err().unwrap_or_default();
        let unknown: Vec<_> = mistakes
            .iter()
            .filter(|m| m.message.contains("unknown"))
            .collect();
        assert!(unknown.is_empty(), "{line}: {unknown:?}");
        seen += 1;
    }
    assert!(seen > 30, "only {seen} settings in the sample");
}

/// The file of the tree must be what is generated now; `UPDATE=1` writes it.
fn compare(file: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, generated).unwrap();
    }
    let present = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        present == generated,
        "{file} is not what the definitions give: write it anew with \
         `UPDATE=1 cargo test -p hotline --lib generated_texts`"
    );
}

#[test]
fn generated_texts_are_up_to_date() {
    compare("hotline.sample.toml", &sample());
    compare("docs/settings.md", &reference());
}

#[test]
fn a_webhook_that_cannot_work_is_told() {
    for (text, expected) in [
        (
            "url = \"ftp://a\"\nsecret_env = \"A\"",
            "url: expected http:// or https://",
        ),
        (
            "url = \"https:///a\"\nsecret_env = \"A\"",
            "url: expected http:// or https://",
        ),
        ("url = \"https://a\"", "needs secret_file or secret_env"),
        (
            "url = \"https://a\"\nsecret_env = \"A\"\nsecret_file = \"b\"",
            "one of them",
        ),
        (
            "url = \"https://a\"\nsecret_env = \"A\"\nevents = []",
            "events: expected at least one",
        ),
        (
            "url = \"https://a\"\nsecret_env = \"A\"\nevents = [\"call.ring\"]",
            "call.ended",
        ),
    ] {
        let found = mistakes(&format!("[[webhook]]\nname = \"a\"\n{text}\n"));
        assert!(
            found.iter().any(|one| one.contains(expected)),
            "{text}: {found:?}"
        );
    }
    let text =
        "[[webhook]]\nname = \"a\"\nurl = \"https://a\"\nsecret_env = \"HOTLINE_TEST_UNSET\"\n";
    let problems = Settings::parse("h.toml", text).unwrap().secret_problems();
    assert!(
        problems[0]
            .to_string()
            .starts_with("h.toml:4:14: secret_env of webhook \"a\"")
    );
}

const BUCKET: &str = "[bucket]\nname = \"calls\"\naccess_key = \"AK\"\nsecret_file = \"/none\"\n";

#[test]
fn a_bucket_that_does_not_fit_together_is_told_at_its_key() {
    let archive = "[recordings]\narchive_after = \"30d\"\n";
    for (more, expected) in [
        ("", "h.toml:4:8: name: has no meaning without endpoint"),
        (
            "endpoint = \"http://s3\"\n",
            "h.toml:7:12: endpoint: expected https://, found \"http://s3\"",
        ),
        (
            "endpoint = \"s3.example\"\n",
            "h.toml:7:12: endpoint: expected https://, a host and a port, found \"s3.example\"",
        ),
        (
            "endpoint = \"https://key:secret@s3\"\n",
            "h.toml:7:12: endpoint: expected https://, a host and a port, found",
        ),
        (
            "endpoint = \"https://s3\"\nprefix = \"../up\"\n",
            "h.toml:8:10: prefix: expected names of letters",
        ),
        (
            "endpoint = \"https://s3\"\npart = \"1 MiB\"\n",
            "h.toml:8:8: part: expected ",
        ),
    ] {
        let text = format!("{archive}{BUCKET}{more}");
        let problems = Settings::parse("h.toml", &text).unwrap_err();
        let told = problems[0].to_string();
        assert!(told.starts_with(expected), "{told}, expected {expected}");
    }
    let text = format!("{archive}[bucket]\nendpoint = \"https://s3\"\nname = \"calls\"\n");
    let problems = Settings::parse("h.toml", &text).unwrap_err();
    let told = problems[0].to_string();
    let expected = "h.toml:4:12: endpoint: needs access_key and secret_file beside it";
    assert!(told.starts_with(expected), "{told}");
}

#[test]
fn a_bucket_whose_secret_cannot_be_read_is_told_at_the_key_that_names_it() {
    let text = format!("{BUCKET}endpoint = \"https://s3\"\n");
    let settings = Settings::parse("h.toml", &text).unwrap();
    let told = settings.secret_problems()[0].to_string();
    let expected = "h.toml:4:15: secret_file of bucket: /none: ";
    assert!(told.starts_with(expected), "{told}");
    assert_eq!(settings.warnings.len(), 1, "nothing is archived");
}

//! What may be typed, and what may not.

use clap::CommandFactory;

use super::*;

fn refusal(arguments: &[&str]) -> String {
    Cli::try_parse_from(arguments).unwrap_err().to_string()
}

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn a_password_cannot_be_an_argument() {
    let text = refusal(&["hotline", "user", "add", "ivanova", "--password", "secret"]);
    assert!(text.contains("--password"), "{text}");
    let text = refusal(&["hotline", "user", "passwd", "ivanova", "secret"]);
    assert!(text.contains("unexpected argument"), "{text}");
}

#[test]
fn skills_and_levels_are_read() {
    let arguments = [
        "hotline",
        "user",
        "add",
        "i",
        "--skill",
        "health=80",
        "--skill",
        "en=0",
    ];
    let Command::User {
        command: UserCommand::Add(add),
    } = Cli::try_parse_from(arguments).unwrap().command
    else {
        panic!("not `user add`");
    };
    assert_eq!(
        add.skills,
        [("health".to_owned(), 80), ("en".to_owned(), 0)]
    );
    assert_eq!(add.config.config, PathBuf::from("hotline.toml"));
    for bad in ["health", "health=101", "=5", "health=-1", "health=x"] {
        let text = refusal(&["hotline", "user", "add", "i", "--skill", bad]);
        assert!(
            text.contains("NAME=LEVEL") || text.contains("0 to 100"),
            "{bad}: {text}"
        );
    }
}

#[test]
fn a_login_fits_a_sip_uri() {
    assert_eq!(login("ivanova.a+1_x-2"), Ok("ivanova.a+1_x-2".to_owned()));
    for bad in ["", "a b", "a@b", "a;b", "и", &"a".repeat(65)] {
        assert!(login(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_line_address_is_a_sip_uri_with_an_ip_address() {
    for good in ["sip:201@192.0.2.7", "sip:201@[2001:db8::7]:5070"] {
        assert_eq!(line_address(good), Ok(good.to_owned()));
    }
    for bad in [
        "201",
        "tel:201",
        "sip:201@pbx.example",
        "sips:201@192.0.2.7",
        "sip:201@192.0.2.7:0",
        "sip:201@192.0.2.7;transport=tcp",
    ] {
        assert!(line_address(bad).is_err(), "{bad}");
    }
    refusal(&["hotline", "user", "address", "i"]);
    refusal(&[
        "hotline",
        "user",
        "address",
        "i",
        "sip:1@192.0.2.7",
        "--none",
    ]);
}

#[test]
fn a_moment_is_a_date_or_a_time_with_offset() {
    let time = moment("2026-11-22T08:00:00+10:00").unwrap();
    assert_eq!(time.as_unix_millis(), 1_795_298_400_000);
    assert!(moment("2026-11-22").is_ok());
    for bad in [
        "22.11.2026",
        "2026-13-01",
        "yesterday",
        "2026-11-22T08:00:00",
    ] {
        assert!(moment(bad).is_err() || bad.contains('T'), "{bad}");
    }
    assert!(moment("yesterday").unwrap_err().contains("2026-11-22"));
}

#[test]
fn once_needs_a_number_of_calls() {
    assert!(refusal(&["hotline", "demo", "--once"]).contains("--calls"));
}

//! The steps in docs/dialplans.md are those of the parser, with the same words.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;

use dialplan::{KINDS, Kind, Shape};

const BEGIN: &str = "<!-- steps: made by crates/dialplan/tests/reference.rs -->\n";
const END: &str = "<!-- end of steps -->\n";

fn written(shape: Shape) -> String {
    match shape {
        Shape::Name => "a name".to_owned(),
        Shape::Text => "text".to_owned(),
        Shape::Flag => "`true`, `false`".to_owned(),
        Shape::Whole(low, high) => format!("{low} to {high}"),
        Shape::Time => "a time".to_owned(),
        Shape::Voices => "a text for each language".to_owned(),
        Shape::Files => "a file, or one for each language".to_owned(),
        Shape::Wav => "a file".to_owned(),
        Shape::Key => "a key".to_owned(),
        Shape::Choices => "a table of keys".to_owned(),
        Shape::Prompt => "`{ text }` or `{ file }`".to_owned(),
        Shape::Texts => "a list of texts".to_owned(),
        Shape::Days => "two days".to_owned(),
        Shape::Pairs => "a table of texts".to_owned(),
        Shape::Levels => "a table of numbers".to_owned(),
    }
}

fn section(kind: &Kind) -> String {
    let mut text = format!("**`{}`** {}\n\n", kind.name, kind.meaning);
    text.push_str("| key | what stands there | meaning |\n|---|---|---|\n");
    for key in kind.keys {
        let must = if key.required { ", must be there" } else { "" };
        let (name, shape, meaning) = (key.name, written(key.shape), key.meaning);
        text.push_str(&format!("| `{name}` | {shape}{must} | {meaning} |\n"));
    }
    text.push('\n');
    text
}

#[test]
fn the_page_on_dialplans_has_every_step_with_every_key() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dialplans.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    let made: String = KINDS.iter().map(section).collect();
    if std::env::var_os("HOTLINE_BLESS").is_some() {
        fs::write(&page, format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
        return;
    }
    assert!(
        found == made,
        "HOTLINE_BLESS=1 writes the section anew:\n{made}"
    );
}

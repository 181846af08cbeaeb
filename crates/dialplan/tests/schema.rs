//! The schema for editors against the plans that are shipped, the bad ones, and the parser's words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use dialplan::KINDS;
use serde_json::{Map, Value};

/// What a value breaks of a schema: the words of JSON Schema that ours uses, and no others, so that
/// none is passed over.
fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let wrong = |rule: &str| Err(format!("{at}: {rule}"));
    let schema = schema.as_object().expect("a schema is an object");
    for (word, rule) in schema {
        let holds = match word.as_str() {
            "$schema" | "title" | "description" | "$defs" => true,
            "$ref" => {
                let path = rule.as_str().unwrap().strip_prefix('#').unwrap();
                let target = root.pointer(path).unwrap_or_else(|| panic!("no {path}"));
                check(root, target, value, at)?;
                true
            }
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64(),
                other => panic!("{other}"),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "oneOf" => {
                let fitting = rule.as_array().unwrap().iter();
                let fitting = fitting.filter(|one| check(root, one, value, at).is_ok());
                fitting.count() == 1
            }
            // These say nothing of a value of another kind; `type` does.
            "minimum" => value.as_i64().is_none_or(|is| is >= rule.as_i64().unwrap()),
            "maximum" => value.as_i64().is_none_or(|is| is <= rule.as_i64().unwrap()),
            "minItems" => value.as_array().is_none_or(|all| all.len() >= size(rule)),
            "maxItems" => value.as_array().is_none_or(|all| all.len() <= size(rule)),
            "minProperties" => value.as_object().is_none_or(|all| all.len() >= size(rule)),
            "maxProperties" => value.as_object().is_none_or(|all| all.len() <= size(rule)),
            "minLength" => value
                .as_str()
                .is_none_or(|is| is.chars().count() >= size(rule)),
            "maxLength" => value
                .as_str()
                .is_none_or(|is| is.chars().count() <= size(rule)),
            "pattern" => value
                .as_str()
                .is_none_or(|is| fits(rule.as_str().unwrap(), is)),
            "required" => {
                let keys = rule.as_array().unwrap().iter();
                keys.clone()
                    .all(|key| value.get(key.as_str().unwrap()).is_some())
            }
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{at}[{place}]"))?;
                }
                true
            }
            "properties" | "patternProperties" | "additionalProperties" => {
                members(root, schema, value, at)?;
                true
            }
            other => panic!("the schema has `{other}`, which this test does not know"),
        };
        if !holds {
            return wrong(word);
        }
    }
    Ok(())
}

fn size(rule: &Value) -> usize {
    usize::try_from(rule.as_u64().unwrap()).unwrap()
}

fn members(
    root: &Value,
    schema: &Map<String, Value>,
    value: &Value,
    at: &str,
) -> Result<(), String> {
    let empty = Map::new();
    let table = |word| {
        schema
            .get(word)
            .and_then(Value::as_object)
            .unwrap_or(&empty)
    };
    for (key, member) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{key}");
        let pattern = table("patternProperties")
            .iter()
            .find(|(pattern, _)| fits(pattern, key));
        let known = table("properties").get(key);
        let known = known.or_else(|| pattern.map(|(_, schema)| schema));
        match (known, schema.get("additionalProperties")) {
            (Some(known), _) => check(root, known, member, &at)?,
            (None, Some(Value::Bool(false))) => return Err(format!("{at}: unknown key")),
            (None, Some(Value::Bool(true)) | None) => {}
            (None, Some(others)) => check(root, others, member, &at)?,
        }
    }
    Ok(())
}

/// The patterns that the schema uses, each by hand.
fn fits(pattern: &str, text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let shaped = |shape: &str| {
        shape.len() == text.len()
            && shape
                .chars()
                .zip(text.chars())
                .all(|(want, is)| match want {
                    '0' => is.is_ascii_digit(),
                    want => want == is,
                })
    };
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    match pattern {
        "^[0-9]+(ms|s|min|h)$" => {
            let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
            unit.len() < text.len() && ["ms", "s", "min", "h"].contains(&unit)
        }
        "\\.wav$" => text.ends_with(".wav"),
        "^[0-9*#]$" => text.len() == 1 && text.chars().all(|c| "0123456789*#".contains(c)),
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" => shaped("0000-00-00"),
        "^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$" => shaped("00:00-00:00"),
        "^(\\+[0-9]+|[0-9*#]+)$" => match text.strip_prefix('+') {
            Some(number) => digits(number),
            None => !text.is_empty() && text.chars().all(|c| "0123456789*#".contains(c)),
        },
        "^[a-z]{2,3}(-[A-Z]{2})?$" => {
            let (language, region) = text.split_once('-').unwrap_or((text, "AA"));
            (2..=3).contains(&language.len())
                && language.bytes().all(|b| b.is_ascii_lowercase())
                && region.len() == 2
                && region.bytes().all(|b| b.is_ascii_uppercase())
        }
        "^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$" => {
            let (first, last) = text.split_once('-').unwrap_or((text, "mon"));
            days.contains(&first) && days.contains(&last)
        }
        other => panic!("the schema has the pattern {other}, which this test does not know"),
    }
}

fn json(file: &Path) -> Option<Value> {
    toml::from_str(&fs::read_to_string(file).unwrap()).ok()
}

fn plans(folder: &str) -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let plans: Vec<_> = entries
        .filter(|file| file.extension().is_some_and(|one| one == "toml"))
        .collect();
    assert!(!plans.is_empty());
    plans
}

#[test]
fn every_shipped_plan_validates_against_the_schema() {
    let schema = dialplan::schema();
    for folder in ["../../dialplans", "../../dialplans/demo"] {
        for file in plans(folder) {
            let plan = json(&file).unwrap();
            let checked = check(&schema, &schema, &plan, "plan");
            assert_eq!(checked, Ok(()), "{}", file.display());
        }
    }
}

#[test]
fn every_kind_of_step_is_in_the_schema_with_every_key_and_its_meaning() {
    let schema = dialplan::schema();
    let steps = schema.pointer("/$defs/steps/items/oneOf").unwrap();
    let steps = steps.as_array().unwrap();
    assert_eq!(steps.len(), KINDS.len());
    for kind in KINDS {
        let step = steps.iter().find(|step| step["required"][0] == kind.name);
        let step = step.unwrap_or_else(|| panic!("{}", kind.name));
        assert_eq!(step["description"], kind.meaning);
        for key in kind.keys {
            let described = &step["properties"][kind.name]["properties"][key.name];
            assert_eq!(described["description"], key.meaning, "{}", key.name);
        }
    }
}

#[test]
fn a_step_of_each_kind_is_taken_by_parser_and_schema_alike() {
    let text = include_str!("every-step.toml");
    let plan = dialplan::parse("every-step.toml", text).unwrap_or_else(|told| panic!("{told:#?}"));
    let used: std::collections::BTreeSet<&str> = plan.steps().map(|step| step.kind()).collect();
    let all: std::collections::BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(used, all, "the file has a step of each kind");
    let schema = dialplan::schema();
    let value: Value = toml::from_str(text).unwrap();
    assert_eq!(check(&schema, &schema, &value, "plan"), Ok(()));
}

#[test]
fn the_schema_refuses_what_is_misspelt_or_of_a_wrong_kind() {
    let schema = dialplan::schema();
    for name in [
        "unknown-key",
        "unknown-step",
        "wrong-kind",
        "no-numbers",
        "menu",
    ] {
        let file = format!("tests/bad/{name}.toml");
        let value = json(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        assert!(check(&schema, &schema, &value, "plan").is_err(), "{name}");
    }
}

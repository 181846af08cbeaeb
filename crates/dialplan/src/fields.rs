//! Owns the fields of a call and their places in texts: `{name}` stands for the value of a field.

use std::collections::BTreeMap;

use crate::plan::limits;

/// The fields that a text names.
pub(crate) fn names_in(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        names.push(name);
        rest = after;
    }
    names
}

/// The text with the values of its fields; one that is not set stands for nothing.
pub(crate) fn fill(
    text: &str,
    fields: &BTreeMap<String, String>,
    escape: fn(&str) -> String,
) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        filled.push_str(before);
        let value = fields.get(name).map_or("", String::as_str);
        filled.push_str(&escape(value));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// A value as it is.
pub(crate) fn plain(value: &str) -> String {
    value.to_owned()
}

/// A value as a part of a URL (RFC 3986 §2.1): all but the unreserved characters are escaped, so
/// that no value can make another request of it.
pub(crate) fn percent(value: &str) -> String {
    let mut escaped = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// A value of a bounded length.
pub(crate) fn bounded(value: &str) -> String {
    value.chars().take(limits::FIELD_CHARS).collect()
}

/// The value at a path such as `patient.lines.0` of a JSON text: text, number or truth value.
pub(crate) fn at_path(json: &serde_json::Value, path: &str) -> Option<String> {
    let found = path.split('.').try_fold(json, |value, part| match value {
        serde_json::Value::Object(members) => members.get(part),
        serde_json::Value::Array(members) => members.get(part.parse::<usize>().ok()?),
        _ => None,
    })?;
    match found {
        serde_json::Value::String(text) => Some(bounded(text)),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(flag) => Some(flag.to_string()),
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_filled_in_and_cannot_change_a_url() {
        let fields = BTreeMap::from([("caller".to_owned(), "+7&x=1/ж".to_owned())]);
        let url = "http://h/p?c={caller}&n={none}";
        assert_eq!(names_in(url), ["caller", "none"]);
        assert_eq!(
            fill(url, &fields, percent),
            "http://h/p?c=%2B7%26x%3D1%2F%D0%B6&n="
        );
        assert_eq!(fill("{caller} {", &fields, plain), "+7&x=1/ж {");
    }

    #[test]
    fn a_path_finds_texts_numbers_and_truth_values_and_nothing_else() {
        let json = serde_json::json!({"a": {"b": ["x", 2, true, null]}});
        let at = |path| at_path(&json, path);
        assert_eq!(at("a.b.0").as_deref(), Some("x"));
        assert_eq!(at("a.b.1").as_deref(), Some("2"));
        assert_eq!(at("a.b.2").as_deref(), Some("true"));
        for path in ["a.b.3", "a.b", "a.b.9", "a.c", "", "a.b.0.0"] {
            assert_eq!(at(path), None, "{path}");
        }
    }
}

//! Owns the presets: a `[[trunk]]` for each carrier whose ways are known, as text for people.

/// Name and text of each.
const PRESETS: [(&str, &str); 8] = [
    ("beeline", include_str!("../../presets/beeline.toml")),
    ("megafon", include_str!("../../presets/megafon.toml")),
    ("domru", include_str!("../../presets/domru.toml")),
    ("mango", include_str!("../../presets/mango.toml")),
    ("zadarma", include_str!("../../presets/zadarma.toml")),
    ("sipnet", include_str!("../../presets/sipnet.toml")),
    ("rostelecom", include_str!("../../presets/rostelecom.toml")),
    ("other", include_str!("../../presets/other.toml")),
];

/// Their names.
#[must_use]
pub fn preset_names() -> [&'static str; PRESETS.len()] {
    PRESETS.map(|(name, _)| name)
}

/// The text of one.
#[must_use]
pub fn preset(name: &str) -> Option<&'static str> {
    let found = PRESETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text)
}

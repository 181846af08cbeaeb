//! The rules of this tree that a machine can check: who imports whom, what a core may not touch,
//! sizes, names, files. Each finding is `file:line: rule`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which of our crates a crate may use (besides those, only `hotline` uses all).
const IMPORTS: &[(&str, &[&str])] = &[
    ("vocab", &[]),
    ("g711", &["vocab"]),
    ("sip", &["vocab"]),
    ("sdp", &["vocab"]),
    ("acd", &["vocab"]),
    ("dialplan", &["vocab"]),
    ("switch", &["vocab", "sip", "sdp", "acd", "dialplan"]),
    ("transport", &["vocab", "sip"]),
    ("udp-io", &[]),
    ("browser", &["vocab"]),
    ("media", &["vocab", "g711", "udp-io", "browser"]),
    ("recorder", &["vocab", "g711"]),
    ("bucket", &[]),
    ("s3-server", &[]),
    ("trace", &["vocab", "sip"]),
    ("journal", &["vocab"]),
    ("console", &["vocab", "journal"]),
    (
        "sim",
        &[
            "vocab", "sip", "sdp", "acd", "dialplan", "journal", "switch",
        ],
    ),
    (
        "load",
        &["vocab", "g711", "sip", "sdp", "acd", "dialplan", "switch"],
    ),
];

/// Crates without IO, clock, lock, thread or global state.
const CORES: &[&str] = &["vocab", "g711", "sip", "sdp", "acd", "dialplan", "switch"];

/// What no core may name outside tests, and why.
const IMPURE: &[(&str, &str)] = &[
    ("Instant", "a core is told the time (vocab::Time)"),
    ("SystemTime", "a core is told the time (vocab::WallTime)"),
    ("Mutex", "a core has no lock"),
    ("RwLock", "a core has no lock"),
    ("OnceLock", "a core has no global state"),
    ("LazyLock", "a core has no global state"),
    ("thread_local", "a core has no global state"),
    ("static mut", "a core has no global state"),
    ("std::sync::atomic", "a core has no global state"),
    ("core::sync::atomic", "a core has no global state"),
    (
        "std::net",
        "a core has no socket; addresses are in core::net",
    ),
    ("std::fs", "a core has no file"),
    ("std::io", "a core does no IO"),
    ("std::thread", "a core has no thread"),
    ("std::env", "a core has no environment"),
    ("std::process", "a core has no process"),
    ("tokio", "a core is not async"),
    ("async fn", "a core is not async"),
    (
        "RandomState",
        "a core's iteration order is the same in every run",
    ),
    (
        "HashMap",
        "use BTreeMap or an index map: no hash order may reach an output",
    ),
    ("HashSet", "use BTreeSet: no hash order may reach an output"),
];

/// Files of cores where a hash map is only looked up, never walked.
const HASH_LOOKUPS: &[&str] = &["crates/sip/src/transaction/table.rs"];

/// Where the word for SIP's telephone program is meant, not a person.
const TELEPHONES: &[&str] = &["crates/load/src/", "docs/glossary.md"];

/// Longest source file, in lines.
const LINES_MAX: usize = 800;

/// Files that must be there.
const REQUIRED: &[&str] = &[
    "README.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "Makefile",
    "Cargo.lock",
    "hotline.sample.toml",
    ".ci/run",
    "scripts/setup",
    "scripts/test",
    "docs/architecture.md",
    "docs/benchmarks.md",
    "docs/first-call.md",
    "docs/api.md",
    "docs/glossary.md",
    "docs/journal.md",
    "docs/media.md",
    "docs/reports.md",
    "docs/settings.md",
    "docs/sip.md",
    "docs/troubles.md",
    "docs/webhooks.md",
    "dialplans",
    "migrations/postgres",
    "migrations/sqlite",
    "recordings/README.md",
    "sipp-scenarios/README.md",
];

/// Files that must be executable.
const EXECUTABLE: &[&str] = &[".ci/run", "scripts/setup", "scripts/test"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A text file of the tree; its path from the root.
struct Source {
    path: String,
    text: String,
    /// Declared under `#[cfg(test)]` by another file.
    for_tests: bool,
}

impl Source {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// A file of tests, or one that only tests and benchmarks use.
    fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.for_tests
            || name == "tests.rs"
            || name.ends_with("_tests.rs")
            || ["tests", "benches"].iter().any(|folder| {
                self.path.starts_with(&format!("{folder}/"))
                    || self.path.contains(&format!("/{folder}/"))
            })
    }

    /// The lines that are not tests, numbered, without comments.
    fn product(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = lines
            .windows(2)
            .position(|pair| pair[0].trim() == "#[cfg(test)]" && pair[1].contains("mod tests {"))
            .unwrap_or(lines.len());
        let end = if self.is_test() { 0 } else { tests };
        self.text
            .lines()
            .take(end)
            .enumerate()
            .map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()))
    }
}

/// Every text file of the tree, but what is built, generated or stored.
fn tree() -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root(), &mut found);
    assert!(
        found.len() > 50,
        "the walk found {} files only",
        found.len()
    );
    let for_tests: BTreeSet<String> = found.iter().flat_map(test_modules).collect();
    for source in &mut found {
        source.for_tests = for_tests.contains(&source.path);
    }
    found
}

/// The files that a file declares as modules of its tests.
fn test_modules(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let declared = lines
        .windows(2)
        .filter(|pair| pair[0].trim() == "#[cfg(test)]");
    let names = declared.filter_map(|pair| pair[1].trim().strip_prefix("mod ")?.strip_suffix(';'));
    let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let inside = match file {
        "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
        _ => format!("{folder}/{}", file.trim_end_matches(".rs")),
    };
    names
        .flat_map(|name| {
            [
                format!("{inside}/{name}.rs"),
                format!("{inside}/{name}/mod.rs"),
            ]
        })
        .collect()
}

fn walk(folder: &Path, found: &mut Vec<Source>) {
    let skipped = ["target", ".git", "demo-data", "proptest-regressions"];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if skipped.contains(&name.as_str()) || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path
                .strip_prefix(root())
                .unwrap()
                .to_string_lossy()
                .into_owned();
            // The recordings of a run at the root belong to whoever ran it; so do logs.
            let stored = path.starts_with("recordings/") && path != "recordings/README.md";
            if !stored && !path.ends_with(".log") && path != "Cargo.lock" {
                found.push(Source {
                    path,
                    text,
                    for_tests: false,
                });
            }
        }
    }
}

/// Fails with all findings, one on each line.
fn none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

/// Whether `word` stands in `line` as a whole word.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(part)
            && !line[at + word.len()..].chars().next().is_some_and(part)
    })
}

#[test]
fn imports_run_downwards_only() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    let allowed: BTreeMap<&str, &[&str]> = IMPORTS.iter().copied().collect();
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        if name == "hotline" {
            continue;
        }
        let Some(allowed) = allowed.get(name) else {
            findings.push(format!(
                "crates/{name}/Cargo.toml:1: a new crate: say in tests/tidy.rs what it may use"
            ));
            continue;
        };
        for used in package["dependencies"].as_array().unwrap() {
            let used_name = used["name"].as_str().unwrap();
            // Tests may use what they like, but not what lies above: that is a cycle.
            let counts = used["kind"].as_str() != Some("dev") || used_name == "hotline";
            if counts && ours.contains(used_name) && !allowed.contains(&used_name) {
                findings.push(format!(
                    "crates/{name}/Cargo.toml:1: {name} may not use {used_name} (imports run downwards)"
                ));
            }
        }
    }
    none(&findings);
}

#[test]
fn versions_stand_in_the_workspace_table_only() {
    let mut findings = Vec::new();
    for source in tree()
        .iter()
        .filter(|source| source.path.ends_with("Cargo.toml"))
    {
        let mut table = String::new();
        for (at, line) in source.text.lines().enumerate() {
            if line.starts_with('[') {
                table = line.trim_matches(['[', ']']).to_owned();
            }
            let dependency = table.ends_with("dependencies") && table != "workspace.dependencies";
            let names_one = line.contains('=') && !line.starts_with('#');
            if dependency && names_one && !line.contains("workspace = true") {
                findings.push(format!(
                    "{}:{}: write `name.workspace = true` and the version into the root table",
                    source.path,
                    at + 1
                ));
            }
        }
    }
    none(&findings);
}

#[test]
fn cores_touch_no_clock_lock_thread_or_socket() {
    let mut findings = Vec::new();
    for source in tree().iter().filter(|source| source.is_rust()) {
        let core = CORES
            .iter()
            .find(|core| source.path.starts_with(&format!("crates/{core}/src/")));
        let Some(core) = core else { continue };
        let lookups = HASH_LOOKUPS.contains(&source.path.as_str());
        for (number, line) in source.product() {
            for (word, why) in IMPURE {
                if has_word(line, word) && !(lookups && word.starts_with("Hash")) {
                    findings.push(format!(
                        "{}:{number}: {word} in core {core}: {why}",
                        source.path
                    ));
                }
            }
        }
    }
    none(&findings);
}

#[test]
fn files_are_short_and_say_what_they_own() {
    let mut findings = Vec::new();
    for source in tree().iter().filter(|source| source.is_rust()) {
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            findings.push(format!(
                "{}:{lines}: more than {LINES_MAX} lines: split it",
                source.path
            ));
        }
        if !source.text.starts_with("//!") {
            findings.push(format!(
                "{}:1: begin with //! what the file owns",
                source.path
            ));
        }
    }
    none(&findings);
}

#[test]
fn nothing_is_left_unfinished() {
    // Put together here, so that this file does not find itself.
    let marks = ["TO", "FIX", "XX"]
        .into_iter()
        .zip(["DO", "ME", "X"])
        .map(|(a, b)| [a, b].concat());
    let marks: Vec<String> = marks.collect();
    let calls = ["todo", "unimplemented", "dbg"].map(|name| [name, "!("].concat());
    let ignored = ["#[", "ignore"].concat();
    let mut findings = Vec::new();
    for source in &tree() {
        for (at, line) in source.text.lines().enumerate() {
            let place = format!("{}:{}", source.path, at + 1);
            if let Some(mark) = marks.iter().find(|mark| has_word(line, mark)) {
                findings.push(format!("{place}: {mark}: do it, or open an issue"));
            }
            if source.is_rust() && calls.iter().any(|call| line.contains(call.as_str())) {
                findings.push(format!("{place}: unfinished code"));
            }
            if source.is_rust() && line.contains(&ignored) {
                findings.push(format!("{place}: an ignored test: repair it or remove it"));
            }
        }
    }
    none(&findings);
}

#[test]
fn no_lint_about_panics_is_silenced_outside_tests() {
    let lints = [
        "unwrap_used",
        "expect_used",
        "panic",
        "unreachable",
        "indexing_slicing",
    ];
    let mut findings = Vec::new();
    for source in tree()
        .iter()
        .filter(|source| source.is_rust() && source.path.contains("src/"))
    {
        for (number, line) in source.product() {
            // A const fn that fills a table has no iterators; the compiler runs it.
            let table = source
                .text
                .lines()
                .nth(number)
                .is_some_and(|line| line.contains("const fn"));
            let silenced = (line.contains("allow(") || line.contains("expect(clippy")) && !table;
            if silenced
                && lints
                    .iter()
                    .any(|lint| has_word(line, &format!("clippy::{lint}")))
            {
                findings.push(format!(
                    "{}:{number}: the lint is there because a panic drops calls: return an error",
                    source.path
                ));
            }
        }
    }
    none(&findings);
}

#[test]
fn unsafe_code_stays_in_udp_io_and_is_explained() {
    let mut findings = Vec::new();
    for source in tree().iter().filter(|source| source.is_rust()) {
        let allowed = source.path.starts_with("crates/udp-io/");
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in source.product() {
            let silenced = line.contains("(unsafe_code)");
            let block = has_word(line, "unsafe") && (line.contains('{') || line.contains("impl"));
            if (silenced || block) && !allowed {
                findings.push(format!(
                    "{}:{number}: unsafe lives in crates/udp-io only",
                    source.path
                ));
            }
            let above = lines
                .get(number.saturating_sub(6)..number)
                .unwrap_or_default();
            if block && allowed && !above.iter().any(|line| line.contains("SAFETY:")) {
                findings.push(format!(
                    "{}:{number}: an unsafe block without SAFETY:",
                    source.path
                ));
            }
        }
    }
    none(&findings);
}

#[test]
fn names_are_the_glossarys() {
    let suffixes = [
        "Manager", "Helper", "Util", "Utils", "Common", "Data", "Info",
    ];
    // The word for an operator's telephone program in SIP stays SIP's: User-Agent. What keeps ureq's
    // connections bears it too.
    let wrong = ["ag", "ent"].concat();
    let right = ["user-", "user_", "user ", "user", "user-\\", "ureq::"];
    let right = right.map(|before| [before, &wrong].concat());
    let mut findings = Vec::new();
    for source in &tree() {
        for (number, line) in source.product().filter(|_| source.is_rust()) {
            let getter = ["fn g", "et_"].concat();
            // `get_mut` of a container is the standard library's own word.
            if line.contains(&getter) && !line.contains("get_mut(") {
                findings.push(format!(
                    "{}:{number}: no get_: name what it gives",
                    source.path
                ));
            }
            let name = ["struct ", "enum ", "trait "].iter().find_map(|kind| {
                let rest = line.trim_start().trim_start_matches("pub(crate) ");
                let rest = rest
                    .trim_start_matches("pub(super) ")
                    .trim_start_matches("pub ");
                rest.strip_prefix(kind)
            });
            let name = name.and_then(|rest| rest.split(|c: char| !c.is_alphanumeric()).next());
            if name.is_some_and(|name| suffixes.iter().any(|suffix| name.ends_with(suffix))) {
                findings.push(format!(
                    "{}:{number}: a name that says nothing",
                    source.path
                ));
            }
        }
        if TELEPHONES.iter().any(|path| source.path.starts_with(path)) {
            continue;
        }
        for (at, line) in source.text.lines().enumerate() {
            let mut line = line.to_lowercase();
            for right in &right {
                line = line.replace(right, "");
            }
            if has_word(&line, &wrong) || has_word(&line, &format!("{wrong}s")) {
                findings.push(format!(
                    "{}:{}: the person is an operator (docs/glossary.md)",
                    source.path,
                    at + 1
                ));
            }
        }
    }
    none(&findings);
}

#[test]
fn no_path_or_host_of_one_machine_is_in_the_tree() {
    let paths = ["work", "root", "home", "Users"].map(|name| format!("/{name}/"));
    let hosts = [
        "index.crates",
        "static.crates",
        "registry.npmjs",
        "proxy.golang",
    ];
    let hosts = hosts.map(|host| {
        [
            host,
            ".",
            if host.contains("crates") { "io" } else { "org" },
        ]
        .concat()
    });
    let mut findings = Vec::new();
    for source in &tree() {
        for (at, line) in source.text.lines().enumerate() {
            let path = paths.iter().find(|path| {
                line.match_indices(path.as_str()).any(|(at, _)| {
                    // Inside a longer path or address it is a part of that.
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-*}".contains(c))
                })
            });
            if let Some(path) = path {
                findings.push(format!(
                    "{}:{}: a path of one machine: {path}",
                    source.path,
                    at + 1
                ));
            }
            if hosts.iter().any(|host| line.contains(host.as_str())) {
                findings.push(format!("{}:{}: a registry's host", source.path, at + 1));
            }
        }
    }
    none(&findings);
}

#[test]
fn locked_packages_come_from_the_public_registry() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let public = "registry+https://github.com/rust-lang/crates.io-index";
    let sources = lock
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("source = "));
    let findings: Vec<String> = sources
        .filter(|(_, line)| line.trim_start_matches("source = ").trim_matches('"') != public)
        .map(|(at, line)| format!("Cargo.lock:{}: not the public registry: {line}", at + 1))
        .collect();
    none(&findings);
}

#[test]
fn required_files_are_there() {
    let mut findings = Vec::new();
    for path in REQUIRED {
        let present = root().join(path);
        let empty = present.is_file() && present.metadata().unwrap().len() == 0;
        if !present.exists() || empty {
            findings.push(format!("{path}:1: missing or empty"));
        }
    }
    for path in EXECUTABLE {
        let mode = fs::metadata(root().join(path)).map_or(0, |file| file.permissions().mode());
        if mode & 0o111 != 0o111 {
            findings.push(format!("{path}:1: must be executable"));
        }
    }
    none(&findings);
}

/// `docs/sip.md` says what is kept, where, and which test shows it; `docs/troubles.md` which test shows that
/// a trouble is not ours: all of that must be there.
#[test]
fn the_pages_of_sip_and_of_troubles_name_only_what_is_there() {
    let tree = tree();
    let findings = ["docs/sip.md", "docs/troubles.md"].map(|page| not_there(&tree, page));
    none(&findings.concat());
}

fn not_there(tree: &[Source], page: &str) -> Vec<String> {
    let Some(found) = tree.iter().find(|source| source.path == page) else {
        return vec![format!("{page}:1: is not there")];
    };
    let text = &found.text;
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for name in line.split('`').skip(1).step_by(2) {
            let known = if name.contains('/') {
                root().join(name).exists()
            } else if name.starts_with("uac-") || name.starts_with("uas-") {
                root().join(format!("sipp-scenarios/{name}.xml")).exists()
            } else if name.matches('_').count() >= 3 && !name.contains(' ') {
                let test = format!("fn {name}(");
                tree.iter().any(|source| source.text.contains(&test))
            } else {
                true
            };
            if !known {
                findings.push(format!("{page}:{}: there is no {name}", at + 1));
            }
        }
    }
    findings
}

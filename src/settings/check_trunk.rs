//! Owns the rules that the settings of one trunk keep among themselves, and its secrets.

use std::fs;
use std::path::{Path, PathBuf};

use super::Trunk;
use super::problem::Problem;
use super::reader::Reader;

/// Longest country or area code, in digits (E.164 country codes have at most three).
const CODE_DIGITS_MAX: usize = 7;

pub(super) fn trunk(
    trunk: &Trunk,
    path: &str,
    reader: &mut Reader<'_>,
    warnings: &mut Vec<Problem>,
) {
    let silent = trunk.addresses.is_empty() && trunk.user.is_none() && trunk.servers.is_empty();
    if silent {
        let message = format!(
            "trunk {:?} has neither addresses nor a user nor servers",
            trunk.name
        );
        let help = "without one of them every stranger's call would be taken".to_owned();
        reader.note_at(&format!("{path}.name"), message, Some(help));
    }
    let secrets = |file: &Option<PathBuf>, env: &Option<String>| {
        usize::from(file.is_some()) + usize::from(env.is_some())
    };
    let given = secrets(&trunk.secret_file, &trunk.secret_env);
    pair(reader, path, "user", trunk.user.as_ref(), given);
    let given = secrets(&trunk.account_secret_file, &trunk.account_secret_env);
    if given > 0 || trunk.account_user.is_some() {
        pair(reader, path, "account", trunk.account.as_ref(), given);
    }
    outward(trunk, path, reader);
    codes(trunk, path, reader);
    if trunk.user.is_none() && trunk.addresses.iter().any(|net| net.length() == 0) {
        let message = format!("trunk {:?} takes calls from every address", trunk.name);
        let help = Some("name the carrier's subnets, or a user and a secret".to_owned());
        warnings.push(reader.problem_at(&format!("{path}.addresses"), message, help));
    }
}

/// A name and a secret belong together.
fn pair(reader: &mut Reader<'_>, path: &str, key: &str, name: Option<&String>, secrets: usize) {
    let prefix = if key == "user" { "" } else { "account_" };
    let (wanted, message) = match name {
        Some(name) => (
            1,
            format!("{key} {name:?} needs {prefix}secret_file or {prefix}secret_env, one of them"),
        ),
        None => (0, format!("a secret without {key} has no meaning")),
    };
    let message = match name {
        None if key == "user" => "a secret without a user has no meaning".to_owned(),
        _ => message,
    };
    if secrets != wanted {
        reader.note_at(&format!("{path}.{key}"), message, None);
    }
}

/// What calls to the trunk and our registration need.
fn outward(trunk: &Trunk, path: &str, reader: &mut Reader<'_>) {
    if trunk.did.is_empty() {
        let message = "did: expected at least one place, found an empty list".to_owned();
        reader.note_at(&format!("{path}.did"), message, None);
    }
    if trunk.register && (trunk.servers.is_empty() || trunk.account.is_none()) {
        let message = "register: needs servers and an account".to_owned();
        reader.note_at(&format!("{path}.register"), message, None);
    }
    let needs_servers = [
        ("proxy", trunk.proxy.is_some()),
        ("dial_allowed", !trunk.dial_allowed.is_empty()),
        ("probe", trunk.probe.is_some()),
    ];
    for (key, given) in needs_servers {
        if given && trunk.servers.is_empty() {
            let message = format!("{key} has no meaning without servers");
            reader.note_at(&format!("{path}.{key}"), message, None);
        }
    }
    if let Some(domain) = &trunk.domain
        && sip::Uri::parse(&format!("sip:{domain}")).is_err()
    {
        let message = format!("domain: expected a host name, found {domain:?}");
        reader.note_at(&format!("{path}.domain"), message, None);
    }
    for (key, prefixes) in [
        ("dial_allowed", &trunk.dial_allowed),
        ("dial_refused", &trunk.dial_refused),
    ] {
        for prefix in prefixes {
            let digits = prefix.strip_prefix('+').unwrap_or(prefix);
            if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
                let message = format!("{key}: expected digits, as \"+7\", found {prefix:?}");
                reader.note_at(&format!("{path}.{key}"), message, None);
            }
        }
    }
}

fn codes(trunk: &Trunk, path: &str, reader: &mut Reader<'_>) {
    let codes = [
        ("country_code", &trunk.country_code),
        ("national_prefix", &trunk.national_prefix),
        ("international_prefix", &trunk.international_prefix),
        ("area_code", &trunk.area_code),
    ];
    for (key, code) in codes {
        let Some(code) = code else { continue };
        let mut parts = match key {
            "national_prefix" => code.split(','),
            // One part: no comma is among digits.
            _ => code.split('\0'),
        };
        let fine = |part: &str| {
            let part = part.trim();
            !part.is_empty()
                && part.len() <= CODE_DIGITS_MAX
                && part.chars().all(|c| c.is_ascii_digit())
        };
        if !parts.all(fine) {
            let message = format!("{key}: expected digits only, as \"7\", found {code:?}");
            reader.note_at(&format!("{path}.{key}"), message, None);
        }
        if trunk.country_code.is_none() {
            let message = format!("{key} has no meaning without country_code");
            reader.note_at(&format!("{path}.{key}"), message, None);
        }
    }
}

impl Trunk {
    /// The password of `user`, from the file or the environment variable named; `None` when the
    /// trunk does not authenticate itself.
    ///
    /// # Errors
    /// One sentence saying which file or variable has no password.
    pub fn secret(&self) -> Result<Option<String>, String> {
        let (file, env) = (&self.secret_file, &self.secret_env);
        self.read_secret("", file.as_deref(), env.as_deref())
    }

    /// The password of our account with the trunk; `None` where it asks for none.
    ///
    /// # Errors
    /// One sentence saying which file or variable has no password.
    pub fn account_secret(&self) -> Result<Option<String>, String> {
        let (file, env) = (&self.account_secret_file, &self.account_secret_env);
        self.read_secret("account_", file.as_deref(), env.as_deref())
    }

    fn read_secret(
        &self,
        prefix: &str,
        file: Option<&Path>,
        env: Option<&str>,
    ) -> Result<Option<String>, String> {
        read_secret(&format!("trunk {:?}", self.name), prefix, (file, env))
    }
}

/// The first line of a file, or an environment variable; `None` where neither is named. `whose`, as
/// `trunk "carrier"`, and `prefix` of the keys are for what is said if there is nothing.
pub(super) fn read_secret(
    whose: &str,
    prefix: &str,
    (file, env): (Option<&Path>, Option<&str>),
) -> Result<Option<String>, String> {
    let secret = match (file, env) {
        (Some(file), _) => {
            let text = fs::read_to_string(file).map_err(|error| {
                let file = file.display();
                format!("{prefix}secret_file of {whose}: {file}: {error}")
            })?;
            let first = text.lines().next().unwrap_or_default();
            first.trim_end().to_owned()
        }
        (None, Some(variable)) => std::env::var(variable).map_err(|_| {
            format!("{prefix}secret_env of {whose}: {variable} is not set in the environment")
        })?,
        (None, None) => return Ok(None),
    };
    if secret.is_empty() {
        return Err(format!("the password of {whose} is empty"));
    }
    Ok(Some(secret))
}

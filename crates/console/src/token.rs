//! Owns the bearer tokens: a file of names, hashes and rights. A token is 256 random bits, so one pass
//! of SHA-256 is enough to keep it: there is nothing to guess.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::operation::Right;

/// Most tokens of a file.
const TOKENS_MAX: usize = 1_000;

/// Who a token belongs to, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name, which is who writes into entries.
    pub name: String,
    /// What it may do.
    pub rights: Vec<Right>,
}

/// The tokens that are known, by the hash of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    by_hash: BTreeMap<String, Token>,
}

/// Why a file of tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("the tokens {file} cannot be read: {cause}; `hotline token add` makes them")]
    File {
        /// Which.
        file: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A line that is none.
    #[error(
        "{file}:{line}: expected `NAME HASH RIGHT,RIGHT…` (rights: {}), found something else",
        Right::names()
    )]
    Line {
        /// Which file.
        file: String,
        /// Which line.
        line: usize,
    },
    /// Too many.
    #[error("{file}: expected at most {TOKENS_MAX} tokens")]
    TooMany {
        /// Which file.
        file: String,
    },
}

impl Tokens {
    /// Reads a file of tokens, one on each line; empty lines and those that begin with `#` are passed
    /// over.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn load(path: &Path) -> Result<Self, TokenError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|cause| TokenError::File {
            file: file.clone(),
            cause,
        })?;
        Self::parse(&text, &file)
    }

    /// The same of a text.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn parse(text: &str, file: &str) -> Result<Self, TokenError> {
        let mut by_hash = BTreeMap::new();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let (hash, token) = token(text).ok_or_else(|| TokenError::Line {
                file: file.to_owned(),
                line,
            })?;
            by_hash.insert(hash, token);
            if by_hash.len() > TOKENS_MAX {
                return Err(TokenError::TooMany {
                    file: file.to_owned(),
                });
            }
        }
        Ok(Self { by_hash })
    }

    /// Whose token it is. It is found by its hash, so how long that takes tells nothing of it.
    #[must_use]
    pub fn find(&self, secret: &str) -> Option<&Token> {
        self.by_hash.get(&hash(secret))
    }
}

fn token(text: &str) -> Option<(String, Token)> {
    let mut words = text.split_whitespace();
    let (name, hash, rights) = (words.next()?, words.next()?, words.next()?);
    let hex = hash.len() == 64 && hash.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    if !hex || words.next().is_some() {
        return None;
    }
    let rights: Option<Vec<Right>> = rights.split(',').map(Right::named).collect();
    let token = Token {
        name: name.to_owned(),
        rights: rights?,
    };
    Some((hash.to_owned(), token))
}

/// What is kept of a token: SHA-256 in hex.
#[must_use]
pub fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

pub(crate) fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}

/// The octets of a text in hex; none of another text.
pub(crate) fn octets(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let pairs = digits.chunks_exact(2);
    Some(
        pairs
            .map(|pair| pair.iter().fold(0, |sum, digit| sum * 16 + digit))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_secret_and_by_nothing_else() {
        let secret = "s3cret";
        let text = format!("# who\n\ncrm {} read,write\n", hash(secret));
        let tokens = Tokens::parse(&text, "tokens").unwrap();
        let token = tokens.find(secret).unwrap();
        assert_eq!(token.name, "crm");
        assert_eq!(token.rights, [Right::Read, Right::Write]);
        assert_eq!(
            tokens.find(&hash(secret)),
            None,
            "the file's text opens nothing"
        );
        assert_eq!(tokens.find(""), None);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        for text in [
            "crm",
            "crm abc read",
            &format!("crm {} everything", hash("x")),
            &format!("crm {} read more", hash("x")),
        ] {
            let error = Tokens::parse(&format!("\n{text}"), "tokens")
                .unwrap_err()
                .to_string();
            assert!(error.starts_with("tokens:2: expected"), "{error}");
            assert!(error.contains("read, write"), "{error}");
        }
    }
}

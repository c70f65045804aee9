//! Reads `allowed_signers` files, as `ssh-keygen -Y verify` does (ssh-keygen(1), ALLOWED SIGNERS).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::{HashAlg, PublicKey};

use crate::judgement::plain;

/// One line: who may sign with which key, for what and when.
#[derive(Debug, Clone)]
pub(crate) struct AllowedSigner {
    line: String,
    /// As written, for messages and reports.
    pub(crate) principals: String,
    pub(crate) is_authority: bool,
    pub(crate) namespaces: Option<String>,
    pub(crate) valid_after: Option<Timestamp>,
    pub(crate) valid_before: Option<Timestamp>,
    pub(crate) key: PublicKey,
}

impl AllowedSigner {
    pub(crate) fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    pub(crate) fn line(&self) -> &str {
        &self.line
    }
}

/// Every line that can be used, and what is wrong with the others, by line number.
pub(crate) fn allowed_signers(text: &str) -> (Vec<AllowedSigner>, Vec<(usize, String)>) {
    let mut signers = Vec::new();
    let mut problems = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match signer(line) {
            Ok(signer) => signers.push(signer),
            Err(message) => problems.push((number + 1, message)),
        }
    }
    (signers, problems)
}

fn signer(line: &str) -> Result<AllowedSigner, String> {
    let (principals, rest) = word(line).ok_or("a quote is not closed")?;
    if principals.is_empty() {
        return Err("it names no principal".to_owned());
    }
    if is_key_type(&principals) {
        return Err("it begins with a key: write who may sign with it before it, e.g. `ada@example.org ssh-ed25519 …`".to_owned());
    }
    let rest = rest.trim_start();
    let first = rest.split(char::is_whitespace).next().unwrap_or_default();
    let (options, key) = if is_key_type(first) {
        ("", rest)
    } else {
        options(rest).ok_or("a quote is not closed")?
    };
    let key = PublicKey::from_openssh(key.trim())
        .map_err(|error| format!("its key cannot be read: {}", plain(&error.to_string())))?;
    let mut signer = AllowedSigner {
        line: line.to_owned(),
        principals,
        is_authority: false,
        namespaces: None,
        valid_after: None,
        valid_before: None,
        key,
    };
    for option in split_options(options) {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (
                name,
                Some(
                    value
                        .strip_prefix('"')
                        .and_then(|value| value.strip_suffix('"'))
                        .unwrap_or(value),
                ),
            ),
            None => (option, None),
        };
        match (name.to_ascii_lowercase().as_str(), value) {
            ("cert-authority", None) => signer.is_authority = true,
            ("namespaces", Some(value)) => signer.namespaces = Some(value.to_owned()),
            ("valid-after", Some(value)) => signer.valid_after = Some(time(value)?),
            ("valid-before", Some(value)) => signer.valid_before = Some(time(value)?),
            // It may take something away that must be taken away.
            _ => return Err(format!("its option `{}` is not known", plain(option))),
        }
    }
    Ok(signer)
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"]
        .iter()
        .any(|start| word.starts_with(start))
        && !word.contains('@')
        || word.starts_with("sk-") && word.ends_with("@openssh.com")
}

/// The first word, which may be quoted, and the rest.
fn word(line: &str) -> Option<(String, &str)> {
    if let Some(quoted) = line.strip_prefix('"') {
        let (word, rest) = quoted.split_once('"')?;
        return Some((word.to_owned(), rest));
    }
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    Some((word.to_owned(), rest))
}

/// The options and the rest. Quotes in them protect blanks.
fn options(line: &str) -> Option<(&str, &str)> {
    let mut is_quoted = false;
    for (at, character) in line.char_indices() {
        match character {
            '"' => is_quoted = !is_quoted,
            _ if character.is_whitespace() && !is_quoted => return Some(line.split_at(at)),
            _ => {}
        }
    }
    (!is_quoted).then_some((line, ""))
}

fn split_options(options: &str) -> Vec<&str> {
    let mut is_quoted = false;
    options
        .split(|character| {
            is_quoted ^= character == '"';
            character == ',' && !is_quoted
        })
        .filter(|option| !option.is_empty())
        .collect()
}

fn time(text: &str) -> Result<Timestamp, String> {
    let bad = || {
        format!(
            "`{}` is no time: write YYYYMMDD or YYYYMMDDHHMM[SS], with a `Z` for UTC",
            plain(text)
        )
    };
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    let padded = match digits.len() {
        8 | 12 => format!("{digits:0<14}"),
        14 => digits.to_owned(),
        _ => return Err(bad()),
    };
    let time = DateTime::strptime("%Y%m%d%H%M%S", padded).map_err(|_| bad())?;
    time.to_zoned(TimeZone::UTC)
        .map(|time| time.timestamp())
        .map_err(|_| bad())
}

/// Whether a list of patterns, e.g. `*@example.org,!eve@example.org`, lets a name in. As OpenSSH has it: any pattern
/// with `!` that matches refuses, whatever else matches.
pub(crate) fn lets_in(patterns: &str, name: &str) -> bool {
    let mut is_in = false;
    for pattern in patterns
        .split(',')
        .map(str::trim)
        .filter(|pattern| !pattern.is_empty())
    {
        match pattern.strip_prefix('!') {
            Some(refused) if matches(refused, name) => return false,
            Some(_) => {}
            None => is_in |= matches(pattern, name),
        }
    }
    is_in
}

/// `*` is any text, `?` any character.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Positions to go back to when the last `*` has to take one more; this is linear in the product at worst.
    let (mut at, mut in_name, mut star) = (0, 0, None);
    while in_name < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(character) if *character == '?' || name.get(in_name) == Some(character) => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else {
                    return false;
                };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                in_name = taken + 1;
            }
        }
    }
    pattern
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|character| *character == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    #[test]
    fn lines_that_people_write() {
        let text = format!(
            "# who\n\nada@example.org {KEY} laptop\n*@example.org,!eve@example.org namespaces=\"git,file\",valid-after=\"20240101\",valid-before=20300101120000Z {KEY}\n\"a b\" CERT-AUTHORITY {KEY}\n"
        );
        let (signers, problems) = allowed_signers(&text);
        assert_eq!(problems, []);
        assert_eq!(signers.len(), 3);
        assert_eq!(signers[0].principals, "ada@example.org");
        assert_eq!(signers[1].namespaces.as_deref(), Some("git,file"));
        assert_eq!(
            signers[1].valid_after.unwrap().to_string(),
            "2024-01-01T00:00:00Z"
        );
        assert_eq!(
            signers[1].valid_before.unwrap().to_string(),
            "2030-01-01T12:00:00Z"
        );
        assert!(signers[2].is_authority && signers[2].principals == "a b");
    }

    #[test]
    fn a_bad_line_is_named_and_the_others_serve() {
        for line in [
            KEY.to_owned(),
            format!("ada frobnicate {KEY}"),
            format!("ada valid-after=soon {KEY}"),
            format!("ada valid-after=20241301 {KEY}"),
            format!("ada namespaces=\"git {KEY}"),
            "ada".to_owned(),
            "ada ssh-ed25519".to_owned(),
            "ada ssh-ed25519 AAAA".to_owned(),
            format!("\"ada {KEY}"),
        ] {
            let (signers, problems) = allowed_signers(&format!("{line}\nbob {KEY}\n"));
            assert_eq!(signers.len(), 1, "{line}");
            assert_eq!(
                problems.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
                [1],
                "{line}"
            );
        }
    }

    #[test]
    fn patterns() {
        assert!(lets_in("*@example.org", "ada@example.org"));
        assert!(!lets_in("*@example.org,!ada@*", "ada@example.org"));
        assert!(
            !lets_in("!eve@*", "ada@example.org"),
            "a refusal alone lets nobody in"
        );
        assert!(lets_in("a?a", "ada") && !lets_in("a?a", "adda") && lets_in("*", ""));
        assert!(!lets_in("", "ada") && !lets_in("git", "gitx") && lets_in("g*t*", "git"));
        assert!(!matches(&"*a".repeat(40), &"a".repeat(39)));
    }
}

//! Ranges of versions, as Helm takes them: `^1.2`, `~1.2.3`, `1.x`, `>=1.2, <2`, `1.2 - 2.3`, `a || b`.
//!
//! Helm's ranges are those of the Go library Masterminds/semver, which differ from Cargo's and npm's: a bare `1.2` is `~1.2`, `>1.2` is
//! above all of 1.2, and a prerelease counts in a group only if the group names one. So they are read here, and a test holds them
//! against the answers of that library.

use std::cmp::Ordering;

use crate::version::Version;

/// Longer texts are no ranges; the library has the same bound.
const LONGEST: usize = 512;
/// So many alternatives, at most; the library has the same bound.
const MOST: usize = 32;

/// A range of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// One of these has to hold, and of it everything.
    any: Vec<Vec<Bound>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    operator: Operator,
    version: Version,
    given: Given,
}

/// How much of a version is given; the rest may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Nothing,
    Major,
    Minor,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

/// Longer ones first.
const OPERATORS: [(&str, Operator); 11] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterEqual),
    ("=>", Operator::GreaterEqual),
    ("<=", Operator::LessEqual),
    ("=<", Operator::LessEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

impl Default for Constraint {
    /// `*`: every release.
    fn default() -> Self {
        Self {
            any: vec![vec![Bound {
                operator: Operator::Equal,
                version: Version(semver::Version::new(0, 0, 0)),
                given: Given::Nothing,
            }]],
        }
    }
}

impl Constraint {
    /// Reads a range; an empty text is `*`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text.len() > LONGEST {
            return Err(format!("it has more than {LONGEST} characters"));
        }
        let groups: Vec<&str> = text.split("||").collect();
        if groups.len() > MOST {
            return Err(format!("it has more than {MOST} alternatives"));
        }
        let any = groups.into_iter().map(group).collect::<Result<_, _>>()?;
        Ok(Self { any })
    }

    /// True for a version within the range.
    #[must_use]
    pub fn allows(&self, version: &Version) -> bool {
        self.any.iter().any(|all| {
            let prereleases = all.iter().any(|bound| !bound.version.0.pre.is_empty());
            (version.0.pre.is_empty() || prereleases) && all.iter().all(|bound| bound.allows(version))
        })
    }

    /// True if the text allows one version only: a whole version, and nothing else.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        matches!(self.any.as_slice(), [all] if matches!(all.as_slice(), [bound] if bound.operator == Operator::Equal && bound.given == Given::All))
    }
}

fn group(text: &str) -> Result<Vec<Bound>, String> {
    let mut bounds = Vec::new();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("an alternative is empty".to_owned());
    }
    loop {
        let (bound, after) = bound(rest)?;
        let trimmed = after.trim_start();
        if let Some((upper, after)) = hyphenated(&bound, after)? {
            let lower = Bound {
                operator: Operator::GreaterEqual,
                ..bound
            };
            bounds.extend([lower, upper]);
            rest = after.trim_start();
        } else {
            bounds.push(bound);
            rest = trimmed;
        }
        if rest.is_empty() {
            return Ok(bounds);
        }
        let is_apart = rest.len() < after.len() || rest.starts_with(',');
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start();
        } else if !is_apart {
            return Err(format!("`{rest}` follows without a space or a comma"));
        }
    }
}

/// The upper end of `1.2 - 2.3`, if it is one.
fn hyphenated<'t>(lower: &Bound, after: &'t str) -> Result<Option<(Bound, &'t str)>, String> {
    let rest = after.trim_start();
    let is_range = rest.len() < after.len() && rest.starts_with("- ") && lower.operator == Operator::Equal;
    if !is_range {
        return Ok(None);
    }
    let (upper, after) = bound(rest.strip_prefix('-').unwrap_or(rest).trim_start())?;
    match upper.operator {
        Operator::Equal => Ok(Some((
            Bound {
                operator: Operator::LessEqual,
                ..upper
            },
            after,
        ))),
        _ => Err("a range `A - B` is of two versions".to_owned()),
    }
}

fn bound(text: &str) -> Result<(Bound, &str), String> {
    let found = OPERATORS.iter().find_map(|(sign, operator)| {
        let rest = text.strip_prefix(sign)?;
        Some((*operator, rest.trim_start()))
    });
    let (operator, rest) = found.unwrap_or((Operator::Equal, text));
    let is_of_version =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '+' | '*');
    let end = rest
        .find(|character| !is_of_version(character))
        .unwrap_or(rest.len());
    let (written, after) = rest.split_at(end);
    let wrong = || format!("`{written}` is no version");
    let bare = written.strip_prefix('v').unwrap_or(written);
    let (core, suffix) = bare.split_at(bare.find(['-', '+']).unwrap_or(bare.len()));
    // What builds are called takes no part in comparisons.
    let suffix = suffix.split('+').next().unwrap_or_default();
    let parts: Vec<&str> = core.split('.').collect();
    if parts.len() > 3 || parts.iter().any(|part| part.is_empty()) {
        return Err(wrong());
    }
    let is_any = |part: &&str| matches!(*part, "x" | "X" | "*");
    let number = parts.iter().position(is_any).unwrap_or(parts.len());
    let given = match number {
        0 => Given::Nothing,
        1 => Given::Major,
        2 => Given::Minor,
        _ => Given::All,
    };
    let is_right = |part: &&str| is_any(part) || part.bytes().all(|byte| byte.is_ascii_digit());
    if !parts.iter().all(is_right) {
        return Err(wrong());
    }
    let numbers = parts.get(..number).unwrap_or_default().join(".");
    let numbers = if numbers.is_empty() { "0" } else { &numbers };
    let version = Version::read(&format!("{numbers}{suffix}")).ok_or_else(wrong)?;
    Ok((
        Bound {
            operator,
            version,
            given,
        },
        after,
    ))
}

impl Bound {
    fn allows(&self, version: &Version) -> bool {
        let (mine, other) = (&self.version.0, &version.0);
        let order = version.compare(&self.version);
        let same_major = other.major == mine.major;
        let same_minor = same_major && other.minor == mine.minor;
        match self.operator {
            Operator::Equal if self.given == Given::All => order == Ordering::Equal,
            Operator::Equal | Operator::Tilde => self.allows_near(order, same_major, same_minor),
            Operator::NotEqual => match self.given {
                // The library compares the major alone with 0 here.
                Given::Nothing => !same_major || other.minor != mine.minor || order != Ordering::Equal,
                Given::Major => !same_major,
                Given::Minor => !same_minor || other.pre != mine.pre,
                Given::All => order != Ordering::Equal,
            },
            Operator::Greater => match self.given {
                Given::All => order == Ordering::Greater,
                Given::Nothing => other.major > mine.major || same_major && order == Ordering::Greater,
                Given::Major => other.major > mine.major,
                Given::Minor => other.major > mine.major || same_major && other.minor > mine.minor,
            },
            Operator::Less => order == Ordering::Less,
            Operator::GreaterEqual => order != Ordering::Less,
            Operator::LessEqual => match self.given {
                Given::All => order != Ordering::Greater,
                Given::Major => other.major <= mine.major,
                Given::Nothing | Given::Minor => {
                    other.major < mine.major || same_major && other.minor <= mine.minor
                }
            },
            Operator::Caret => self.allows_compatible(version, order, same_major),
        }
    }

    fn allows_near(&self, order: Ordering, same_major: bool, same_minor: bool) -> bool {
        let mine = &self.version.0;
        let is_zero = (mine.major, mine.minor, mine.patch) == (0, 0, 0);
        if order == Ordering::Less {
            return false;
        }
        // `~0.0.0` and `*` are the same to the library.
        if is_zero && matches!(self.given, Given::Nothing | Given::All) {
            return true;
        }
        same_major && (same_minor || self.given == Given::Major)
    }

    fn allows_compatible(&self, version: &Version, order: Ordering, same_major: bool) -> bool {
        let (mine, other) = (&self.version.0, &version.0);
        if order == Ordering::Less {
            return false;
        }
        if mine.major > 0 || self.given == Given::Major {
            return same_major;
        }
        if other.major > 0 {
            return false;
        }
        if mine.minor > 0 || self.given == Given::Minor {
            return other.minor == mine.minor;
        }
        other.minor == 0 && other.patch == mine.patch
    }
}

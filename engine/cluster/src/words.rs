//! What a refusal says: the server's own words, or ours in their place.
//!
//! For some of what a refusal means there is no machine-readable form, so it is looked for in the server's words. Words of ours are for
//! people alone: what the server's meant is kept beside them.

use std::fmt;
use std::ops::Deref;

/// What a refusal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    text: String,
    /// What the server's words meant, if these are ours.
    meant: Option<Meaning>,
}

/// What a refusal means, beyond its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A webhook cannot be asked without side effects.
    NoDryRun,
    /// The namespace is on its way out.
    Terminating,
    /// This change is not taken, whatever the value.
    Immutable,
    /// A number or a truth value stands where text is needed.
    NotText,
    /// No more than its words say, and all of them are shown.
    Plain,
    /// No more than its words say, and some are not shown.
    Withheld,
}

impl Words {
    /// Returns words of ours that stand for the server's, which meant this.
    pub(crate) fn instead(text: impl Into<String>, meant: Meaning) -> Self {
        Self {
            text: text.into(),
            meant: Some(meant),
        }
    }

    /// Returns true if the refusal means this.
    pub(crate) fn mean(&self, meaning: Meaning) -> bool {
        match self.meant {
            Some(meant) => meant == meaning,
            None => is_said(meaning, &self.text),
        }
    }

    /// Returns the text, for values to be taken out of it.
    pub(crate) fn text_mut(&mut self) -> &mut String {
        &mut self.text
    }
}

impl Meaning {
    /// Returns the first of these that the server's words mean, or `otherwise`.
    pub(crate) fn of(text: &str, otherwise: Self) -> Self {
        let all = [Self::NoDryRun, Self::Terminating, Self::Immutable];
        all.into_iter()
            .find(|meaning| is_said(*meaning, text))
            .unwrap_or(otherwise)
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self { text, meant: None }
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Deref for Words {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Whether a server's words mean this.
fn is_said(meaning: Meaning, text: &str) -> bool {
    match meaning {
        Meaning::NoDryRun => text.contains("does not support dry run"),
        Meaning::Terminating => text.contains("being terminated"),
        Meaning::Immutable => says_immutable(text),
        Meaning::NotText => is_unquoted(text),
        Meaning::Plain | Meaning::Withheld => false,
    }
}

/// True where a number or a truth value stands where text is needed: `y` is one to YAML.
fn is_unquoted(message: &str) -> bool {
    let value = message
        .split_once("expected string, got &value.valueUnstructured{Value:")
        .and_then(|(_, rest)| rest.split_once('}'));
    let is_scalar = |text: &str| text.parse::<f64>().is_ok() || text.parse::<bool>().is_ok();
    let decoded = ["cannot unmarshal number into Go", "cannot unmarshal bool into Go"];
    value.is_some_and(|(text, _)| is_scalar(text))
        || message.contains("of type string") && decoded.iter().any(|words| message.contains(words))
}

/// So many words after "cannot" are looked at for "be changed".
const WORDS_BETWEEN: usize = 3;

/// By the API server's own kinds, a CRD's validation rules, an admission policy or a webhook: these are the words that they use, with a
/// blank for what stands between (`cannot be changed`, `can't be directly changed`).
fn says_immutable(text: &str) -> bool {
    const NOT: &[&str] = &[
        "cannot",
        "can not",
        "can't",
        "may not",
        "must not",
        "mustn't",
        "should not",
        "not allowed to",
        "not permitted to",
        "not be",
    ];
    const CHANGED: &[&str] = &["chang", "updat", "modif", "mutat", "edit", "alter"];
    const WHOLE: &[&str] = &[
        "immutable",
        "unchangeable",
        "forbidden: updates to",
        "updates to this field are forbidden",
    ];
    let text = text.to_lowercase();
    let forbidden = |sentence: &str| {
        NOT.iter().any(|not| {
            sentence.match_indices(not).any(|(at, _)| {
                let after = sentence.get(at + not.len()..).unwrap_or_default();
                let mut next = after.split_whitespace().take(WORDS_BETWEEN);
                next.any(|word| CHANGED.iter().any(|changed| word.starts_with(changed)))
            })
        })
    };
    WHOLE.iter().any(|word| text.contains(word)) || text.split(['.', ';', '\n']).any(forbidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_ours_mean_what_is_kept_beside_them() {
        let server = Words::from("admission webhook \"v\" denied the request: spec.class is immutable");
        assert!(server.mean(Meaning::Immutable) && !server.mean(Meaning::Withheld));
        // The same text, said by us.
        let ours = Words::instead(&*server, Meaning::Withheld);
        assert!(!ours.mean(Meaning::Immutable) && ours.mean(Meaning::Withheld));
        // A server that says what we say in place of its words means nothing by it.
        let said = Words::from("the words are not shown, since they may quote the Secret");
        assert!(!said.mean(Meaning::Withheld));
    }

    #[test]
    fn the_first_meaning_counts() {
        for (text, expected) in [
            ("webhook \"v\" does not support dry run", Meaning::NoDryRun),
            ("it is being terminated", Meaning::Terminating),
            ("spec.class cannot be changed", Meaning::Immutable),
            ("spec.class is too long", Meaning::Plain),
        ] {
            assert_eq!(Meaning::of(text, Meaning::Plain), expected, "{text}");
        }
    }
}

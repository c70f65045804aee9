//! Conditions as KEP-1623 has them.

use sluice_model::application::Condition;
use sluice_model::error::{Coded, one_line};

/// Can the repository be read?
pub const SOURCE_READY: &str = "SourceReady";
/// Is the newest revision trusted?
pub const VERIFIED: &str = "Verified";
/// Can every key of the keyrings be used?
pub const KEYS_READY: &str = "KeysReady";
/// Could manifests be made of it?
pub const RENDERED: &str = "Rendered";
/// Is the cluster as Git wants it?
pub const SYNCED: &str = "Synced";
/// Does it work?
pub const HEALTHY: &str = "Healthy";
/// Did every policy answer?
pub const PLUGINS_READY: &str = "PluginsReady";
/// Does the API server answer, and may we?
pub const CLUSTER_READY: &str = "ClusterReady";
/// Is nothing written for now? Only there while that is so.
pub const PAUSED: &str = "Paused";
/// Is it kept at a revision that a person named? Only there while that is so.
pub const PINNED: &str = "Pinned";

/// The order in which they are shown: what people did, then the way of the data.
const ORDER: [&str; 10] = [
    PAUSED,
    PINNED,
    CLUSTER_READY,
    SOURCE_READY,
    KEYS_READY,
    VERIFIED,
    RENDERED,
    PLUGINS_READY,
    SYNCED,
    HEALTHY,
];

/// Longer messages are cut: the API server takes 32 KiB, people less.
const LONGEST: usize = 4_000;

/// What a condition says now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// One word.
    pub reason: String,
    /// For people.
    pub message: String,
}

impl Finding {
    /// It is so.
    pub fn yes(reason: &str, message: impl Into<String>) -> Self {
        Self {
            status: "True",
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    /// It is not so.
    pub fn no(reason: &str, message: impl Into<String>) -> Self {
        Self {
            status: "False",
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    /// It is not known.
    pub fn unknown(reason: &str, message: impl Into<String>) -> Self {
        Self {
            status: "Unknown",
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    /// What a condition said.
    pub fn of(condition: &Condition) -> Self {
        let known = ["True", "False"];
        let status = known.into_iter().find(|known| *known == condition.status);
        Self {
            status: status.unwrap_or("Unknown"),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
        }
    }

    /// The message, cut where it is longer than a status should hold.
    pub fn message_within_limits(self) -> String {
        shortened(self.message, LONGEST)
    }

    /// It is not so because of a failure: its code is the reason, its causes and hint are the message.
    pub fn failed(error: &dyn Coded) -> Self {
        let hint = format!("\nhint: {}", error.hint());
        // What to do is never what is cut off.
        let message = shortened(one_line(error), LONGEST.saturating_sub(hint.len())) + &hint;
        Self {
            status: "False",
            reason: error.code().id.to_owned(),
            message,
        }
    }
}

/// Sets a condition. The transition time changes with the status only.
pub fn set(
    conditions: &mut Vec<Condition>,
    r#type: &str,
    finding: Finding,
    generation: Option<i64>,
    now: &str,
) {
    let before = conditions
        .iter()
        .position(|condition| condition.r#type == r#type)
        .map(|index| conditions.remove(index));
    let since = match before {
        Some(before) if before.status == finding.status => before.last_transition_time,
        Some(_) | None => now.to_owned(),
    };
    conditions.push(Condition {
        r#type: r#type.to_owned(),
        status: finding.status.to_owned(),
        reason: finding.reason,
        message: shortened(finding.message, LONGEST),
        last_transition_time: since,
        observed_generation: generation,
    });
    conditions.sort_by_key(|condition| {
        ORDER
            .iter()
            .position(|known| *known == condition.r#type)
            .unwrap_or(ORDER.len())
    });
}

/// The condition of a type.
pub fn get<'a>(conditions: &'a [Condition], r#type: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.r#type == r#type)
}

/// Takes a condition away. True where there was one.
pub fn remove(conditions: &mut Vec<Condition>, r#type: &str) -> bool {
    let before = conditions.len();
    conditions.retain(|condition| condition.r#type != r#type);
    conditions.len() < before
}

/// A message that is no longer than so many bytes: cut after a line where it has several, and within one otherwise.
fn shortened(mut message: String, longest: usize) -> String {
    if message.len() <= longest {
        return message;
    }
    let room = longest.saturating_sub("…".len());
    let end = message.floor_char_boundary(room);
    let whole_lines = message.get(..end).and_then(|kept| kept.rfind('\n'));
    match whole_lines {
        Some(line) => {
            message.truncate(line);
            message.push_str("\n…");
        }
        None => {
            message.truncate(end);
            message.push('…');
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transition_is_a_change_of_status_only() {
        let mut conditions = Vec::new();
        set(&mut conditions, SYNCED, Finding::no("A04", "x"), Some(1), "t1");
        set(&mut conditions, SYNCED, Finding::no("A05", "y"), Some(2), "t2");
        assert_eq!(
            (
                conditions[0].reason.as_str(),
                conditions[0].last_transition_time.as_str()
            ),
            ("A05", "t1")
        );
        set(&mut conditions, SYNCED, Finding::yes("Synced", ""), Some(2), "t3");
        assert_eq!(conditions[0].last_transition_time, "t3");
        assert_eq!(conditions.len(), 1);
    }

    #[test]
    fn they_stand_in_the_order_of_the_data() {
        let mut conditions = Vec::new();
        for r#type in [HEALTHY, SYNCED, SOURCE_READY] {
            set(&mut conditions, r#type, Finding::yes("Good", ""), None, "t");
        }
        assert_eq!(
            conditions.iter().map(|c| c.r#type.as_str()).collect::<Vec<_>>(),
            [SOURCE_READY, SYNCED, HEALTHY]
        );
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let cut = shortened("é".repeat(LONGEST), LONGEST);
        assert!(cut.len() <= LONGEST && cut.ends_with("é…"));
        let lines = shortened("one\ntwo\nthree".to_owned(), 12);
        assert_eq!(lines, "one\ntwo\n…");
    }

    #[test]
    fn a_hint_is_never_cut_off() {
        #[derive(Debug)]
        struct Long(String);
        impl std::fmt::Display for Long {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::error::Error for Long {}
        impl Coded for Long {
            fn code(&self) -> &'static sluice_model::ErrorCode {
                const CODE: sluice_model::ErrorCode = sluice_model::ErrorCode {
                    id: "X01",
                    summary: "",
                    hint: "do this",
                    exit: sluice_model::ExitKind::Input,
                };
                &CODE
            }
        }
        let finding = Finding::failed(&Long("x".repeat(LONGEST * 2)));
        assert!(finding.message.len() <= LONGEST && finding.message.ends_with("…\nhint: do this"));
    }
}

//! Approving what waits: the deletions of one very plan, or one very commit of a rewritten history.

use std::fmt;
use std::str::FromStr;

use serde_json::json;
use sluice_model::Application;
use sluice_model::application::{ACCEPTED_HISTORY_ANNOTATION, APPROVED_PLAN_ANNOTATION};
use sluice_model::plan::ApplicationKey;

use crate::applications::Operations;
use crate::error::OperationError;

/// What is approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// The deletions that a plan holds.
    Plan(PlanDigest),
    /// A history that was rewritten, by its newest commit.
    History(CommitId),
}

/// What was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approved {
    /// So many deletions.
    Deletions(u32),
    /// The history.
    History,
}

/// A plan's whole digest: an approval by its first digits would be an approval of something not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanDigest(String);

/// A commit's whole object id, for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitId(String);

impl FromStr for PlanDigest {
    type Err = String;

    /// Reads `sha256:` and 64 digits, or the digits alone.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        match digits.len() == 64 && is_hexadecimal(digits) {
            true => Ok(Self(format!("sha256:{digits}"))),
            false => Err("it is `sha256:` and 64 hexadecimal digits; the whole of it".to_owned()),
        }
    }
}

impl FromStr for CommitId {
    type Err = String;

    /// Reads 40 or 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, String> {
        match is_hexadecimal(text) && matches!(text.len(), 40 | 64) {
            true => Ok(Self(text.to_owned())),
            false => Err("it is a commit's whole object id: 40 or 64 hexadecimal digits".to_owned()),
        }
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for PlanDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Operations {
    /// Approves what waits. The controller goes on with it, unless something has changed by then: an approval holds for this plan, or
    /// this commit, and for no other.
    ///
    /// # Errors
    /// [`OperationError::NothingPending`] if nothing waits; [`OperationError::OtherPending`] if another plan or commit does; those of
    /// [`Operations::get`]; the API server's if it refuses the change.
    pub async fn approve(
        &self,
        key: &ApplicationKey,
        approval: &Approval,
    ) -> Result<Approved, OperationError> {
        let approved = check(key, &self.get(key).await?, approval)?;
        let annotation = match approval {
            Approval::Plan(digest) => json!({APPROVED_PLAN_ANNOTATION: digest.0}),
            Approval::History(commit) => json!({ACCEPTED_HISTORY_ANNOTATION: commit.0}),
        };
        self.annotate(key, annotation).await?;
        Ok(approved)
    }
}

/// That it is this which waits.
fn check(
    key: &ApplicationKey,
    application: &Application,
    approval: &Approval,
) -> Result<Approved, OperationError> {
    let status = application.status.as_ref();
    let (what, given, pending, approved) = match approval {
        Approval::Plan(digest) => {
            let pending = status.and_then(|status| status.pending_approval.as_ref());
            let count = pending.map_or(0, |pending| pending.count);
            let digest_of = pending.map(|pending| pending.plan_digest.as_str());
            ("plan", &digest.0, digest_of, Approved::Deletions(count))
        }
        Approval::History(commit) => {
            let states = status.into_iter().flat_map(|status| status.verifications());
            let pending: Vec<&str> = states
                .filter_map(|(_, state)| state.pending_acceptance.as_deref())
                .collect();
            let asked = pending.iter().find(|pending| **pending == commit.0);
            let pending = asked.or(pending.first()).copied();
            ("the history of", &commit.0, pending, Approved::History)
        }
    };
    match pending {
        None => Err(OperationError::NothingPending {
            application: key.clone(),
        }),
        Some(pending) if pending != given => Err(OperationError::OtherPending {
            application: key.clone(),
            what,
            given: given.clone(),
            pending: pending.to_owned(),
        }),
        Some(_) => Ok(approved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{guestbook, key};
    use sluice_model::Coded as _;

    fn answer(application: &Application, approval: &Approval) -> String {
        match check(&key(), application, approval) {
            Ok(approved) => format!("{approved:?}"),
            Err(error) => error.code().id.to_owned(),
        }
    }

    fn plan(digest: &str) -> Approval {
        Approval::Plan(digest.parse().unwrap())
    }

    #[test]
    fn only_what_waits_can_be_approved() {
        let application = guestbook();
        let status = application.status.as_ref().unwrap();
        let pending = plan(&status.pending_approval.as_ref().unwrap().plan_digest);
        assert_eq!(answer(&application, &pending), "Deletions(2)");
        assert_eq!(answer(&application, &plan(&"0".repeat(64))), "U10");
        let idle = Application {
            status: None,
            ..application
        };
        assert_eq!(answer(&idle, &pending), "U09");
    }

    #[test]
    fn only_the_history_that_waits_can_be_accepted() {
        let mut application = guestbook();
        let [waits, other] = ["a", "b"].map(|digit| Approval::History(digit.repeat(40).parse().unwrap()));
        assert_eq!(answer(&application, &waits), "U09");
        let status = application.status.as_mut().unwrap();
        let state = status.verification.get_or_insert_default();
        state.pending_acceptance = Some("a".repeat(40));
        assert_eq!(answer(&application, &waits), "History");
        assert_eq!(answer(&application, &other), "U10");
    }

    #[test]
    fn digests_and_commits_are_given_whole() {
        let digits = "0123456789abcdef".repeat(4);
        let digest = digits.parse::<PlanDigest>().unwrap();
        assert_eq!(digest.to_string(), format!("sha256:{digits}"));
        assert_eq!(format!("sha256:{digits}").parse(), Ok(digest));
        for text in ["sha256:0123", "", &digits.to_uppercase()] {
            assert!(text.parse::<PlanDigest>().is_err(), "{text}");
        }
        for length in [40, 64] {
            assert!("a".repeat(length).parse::<CommitId>().is_ok());
            assert!("a".repeat(length - 1).parse::<CommitId>().is_err());
        }
        assert!("HEAD".parse::<CommitId>().is_err());
    }
}

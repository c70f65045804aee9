//! `sluice approve`: lets the deletions of one very plan through, or one very commit of a rewritten history.

use std::io::Write;

use clap::Args;
use serde_json::json;
use sluice_model::application::{ACCEPTED_HISTORY_ANNOTATION, APPROVED_PLAN_ANNOTATION, Application};

use crate::connection::{Connection, block_on};
use crate::failure::{CliError, Failure};
use crate::global::Global;

pub(crate) const HELP: &str = "\
Examples:
  sluice status guestbook                        what waits, why, and the digest
  sluice plan guestbook                          the whole plan
  sluice approve guestbook --plan sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  sluice approve guestbook --history 3f2a6c0e5b1d4f7a8c9e0b1a2d3c4e5f60718293

The approval of a plan is the annotation `sluice.dev/approved-plan`. It holds for that plan and for
no other: if Git, the cluster or a policy changes meanwhile, the plan has another digest and needs
another approval.

The approval of a history is the annotation `sluice.dev/accepted-history`. If the last trusted
commit is no longer in the history (a push with force, or the Application was pointed at
another repository or branch), nothing is synced until a person has looked at the new history and
names its newest commit. That one must still be signed by a trusted key; trust starts with it anew.

Exit codes: 0; 3 if there is no such Application or nothing waits; 5 if another plan or commit waits;
7 if the cluster fails.";

/// The options of `sluice approve`.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// Name of the Application
    #[arg(value_name = "APP")]
    application: String,
    #[command(flatten)]
    what: What,
}

/// What is approved.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Digest of the plan, as `sluice status` shows it
    #[arg(long = "plan", value_name = "DIGEST", value_parser = digest)]
    plan: Option<String>,
    /// Newest commit of the history that was rewritten, as `sluice status` shows it
    #[arg(long = "history", value_name = "COMMIT", value_parser = commit)]
    history: Option<String>,
}

/// Approves the plan, or the commit, that the arguments name.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let name = &arguments.application;
    let said = block_on(async {
        let connection = Connection::open(global).await?;
        let application = connection.application(name).await?;
        let title = connection.title(name);
        let (annotation, said) = match (&arguments.what.plan, &arguments.what.history) {
            (Some(plan), _) => {
                let deletions = match check(&title, &application, plan)? {
                    1 => "1 deletion".to_owned(),
                    count => format!("{count} deletions"),
                };
                let annotation = json!({APPROVED_PLAN_ANNOTATION: plan});
                (annotation, format!("approved {deletions} of plan {plan}"))
            }
            (None, history) => {
                // clap requires one of the two.
                let commit = history.as_deref().unwrap_or_default();
                check_history(&title, &application, commit)?;
                let annotation = json!({ACCEPTED_HISTORY_ANNOTATION: commit});
                (annotation, format!("accepted the history that leads to {commit}"))
            }
        };
        connection.annotate(name, annotation).await?;
        Ok(said)
    })?;
    writeln!(out, "{said}")?;
    Ok(())
}

/// That it is this commit which waits to be accepted.
fn check_history(title: &str, application: &Application, commit: &str) -> Result<(), Failure> {
    let status = application.status.as_ref();
    let pending = status
        .and_then(|status| status.verification.as_ref())
        .and_then(|state| state.pending_acceptance.as_deref());
    match pending {
        None => Err(CliError::NothingPending {
            application: title.to_owned(),
        }
        .into()),
        Some(pending) if pending != commit => Err(CliError::OtherPending {
            application: title.to_owned(),
            what: "the history of",
            given: commit.to_owned(),
            pending: pending.to_owned(),
        }
        .into()),
        Some(_) => Ok(()),
    }
}

/// How many deletions the approval is about, if it is about what waits.
fn check(title: &str, application: &Application, digest: &str) -> Result<u32, Failure> {
    let pending = application
        .status
        .as_ref()
        .and_then(|status| status.pending_approval.as_ref());
    match pending {
        None => Err(CliError::NothingPending {
            application: title.to_owned(),
        }
        .into()),
        Some(pending) if pending.plan_digest != digest => Err(CliError::OtherPending {
            application: title.to_owned(),
            what: "plan",
            given: digest.to_owned(),
            pending: pending.plan_digest.clone(),
        }
        .into()),
        Some(pending) => Ok(pending.count),
    }
}

/// A whole digest: an approval by its first digits would be an approval of something not read.
fn digest(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    match digits.len() == 64
        && digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    {
        true => Ok(format!("sha256:{digits}")),
        false => Err("it is `sha256:` and 64 hexadecimal digits; the whole of it".to_owned()),
    }
}

/// A whole object id, for the same reason.
fn commit(text: &str) -> Result<String, String> {
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match is_hex && matches!(text.len(), 40 | 64) {
        true => Ok(text.to_owned()),
        false => Err("it is a commit's whole object id: 40 or 64 hexadecimal digits".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::status::tests::guestbook;

    fn code(result: Result<u32, Failure>) -> String {
        match result {
            Ok(count) => format!("ok {count}"),
            Err(Failure::Coded(errors)) => errors[0].code().id.to_owned(),
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn only_what_waits_can_be_approved() {
        let application = guestbook();
        let pending = application
            .status
            .as_ref()
            .unwrap()
            .pending_approval
            .clone()
            .unwrap();
        assert_eq!(code(check("a", &application, &pending.plan_digest)), "ok 2");
        assert_eq!(
            code(check("a", &application, &format!("sha256:{}", "0".repeat(64)))),
            "U10"
        );
        let idle = Application {
            status: None,
            ..application
        };
        assert_eq!(code(check("a", &idle, &pending.plan_digest)), "U09");
    }

    #[test]
    fn only_the_history_that_waits_can_be_accepted() {
        let mut application = guestbook();
        let (waits, other) = ("a".repeat(40), "b".repeat(40));
        let code = |application: &Application, commit: &str| {
            code(check_history("a", application, commit).map(|()| 0))
        };
        assert_eq!(code(&application, &waits), "U09");
        let status = application.status.as_mut().unwrap();
        let state = status.verification.get_or_insert_default();
        state.pending_acceptance = Some(waits.clone());
        assert_eq!(code(&application, &waits), "ok 0");
        assert_eq!(code(&application, &other), "U10");
        assert!(commit(&waits).is_ok() && commit(&waits[1..]).is_err() && commit("HEAD").is_err());
    }

    #[test]
    fn a_digest_is_given_whole() {
        let digits = "0123456789abcdef".repeat(4);
        assert_eq!(digest(&digits), Ok(format!("sha256:{digits}")));
        assert!(digest("sha256:0123").is_err() && digest(&digits.to_uppercase()).is_err());
    }
}

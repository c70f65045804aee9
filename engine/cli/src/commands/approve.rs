//! `sluice approve`: lets the deletions of one very plan through.

use std::io::Write;

use clap::Args;
use serde_json::json;
use sluice_model::application::{APPROVED_PLAN_ANNOTATION, Application};

use crate::args::Global;
use crate::connection::{Connection, block_on};
use crate::failure::{CliError, Failure};

pub(crate) const HELP: &str = "\
Examples:
  sluice status guestbook                        what waits, why, and the digest
  sluice plan guestbook                          the whole plan
  sluice approve guestbook --plan sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

The approval is the annotation `sluice.dev/approved-plan`. It holds for that plan and for no
other: if Git, the cluster or a policy changes meanwhile, the plan has another digest and needs
another approval.

Exit codes: 0; 3 if there is no such Application or nothing waits; 5 if another plan waits; 7 if
the cluster fails.";

/// The options of `sluice approve`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the Application
    #[arg(value_name = "APP")]
    application: String,
    /// Digest of the plan, as `sluice status` shows it
    #[arg(long = "plan", value_name = "DIGEST", value_parser = digest)]
    plan: String,
}

/// Approves.
pub(crate) fn run(arguments: Arguments, global: &Global, out: &mut impl Write) -> Result<(), Failure> {
    let count = block_on(async {
        let connection = Connection::open(global).await?;
        let application = connection.application(&arguments.application).await?;
        let count = check(
            &connection.title(&arguments.application),
            &application,
            &arguments.plan,
        )?;
        connection
            .annotate(
                &arguments.application,
                json!({APPROVED_PLAN_ANNOTATION: arguments.plan}),
            )
            .await?;
        Ok(count)
    })?;
    let deletions = if count == 1 {
        "1 deletion"
    } else {
        &format!("{count} deletions")
    };
    writeln!(out, "approved {deletions} of plan {}", arguments.plan)?;
    Ok(())
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
        Some(pending) if pending.plan_digest != digest => Err(CliError::OtherPlanPending {
            application: title.to_owned(),
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
    fn a_digest_is_given_whole() {
        let digits = "0123456789abcdef".repeat(4);
        assert_eq!(digest(&digits), Ok(format!("sha256:{digits}")));
        assert!(digest("sha256:0123").is_err() && digest(&digits.to_uppercase()).is_err());
    }
}

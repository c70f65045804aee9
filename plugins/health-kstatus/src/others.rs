//! The other kinds that the model knows.

use sluice_plugin::Verdict;

use crate::Subject;
use crate::verdicts::{current, failed, in_progress};

/// For kinds that nothing is done about.
pub(crate) fn always(_: &Subject<'_>) -> Result<Verdict, String> {
    Ok(current("there is nothing to wait for"))
}

/// Current from its start on: a Job that runs is what its spec asks for.
pub(crate) fn job(subject: &Subject<'_>) -> Result<Verdict, String> {
    let [
        parallelism,
        completions,
        suspend,
        succeeded,
        active,
        failures,
        started,
    ] = subject.object.fields([
        "/spec/parallelism",
        "/spec/completions",
        "/spec/suspend",
        "/status/succeeded",
        "/status/active",
        "/status/failed",
        "/status/startTime",
    ]);
    let parallelism = parallelism.integer()?.unwrap_or(1);
    let completions = completions.integer()?.unwrap_or(parallelism);
    let is_suspended = suspend.flag()?;
    let (succeeded, active, failures) = (succeeded.count()?, active.count()?, failures.count()?);
    let started = started.text()?.unwrap_or_default();
    for condition in subject.conditions.iter().filter(|condition| condition.holds()) {
        match condition.kind.as_str() {
            "Complete" => return Ok(current(format!("{succeeded} of {completions} runs succeeded"))),
            "Failed" => {
                let counted = format!("{failures} runs failed, of {completions} that have to succeed");
                return Ok(failed("JobFailed", &counted));
            }
            "Suspended" if is_suspended => return Ok(current("it is suspended")),
            _ => {}
        }
    }
    Ok(match started.is_empty() {
        true => in_progress("JobNotStarted", "it has not started"),
        false => current(format!(
            "it runs: {active} active, {succeeded} succeeded, {failures} failed"
        )),
    })
}

pub(crate) fn service(subject: &Subject<'_>) -> Result<Verdict, String> {
    let [kind, address] = subject.object.fields(["/spec/type", "/spec/clusterIP"]);
    let (kind, address) = (kind.text()?, address.text()?.unwrap_or_default());
    Ok(
        match kind.as_deref() == Some("LoadBalancer") && address.is_empty() {
            true => in_progress("NoIPAssigned", "its load balancer has no cluster IP yet"),
            false => current("it has what its type needs"),
        },
    )
}

pub(crate) fn claim(subject: &Subject<'_>) -> Result<Verdict, String> {
    let [phase] = subject.object.fields(["/status/phase"]);
    Ok(match phase.text()?.as_deref() {
        Some("Bound") => current("it is bound"),
        Some(phase) => in_progress("NotBound", &format!("its phase is {phase}")),
        None => in_progress("NotBound", "it has no phase yet"),
    })
}

/// Its controller writes the observed generation once it has counted: nothing more can be told.
pub(crate) fn disruption_budget(_: &Subject<'_>) -> Result<Verdict, String> {
    Ok(current("its disruptions are counted"))
}

pub(crate) fn definition(subject: &Subject<'_>) -> Result<Verdict, String> {
    for condition in subject.conditions.iter() {
        let refused = failed(&condition.reason, &condition.message);
        match (condition.kind.as_str(), condition.status.as_str()) {
            ("NamesAccepted", "False") => return Ok(refused),
            ("Established", "False") if condition.reason != "Installing" => return Ok(refused),
            ("Established", "True") => return Ok(current("it is established")),
            _ => {}
        }
    }
    Ok(in_progress("Installing", "it is not established yet"))
}

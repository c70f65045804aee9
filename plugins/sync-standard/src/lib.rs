//! Order, hooks and strategies from `sluice.dev/` annotations on the object in Git.
//!
//! | annotation | values |
//! |---|---|
//! | `sluice.dev/sync-wave` | an integer; lower ones first |
//! | `sluice.dev/hook` | list of `PreSync`, `Sync`, `PostSync`, `SyncFail`, `PreDelete`, `PostDelete`; or `Skip` alone: never applied |
//! | `sluice.dev/hook-delete-policy` | list of `BeforeHookCreation`, `HookSucceeded`, `HookFailed` |
//! | `sluice.dev/sync-strategy` | `server-side-apply`, `merge`, `create-only`, `replace`, `recreate`, `leave-alone` |
//! | `sluice.dev/force-conflicts` | `true`, `false` |
//! | `sluice.dev/validate` | `true`, `false` |
//! | `sluice.dev/skip-dry-run-on-missing-kind` | `true`, `false` |
//! | `sluice.dev/prune-last` | `true`, `false` |
//! | `sluice.dev/ignore-fields` | pointers, separated by commas: `/spec/replicas` |
//! | `sluice.dev/hold` | a reason: the whole operation waits for as long as this is there |
//!
//! A value that is none of these holds the operation: doing something else than what was meant is worse than waiting. What is
//! to be deleted is looked at as the cluster has it.

use sluice_plugin::{
    Change, Claim, Decision, Descriptor, HookCleanup, NO_OPINION, Phase, Problem, Role, Settings, Strategy,
    SyncContext, SyncPolicy,
};

/// The plugin.
pub struct SyncStandard;

impl SyncPolicy for SyncStandard {
    fn describe() -> Descriptor {
        Descriptor::new(
            "does what `sluice.dev/` annotations say: waves, hooks, strategies, ignored fields",
            [Claim::all()],
        )
    }

    fn configure(settings: &Settings) -> Result<Self, Vec<Problem>> {
        let problems = settings.unknown(&[]);
        if problems.is_empty() {
            Ok(Self)
        } else {
            Err(problems)
        }
    }

    fn decide(&self, change: &Change, _: &SyncContext) -> Result<Decision, String> {
        match decide(change) {
            Ok(decision) => Ok(decision),
            // Of this object, and with its reason: an error would hold without saying on what.
            Err(reason) => Ok(Decision {
                hold: Some(reason),
                ..NO_OPINION
            }),
        }
    }
}

sluice_plugin::sync_policy!(SyncStandard);

fn decide(change: &Change) -> Result<Decision, String> {
    let Some(object) = change.desired.as_ref().or(change.live.as_ref()) else {
        return Ok(NO_OPINION);
    };
    let [
        wave,
        hook,
        cleanup,
        strategy,
        force,
        validate,
        skip_dry_run,
        prune_last,
        ignore,
        hold,
    ] = object.fields([
        "/metadata/annotations/sluice.dev~1sync-wave",
        "/metadata/annotations/sluice.dev~1hook",
        "/metadata/annotations/sluice.dev~1hook-delete-policy",
        "/metadata/annotations/sluice.dev~1sync-strategy",
        "/metadata/annotations/sluice.dev~1force-conflicts",
        "/metadata/annotations/sluice.dev~1validate",
        "/metadata/annotations/sluice.dev~1skip-dry-run-on-missing-kind",
        "/metadata/annotations/sluice.dev~1prune-last",
        "/metadata/annotations/sluice.dev~1ignore-fields",
        "/metadata/annotations/sluice.dev~1hold",
    ]);
    let (role, phases) = match hook.text()? {
        Some(text) => role(&text)?,
        None => (None, None),
    };
    Ok(Decision {
        role,
        phases,
        wave: wave.text()?.map(|text| number(&text)).transpose()?,
        cleanup: cleanup.text()?.map(|text| cleanups(&text)).transpose()?,
        strategy: strategy.text()?.map(|text| strategy_named(&text)).transpose()?,
        force_conflicts: force
            .text()?
            .map(|text| flag("force-conflicts", &text))
            .transpose()?,
        validate: validate.text()?.map(|text| flag("validate", &text)).transpose()?,
        skip_dry_run_on_missing_kind: skip_dry_run
            .text()?
            .map(|text| flag("skip-dry-run-on-missing-kind", &text))
            .transpose()?,
        prune_last: prune_last
            .text()?
            .map(|text| flag("prune-last", &text))
            .transpose()?,
        ignore_fields: ignore.text()?.map(|text| pointers(&text)).transpose()?,
        hold: hold.text()?.map(|reason| format!("`sluice.dev/hold`: {reason}")),
    })
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

fn number(text: &str) -> Result<i32, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("`sluice.dev/sync-wave: {text}` is no integer"))
}

fn flag(name: &str, text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("`sluice.dev/{name}: {text}` is neither true nor false")),
    }
}

type Roles = (Option<Role>, Option<Vec<Phase>>);

fn role(text: &str) -> Result<Roles, String> {
    let types: Vec<String> = list(text).map(str::to_owned).collect();
    if types.is_empty() {
        return Err("`sluice.dev/hook` names no type".to_owned());
    }
    if types == ["Skip"] {
        return Ok((Some(Role::Skip(types)), None));
    }
    let phase = |name: &String| match name.as_str() {
        "PreSync" => Ok(Phase::PreSync),
        "Sync" => Ok(Phase::Sync),
        "PostSync" => Ok(Phase::PostSync),
        "SyncFail" => Ok(Phase::SyncFail),
        "PreDelete" => Ok(Phase::PreDelete),
        "PostDelete" => Ok(Phase::PostDelete),
        "Skip" => Err("`sluice.dev/hook`: `Skip` stands alone".to_owned()),
        other => Err(format!("`sluice.dev/hook`: there is no type `{other}`")),
    };
    let phases: Vec<Phase> = types.iter().map(phase).collect::<Result<_, _>>()?;
    Ok((Some(Role::Hook(types)), Some(phases)))
}

fn cleanups(text: &str) -> Result<Vec<HookCleanup>, String> {
    let cleanup = |name| match name {
        "BeforeHookCreation" => Ok(HookCleanup::BeforeCreation),
        "HookSucceeded" => Ok(HookCleanup::OnSuccess),
        "HookFailed" => Ok(HookCleanup::OnFailure),
        other => Err(format!(
            "`sluice.dev/hook-delete-policy`: there is no policy `{other}`"
        )),
    };
    list(text).map(cleanup).collect()
}

fn strategy_named(text: &str) -> Result<Strategy, String> {
    match text {
        "server-side-apply" => Ok(Strategy::ServerSideApply),
        "merge" => Ok(Strategy::Merge),
        "create-only" => Ok(Strategy::CreateOnly),
        "replace" => Ok(Strategy::Replace),
        "recreate" => Ok(Strategy::Recreate),
        "leave-alone" => Ok(Strategy::LeaveAlone),
        other => Err(format!(
            "`sluice.dev/sync-strategy`: there is no strategy `{other}`"
        )),
    }
}

fn pointers(text: &str) -> Result<Vec<String>, String> {
    let pointer = |entry: &str| match entry.starts_with('/') {
        true => Ok(entry.to_owned()),
        false => Err(format!(
            "`sluice.dev/ignore-fields`: `{entry}` does not start with `/`"
        )),
    };
    list(text).map(pointer).collect()
}

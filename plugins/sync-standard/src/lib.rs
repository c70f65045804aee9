//! Order, hooks and strategies from `sluice.dev/` annotations on the object in Git.
//!
//! | annotation | values |
//! |---|---|
//! | `sluice.dev/sync-wave` | an integer; lower ones first |
//! | `sluice.dev/hook` | list of `PreSync`, `Sync`, `PostSync`, `SyncFail`, `PreDelete`, `PostDelete`; or `Skip` alone: never applied |
//! | `sluice.dev/hook-delete-policy` | list of `BeforeHookCreation`, `HookSucceeded`, `HookFailed` |
//! | `sluice.dev/sync-strategy` | `server-side-apply`, `merge`, `create-only` (Flux calls it `IfNotPresent`), `replace`, `recreate`, `recreate-always`, `leave-alone` |
//! | `sluice.dev/force-conflicts` | `true`, `false` |
//! | `sluice.dev/take-over` | list of field managers whose fields become Sluice's; `none` of them |
//! | `sluice.dev/validate` | `true`, `false` |
//! | `sluice.dev/skip-dry-run-on-missing-kind` | `true`, `false` |
//! | `sluice.dev/prune-last` | `true`, `false` |
//! | `sluice.dev/prune-propagation` | `foreground`, `background`, `orphan`: also where a hook is cleaned up or an object recreated |
//! | `sluice.dev/wait` | `false`: nothing waits until it is healthy |
//! | `sluice.dev/ignore-healthcheck` | `true`: its health does not count for the application's |
//! | `sluice.dev/hook-timeout` | how long a hook, or whatever else is waited for, may take: `90s`, `5m`, `1h` |
//! | `sluice.dev/ignore-fields` | pointers (`/spec/replicas`) and paths as jq writes them (`.spec.rules[] \| select(.host == "a")`), separated by commas or lines |
//! | `sluice.dev/ignore-managers` | list of field managers whose fields are left to them |
//! | `sluice.dev/hold` | a reason: the whole operation waits for as long as this is there |
//!
//! A value that is none of these holds the operation: doing something else than what was meant is worse than waiting. What is
//! to be deleted is looked at as the cluster has it.

mod paths;

use sluice_plugin::{
    Change, Claim, Decision, Descriptor, Field, HookCleanup, NO_OPINION, Phase, Problem, Propagation, Role,
    Settings, Strategy, SyncContext, SyncPolicy, words,
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
        settings.none().map(|()| Self)
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
    let Some(object) = change.object() else {
        return Ok(NO_OPINION);
    };
    let fields = object.fields([
        "/metadata/annotations/sluice.dev~1sync-wave",
        "/metadata/annotations/sluice.dev~1hook",
        "/metadata/annotations/sluice.dev~1hook-delete-policy",
        "/metadata/annotations/sluice.dev~1sync-strategy",
        "/metadata/annotations/sluice.dev~1force-conflicts",
        "/metadata/annotations/sluice.dev~1take-over",
        "/metadata/annotations/sluice.dev~1validate",
        "/metadata/annotations/sluice.dev~1skip-dry-run-on-missing-kind",
        "/metadata/annotations/sluice.dev~1prune-last",
        "/metadata/annotations/sluice.dev~1prune-propagation",
        "/metadata/annotations/sluice.dev~1wait",
        "/metadata/annotations/sluice.dev~1ignore-healthcheck",
        "/metadata/annotations/sluice.dev~1hook-timeout",
        "/metadata/annotations/sluice.dev~1ignore-fields",
        "/metadata/annotations/sluice.dev~1ignore-managers",
        "/metadata/annotations/sluice.dev~1hold",
    ]);
    if !fields.iter().any(Field::is_set) {
        return Ok(NO_OPINION);
    }
    let [
        wave,
        hook,
        cleanup,
        strategy,
        force,
        take_over,
        validate,
        skip_dry_run,
        prune_last,
        propagation,
        wait,
        ignore_health,
        timeout,
        ignore_fields,
        ignore_managers,
        hold,
    ] = fields;
    let (role, phases) = read(hook, "hook", role)?.unzip();
    Ok(Decision {
        role,
        phases: phases.flatten(),
        wave: read(wave, "sync-wave", number)?,
        cleanup: read(cleanup, "hook-delete-policy", cleanups)?,
        strategy: read(strategy, "sync-strategy", strategy_named)?,
        force_conflicts: read(force, "force-conflicts", flag)?,
        take_over: read(take_over, "take-over", managers_or_none)?,
        validate: read(validate, "validate", flag)?,
        skip_dry_run_on_missing_kind: read(skip_dry_run, "skip-dry-run-on-missing-kind", flag)?,
        prune_last: read(prune_last, "prune-last", flag)?,
        propagation: read(propagation, "prune-propagation", propagation_named)?,
        wait: read(wait, "wait", flag)?,
        ignore_health: read(ignore_health, "ignore-healthcheck", flag)?,
        timeout: read(timeout, "hook-timeout", seconds)?,
        ignore_fields: read(ignore_fields, "ignore-fields", paths::list)?,
        ignore_managers: read(ignore_managers, "ignore-managers", managers)?,
        hold: read(hold, "hold", |reason| Ok(format!("`sluice.dev/hold`: {reason}")))?,
    })
}

/// Reads one annotation. What is wrong with it is said after its name and value.
fn read<T>(
    field: Field,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    let Some(text) = field.text()? else {
        return Ok(None);
    };
    match parse(&text) {
        Ok(value) => Ok(Some(value)),
        Err(wrong) => Err(format!("`sluice.dev/{name}: {text}`: {wrong}")),
    }
}

fn number(text: &str) -> Result<i32, String> {
    text.trim().parse().map_err(|_| "no integer".to_owned())
}

fn flag(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("neither true nor false".to_owned()),
    }
}

fn role(text: &str) -> Result<(Role, Option<Vec<Phase>>), String> {
    let types: Vec<String> = words::list(text).map(str::to_owned).collect();
    if types.is_empty() {
        return Err("names no type".to_owned());
    }
    if types == ["Skip"] {
        return Ok((Role::Skip(types), None));
    }
    let phase = |name: &String| match words::phase(name) {
        Some(phase) => Ok(phase),
        None if name == "Skip" => Err("`Skip` stands alone".to_owned()),
        None => Err(format!("there is no type `{name}`")),
    };
    let phases = types.iter().map(phase).collect::<Result<_, _>>()?;
    Ok((Role::Hook(types), Some(phases)))
}

fn cleanups(text: &str) -> Result<Vec<HookCleanup>, String> {
    let cleanup = |name| words::cleanup(name).ok_or_else(|| format!("there is no policy `{name}`"));
    words::list(text).map(cleanup).collect()
}

fn strategy_named(text: &str) -> Result<Strategy, String> {
    match text {
        "server-side-apply" => Ok(Strategy::ServerSideApply),
        "merge" => Ok(Strategy::Merge),
        "create-only" => Ok(Strategy::CreateOnly),
        "replace" => Ok(Strategy::Replace),
        "recreate" => Ok(Strategy::Recreate),
        "recreate-always" => Ok(Strategy::RecreateAlways),
        "leave-alone" => Ok(Strategy::LeaveAlone),
        _ => Err("there is no such strategy".to_owned()),
    }
}

fn propagation_named(text: &str) -> Result<Propagation, String> {
    words::propagation(text).ok_or_else(|| "none of foreground, background and orphan".to_owned())
}

fn seconds(text: &str) -> Result<u32, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3_600),
        _ => (text, 1),
    };
    let number: Option<u32> = digits.parse().ok();
    let seconds = number.and_then(|number| number.checked_mul(unit));
    seconds
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| "no time such as `90s`, `5m` or `1h`".to_owned())
}

fn managers(text: &str) -> Result<Vec<String>, String> {
    Ok(words::list(text).map(str::to_owned).collect())
}

fn managers_or_none(text: &str) -> Result<Vec<String>, String> {
    match text.trim() {
        "none" => Ok(Vec::new()),
        "" => Err("names nobody; `none` says that".to_owned()),
        text => managers(text),
    }
}

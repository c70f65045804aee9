//! The documented failures of composing: the Application's own configuration.

use sluice_model::error::{ErrorCode, ExitKind};

/// A keyring is missing.
pub const KEYRING: ErrorCode = ErrorCode {
    id: "K01",
    summary: "a keyring that the Application names cannot be used",
    hint: "mend what is named: a ConfigMap or Secret has to be in the Application's namespace, each value an armoured public key or lines of allowed_signers; a file has to be readable for the engine",
    exit: ExitKind::Input,
};
/// Credentials are missing.
pub const CREDENTIALS: ErrorCode = ErrorCode {
    id: "K02",
    summary: "the credentials that the Application names cannot be used",
    hint: "mend what is named: the Secret has to be in the Application's namespace and to have `username` and `password`, `bearerToken`, `sshPrivateKey`, or `tls.crt` and `tls.key`; shared ones need `url` and `namespaces`",
    exit: ExitKind::Input,
};
/// An unknown cluster.
pub const DESTINATION: ErrorCode = ErrorCode {
    id: "K03",
    summary: "the Application names a cluster that there is not",
    hint: "set `spec.destination.name` to `in-cluster` or leave it out",
    exit: ExitKind::Input,
};
/// A wrong value.
pub const SPEC: ErrorCode = ErrorCode {
    id: "K04",
    summary: "a value of the Application's spec means nothing",
    hint: "correct the named field; `kubectl explain application.spec` documents it",
    exit: ExitKind::Input,
};
/// A bug.
pub const INTERNAL: ErrorCode = ErrorCode {
    id: "K07",
    summary: "a part of the engine failed",
    hint: "this is a bug: please report it with the engine's log",
    exit: ExitKind::Internal,
};

/// Nothing in Git.
pub const EMPTY: ErrorCode = ErrorCode {
    id: "K08",
    summary: "the revision has no manifests at all, which is taken for a mistake",
    hint: "check `spec.source.path`, `include` and `exclude`; set `spec.syncPolicy.automated.allowEmpty` if everything is to be deleted",
    exit: ExitKind::Input,
};

/// Somewhere else.
pub const OUT_OF_BOUNDS: ErrorCode = ErrorCode {
    id: "K09",
    summary: "a manifest is of an object in a namespace that this engine does not manage",
    hint: "move the object into a namespace that it manages, or start the engine with another `--manage-namespace`; without that option it manages the whole cluster",
    exit: ExitKind::Input,
};
// K10 to K29 are those of the cluster.

/// A revision without the source that it is of.
pub const REVISIONS: ErrorCode = ErrorCode {
    id: "K39",
    summary: "it is not clear which source a revision is of",
    hint: "write `NAME=REVISION`, several with commas between them; `sluice status` lists the sources of an Application",
    exit: ExitKind::Input,
};

/// An expression that stands for nothing.
pub const EXPRESSION: ErrorCode = ErrorCode {
    id: "K40",
    summary: "an expression such as `<+env.name>` in the Application's settings stands for nothing",
    hint: "correct its name, or set it: `spec.environment` and `spec.service` with their `variables` and `variablesFrom`, or the ConfigMap `sluice-cluster` in the shared namespace; `sluice explain --application NAME` lists what there is",
    exit: ExitKind::Input,
};

/// A request that the automation would undo.
pub const AUTOMATED: ErrorCode = ErrorCode {
    id: "K31",
    summary: "the automation would undo this at once: it keeps the application at another revision",
    hint: "`sluice rollback` pins a revision, which the automation then keeps too",
    exit: ExitKind::Input,
};
/// The hooks for the deletion are not known.
pub const DELETION_HOOKS: ErrorCode = ErrorCode {
    id: "K34",
    summary: "the hooks that run when the Application is deleted cannot be read, so nothing is deleted",
    hint: "make the repository readable again, or set `spec.deletionPolicy: Orphan` to let the Application go and leave its objects",
    exit: ExitKind::Source,
};
/// Which objects are hooks for the deletion is not known.
pub const HOOKS_UNDECIDED: ErrorCode = ErrorCode {
    id: "K38",
    summary: "a sync policy did not say which objects are hooks of the Application's deletion, so nothing is deleted",
    hint: "mend the plugin that is named, or set `spec.deletionPolicy: Orphan` to let the Application go and leave its objects",
    exit: ExitKind::Plugin,
};
/// Nothing is meant.
pub const NOTHING_SELECTED: ErrorCode = ErrorCode {
    id: "K35",
    summary: "no object of the Application is meant",
    hint: "`sluice render` and `sluice status` show the objects; a selector is `group/kind/namespace/name`, such as `apps/Deployment/shop/*`",
    exit: ExitKind::Input,
};

/// Known hosts or certificates are missing.
pub const HOSTS: ErrorCode = ErrorCode {
    id: "K26",
    summary: "known hosts or TLS certificates that the Application names cannot be used",
    hint: "mend what is named: the ConfigMap has to be in the Application's namespace, each value lines of known_hosts (`ssh-keyscan HOST`), or certificates in PEM",
    exit: ExitKind::Input,
};

/// What a rendering is given is missing.
pub const GIVEN: ErrorCode = ErrorCode {
    id: "K41",
    summary: "values, variables or keys that the Application names cannot be used",
    hint: "mend what is named: the ConfigMap or Secret has to be in the Application's namespace and to have the entry; `optional: true` passes over one that is not there. Until then everything stays as it is",
    exit: ExitKind::Input,
};

/// What the cluster is at is not trusted any more.
pub const NO_LONGER_TRUSTED: ErrorCode = ErrorCode {
    id: "K24",
    summary: "the revision that the cluster is at is no longer trusted: a key was revoked or taken away, or the rules changed",
    hint: "look at what that key signed; then revert it in Git, or say from which commit on history was looked at: `spec.verification.startOfTrust`; until then nothing newer is synced",
    exit: ExitKind::Untrusted,
};
/// A part of the keyrings is damaged.
pub const DAMAGED_KEYS: ErrorCode = ErrorCode {
    id: "K25",
    summary: "a part of the keyrings cannot be read; the rest serves",
    hint: "replace the key that is named: `gpg --armor --export KEY`, or a line of SSH's allowed_signers",
    exit: ExitKind::Input,
};

/// Every code of this crate.
pub const ALL: &[&ErrorCode] = &[
    &KEYRING,
    &CREDENTIALS,
    &DESTINATION,
    &SPEC,
    &INTERNAL,
    &EMPTY,
    &EXPRESSION,
    &OUT_OF_BOUNDS,
    &HOSTS,
    &GIVEN,
    &NO_LONGER_TRUSTED,
    &DAMAGED_KEYS,
    &AUTOMATED,
    &DELETION_HOOKS,
    &HOOKS_UNDECIDED,
    &NOTHING_SELECTED,
];

#[cfg(test)]
mod tests {
    #[test]
    fn every_code_is_its_own_and_has_a_hint() {
        let all = [
            super::ALL,
            sluice_reconcile::codes::ALL,
            sluice_cluster::codes::ALL,
            sluice_apply::codes::ALL,
            sluice_observe::codes::ALL,
            sluice_source::codes::ALL,
            sluice_charts::codes::ALL,
            sluice_verify::codes::ALL,
            sluice_sops::codes::ALL,
            sluice_render::codes::ALL,
            sluice_plugin_host::codes::ALL,
        ];
        let mut seen = std::collections::BTreeSet::new();
        for code in all.into_iter().flatten() {
            assert!(seen.insert(code.id), "{} is given twice", code.id);
            assert!(!code.hint.is_empty() && !code.summary.is_empty(), "{}", code.id);
        }
    }
}

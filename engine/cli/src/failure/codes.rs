//! The codes of the command line.

use sluice_model::{ErrorCode, ExitKind};

const fn code(id: &'static str, exit: ExitKind, summary: &'static str, hint: &'static str) -> ErrorCode {
    ErrorCode {
        id,
        summary,
        hint,
        exit,
    }
}

/// A file that was named cannot be read.
pub const READ: ErrorCode = code(
    "U01",
    ExitKind::Input,
    "a file that was named cannot be read",
    "name a file that exists and that you may read, or `-` for stdin",
);
/// The output cannot be written.
pub const OUTPUT: ErrorCode = code(
    "U02",
    ExitKind::Internal,
    "the output cannot be written",
    "look at where stdout goes: is the disk full?",
);
/// An answer has no JSON form.
pub const ENCODE: ErrorCode = code(
    "U03",
    ExitKind::Internal,
    "an answer has no JSON form",
    "this is a bug in Sluice: report it with the command that led to it",
);
/// A file holds no object.
pub const NO_OBJECT: ErrorCode = code(
    "U04",
    ExitKind::Input,
    "a file holds no object",
    "give one or many YAML or JSON documents, each with apiVersion and kind",
);
/// A file holds no Application, or one that cannot be used.
pub const NOT_AN_APPLICATION: ErrorCode = code(
    "U05",
    ExitKind::Input,
    "a file holds no Application, or one that cannot be used",
    "give one document with apiVersion sluice.dev/v1alpha1 and kind Application; `sluice crds` has its schema",
);
/// A file holds no plan.
pub const NOT_A_PLAN: ErrorCode = code(
    "U06",
    ExitKind::Input,
    "a file holds no plan",
    "give what `sluice plan -o json` printed, unchanged",
);
/// Without a cluster, the Application has to be in a file.
pub const OFFLINE_NEEDS_FILE: ErrorCode = code(
    "U07",
    ExitKind::Usage,
    "without a cluster, the Application has to be in a file",
    "name the file with -f, or leave out --offline",
);
/// There is no such Application.
pub const NO_APPLICATION: ErrorCode = code(
    "U08",
    ExitKind::Input,
    "there is no such Application",
    "list them with `sluice get -A`; name the namespace with -n",
);
/// Nothing waits for approval.
pub const NOTHING_PENDING: ErrorCode = code(
    "U09",
    ExitKind::Input,
    "nothing waits for approval",
    "look at `sluice status`: what was held may be done already, or Git may have it again",
);
/// Another plan or history waits for approval than the one that was given.
pub const OTHER_PENDING: ErrorCode = code(
    "U10",
    ExitKind::Held,
    "another plan or history waits for approval than the one that was given",
    "read what `sluice status` shows now and approve that if you agree with it",
);
/// The time to wait is over.
pub const TIMEOUT: ErrorCode = code(
    "U11",
    ExitKind::Timeout,
    "the time to wait is over",
    "see `sluice status` for what it waits for, or give a longer --timeout",
);
/// The sync that was followed failed.
pub const OPERATION_FAILED: ErrorCode = code(
    "U12",
    ExitKind::Cluster,
    "the sync that was followed failed",
    "see `sluice status` for every object that failed and why",
);
/// The Application was deleted while it was followed.
pub const GONE: ErrorCode = code(
    "U13",
    ExitKind::Cluster,
    "the Application was deleted while it was followed",
    "see who deleted it: its Events, or the API server's audit log",
);
/// The asynchronous runtime cannot start.
pub const RUNTIME: ErrorCode = code(
    "U14",
    ExitKind::Internal,
    "the asynchronous runtime cannot start",
    "look at the limits of the process: threads, open files",
);
/// The cluster does not know the kind Application.
pub const NOT_INSTALLED: ErrorCode = code(
    "U15",
    ExitKind::Cluster,
    "the cluster does not know the kind Application",
    "install it with `sluice crds | kubectl apply --server-side -f -`, or choose another --context",
);
/// An Application in the cluster is of another form than this Sluice knows.
pub const UNREADABLE_APPLICATION: ErrorCode = code(
    "U16",
    ExitKind::Cluster,
    "an Application in the cluster is of another form than this Sluice knows",
    "use the same version of Sluice here as in the cluster, and apply its `sluice crds`",
);
/// There is no plugin of that name.
pub const NO_PLUGIN: ErrorCode = code(
    "U17",
    ExitKind::Input,
    "there is no plugin of that name",
    "list them with `sluice plugin list`; name a folder of your own with --plugin-dir",
);
/// A file that was named cannot be written.
pub const WRITE: ErrorCode = code(
    "U20",
    ExitKind::Input,
    "a file that was named cannot be written",
    "name a file in a folder that exists and that you may write to",
);
/// A key or a part of a keyring cannot be used.
pub const DAMAGED_KEY: ErrorCode = code(
    "U21",
    ExitKind::Input,
    "a key or a part of a keyring cannot be used",
    "see what is wrong with it; export the key again: `gpg --armor --export KEY`, or write the line of allowed_signers anew",
);
/// There is no such ConfigMap or Secret.
pub const NO_KEYRING: ErrorCode = code(
    "U22",
    ExitKind::Input,
    "there is no such ConfigMap or Secret",
    "list them with `kubectl get configmaps,secrets`; name the namespace with -n",
);
/// A keyring holds keys of another form than those that are to be added.
pub const OTHER_KEYRING: ErrorCode = code(
    "U23",
    ExitKind::Input,
    "a keyring holds keys of another form than those that are to be added",
    "keep armoured OpenPGP keys, binary ones and SSH keys in files of their own; a folder holds all of them",
);
/// The history has nothing to go back to.
pub const NOTHING_EARLIER: ErrorCode = code(
    "U25",
    ExitKind::Input,
    "the history has nothing to go back to",
    "`sluice history` lists what there is; a branch, tag or commit can be named too",
);
/// There is nothing that could be ended.
pub const NOTHING_TO_END: ErrorCode = code(
    "U26",
    ExitKind::Input,
    "there is nothing that could be ended",
    "`sluice status` says what goes on",
);
/// Nothing is written while an Application is paused.
pub const PAUSED: ErrorCode = code(
    "U27",
    ExitKind::Held,
    "nothing is written while an Application is paused",
    "`sluice resume` ends the pause",
);

/// All of them.
pub const ALL: &[&ErrorCode] = &[
    &READ,
    &OUTPUT,
    &ENCODE,
    &NO_OBJECT,
    &NOT_AN_APPLICATION,
    &NOT_A_PLAN,
    &OFFLINE_NEEDS_FILE,
    &NO_APPLICATION,
    &NOTHING_PENDING,
    &OTHER_PENDING,
    &TIMEOUT,
    &OPERATION_FAILED,
    &GONE,
    &RUNTIME,
    &NOT_INSTALLED,
    &UNREADABLE_APPLICATION,
    &NO_PLUGIN,
    &WRITE,
    &DAMAGED_KEY,
    &NO_KEYRING,
    &OTHER_KEYRING,
    &NOTHING_EARLIER,
    &NOTHING_TO_END,
    &PAUSED,
];

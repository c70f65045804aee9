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
/// The asynchronous runtime cannot start.
pub const RUNTIME: ErrorCode = code(
    "U14",
    ExitKind::Internal,
    "the asynchronous runtime cannot start",
    "look at the limits of the process: threads, open files",
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
/// A file of a plugin's settings cannot be used.
pub const BAD_SETTINGS: ErrorCode = code(
    "U24",
    ExitKind::Input,
    "a file of a plugin's settings cannot be used",
    "write what stands below `settings` of the plugin in `spec.policies`, as YAML or JSON; `sluice plugin inspect` prints its schema",
);
/// A case of a plugin's tests cannot be used.
pub const BAD_CASE: ErrorCode = code(
    "U29",
    ExitKind::Input,
    "a case of a plugin's tests cannot be used",
    "a case is a folder with an `input.yaml`, as `sluice plugin test --help` shows",
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
    &RUNTIME,
    &NO_PLUGIN,
    &WRITE,
    &DAMAGED_KEY,
    &NO_KEYRING,
    &OTHER_KEYRING,
    &BAD_SETTINGS,
    &BAD_CASE,
];

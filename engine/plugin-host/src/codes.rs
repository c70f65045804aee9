//! What can go wrong with a plugin, and the codes that people search for.

use sluice_model::{Coded, ErrorCode, ExitKind};

use crate::state::one_line;

const fn code(id: &'static str, summary: &'static str, hint: &'static str) -> ErrorCode {
    ErrorCode {
        id,
        summary,
        hint,
        exit: ExitKind::Plugin,
    }
}

/// The plugin is not there, or its file cannot be read or has no usable name.
pub const P01: ErrorCode = code(
    "P01",
    "the plugin is not there, or its file cannot be read",
    "check the name in `spec.policies` or `spec.source.plugin` against `sluice plugin list`, and that the plugin directory and the file are readable",
);
/// The plugin is another one than the one that was pinned.
pub const P02: ErrorCode = code(
    "P02",
    "the plugin has another digest than the pinned one",
    "see `sluice plugin list` for the digest in use; pin that one after a review, or put the pinned file back",
);
/// The bytes are no WebAssembly that compiles within the limits.
pub const P04: ErrorCode = code(
    "P04",
    "the file is no WebAssembly, or does not compile within the limits",
    "build it anew as `plugins/README.md` shows, optimised for size; a policy has at most 32 MiB, which compile in 60 s of processor time and 1 GiB, of 64 core instances at most; a renderer 96 MiB, 300 s and 4 GiB",
);
/// The plugin wants something that it is not given.
pub const P05: ErrorCode = code(
    "P05",
    "the plugin imports something that no plugin is given",
    "policies get objects and a log, renderers nothing at all, and nobody WASI: build Rust for `wasm32-unknown-unknown`, and what a runtime of Go, JavaScript or Python imports must be stubbed, as `plugins/README.md` shows",
);
/// The plugin is of no world that we know.
pub const P06: ErrorCode = code(
    "P06",
    "the plugin exports no world of `sluice:policy` or `sluice:render`, or another version of it",
    "build it against `wit/policy/0.2.0` for exactly one of `health-check`, `prune-policy` and `sync-policy`, or a renderer against `wit/render/0.1.0`",
);
/// The plugin's settings are wrong.
pub const P07: ErrorCode = code(
    "P07",
    "the plugin's settings do not fit its schema, or it refuses them",
    "correct `settings` of the plugin in `spec.policies`; `sluice plugin inspect` prints their schema",
);
/// The plugin cannot be started.
pub const P08: ErrorCode = code(
    "P08",
    "the plugin cannot be started or does not describe itself",
    "run `sluice plugin inspect` on the file; its start-up code must not fail",
);
/// The plugin crashed.
pub const P09: ErrorCode = code(
    "P09",
    "the plugin crashed",
    "the backtrace names the place in the plugin: a panic, a failed assertion or endless recursion; report it to its author",
);
/// The plugin took too long.
pub const P10: ErrorCode = code(
    "P10",
    "the plugin took too long",
    "a policy has 0.2 seconds for a call, a renderer 30: look for an endless loop; a policy reads fewer fields with `get-many` than with `to-json`",
);
/// The plugin took too much memory.
pub const P11: ErrorCode = code(
    "P11",
    "the plugin took too much memory",
    "an instance of a policy has 64 MiB in all, one of a renderer 512 MiB: look for something that grows with every object or file",
);
/// The plugin's answer is none.
pub const P12: ErrorCode = code(
    "P12",
    "the plugin's answer is malformed or too large",
    "give one answer for each object, valid UTF-8, pointers that start with `/`, and at most 1 MiB in all; a renderer describes itself as a JSON object and gives at most 32 MiB",
);
/// The plugin says that it cannot answer.
pub const P13: ErrorCode = code(
    "P13",
    "the plugin reported an error",
    "the message is the plugin's own; it is about the object named, or about the plugin's settings",
);
/// There is no room for an instance.
pub const P14: ErrorCode = code(
    "P14",
    "there is no room for another instance",
    "too much is asked of plugins at once; it is tried again, and clears up by itself unless a plugin is very slow",
);

/// A Lua script, or the folder of them, is of no use.
pub const P15: ErrorCode = code(
    "P15",
    "a Lua script does not parse, or the folder of scripts cannot be read",
    "correct the script at the place that is named; the folder of `--lua-scripts` has `GROUP/KIND/health.lua` files",
);

/// The renderer is not compiled yet.
pub const P16: ErrorCode = code(
    "P16",
    "the renderer is being compiled",
    "it is tried again, and clears up by itself: compiling takes 300 s at most, once for each version of the file",
);

/// All codes of this crate. `P03`, for signatures of plugins, is kept for when there are any.
pub const ALL: &[&ErrorCode] = &[
    &P01, &P02, &P04, &P05, &P06, &P07, &P08, &P09, &P10, &P11, &P12, &P13, &P14, &P15, &P16,
];

/// What went wrong with one plugin.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// No plugin of that name serves this question.
    #[error("there is no {kind} plugin of this name")]
    NotFound {
        /// The world that was asked for.
        kind: &'static str,
    },
    /// Its file cannot be read.
    #[error("the file cannot be read")]
    Read(#[source] std::io::Error),
    /// Its file has a name that no Application could use.
    #[error("a plugin's name has letters, digits, `.`, `_` and `-`; this file has another one")]
    Name,
    /// Its file has the name of a standard renderer.
    #[error("it has the name of a standard renderer, and no file takes the place of one")]
    StandardRenderer,
    /// Its digest is not the pinned one.
    #[error("its digest is {found}, not the pinned {pinned}")]
    Digest {
        /// What the policy wants.
        pinned: String,
        /// What there is.
        found: String,
    },
    /// Not Wasm, too large, or invalid.
    #[error("{reason}")]
    Compile {
        /// What is wrong.
        reason: String,
    },
    /// A forbidden import.
    #[error("it imports `{import}`, which no plugin is given")]
    ImportDenied {
        /// The import, as the file names it.
        import: String,
    },
    /// The wrong world.
    #[error("{reason}")]
    WorldMismatch {
        /// What is missing or other than expected.
        reason: String,
    },
    /// Settings that do not fit the plugin's schema, or that the plugin refuses.
    #[error("its settings are wrong: {}", one_line(&problems.join("; ")))]
    Settings {
        /// What is wrong, each in one line with its place.
        problems: Vec<String>,
    },
    /// It does not start.
    #[error("it does not start: {reason}")]
    Instantiate {
        /// The reason, for people.
        reason: String,
    },
    /// It crashed.
    #[error("`{export}` crashed: {reason}")]
    Trap {
        /// What was called.
        export: &'static str,
        /// The trap and the backtrace.
        reason: String,
    },
    /// It did not end in time.
    #[error("`{export}` took longer than {milliseconds} ms")]
    Timeout {
        /// What was called.
        export: &'static str,
        /// The limit.
        milliseconds: u64,
    },
    /// It wanted more memory than there is for it.
    #[error("`{export}` wanted more than {mebibytes} MiB of memory")]
    Memory {
        /// What was called.
        export: &'static str,
        /// The limit.
        mebibytes: usize,
    },
    /// Its answer is none.
    #[error("`{export}` gave no valid answer: {reason}")]
    BadOutput {
        /// What was called.
        export: &'static str,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A script of the folder, or the folder itself.
    #[error("{reason}")]
    Script {
        /// What is wrong, and where.
        reason: String,
    },
    /// It said so itself.
    #[error("`{export}` says: {message}")]
    Guest {
        /// What was called.
        export: &'static str,
        /// The plugin's own words.
        message: String,
    },
    /// No slot was free in time.
    #[error("no slot for an instance was free within {seconds} s")]
    Capacity {
        /// How long was waited.
        seconds: u64,
    },
    /// It was needed for the first time a moment ago.
    #[error("it is being compiled, which happens once for each version of it")]
    Compiling,
    /// It failed too often and is not asked for a while.
    #[error("not asked for another {seconds} s after failing again and again: {message}")]
    Resting {
        /// The code of its last failure.
        code: &'static ErrorCode,
        /// How long it rests.
        seconds: u64,
        /// Its last failure.
        message: String,
    },
    /// A failure that happened before and still stands.
    #[error("{message}")]
    Repeated {
        /// Its code.
        code: &'static ErrorCode,
        /// Its message.
        message: String,
    },
}

impl Coded for PluginError {
    fn code(&self) -> &'static ErrorCode {
        match self {
            Self::NotFound { .. } | Self::Read(_) | Self::Name | Self::StandardRenderer => &P01,
            Self::Digest { .. } => &P02,
            Self::Compile { .. } => &P04,
            Self::ImportDenied { .. } => &P05,
            Self::WorldMismatch { .. } => &P06,
            Self::Settings { .. } => &P07,
            Self::Instantiate { .. } => &P08,
            Self::Trap { .. } => &P09,
            Self::Timeout { .. } => &P10,
            Self::Memory { .. } => &P11,
            Self::BadOutput { .. } => &P12,
            Self::Script { .. } => &P15,
            Self::Guest { .. } => &P13,
            Self::Capacity { .. } => &P14,
            Self::Compiling => &P16,
            Self::Resting { code, .. } | Self::Repeated { code, .. } => code,
        }
    }
}

impl PluginError {
    /// The same failure once more, for another answer.
    pub(crate) fn again(&self) -> Self {
        Self::Repeated {
            code: self.code(),
            message: self.message(),
        }
    }

    /// The message with its causes, in one line.
    pub fn message(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}

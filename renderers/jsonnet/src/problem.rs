//! What is wrong, with its place.

use jrsonnet_evaluator::{
    Error,
    error::ErrorKind::{
        ImportFileNotFound, ImportSyntaxError, InfiniteRecursionDetected, ResolvedFileNotFound, StackOverflow,
    },
};

/// The words of problems and what they mean.
pub const CODES: &[(&str, &str)] = &[
    ("evaluation", "a program fails"),
    ("missing", "what a program imports is not there"),
    ("output", "a program gives what is no manifest"),
    ("path", "a path leaves the repository"),
    ("recursion", "a program calls itself too deeply"),
    ("settings", "the settings of the source are not as they should be"),
    ("syntax", "a program cannot be read"),
];

/// Something for the user to mend.
#[derive(Debug)]
pub struct Problem {
    /// One of [`CODES`].
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where.
    pub file: Option<String>,
    /// Where in it.
    pub line: Option<u32>,
    /// The calls that led there, the innermost first.
    pub trace: Vec<String>,
}

impl Problem {
    /// Makes a problem without a place.
    pub fn new(code: &'static str, message: String) -> Self {
        Self {
            code,
            message,
            file: None,
            line: None,
            trace: Vec::new(),
        }
    }

    /// Says in which file it is.
    pub fn within(mut self, file: &str) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    /// Makes one of the interpreter's.
    pub fn of(error: &Error, program: &str) -> Self {
        let code = match error.error() {
            ImportFileNotFound(..) | ResolvedFileNotFound(_) => "missing",
            ImportSyntaxError { .. } => "syntax",
            StackOverflow | InfiniteRecursionDetected => "recursion",
            _ => "evaluation",
        };
        let mut problem = Self::new(code, error.error().to_string()).within(program);
        for element in &error.trace().0 {
            let Some(span) = &element.location else {
                continue;
            };
            let [start] = span.0.map_source_locations(&[span.1]);
            let file = span
                .0
                .source_path()
                .path()
                .map(|path| path.to_string_lossy().into_owned());
            let file = file.unwrap_or_else(|| span.0.source_path().to_string());
            let line = u32::try_from(start.line).ok();
            if problem.line.is_none() {
                (problem.file, problem.line) = (Some(file.clone()), line);
            }
            problem.trace.push(format!(
                "{file}:{}:{}: {}",
                start.line, start.column, element.desc
            ));
        }
        problem
    }
}

//! The program that decodes as `kubectl` does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

/// What `kubectl` makes of a file.
#[derive(Debug, Deserialize)]
pub struct Answer {
    /// The objects, where it reads the file.
    pub objects: Option<Vec<Value>>,
    /// Why it does not.
    #[serde(default)]
    pub error: String,
    /// Whether the file has a list, which is not compared.
    #[serde(default)]
    pub list: bool,
}

/// The running program.
#[derive(Debug)]
pub struct Decoder {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Decoder {
    /// Starts it, built first where it is not yet.
    pub fn start() -> Result<Self> {
        let program = sluice_sandbox::yaml_decoder_binary(|command| {
            let status = command.status().context("go cannot be run")?;
            ensure!(status.success(), "go build ended with {status}");
            Ok(())
        })?;
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("no standard output")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    /// What it makes of a file.
    pub fn ask(&mut self, file: &[u8]) -> Result<Answer> {
        let input = self.input.as_mut().context("no standard input")?;
        let length = u32::try_from(file.len())?;
        input.write_all(&length.to_be_bytes())?;
        input.write_all(file)?;
        input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("the decoder answers {line:?}"))
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // It ends when there is no more input.
        drop(self.input.take());
        self.child.wait().ok();
    }
}

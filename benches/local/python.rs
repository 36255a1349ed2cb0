//! fastembed for Python.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::{MODEL, Place, THREADS};
use crate::Result;

/// fastembed for Python on the same files, in a process that embeds all texts when it is told to.
pub(super) struct Python {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Python {
    pub(super) fn start(packages: &Path, place: &Place, texts: &[String]) -> Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/bench-fastembed.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(place.models.join(MODEL)).arg(THREADS.to_string());
        command.env("PYTHONPATH", packages).env("HF_HUB_OFFLINE", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().ok_or("the script has no input")?;
        let stdout = BufReader::new(child.stdout.take().ok_or("the script has no output")?);
        let mut python = Self { child, stdin, stdout };
        writeln!(python.stdin, "{}", serde_json::to_string(texts)?)?;
        // The answer to the texts says that the model is loaded and warm.
        python.line()?;
        Ok(python)
    }

    /// Embeds all texts once; the seconds it took.
    pub(super) fn round(&mut self) -> Result<f64> {
        writeln!(self.stdin)?;
        Ok(self.line()?.trim().parse()?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stdin.flush()?;
        match self.stdout.read_line(&mut line)? {
            0 => Err("scripts/bench-fastembed.py ended early".into()),
            _ => Ok(line),
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

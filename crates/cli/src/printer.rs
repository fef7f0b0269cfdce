//! Owns stdout and stderr: data goes to the one, words to people to the other.

use std::io::{self, IsTerminal as _, Write};

use indicatif::MultiProgress;
use reelfarm_model::Failure;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// Writes for people and scripts. Lines for people never tear a progress display.
#[derive(Clone)]
pub struct Printer {
    bars: MultiProgress,
    colour: bool,
    terminal: bool,
}

impl Printer {
    /// A printer for this process's streams. Colours are used on a terminal unless `NO_COLOR` is set
    /// (<https://no-color.org>).
    pub fn new() -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let terminal = io::stderr().is_terminal();
        Self { bars: MultiProgress::new(), colour: !no_colour, terminal }
    }

    /// The progress display that lines are written around.
    pub const fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// A writer for log lines, which leaves the progress display whole.
    pub fn log_writer(&self) -> BoxMakeWriter {
        let bars = self.bars.clone();
        BoxMakeWriter::new(move || LogLine { bars: bars.clone(), line: Vec::new() })
    }

    /// Whether stderr is a terminal that a progress display may move about on.
    pub const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether tables on stdout may be coloured.
    pub fn colours_stdout(&self) -> bool {
        self.colour && io::stdout().is_terminal()
    }

    /// Data, to stdout. A reader that went away (`| head`) is no error.
    pub fn data(&self, text: &str) {
        self.bars.suspend(|| {
            let mut stdout = io::stdout().lock();
            drop(stdout.write_all(text.as_bytes()));
            if !text.ends_with('\n') {
                drop(stdout.write_all(b"\n"));
            }
            drop(stdout.flush());
        });
    }

    /// A value as JSON, to stdout.
    pub fn json<T: serde::Serialize>(&self, value: &T) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.data(&text),
            Err(error) => self.error(&format!("the result cannot be written as JSON: {error}")),
        }
    }

    /// A line for people, to stderr.
    pub fn line(&self, text: &str) {
        self.bars.suspend(|| drop(writeln!(io::stderr().lock(), "{text}")));
    }

    /// An error for people, to stderr.
    pub fn error(&self, text: &str) {
        let mark = if self.colour && self.terminal { "\x1b[1;31merror\x1b[0m" } else { "error" };
        self.line(&format!("{mark}: {text}"));
    }

    /// A failure for people: what, why and where to read on.
    pub fn failure(&self, subject: Option<&str>, failure: &Failure) {
        let subject = subject.map(|subject| format!("{subject}: ")).unwrap_or_default();
        self.error(&format!("{subject}{}", failure.message));
        for line in last_lines(&failure.log, 8) {
            self.line(&format!("  | {line}"));
        }
        self.line(&format!("  {} - run `reelfarm explain {0}` for causes and next steps", failure.code));
    }
}

/// One log line, written whole when it is complete.
struct LogLine {
    bars: MultiProgress,
    line: Vec<u8>,
}

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        self.bars.suspend(|| drop(io::stderr().lock().write_all(&self.line)));
    }
}

fn last_lines(text: &str, count: usize) -> Vec<&str> {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].to_vec()
}

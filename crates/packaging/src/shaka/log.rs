//! What is kept of the packager's log: its end, and the signs that tell a host's fault from the media's.

use std::collections::VecDeque;

/// Lines that are kept; a failing run logs a handful.
const LINES: usize = 60;
/// Bytes that are kept of a line: the packager prints whole buffers in hexadecimal.
const LINE_BYTES: usize = 500;

/// Hexadecimal digits in a row that could be a part of a key.
const PART_OF_KEY: usize = 12;
const LEFT_OUT: &str = "(a line that may hold keys was left out)";

/// Takes a log piece by piece and keeps its end, however long the log and its lines are.
#[derive(Debug)]
pub(super) struct LogTail {
    has_keys: bool,
    lines: VecDeque<String>,
    current: Vec<u8>,
    full_disk: bool,
    unwritable: bool,
}

impl LogTail {
    /// An empty log, of a run that was given keys or not.
    pub(super) const fn new(has_keys: bool) -> Self {
        Self { has_keys, lines: VecDeque::new(), current: Vec::new(), full_disk: false, unwritable: false }
    }

    /// Takes the next bytes of the log.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line();
            } else if self.current.len() < LINE_BYTES {
                self.current.push(byte);
            }
        }
    }

    /// Takes the log's end.
    pub(super) fn finish(&mut self) {
        self.end_line();
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.current)).trim_end().to_owned();
        if line.is_empty() {
            return;
        }
        self.full_disk |=
            line.contains("running out of disk space") || line.contains("No space left on device");
        self.unwritable |= line.contains("Cannot open file to write");
        // Of a key that it cannot read the packager prints all it was given.
        let line = if self.has_keys && may_hold_key(&line) { LEFT_OUT.to_owned() } else { line };
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The end of the log.
    pub(super) fn text(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Whether any line spoke of a full disk.
    pub(super) const fn has_seen_full_disk(&self) -> bool {
        self.full_disk
    }

    /// Whether any line said that an output file could not be created.
    pub(super) const fn has_seen_unwritable_output(&self) -> bool {
        self.unwritable
    }
}

/// Whether a line speaks of keys, or has a run of hexadecimal digits that could be a part of one.
fn may_hold_key(line: &str) -> bool {
    let longest = line.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max().unwrap_or(0);
    longest >= PART_OF_KEY || line.to_ascii_lowercase().contains("key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_signs_are_seen_anywhere() {
        let mut log = LogTail::new(false);
        log.push(b"E1 demuxer.cc:370] Cannot close file v/2.m4s, possibly file permission issue or running ");
        log.push(b"out of disk space.\n\n");
        for line in 0..200 {
            log.push(format!("line {line}\n").as_bytes());
        }
        log.push(&[b'f'; 5_000]);
        log.finish();
        assert!(log.has_seen_full_disk());
        assert!(!log.has_seen_unwritable_output());
        let text = log.text();
        assert_eq!(text.lines().count(), LINES);
        assert!(text.starts_with("line 141\n"), "{text}");
        assert!(text.ends_with('f') && text.lines().last().unwrap().len() == LINE_BYTES);
    }

    #[test]
    fn lines_that_may_hold_keys_are_left_out_of_runs_with_keys() {
        const LINES: &str = "E1 raw_key.cc] Unable to parse --keys 'label=a:key_id=00'\n\
                             F1 hex_bytes.cc] zz001122334455\n\
                             E1 file.cc] Cannot open file a/1.m4s\n";
        for (has_keys, left_out) in [(true, 2), (false, 0)] {
            let mut log = LogTail::new(has_keys);
            log.push(LINES.as_bytes());
            log.finish();
            let text = log.text();
            assert_eq!(text.matches(LEFT_OUT).count(), left_out, "{text}");
            assert!(text.ends_with("Cannot open file a/1.m4s"));
            assert_eq!(text.contains("001122334455"), !has_keys);
        }
    }
}

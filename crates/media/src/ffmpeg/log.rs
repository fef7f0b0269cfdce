//! FFmpeg's log: warnings and errors go to the standard error stream, the last lines are kept for the failure, and
//! a measurement gathers the errors of its own pass.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use ffmpeg_next::ffi;

const RECENT_LINES: usize = 20;
const ERROR_LINES: usize = 8;
const ERROR_LINE_CHARACTERS: usize = 200;

struct State {
    /// The beginning of a line that FFmpeg logs in pieces, with its level.
    begun: Option<(c_int, String)>,
    recent: VecDeque<String>,
    capture: Option<CapturedLog>,
}

/// What FFmpeg logged while a [`Capture`] ran.
#[derive(Clone, Debug, Default)]
pub(crate) struct CapturedLog {
    /// The first different lines of level error, at most 8 of at most 200 characters.
    pub error_lines: Vec<String>,
    /// Whether any line tells of damage: an error, or a decoder that conceals.
    pub damage: bool,
    /// Lines that tell of a checksum that is not that of the data. Some decoders tell it nowhere else.
    pub wrong_checksums: u64,
    /// Lines that tell of a file that ends before its container does. Some demuxers tell it nowhere else.
    pub early_ends: u64,
}

static STATE: Mutex<State> = Mutex::new(State { begun: None, recent: VecDeque::new(), capture: None });
static CAPTURING: Mutex<()> = Mutex::new(());
static INSTALL: Once = Once::new();

thread_local! {
    static ASIDE: Cell<bool> = const { Cell::new(false) };
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Directs FFmpeg's log here. Every entry point of the crate calls it first.
pub(crate) fn install() {
    INSTALL.call_once(|| {
        // Until then ffmpeg-next has no words for FFmpeg's errors.
        ffmpeg_next::util::error::register_all();
        // SAFETY: the callback has the signature that FFmpeg asks for, is safe to call from any thread, and lives as
        // long as the process.
        unsafe { ffi::av_log_set_callback(Some(callback)) }
    });
}

/// The last lines that were logged, oldest first.
pub(crate) fn recent() -> String {
    Vec::from(state().recent.clone()).join("\n")
}

/// How many wrong checksums the capture that runs was told of so far.
pub(crate) fn wrong_checksums() -> u64 {
    state().capture.as_ref().map_or(0, |log| log.wrong_checksums)
}

/// Does work of which FFmpeg's words say nothing about the source, as those of filters: a capture does not take them.
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    let before = ASIDE.replace(true);
    let result = work();
    ASIDE.set(before);
    result
}

/// Gathers errors until it is finished. FFmpeg's log is one for the process, so a second capture waits for the first.
pub(crate) struct Capture {
    _only: MutexGuard<'static, ()>,
}

impl Capture {
    /// Starts to gather.
    pub(crate) fn start() -> Self {
        let only = CAPTURING.lock().unwrap_or_else(PoisonError::into_inner);
        state().capture = Some(CapturedLog::default());
        Self { _only: only }
    }

    /// Whether any line so far told of damage.
    pub(crate) fn damage(&self) -> bool {
        state().capture.as_ref().is_some_and(|log| log.damage)
    }

    /// What was gathered so far.
    pub(crate) fn log(&self) -> CapturedLog {
        state().capture.clone().unwrap_or_default()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        state().capture = None;
    }
}

unsafe extern "C" fn callback(
    context: *mut c_void,
    level: c_int,
    format: *const c_char,
    arguments: *mut ffi::__va_list_tag,
) {
    if level > ffi::AV_LOG_WARNING {
        // SAFETY: FFmpeg passes a format string that ends in NUL.
        if level <= ffi::AV_LOG_INFO
            && unsafe { CStr::from_ptr(format) }.to_bytes().starts_with(b"concealing ")
        {
            take(|state| state.damage = true);
        }
        return;
    }
    let mut line = [0 as c_char; 1024];
    let begun = state().begun.take();
    let mut prefix = c_int::from(begun.is_none());
    // SAFETY: the first four arguments are FFmpeg's own, passed on unchanged and once; the buffer's length is
    // given with it, and what is written ends in NUL.
    let text = unsafe {
        ffi::av_log_format_line2(
            context,
            level,
            format,
            arguments,
            line.as_mut_ptr(),
            line.len() as c_int,
            &raw mut prefix,
        );
        CStr::from_ptr(line.as_ptr())
    };
    let text = without_addresses(&text.to_string_lossy());
    let (level, text) = match begun {
        Some((begun_level, begun)) => (begun_level.min(level), begun + &text),
        None => (level, text),
    };
    match text.strip_suffix('\n') {
        Some(line) => record(level, line),
        None => state().begun = Some((level, text)),
    }
}

fn record(level: c_int, line: &str) {
    // Nobody can be told where even the standard error stream is gone.
    let _ = writeln!(std::io::stderr(), "{line}");
    let mut state = state();
    if state.recent.len() == RECENT_LINES {
        state.recent.pop_front();
    }
    state.recent.push_back(line.to_owned());
    drop(state);
    if level <= ffi::AV_LOG_ERROR && !ASIDE.get() {
        take(|log| {
            log.damage = true;
            log.wrong_checksums += u64::from(line.contains("CRC mismatch") || line.contains("CRC error"));
            log.early_ends += u64::from(line.contains("File ended prematurely"));
            let line: String = line.chars().take(ERROR_LINE_CHARACTERS).collect();
            if log.error_lines.len() < ERROR_LINES && !log.error_lines.contains(&line) {
                log.error_lines.push(line);
            }
        });
    }
}

fn take(into: impl FnOnce(&mut CapturedLog)) {
    if let Some(log) = state().capture.as_mut() {
        into(log);
    }
}

/// The line without the memory addresses of FFmpeg's contexts, which differ from run to run.
fn without_addresses(line: &str) -> String {
    const MARK: &str = " @ 0x";
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(MARK) {
        kept.push_str(&rest[..at]);
        rest = rest[at + MARK.len()..].trim_start_matches(|c: char| c.is_ascii_hexdigit());
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_out_of_prefixes() {
        for (line, expected) in [
            ("[h264 @ 0x55aa00ff] no frame!", "[h264] no frame!"),
            ("[mov,mp4 @ 0x1] [aac @ 0x2f] late", "[mov,mp4] [aac] late"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(without_addresses(line), expected);
        }
    }

    #[test]
    fn a_capture_keeps_a_few_different_short_lines() {
        let capture = Capture::start();
        for index in 0..100 {
            record(ffi::AV_LOG_ERROR, &format!("{}{}", index / 2, "é".repeat(300)));
        }
        let log = capture.log();
        assert_eq!(log.error_lines.len(), ERROR_LINES);
        assert!(log.error_lines.iter().all(|line| line.chars().count() == ERROR_LINE_CHARACTERS));
        assert!(log.error_lines[7].starts_with('7'));
        assert!(log.damage);
    }

    #[test]
    fn what_is_said_aside_is_no_damage() {
        let capture = Capture::start();
        aside(|| record(ffi::AV_LOG_ERROR, "a filter's"));
        assert!(!capture.damage() && recent().contains("a filter's"));
        record(ffi::AV_LOG_ERROR, "a decoder's");
        assert_eq!((capture.log().error_lines, wrong_checksums()), (vec!["a decoder's".to_owned()], 0));
        record(ffi::AV_LOG_ERROR, "[ffv1] slice CRC mismatch C759F0F2!at 2.000000 seconds");
        assert_eq!(wrong_checksums(), 1);
        assert_eq!(capture.log().early_ends, 0);
        record(ffi::AV_LOG_ERROR, "[matroska,webm] File ended prematurely at pos. 4711 (0x1267)");
        assert_eq!(capture.log().early_ends, 1);
    }

    #[test]
    fn a_warning_is_no_damage() {
        let capture = Capture::start();
        record(ffi::AV_LOG_WARNING, "deprecated");
        assert!(!capture.log().damage && capture.log().error_lines.is_empty());
        assert!(recent().contains("deprecated"));
    }
}

//! Logs: one line an event, for people or as JSON, on standard error.
//!
//! Promises: standard output stays free for data; a filter with a typing error is refused instead of silencing the
//! log; a progress display can take the writer's place and step aside while a line is written.

use std::fmt;
use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// Libraries that log as errors what their callers handle and tell in words, unless the filter names them.
const QUIET: &str = "lapin=off";

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people; in colour where that is wanted.
    #[default]
    Pretty,
    /// One JSON object a line: `timestamp`, `level`, `target`, `message`, the event's fields, `span` (the innermost one's
    /// fields) and `spans` (all, outermost first).
    Json,
}

/// How to log.
pub struct LogOptions {
    /// How a line looks.
    pub format: LogFormat,
    /// What to log: a level (`off`, `error`, `warn`, `info`, `debug`, `trace`), or a list such as
    /// `info,reelfarm_scheduler=debug`.
    pub filter: String,
    /// Colours in [`LogFormat::Pretty`].
    pub colour: bool,
    /// Where lines go.
    pub writer: BoxMakeWriter,
}

impl LogOptions {
    /// Lines to standard error, in colour if it is a terminal and `NO_COLOR` is not set.
    pub fn new(format: LogFormat, filter: impl Into<String>) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            format,
            filter: filter.into(),
            colour: io::stderr().is_terminal() && !no_colour,
            writer: BoxMakeWriter::new(io::stderr),
        }
    }

    /// Sends the lines elsewhere: to a writer that hides the progress display while a line passes. `writer` is asked for
    /// one writer a line, and that one is dropped when the line is out.
    #[must_use]
    pub fn with_writer(mut self, writer: BoxMakeWriter) -> Self {
        self.writer = writer;
        self
    }
}

impl fmt::Debug for LogOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, filter, colour, writer: _ } = self;
        f.debug_struct("LogOptions")
            .field("format", format)
            .field("filter", filter)
            .field("colour", colour)
            .finish_non_exhaustive()
    }
}

/// Logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is not understood.
    #[error(
        "log filter {directive:?} is neither a level (off, error, warn, info, debug, trace) nor TARGET=LEVEL"
    )]
    Filter {
        /// The part that is wrong.
        directive: String,
    },
    /// The process logs already.
    #[error("logging is already set up in this process")]
    AlreadySet,
}

/// Starts logging for the whole process.
///
/// # Errors
/// The filter is not understood, or the process logs already.
pub fn init(options: LogOptions) -> Result<(), LoggingError> {
    subscriber(options)?.try_init().map_err(|_| LoggingError::AlreadySet)
}

/// What [`init`] installs, for whoever wants it for one thread only.
///
/// # Errors
/// The filter is not understood.
pub fn subscriber(options: LogOptions) -> Result<Box<dyn Subscriber + Send + Sync>, LoggingError> {
    let LogOptions { format, filter, colour, writer } = options;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(parse_filter(&filter)?)
        .with_ansi(colour)
        .with_writer(writer);
    Ok(match format {
        LogFormat::Pretty => Box::new(builder.compact().finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

/// Reads a filter strictly: a bare word would otherwise be taken as a target to trace, and `inof` would turn the
/// log off without a word.
fn parse_filter(text: &str) -> Result<EnvFilter, LoggingError> {
    let refused = |directive: &str| LoggingError::Filter { directive: directive.to_owned() };
    let directives: Vec<_> = text.split(',').map(str::trim).collect();
    for directive in &directives {
        let level = directive.rsplit_once('=').map_or(*directive, |(_, level)| level);
        // LevelFilter also reads numbers and the empty text, which say nothing to a person.
        let is_name = !level.is_empty() && level.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !is_name || level.parse::<LevelFilter>().is_err() {
            return Err(refused(directive));
        }
    }
    // In front, so that who names one of them has the last word.
    let all = format!("{QUIET},{}", directives.join(","));
    EnvFilter::builder().parse(all).map_err(|_| refused(text))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    /// Stands for a progress display: keeps the lines, and notes when it had to step aside and when it came back.
    #[derive(Clone, Default)]
    struct Display(Arc<Mutex<Vec<String>>>);

    struct Line {
        display: Display,
        text: Vec<u8>,
    }

    impl io::Write for Line {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.text.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Drop for Line {
        fn drop(&mut self) {
            let text = String::from_utf8(std::mem::take(&mut self.text)).unwrap();
            self.display.0.lock().unwrap().extend([text, "resume".into()]);
        }
    }

    impl<'a> MakeWriter<'a> for Display {
        type Writer = Line;

        fn make_writer(&'a self) -> Line {
            self.0.lock().unwrap().push("suspend".into());
            Line { display: self.clone(), text: Vec::new() }
        }
    }

    fn logged(format: LogFormat, filter: &str, work: impl FnOnce()) -> Vec<String> {
        let display = Display::default();
        let options = LogOptions { colour: false, ..LogOptions::new(format, filter) };
        let options = options.with_writer(BoxMakeWriter::new(display.clone()));
        tracing::subscriber::with_default(subscriber(options).unwrap(), work);
        let lines = display.0.lock().unwrap();
        lines.clone()
    }

    fn encode_in_two_spans() {
        let _title = tracing::info_span!("title", title = "a film").entered();
        let _task = tracing::info_span!("task", kind = "encode-video", attempt = 2).entered();
        tracing::info!(frames = 750, "encoded");
    }

    #[test]
    fn a_library_that_cries_wolf_is_heard_only_if_it_is_named() {
        let cry = || tracing::error!(target: "lapin::channel", "Channel closed");
        assert_eq!(logged(LogFormat::Pretty, "debug", cry), Vec::<String>::new());
        assert_eq!(logged(LogFormat::Pretty, "info,lapin=error", cry).len(), 3);
    }

    #[test]
    fn a_json_line_carries_the_event_and_the_fields_of_every_span() {
        let lines = logged(LogFormat::Json, "info", encode_in_two_spans);
        assert!(lines[1].ends_with('\n') && lines[1].lines().count() == 1, "{lines:?}");
        let line: Value = serde_json::from_str(&lines[1]).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "encoded");
        assert_eq!(line["frames"], 750);
        assert_eq!(line["span"]["attempt"], 2);
        assert_eq!(line["spans"][0]["title"], "a film");
        assert_eq!(line["spans"][1]["kind"], "encode-video");
        assert!(line["timestamp"].is_string());
    }

    #[test]
    fn a_line_for_people_is_one_line_without_colour_codes_and_names_the_title() {
        let lines = logged(LogFormat::Pretty, "info", encode_in_two_spans);
        assert_eq!(lines[1].lines().count(), 1, "{lines:?}");
        assert!(!lines[1].contains('\x1b'), "{lines:?}");
        assert!(lines[1].contains("encoded") && lines[1].contains("a film"), "{lines:?}");
    }

    #[test]
    fn the_display_steps_aside_for_each_line_and_comes_back() {
        let lines = logged(LogFormat::Pretty, "info", || {
            tracing::info!("one");
            tracing::debug!("not asked for");
            tracing::warn!("two");
        });
        assert_eq!(lines.len(), 6, "{lines:?}");
        for line in lines.chunks(3) {
            assert_eq!((line[0].as_str(), line[2].as_str()), ("suspend", "resume"), "{lines:?}");
        }
    }

    #[test]
    fn a_filter_with_a_typing_error_is_refused_and_the_wrong_part_named() {
        for good in ["info", "WARN", "off", "info,reelfarm_scheduler=debug", "info, hyper=off"] {
            assert!(parse_filter(good).is_ok(), "{good}");
        }
        for (bad, part) in [
            ("inof", "inof"),
            ("", ""),
            ("info,", ""),
            ("info,reelfarm=loud", "reelfarm=loud"),
            ("warn,hyper=", "hyper="),
            ("3", "3"),
        ] {
            let error = parse_filter(bad).unwrap_err();
            let LoggingError::Filter { directive } = error else { panic!("{bad}: {error:?}") };
            assert_eq!(directive, part, "{bad}");
        }
    }
}

//! Measurements in a file: written by `--measurements`, read by `--replay`.

use std::io::{self, Read as _};
use std::path::Path;

use reelfarm_model::{Code, Digest, Failure, Measurements};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the file's schema. It rises where an older reelfarm could not judge by the file, or a newer one not by an
/// older file.
const SCHEMA: u64 = 1;
/// The most bytes of such a file: ten times those of the longest film. A film given by mistake is not read to its end.
const MOST_BYTES: u64 = 64 << 20;

/// What was measured of a source.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    schema: u64,
    /// The source, as it was named when it was measured.
    pub(super) source: String,
    /// The SHA-256 of its bytes; none in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<Digest>,
    /// What was measured of it.
    pub(super) measurements: Measurements,
}

impl Stored {
    /// What is measured now, of the source of this name and SHA-256.
    pub(super) const fn new(source: String, sha256: Digest, measurements: Measurements) -> Self {
        Self { schema: SCHEMA, source, sha256: Some(sha256), measurements }
    }

    /// The file's text.
    ///
    /// # Errors
    /// JSON has no form for it.
    pub(super) fn text(&self) -> Result<String, Failure> {
        let text = serde_json::to_string(self);
        text.map(|text| text + "\n").map_err(|error| {
            Failure::new(Code::Internal, format!("the measurements cannot be written as JSON: {error}"))
        })
    }

    /// Reads a file. It blocks.
    ///
    /// # Errors
    /// The file is not there or can't be read, holds something else, or is of another schema.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let mut bytes = Vec::new();
        let read = fs_err::File::open(path)
            .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    Failure::new(Code::SourceNotFound, format!("there are no measurements at {shown}"))
                }
                _ => refused(format!("the measurements cannot be read: {error}")),
            })?;
        if read as u64 > MOST_BYTES {
            return Err(refused(format!("{shown} holds no measurements: it is too large")));
        }
        Self::parse(&shown.to_string(), &bytes)
    }

    fn parse(shown: &str, bytes: &[u8]) -> Result<Self, Failure> {
        let mut value: Value = serde_json::from_slice(bytes)
            .map_err(|error| refused(format!("{shown} holds no measurements: it is not JSON ({error})")))?;
        let has_measurements = value.get("measurements").is_some_and(Value::is_object);
        let Some(schema) = value.get("schema").and_then(Value::as_u64).filter(|_| has_measurements) else {
            let how = "such files are written by `reelfarm qc FILE --measurements PATH`";
            return Err(refused(format!("{shown} holds no measurements; {how}")));
        };
        if schema != SCHEMA {
            let (age, next) = if schema > SCHEMA {
                ("newer", "use a reelfarm as new as the one that wrote it")
            } else {
                ("older", "measure the film again with `--measurements`")
            };
            let message =
                format!("{shown} is of schema {schema}, {age} than this reelfarm's {SCHEMA}: {next}");
            return Err(refused(message));
        }
        let source = value.get("source").and_then(Value::as_str).unwrap_or(shown).to_owned();
        let Ok(sha256) = value.get("sha256").and_then(Value::as_str).map(str::parse).transpose() else {
            return Err(refused(format!("{shown} names no SHA-256 as `sha256`; measure the film again")));
        };
        let measurements = value.get_mut("measurements").map(Value::take).unwrap_or_default();
        let measurements = serde_json::from_value(measurements)
            .map_err(|error| refused(format!("{shown} does not hold what schema {SCHEMA} has: {error}")))?;
        Ok(Self { schema, source, sha256, measurements })
    }
}

fn refused(message: String) -> Failure {
    Failure::new(Code::SettingsInvalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let failure = Stored::parse("m.json", text.as_bytes()).unwrap_err();
        assert_eq!(failure.code, Code::SettingsInvalid);
        failure.message
    }

    #[test]
    fn what_is_no_measurements_is_refused_with_the_reason() {
        assert!(refusal("\u{0}ftyp").contains("m.json holds no measurements: it is not JSON"));
        for text in ["[]", "{}", "7", r#"{"schema":1}"#, r#"{"schema":"1","measurements":{}}"#] {
            assert!(refusal(text).contains("reelfarm qc FILE --measurements PATH"), "{text}");
        }
        assert!(refusal(r#"{"schema":1,"measurements":{}}"#).contains("missing field"));
        assert!(refusal(r#"{"schema":1,"sha256":"no","measurements":{}}"#).contains("no SHA-256"));
    }

    #[test]
    fn another_schema_is_refused_with_what_to_do() {
        assert!(refusal(r#"{"schema":2,"measurements":{}}"#).contains("newer than this reelfarm's 1"));
        assert!(refusal(r#"{"schema":0,"measurements":{}}"#).contains("older than this reelfarm's 1"));
    }

    #[test]
    fn a_film_given_by_mistake_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.mov");
        fs_err::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let failure = Stored::read(&path).unwrap_err();
        assert!(failure.message.contains("too large"), "{failure}");
    }

    #[test]
    fn measurements_survive_their_file() {
        let text = r#"{"schema":1,"source":"film.mov","measurements":{"size":7,"open_error":null,"container":"mov",
            "header_duration":0.1,"video":[],"audio":[],"other":[[2,"data"]],"read_errors":0,"error_lines":[]}}"#;
        let stored = Stored::parse("m.json", text.as_bytes()).unwrap();
        assert_eq!((stored.source.as_str(), stored.measurements.size), ("film.mov", 7));
        assert_eq!(stored.sha256, None);
        let named = Stored::new(stored.source, Digest::of(b"film"), stored.measurements.clone());
        let again = Stored::parse("m.json", named.text().unwrap().as_bytes()).unwrap();
        assert_eq!((again.measurements, again.sha256), (stored.measurements, Some(Digest::of(b"film"))));
    }
}

//! What can go wrong with an origin.

use std::error::Error;
use std::io;

use reelfarm_model::{Code, Failure, TitleId};

use crate::error::is_full;

/// The origin did not take, keep or give what it should.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The text names no kind of origin that this program writes to.
    #[error("{origin:?} is no origin: give an absolute path, a file:// URL or s3://bucket/prefix")]
    Unsupported {
        /// The text.
        origin: String,
    },
    /// The origin cannot be read or written.
    #[error("cannot {action} {path} at the origin {origin}: {source}")]
    Unreachable {
        /// The origin.
        origin: String,
        /// What was being done: `write`, `read`, `list`, `remove` or `open`.
        action: &'static str,
        /// What it was done to, as a path from the origin's root; empty for the origin itself.
        path: String,
        /// Why not.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The origin is full, or its quota is used up.
    #[error("the origin {origin} is full: cannot {action} {path}: {source}")]
    Full {
        /// The origin.
        origin: String,
        /// What was being done.
        action: &'static str,
        /// What it was done to, as a path from the origin's root.
        path: String,
        /// What the origin said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file at the origin is not what was written.
    #[error("{path} at the origin {origin} has MD5 {found}, and {sent} was sent")]
    Mismatch {
        /// The origin.
        origin: String,
        /// The file, as a path from the origin's root.
        path: String,
        /// The MD5 of what was sent.
        sent: String,
        /// The MD5 of what was read back.
        found: String,
    },
    /// A file that the index is to name is not there, or is another one.
    #[error("{path} of the title {title} is not at the origin {origin}, or is not as it was recorded")]
    Missing {
        /// The origin.
        origin: String,
        /// The title.
        title: TitleId,
        /// The file, as a path from the title's folder.
        path: String,
    },
    /// A publication failed, and files of the version that was online could not be set back: players may get new
    /// manifests with the old index. The next publication that succeeds mends it.
    #[error(
        "{source}; and of the title {title} these could not be set back to what was online: {}",
        paths.join(", ")
    )]
    NotSetBack {
        /// The title.
        title: TitleId,
        /// The files, as paths from the title's folder.
        paths: Vec<String>,
        /// Why the publication failed.
        source: Box<OriginError>,
    },
    /// The copying was stopped from outside; what it had written was removed.
    #[error("the copying to the origin was stopped before its end")]
    Stopped,
    /// A published index cannot be read.
    #[error("the index.json of the title {title} at the origin {origin} cannot be read: {detail}")]
    IndexDamaged {
        /// The origin.
        origin: String,
        /// The title.
        title: TitleId,
        /// What is wrong with it.
        detail: String,
    },
    /// A path would leave the title's folder, or has characters that a URL or a store treats in its own way.
    #[error("{path:?} is no path for a file of the title {title}: {reason}")]
    BadPath {
        /// The title.
        title: TitleId,
        /// The path.
        path: String,
        /// Why not.
        reason: &'static str,
    },
    /// A file of the artifact is not what it was when it was taken over.
    #[error("{path} of the artifact {artifact} is damaged: {detail}")]
    ArtifactDamaged {
        /// The artifact's key.
        artifact: String,
        /// The file, as a path from the artifact's folder.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// What is to be published contradicts itself: the program is at fault.
    #[error("the index of the title {title} contradicts what is published with it: {detail}")]
    Inconsistent {
        /// The title.
        title: TitleId,
        /// The contradiction.
        detail: String,
    },
}

impl OriginError {
    pub(crate) fn io(origin: &str, action: &'static str, source: io::Error) -> Self {
        Self::at(origin, action, "", source.into())
    }

    pub(super) fn object_store(origin: &str, action: &'static str, source: object_store::Error) -> Self {
        Self::at(origin, action, "", source.into())
    }

    /// Full where an error of the system at the root of `source`, or the answer of an object store, says so; unreachable
    /// otherwise.
    pub(super) fn at(
        origin: &str,
        action: &'static str,
        path: &str,
        source: Box<dyn Error + Send + Sync>,
    ) -> Self {
        let (origin, path) = (origin.to_owned(), path.to_owned());
        if says_full(source.as_ref()) {
            Self::Full { origin, action, path, source }
        } else {
            Self::Unreachable { origin, action, path, source }
        }
    }
}

/// What object stores call it when there is no room, each in its own words.
const NO_ROOM: [&str; 3] =
    ["<Code>QuotaExceeded</Code>", "<Code>XMinioStorageFull</Code>", "<Code>InsufficientStorage</Code>"];

fn says_full(error: &(dyn Error + 'static)) -> bool {
    let text = error.to_string();
    if NO_ROOM.iter().any(|code| text.contains(code)) {
        return true;
    }
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(is_full) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl OriginError {
    fn code(&self) -> Code {
        match self {
            Self::Unsupported { .. } | Self::Unreachable { .. } => Code::OriginUnreachable,
            Self::Full { .. } => Code::OriginFull,
            Self::Mismatch { .. } | Self::Missing { .. } | Self::IndexDamaged { .. } => Code::OriginMismatch,
            Self::NotSetBack { source, .. } => source.code(),
            Self::ArtifactDamaged { .. } => Code::ArtifactMissing,
            Self::BadPath { .. } | Self::Inconsistent { .. } | Self::Stopped => Code::Internal,
        }
    }
}

impl From<OriginError> for Failure {
    fn from(error: OriginError) -> Self {
        Failure::new(error.code(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_without_room_are_told_from_those_that_fail() {
        for (answer, code) in [
            ("403: <Error><Code>QuotaExceeded</Code></Error>", Code::OriginFull),
            ("507: <Error><Code>XMinioStorageFull</Code></Error>", Code::OriginFull),
            ("503: <Error><Code>SlowDown</Code></Error>", Code::OriginUnreachable),
            ("404: <Key>QuotaExceeded</Key>", Code::OriginUnreachable),
        ] {
            let source = object_store::Error::Generic { store: "S3", source: answer.into() };
            assert_eq!(OriginError::object_store("s3://farm", "write", source).code(), code, "{answer}");
        }
    }
}

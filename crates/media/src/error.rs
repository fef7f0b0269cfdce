//! What can go wrong in media work, and which of the farm's codes stands for it.

use std::io;
use std::path::PathBuf;

use reelfarm_model::measurement::OpenError;
use reelfarm_model::{Code, Failure, FailureClass};

/// Media work failed.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The source is no media file of an accepted format.
    #[error("{}: {}", path.display(), refusal.detail)]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        refusal: OpenError,
    },
    /// The source cannot be found or is no regular file.
    #[error(transparent)]
    SourceFile(io::Error),
    /// The source is longer than it was when it was opened.
    #[error("{} grew while it was read: it had {size} bytes", path.display())]
    Grown {
        /// The file.
        path: PathBuf,
        /// Its size in bytes when it was opened.
        size: u64,
    },
    /// The operating system cannot read a file.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// FFmpeg's words.
        source: ffmpeg_next::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source} ({call})", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// FFmpeg's function.
        call: &'static str,
        /// FFmpeg's words.
        source: ffmpeg_next::Error,
    },
    /// A file does not have the track that was asked for, or FFmpeg has no decoder for it.
    #[error("{} has no usable {kind} track {stream}", path.display())]
    Track {
        /// The file.
        path: PathBuf,
        /// The kind of track.
        kind: &'static str,
        /// The stream's index.
        stream: u32,
    },
    /// A function of FFmpeg failed.
    #[error("{subject}: {call}: {source}")]
    Call {
        /// What it was working on.
        subject: String,
        /// The function.
        call: &'static str,
        /// FFmpeg's words.
        source: ffmpeg_next::Error,
    },
    /// FFmpeg did not take an option, which it would otherwise drop silently.
    #[error("{subject}: FFmpeg knows no option {option:?} here")]
    OptionNotTaken {
        /// What was being opened.
        subject: String,
        /// The option.
        option: String,
    },
    /// More or fewer frames or samples came out than must.
    #[error("{subject} gave {found} {unit}, not {expected}")]
    Count {
        /// What was counted.
        subject: String,
        /// Frames or samples.
        unit: &'static str,
        /// How many there must be.
        expected: u64,
        /// How many there were.
        found: u64,
    },
    /// A frame that QC saw does not come out of the decoder.
    #[error("{subject}: frame {frame}, at {seconds:.2} s of the film, does not come out of the decoder")]
    FrameMissing {
        /// The track.
        subject: String,
        /// The frame's number; that of the film's first one is 0.
        frame: u64,
        /// When it is shown, in seconds from the first one.
        seconds: f64,
    },
    /// A rendition's chunks do not make one.
    #[error("{subject}: {reason}")]
    NotJoined {
        /// The rendition or the chunk.
        subject: String,
        /// What is wrong.
        reason: String,
    },
    /// The source is not what QC's report says. The farm's own report is drawn from the same decoding; one that was made
    /// elsewhere may be wrong.
    #[error("{subject} {found}, and not {expected} as the QC report says")]
    NotAsReported {
        /// The track.
        subject: String,
        /// What it is.
        found: String,
        /// What the report says.
        expected: String,
    },
    /// The track changes its format in the middle.
    #[error("track {stream} changes from {before} to {after} in the middle")]
    FormatChanged {
        /// The stream's index.
        stream: u32,
        /// The format at first.
        before: String,
        /// The format later.
        after: String,
    },
    /// The request asks for what cannot be made.
    #[error("{0}")]
    Unsupported(String),
}

impl MediaError {
    /// The failure that the operator sees, without a log.
    pub fn failure(&self) -> Failure {
        let failure = |code| Failure::new(code, self.to_string());
        match self {
            Self::Refused { .. } => failure(Code::QcUnreadable),
            Self::SourceFile(error) => failure(match error.kind() {
                io::ErrorKind::NotFound => Code::SourceNotFound,
                io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput => Code::SourceNotAFile,
                _ => Code::SourceUnreadable,
            }),
            Self::Grown { .. } => failure(Code::SourceChanged),
            Self::Read { .. } => failure(Code::SourceUnreadable),
            Self::Write { source, .. } | Self::Call { source, .. } if is_disk_full(*source) => {
                failure(Code::DiskFull)
            }
            Self::Write { .. } => failure(Code::EncodeFailed).with_class(FailureClass::Environment),
            Self::Call { .. } => failure(Code::EncodeFailed),
            Self::Count { .. } => failure(Code::EncodeFrameCount),
            // A reading error may be over the next time.
            Self::FrameMissing { .. } => failure(Code::EncodeFrameCount).with_class(FailureClass::Transient),
            Self::NotJoined { .. } => failure(Code::EncodeFrameCount),
            Self::NotAsReported { .. } => failure(Code::EncodeNotAsReported),
            Self::Track { .. }
            | Self::OptionNotTaken { .. }
            | Self::FormatChanged { .. }
            | Self::Unsupported(_) => failure(Code::EncodeFailed).with_class(FailureClass::Permanent),
        }
    }
}

fn is_disk_full(error: ffmpeg_next::Error) -> bool {
    let ffmpeg_next::Error::Other { errno } = error else { return false };
    matches!(
        io::Error::from_raw_os_error(errno).kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_the_hosts_fault_whichever_call_met_it() {
        let full = ffmpeg_next::Error::Other { errno: ffmpeg_next::error::ENOSPC };
        let denied = ffmpeg_next::Error::Other { errno: ffmpeg_next::error::EACCES };
        let write = |source| MediaError::Write { path: "a.mp4".into(), call: "avio_open", source }.failure();
        assert_eq!((write(full).code, write(full).class), (Code::DiskFull, FailureClass::Environment));
        assert_eq!(
            (write(denied).code, write(denied).class),
            (Code::EncodeFailed, FailureClass::Environment)
        );
        let call = MediaError::Call { subject: "a".into(), call: "av_write_trailer", source: full };
        assert_eq!(call.failure().code, Code::DiskFull);
    }

    #[test]
    fn a_wrong_frame_count_is_not_tried_again() {
        let error = MediaError::Count { subject: "360p".into(), unit: "frames", expected: 50, found: 49 };
        assert_eq!(error.to_string(), "360p gave 49 frames, not 50");
        assert_eq!(error.failure().code, Code::EncodeFrameCount);
        assert_eq!(error.failure().class, FailureClass::Permanent);
    }
}

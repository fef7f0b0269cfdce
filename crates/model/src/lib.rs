//! The words of the farm, as types: titles, sources, QC reports, ladders, profiles, tasks, attempts and their
//! keys. Every other crate speaks in these.
//!
//! Promises: no I/O, no clock, no randomness; everything serialises with serde to a stable form, because task
//! keys are hashes of that form (see [`key`]).

pub mod attempt;
pub mod checksum;
pub mod code;
pub mod content_key;
pub mod cue;
pub mod facts;
pub mod failure;
pub mod index;
pub mod key;
pub mod ladder;
pub mod measurement;
pub mod message;
pub mod per_title;
pub mod profile;
pub mod qc;
pub mod recipe;
pub mod review;
pub mod rights;
#[cfg(feature = "schema")]
mod schema;
pub mod source;
pub mod standing;
pub mod subtitles;
pub mod task;
pub mod title;

pub use attempt::{AttemptOutcome, Fence, LeaseToken, Progress, WorkerId};
pub use checksum::{Checksum, ChecksumAlgorithm, StatedChecksum};
pub use code::Code;
pub use content_key::{KeyDivision, KeyId, KeySource, KeyUris, KeyUse, Protection};
pub use cue::{CuePoint, CuePurpose};
pub use facts::{ContentKind, Facts, Part, RouteName};
pub use failure::{Failure, FailureClass};
pub use key::{ArtifactKey, Digest, TaskKey};
pub use ladder::{Ladder, Rung};
pub use measurement::Measurements;
pub use profile::Profile;
pub use qc::QcReport;
pub use review::{Decision, Question, Review, ReviewRecord};
pub use rights::Rights;
pub use source::SourceReference;
pub use standing::Standing;
pub use task::{Pool, Task, TaskKind, TaskSpec};
pub use title::{TaskState, Title, TitleId, TitleState};

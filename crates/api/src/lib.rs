//! What the HTTP interface of a farm takes and answers: the types that its server and its clients share.
//!
//! Promises: no I/O; what a verb of the command line prints with `--json` is one of these types, with a farm behind it
//! and without. The paths and the OpenAPI document are the server's, which makes them of these types.

mod command;
mod event;
mod order;
mod plan;
mod problem;
mod review;
mod standing;
mod status;
mod submission;
mod titles;
mod token;
mod upload;
mod worker;

pub use command::{RetryAnswer, RetryRequest};
pub use event::{TaskResult, WatchEvent, WatchedTask, WatchedTitle};
pub use order::{
    ExpediteAnswer, ExpediteRecord, ExpediteRequest, Foreseen, Outlook, Prospect, PushedBack, Remedy, Risk,
    TaskPlace, TitleForecast, TitleOrder, Urgency,
};
pub use plan::{PlanPreview, PlanReason, PlanRequest, PreviewedTask, RecodeRequest};
pub use problem::Problem;
pub use review::{ApproveRequest, RejectRequest};
pub use standing::{
    BlockedTask, FailedAttempt, LeaderView, NextTask, PoolSlots, Reason, RunningTask, Standing,
};
pub use status::{AttemptEnd, AttemptStatus, TaskStatus, TitleStatus};
pub use submission::{ChecksumRequest, LadderRequest, SourceRequest, SubmitRequest, SubtitlesRequest};
pub use titles::{ListQuery, TitlePage};
pub use token::{CreatedToken, Scope, TokenRequest, TokenStatus};
pub use upload::UploadStatus;
pub use worker::{PoolStatus, WorkerPhase, WorkerSlots, WorkerStatus};

/// Where all that is versioned lies.
pub const ROOT: &str = "/api/v1";
/// The content type of a [`Problem`] (RFC 9457).
pub const PROBLEM_TYPE: &str = "application/problem+json";
/// Makes a repeated submission harmless: the same key with the same request gets the same answer.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Set to `true` on an answer that was given before to the same request under its key.
pub const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";
/// Names a request in answers and logs. A client may choose it.
pub const REQUEST_ID: &str = "x-request-id";
/// Where the bytes of a request belong in an upload, or how many the farm has of it.
pub const UPLOAD_OFFSET: &str = "upload-offset";
/// The bytes of a whole upload.
pub const UPLOAD_LENGTH: &str = "upload-length";

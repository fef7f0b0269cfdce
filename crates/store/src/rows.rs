//! Rows, and the values in them.

use std::fmt::Display;
use std::str::FromStr;

use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::{Review, ReviewRecord, Title, WorkerId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::TokenRecord;
use crate::error::StoreError;
use crate::fault::Fault;
use crate::records::{AttemptRecord, TaskRecord};

/// A value as JSON for a column.
pub(crate) fn to_json<T: Serialize + ?Sized>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Unserialisable { what, source })
}

/// An optional value as JSON for a column.
pub(crate) fn to_optional_json<T: Serialize>(
    what: &'static str,
    value: Option<&T>,
) -> Result<Option<String>, StoreError> {
    value.map(|value| to_json(what, value)).transpose()
}

pub(crate) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| undecodable(what, &error))
}

/// A value that serialises as nothing but its name.
pub(crate) fn from_name<T: DeserializeOwned>(what: &'static str, name: &str) -> Result<T, StoreError> {
    serde_json::from_value(name.into()).map_err(|error| undecodable(what, &error))
}

pub(crate) fn from_text<T: FromStr<Err: Display>>(what: &'static str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error| undecodable(what, &error))
}

/// A text from outside for a column: PostgreSQL's hold everything but U+0000.
pub(crate) fn to_text(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

pub(crate) fn undecodable(what: &'static str, error: &dyn Display) -> StoreError {
    StoreError::Undecodable { what, detail: error.to_string() }
}

fn optional_json<T: DeserializeOwned>(
    what: &'static str,
    text: Option<&str>,
) -> Result<Option<T>, StoreError> {
    text.map(|text| from_json(what, text)).transpose()
}

fn optional_text<T: FromStr<Err: Display>>(
    what: &'static str,
    text: Option<&str>,
) -> Result<Option<T>, StoreError> {
    text.map(|text| from_text(what, text)).transpose()
}

#[derive(sqlx::FromRow)]
pub(crate) struct TitleRow {
    generation: i64,
    state: String,
    submission: String,
    source_digest: Option<String>,
    report: Option<String>,
    failure: Option<String>,
    submitted_ms: i64,
    arrived_ms: i64,
    changed_ms: i64,
    held: i64,
    leftovers: i64,
    expedited_ms: Option<i64>,
    policy_digest: Option<String>,
    asked_ms: Option<i64>,
}

impl TryFrom<TitleRow> for Title {
    type Error = Fault;

    fn try_from(row: TitleRow) -> Result<Self, Fault> {
        let policy = optional_text("a policy's digest", row.policy_digest.as_deref())?;
        Ok(Self {
            submission: from_json("a submission", &row.submission)?,
            generation: from_generation(row.generation)?,
            state: from_text("a title's state", &row.state)?,
            source_digest: optional_text("a source's digest", row.source_digest.as_deref())?,
            report: optional_json("a QC report", row.report.as_deref())?,
            failure: optional_json("a failure", row.failure.as_deref())?,
            submitted_ms: row.submitted_ms,
            arrived_ms: row.arrived_ms,
            changed_ms: row.changed_ms,
            held: row.held != 0,
            leftovers: row.leftovers != 0,
            expedited_ms: row.expedited_ms,
            review: policy.map(|policy_digest| Review { policy_digest, asked_ms: row.asked_ms }),
        })
    }
}

#[derive(sqlx::FromRow)]
pub(crate) struct ReviewRow {
    title: String,
    number: i64,
    decided_ms: i64,
    generation: i64,
    decision: String,
    reviewer: Option<String>,
    why: Option<String>,
    source_digest: String,
    policy: String,
    policy_digest: String,
    questions: String,
}

impl TryFrom<ReviewRow> for ReviewRecord {
    type Error = Fault;

    fn try_from(row: ReviewRow) -> Result<Self, Fault> {
        Ok(Self {
            title: from_text("a title's name", &row.title)?,
            number: from_count("a decision's number", row.number)?,
            decided_ms: row.decided_ms,
            generation: from_generation(row.generation)?,
            decision: from_text("a decision", &row.decision)?,
            reviewer: row.reviewer,
            why: row.why,
            source_digest: from_text("a source's digest", &row.source_digest)?,
            policy: row.policy,
            policy_digest: from_text("a policy's digest", &row.policy_digest)?,
            questions: from_json("what was asked", &row.questions)?,
        })
    }
}

/// A number that counts attempts.
pub(crate) fn from_count(what: &'static str, count: i64) -> Result<u32, StoreError> {
    u32::try_from(count).map_err(|error| undecodable(what, &error))
}

pub(crate) fn from_generation(generation: i64) -> Result<u64, StoreError> {
    u64::try_from(generation).map_err(|error| undecodable("a generation", &error))
}

/// For a bind. No title is submitted so often that this does anything but change the type.
pub(crate) fn to_generation(generation: u64) -> i64 {
    i64::try_from(generation).unwrap_or(i64::MAX)
}

#[derive(sqlx::FromRow)]
pub(crate) struct TaskRow {
    specification: String,
    source: Option<String>,
    state: String,
    attempt: i64,
    failures: i64,
    losses: i64,
    uncounted: i64,
    progress: Option<String>,
    worker: Option<String>,
    last_failure: Option<String>,
    not_before_ms: Option<i64>,
    dispatched_ms: Option<i64>,
    started_ms: Option<i64>,
    finished_ms: Option<i64>,
    result: Option<String>,
    wanted_since_ms: Option<i64>,
    needs: String,
}

impl TryFrom<TaskRow> for TaskRecord {
    type Error = Fault;

    fn try_from(row: TaskRow) -> Result<Self, Fault> {
        Ok(Self {
            task: from_json("a task", &row.specification)?,
            source: optional_json("a source", row.source.as_deref())?,
            state: from_text("a task's state", &row.state)?,
            attempt: from_count("an attempt's number", row.attempt)?,
            failures: from_count("a number of failures", row.failures)?,
            losses: from_count("a number of losses", row.losses)?,
            uncounted: from_count("a number of failures", row.uncounted)?,
            progress: optional_json("an attempt's progress", row.progress.as_deref())?.unwrap_or_default(),
            worker: row.worker.map(WorkerId),
            last_failure: optional_json("a failure", row.last_failure.as_deref())?,
            not_before_ms: row.not_before_ms,
            dispatched_ms: row.dispatched_ms,
            started_ms: row.started_ms,
            finished_ms: row.finished_ms,
            result: optional_json("a task's result", row.result.as_deref())?,
            wanted_since_ms: row.wanted_since_ms,
            needs: from_json("a task's needs", &row.needs)?,
        })
    }
}

#[derive(sqlx::FromRow)]
pub(crate) struct AttemptRow {
    attempt: i64,
    worker: Option<String>,
    outcome: Option<String>,
    failure: Option<String>,
    dispatched_ms: i64,
    started_ms: Option<i64>,
    finished_ms: Option<i64>,
}

impl TryFrom<AttemptRow> for AttemptRecord {
    type Error = Fault;

    fn try_from(row: AttemptRow) -> Result<Self, Fault> {
        Ok(Self {
            attempt: from_count("an attempt's number", row.attempt)?,
            worker: row.worker.map(WorkerId),
            outcome: optional_text("an attempt's outcome", row.outcome.as_deref())?,
            failure: optional_json("a failure", row.failure.as_deref())?,
            dispatched_ms: row.dispatched_ms,
            started_ms: row.started_ms,
            finished_ms: row.finished_ms,
        })
    }
}

#[derive(sqlx::FromRow)]
pub(crate) struct ArtifactRow {
    artifact: String,
    digest: String,
    size: i64,
}

impl TryFrom<ArtifactRow> for ArtifactRecord {
    type Error = Fault;

    fn try_from(row: ArtifactRow) -> Result<Self, Fault> {
        Ok(Self {
            key: from_text("an artifact's key", &row.artifact)?,
            digest: from_text("an artifact's digest", &row.digest)?,
            size: u64::try_from(row.size).map_err(|error| undecodable("an artifact's size", &error))?,
        })
    }
}

#[derive(sqlx::FromRow)]
pub(crate) struct TokenRow {
    token: String,
    scope: String,
    label: String,
    created_ms: i64,
    expires_ms: Option<i64>,
    revoked_ms: Option<i64>,
}

impl TryFrom<TokenRow> for TokenRecord {
    type Error = Fault;

    fn try_from(row: TokenRow) -> Result<Self, Fault> {
        Ok(Self {
            token: from_text("a token's digest", &row.token)?,
            scope: from_text("a token's scope", &row.scope)?,
            label: row.label,
            created_ms: row.created_ms,
            expires_ms: row.expires_ms,
            revoked_ms: row.revoked_ms,
        })
    }
}

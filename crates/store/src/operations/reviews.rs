//! What people decide about titles that QC leaves to them.

use reelfarm_model::{Decision, ReviewRecord, Title, TitleId, TitleState};

use super::dialect::Connection;
use super::{queries, submissions, titles};
use crate::changes::{Reviewed, TitleChange};
use crate::error::StoreError;
use crate::fault::Fault;
use crate::records::Ruling;
use crate::rows::{ReviewRow, to_generation, to_json, to_text};

/// See [`Store::approve`](crate::Store::approve).
pub(super) async fn approve(
    connection: &mut Connection,
    now: i64,
    title: &TitleId,
    generation: u64,
    from: TitleState,
    ruling: &Ruling,
) -> Result<Option<Reviewed>, Fault> {
    if !matches!(from, TitleState::Review | TitleState::Rejected) {
        let to = TitleState::Checking;
        return Err(StoreError::ForbiddenTransition { title: title.clone(), from, to }.into());
    }
    let known = queries::title(connection, title).await?;
    let Some(known) = known.filter(|title| title.generation == generation && title.state == from) else {
        return Ok(None);
    };
    let (title, stopped) = if from == TitleState::Review {
        (check_again(connection, now, known).await?, Vec::new())
    } else {
        let submitted = submissions::submit(connection, now, &known.submission).await?;
        (submitted.title, submitted.stopped)
    };
    note(connection, now, &title, Decision::Approved, ruling).await?;
    Ok(Some(Reviewed { title, stopped }))
}

/// See [`Store::reject`](crate::Store::reject).
pub(super) async fn reject(
    connection: &mut Connection,
    now: i64,
    title: &TitleId,
    generation: u64,
    from: TitleState,
    ruling: &Ruling,
    change: &TitleChange,
) -> Result<Option<Reviewed>, Fault> {
    let advanced = titles::advance(connection, now, title, generation, from, change).await?;
    let (Some(advanced), Some(title)) = (advanced, queries::title(connection, title).await?) else {
        return Ok(None);
    };
    note(connection, now, &title, Decision::Rejected, ruling).await?;
    Ok(Some(Reviewed { title, stopped: advanced.stopped }))
}

/// See [`Store::recheck`](crate::Store::recheck).
pub(super) async fn recheck(
    connection: &mut Connection,
    now: i64,
    title: &TitleId,
    generation: u64,
) -> Result<Option<Title>, Fault> {
    let known = queries::title(connection, title).await?;
    match known.filter(|title| title.generation == generation && title.state == TitleState::Review) {
        Some(known) => check_again(connection, now, known).await.map(Some),
        None => Ok(None),
    }
}

/// Puts a title that waits for a person back to its check.
pub(super) async fn check_again(connection: &mut Connection, now: i64, title: Title) -> Result<Title, Fault> {
    sqlx::query("UPDATE titles SET state = $2, changed_ms = $3 WHERE title = $1")
        .bind(title.submission.title.as_str())
        .bind(TitleState::Checking.as_str())
        .bind(now)
        .execute(connection)
        .await?;
    Ok(Title { state: TitleState::Checking, changed_ms: now, ..title })
}

async fn note(
    connection: &mut Connection,
    now: i64,
    title: &Title,
    decision: Decision,
    ruling: &Ruling,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO reviews (title, number, decided_ms, generation, decision, reviewer, why, source_digest, policy, \
         policy_digest, questions) SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10 \
         FROM reviews WHERE title = $1",
    )
    .bind(title.submission.title.as_str())
    .bind(now)
    .bind(to_generation(title.generation))
    .bind(decision.as_str())
    .bind(ruling.reviewer.as_deref().map(to_text))
    .bind(ruling.why.as_deref().map(to_text))
    .bind(ruling.source_digest.to_string())
    .bind(to_text(&ruling.policy))
    .bind(ruling.policy_digest.to_string())
    .bind(to_json("what was asked", &ruling.questions)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// The columns of a [`ReviewRow`].
macro_rules! review_columns {
    () => {
        "title, number, decided_ms, generation, decision, reviewer, why, source_digest, policy, policy_digest, questions"
    };
}

/// See [`Store::reviews`](crate::Store::reviews).
pub(super) async fn reviews(
    connection: &mut Connection,
    title: Option<&TitleId>,
    limit: usize,
) -> Result<Vec<ReviewRecord>, Fault> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<ReviewRow> = match title {
        Some(title) => {
            sqlx::query_as(concat!(
                "SELECT ",
                review_columns!(),
                " FROM reviews WHERE title = $1 ORDER BY number DESC LIMIT $2"
            ))
            .bind(title.as_str())
            .bind(limit)
            .fetch_all(connection)
            .await?
        }
        None => {
            sqlx::query_as(concat!(
                "SELECT ",
                review_columns!(),
                " FROM reviews ORDER BY decided_ms DESC, title, number DESC LIMIT $1"
            ))
            .bind(limit)
            .fetch_all(connection)
            .await?
        }
    };
    rows.into_iter().map(ReviewRecord::try_from).collect()
}

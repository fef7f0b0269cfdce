//! Submissions: a new title, or an old one again.

use reelfarm_model::title::Submission;
use reelfarm_model::{Title, TitleState};

use super::dialect::Connection;
use super::{queries, standing, titles};
use crate::changes::{SubmitOutcome, Submitted};
use crate::fault::Fault;
use crate::rows::{to_generation, to_json};

/// See [`Store::submit`](crate::Store::submit).
pub(super) async fn submit(
    connection: &mut Connection,
    now: i64,
    submission: &Submission,
) -> Result<Submitted, Fault> {
    let known = queries::title(connection, &submission.title).await?;
    let (generation, outcome) = match &known {
        None => (1, SubmitOutcome::Created),
        // What is being taken away does not come again by itself.
        Some(title)
            if !title.state.is_final()
                && title.state != TitleState::Withdrawing
                && title.submission.asks_the_same(submission) =>
        {
            return Ok(Submitted {
                title: title.clone(),
                stopped: Vec::new(),
                outcome: SubmitOutcome::Unchanged,
            });
        }
        Some(title) => (title.generation + 1, SubmitOutcome::Reopened),
    };
    let is_same_arrival =
        |title: &&Title| title.state != TitleState::Published && title.submission.source == submission.source;
    let arrived_ms = known.as_ref().filter(is_same_arrival).map_or(now, |title| title.arrived_ms);
    let is_same_route = |title: &&Title| title.submission.facts.route == submission.facts.route;
    let expedited_ms = known.as_ref().filter(is_same_route).and_then(|title| title.expedited_ms);
    let held = known.as_ref().is_some_and(|title| title.held);
    let leftovers = match &known {
        None => false,
        Some(title) if !title.state.is_final() && !title.leftovers => {
            titles::has_touched_origin(connection, &submission.title).await?
        }
        Some(title) => title.leftovers,
    };
    let mut released = Vec::new();
    if known.is_some_and(|title| title.submission.source == submission.source) {
        titles::keep_attempts(connection, &submission.title).await?;
    } else {
        released.extend(titles::keep_nothing(connection, &submission.title).await?);
    }
    released.extend(titles::want_nothing(connection, &submission.title).await?);
    let stopped = titles::cancel_unwanted(connection, now, &released).await?;
    sqlx::query("DELETE FROM title_tasks WHERE title = $1")
        .bind(submission.title.as_str())
        .execute(&mut *connection)
        .await?;
    let title = Title {
        submission: submission.clone(),
        generation,
        state: TitleState::Checking,
        source_digest: None,
        report: None,
        failure: None,
        submitted_ms: now,
        arrived_ms,
        changed_ms: now,
        held,
        leftovers,
        expedited_ms,
        review: None,
    };
    sqlx::query(
        "INSERT INTO titles (title, generation, state, submission, submitted_ms, changed_ms, leftovers, arrived_ms, \
         expedited_ms) VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8) ON CONFLICT (title) DO UPDATE SET generation = excluded.generation, \
         state = excluded.state, submission = excluded.submission, source_digest = NULL, report = NULL, \
         failure = NULL, submitted_ms = excluded.submitted_ms, changed_ms = excluded.changed_ms, \
         leftovers = excluded.leftovers, arrived_ms = excluded.arrived_ms, expedited_ms = excluded.expedited_ms, \
         policy_digest = NULL, asked_ms = NULL",
    )
    .bind(submission.title.as_str())
    .bind(to_generation(generation))
    .bind(title.state.as_str())
    .bind(to_json("a submission", submission)?)
    .bind(now)
    .bind(i16::from(leftovers))
    .bind(arrived_ms)
    .bind(expedited_ms)
    .execute(&mut *connection)
    .await?;
    standing::accept(connection, submission).await?;
    Ok(Submitted { title, stopped, outcome })
}

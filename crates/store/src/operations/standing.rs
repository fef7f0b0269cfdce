//! What stands for a title, whatever becomes of its submissions.

use reelfarm_model::title::Submission;
use reelfarm_model::{Standing, TitleId};

use super::dialect::Connection;
use super::queries;
use crate::fault::Fault;
use crate::rows::{from_json, to_json};

/// See [`Store::standing`](crate::Store::standing).
pub(super) async fn standing(connection: &mut Connection, title: &TitleId) -> Result<Standing, Fault> {
    let text: Option<String> = sqlx::query_scalar("SELECT standing FROM titles WHERE title = $1")
        .bind(title.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    Ok(text.map(|text| from_json("a title's standing", &text)).transpose()?.unwrap_or_default())
}

/// Takes in that a submission of a title that is known was accepted.
pub(super) async fn accept(connection: &mut Connection, submission: &Submission) -> Result<(), Fault> {
    let mut standing = standing(connection, &submission.title).await?;
    standing.accept(submission);
    write(connection, &submission.title, &standing).await
}

/// Takes in that the current generation of a title was published.
pub(super) async fn publish(connection: &mut Connection, title: &TitleId) -> Result<(), Fault> {
    let Some(known) = queries::title(connection, title).await? else { return Ok(()) };
    let mut standing = standing(connection, title).await?;
    standing.publish(&known.submission);
    write(connection, title, &standing).await
}

async fn write(connection: &mut Connection, title: &TitleId, standing: &Standing) -> Result<(), Fault> {
    sqlx::query("UPDATE titles SET standing = $2 WHERE title = $1")
        .bind(title.as_str())
        .bind(to_json("a title's standing", standing)?)
        .execute(connection)
        .await?;
    Ok(())
}

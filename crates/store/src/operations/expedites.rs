//! Titles that somebody has go before all others of their route, so many a day.

use reelfarm_model::{Title, TitleId};

use super::dialect::Connection;
use super::queries;
use crate::fault::Fault;
use crate::records::{Expedite, ExpediteRecord, Expedited};
use crate::rows::{from_count, from_text, to_text};

/// Milliseconds of a day. Days are those of UTC, which are all of one length.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// See [`Store::expedite`](crate::Store::expedite).
pub(super) async fn expedite(
    connection: &mut Connection,
    now: i64,
    title: &TitleId,
    wish: &Expedite,
) -> Result<Expedited, Fault> {
    let known = queries::title(connection, title).await?;
    let Some(known) = known.filter(|title| title.state.is_under_way()) else {
        return Ok(Expedited::NotUnderWay);
    };
    if known.expedited_ms.is_some() {
        return Ok(Expedited::Before(known));
    }
    let used: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM expedites WHERE route = $1 AND expedited_ms >= $2")
            .bind(&wish.route)
            .bind(now - now.rem_euclid(DAY_MS))
            .fetch_one(&mut *connection)
            .await?;
    let used = from_count("a number of expedites", used)?;
    if used >= wish.per_day {
        return Ok(Expedited::Spent { used });
    }
    sqlx::query(
        "INSERT INTO expedites (title, expedited_ms, route, requester, why) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(title.as_str())
    .bind(now)
    .bind(&wish.route)
    .bind(wish.requester.as_deref().map(to_text))
    .bind(to_text(&wish.why))
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE titles SET expedited_ms = $2, changed_ms = $2 WHERE title = $1")
        .bind(title.as_str())
        .bind(now)
        .execute(connection)
        .await?;
    Ok(Expedited::Done(Title { expedited_ms: Some(now), changed_ms: now, ..known }))
}

/// See [`Store::expedites`](crate::Store::expedites).
pub(super) async fn expedites(
    connection: &mut Connection,
    since_ms: i64,
    limit: usize,
) -> Result<Vec<ExpediteRecord>, Fault> {
    let rows: Vec<(String, i64, String, Option<String>, String)> = sqlx::query_as(
        "SELECT title, expedited_ms, route, requester, why FROM expedites WHERE expedited_ms >= $1 \
         ORDER BY expedited_ms DESC, title LIMIT $2",
    )
    .bind(since_ms)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let records = rows.into_iter().map(|(title, expedited_ms, route, requester, why)| {
        let title = from_text("a title's name", &title)?;
        Ok(ExpediteRecord { title, expedited_ms, route, requester, why })
    });
    records.collect()
}

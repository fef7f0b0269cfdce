//! Requests that may come twice.

use std::time::Duration;

use reelfarm_model::Digest;

use super::dialect::Connection;
use super::later;
use crate::access::{Answer, Claim, ClaimToken, KeyedRequest};
use crate::error::StoreError;
use crate::fault::Fault;
use crate::rows::undecodable;

/// A key as its column holds it: clients choose keys of any length and with any character in them.
fn to_key(request: &KeyedRequest) -> String {
    Digest::of(request.key.as_bytes()).to_string()
}

/// See [`Access::claim`](crate::Access::claim).
pub(super) async fn claim(
    connection: &mut Connection,
    now: i64,
    request: &KeyedRequest,
    limit: Duration,
) -> Result<Claim, Fault> {
    sqlx::query("DELETE FROM idempotency_keys WHERE expires_ms <= $1")
        .bind(now)
        .execute(&mut *connection)
        .await?;
    let known: Option<(String, Option<i64>, Option<String>)> =
        sqlx::query_as("SELECT request, status, body FROM idempotency_keys WHERE token = $1 AND key = $2")
            .bind(request.token.to_string())
            .bind(to_key(request))
            .fetch_optional(&mut *connection)
            .await?;
    match known {
        Some((other, _, _)) if other != request.request.to_string() => {
            Err(StoreError::KeyReused { key: request.key.clone() }.into())
        }
        Some((_, Some(status), Some(body))) => {
            let status = u16::try_from(status).map_err(|error| undecodable("an answer's status", &error))?;
            Ok(Claim::Answered(Answer { status, body }))
        }
        Some(_) => Ok(Claim::InProgress),
        None => {
            let claim = ClaimToken(rand::random());
            sqlx::query(
                "INSERT INTO idempotency_keys (token, key, request, claim, expires_ms) \
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(request.token.to_string())
            .bind(to_key(request))
            .bind(request.request.to_string())
            .bind(claim.to_string())
            .bind(later(now, limit))
            .execute(connection)
            .await?;
            Ok(Claim::Granted(claim))
        }
    }
}

/// See [`Access::answer`](crate::Access::answer).
pub(super) async fn answer(
    connection: &mut Connection,
    now: i64,
    request: &KeyedRequest,
    claim: ClaimToken,
    answer: &Answer,
    keep: Duration,
) -> Result<bool, Fault> {
    let answered = sqlx::query(
        "UPDATE idempotency_keys SET status = $4, body = $5, expires_ms = $6 \
         WHERE token = $1 AND key = $2 AND claim = $3 AND status IS NULL",
    )
    .bind(request.token.to_string())
    .bind(to_key(request))
    .bind(claim.to_string())
    .bind(i64::from(answer.status))
    .bind(&answer.body)
    .bind(later(now, keep))
    .execute(connection)
    .await?
    .rows_affected();
    Ok(answered > 0)
}

//! Bearer tokens.

use reelfarm_model::Digest;

use super::dialect::{Connection, now};
use super::later;
use crate::access::{NewToken, TokenRecord};
use crate::fault::Fault;
use crate::rows::{TokenRow, to_text};

/// See [`Access::add_token`](crate::Access::add_token).
pub(super) async fn add(
    connection: &mut Connection,
    now: i64,
    token: &NewToken,
) -> Result<Option<TokenRecord>, Fault> {
    let row: Option<TokenRow> = sqlx::query_as(
        "INSERT INTO tokens (token, scope, label, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT DO NOTHING RETURNING token, scope, label, created_ms, expires_ms, revoked_ms",
    )
    .bind(token.token.to_string())
    .bind(token.scope.as_str())
    .bind(to_text(&token.label))
    .bind(now)
    .bind(token.lifetime.map(|lifetime| later(now, lifetime)))
    .fetch_optional(connection)
    .await?;
    row.map(TokenRecord::try_from).transpose()
}

/// See [`Access::token`](crate::Access::token).
pub(super) async fn valid(connection: &mut Connection, token: &Digest) -> Result<Option<TokenRecord>, Fault> {
    let row: Option<TokenRow> = sqlx::query_as(concat!(
        "SELECT token, scope, label, created_ms, expires_ms, revoked_ms FROM tokens \
         WHERE token = $1 AND revoked_ms IS NULL AND (expires_ms IS NULL OR expires_ms > ",
        now!(),
        ")"
    ))
    .bind(token.to_string())
    .fetch_optional(connection)
    .await?;
    row.map(TokenRecord::try_from).transpose()
}

/// See [`Access::tokens`](crate::Access::tokens).
pub(super) async fn all(connection: &mut Connection) -> Result<Vec<TokenRecord>, Fault> {
    let rows: Vec<TokenRow> = sqlx::query_as(
        "SELECT token, scope, label, created_ms, expires_ms, revoked_ms FROM tokens ORDER BY created_ms, token",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(TokenRecord::try_from).collect()
}

/// See [`Access::revoke_token`](crate::Access::revoke_token).
pub(super) async fn revoke(connection: &mut Connection, now: i64, token: &Digest) -> Result<bool, Fault> {
    let revoked = sqlx::query("UPDATE tokens SET revoked_ms = $2 WHERE token = $1 AND revoked_ms IS NULL")
        .bind(token.to_string())
        .bind(now)
        .execute(connection)
        .await?
        .rows_affected();
    Ok(revoked > 0)
}

//! Tokens, made and revoked by administrators.

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use reelfarm_api::{CreatedToken, Problem, Scope, TokenRequest, TokenStatus};
use reelfarm_model::{Code, Digest};
use reelfarm_store as store;
use reelfarm_store::TokenRecord;

use super::Api;
use super::extract::{Json, Path};
use super::problem::Refusal;
use super::secret::{TokenSecret, enrol};
use crate::facts::{LONGEST_LINE, is_line};

/// How long a token is good where nobody says: 90 days.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// The most that somebody may say: ten years.
const LONGEST_LIFETIME: u64 = 315_360_000;

/// Lists every token there ever was, the oldest first. Their secrets are not known.
#[utoipa::path(get, path = "/tokens", operation_id = "listTokens", tag = "tokens", responses(
    (status = 200, description = "The tokens.", body = Vec<TokenStatus>),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(api): State<Api>) -> Result<Answer<Vec<TokenStatus>>, Refusal> {
    Ok(Answer(api.store.tokens().await?.into_iter().map(token_status).collect()))
}

/// Makes a token. Its secret is answered this once.
#[utoipa::path(post, path = "/tokens", operation_id = "createToken", tag = "tokens", request_body = TokenRequest, responses(
    (status = 201, description = "The token with its secret.", body = CreatedToken),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    State(api): State<Api>,
    Json(request): Json<TokenRequest>,
) -> Result<impl IntoResponse, Refusal> {
    if !is_line(&request.label) {
        return Err(Refusal::invalid(format!("label has 1 to {LONGEST_LINE} characters on one line")));
    }
    let lifetime = match request.lifetime_seconds {
        None => LIFETIME,
        Some(seconds) if (1..=LONGEST_LIFETIME).contains(&seconds) => Duration::from_secs(seconds),
        Some(_) => {
            return Err(Refusal::invalid(format!("lifetime_seconds is 1 to {LONGEST_LIFETIME}")));
        }
    };
    let secret = TokenSecret::random();
    let record = enrol(&*api.store, &secret, to_store(request.scope), &request.label, Some(lifetime)).await?;
    // Two random tokens are never equal.
    let record = record.ok_or_else(|| {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "no token could be made")
    })?;
    tracing::info!(token = %record.token.short(), scope = %record.scope, label = record.label, "token made");
    let created = CreatedToken { secret: secret.reveal().to_owned(), token: token_status(record) };
    // No cache on the way may keep the secret.
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Answer(created)))
}

/// Revokes a token from this moment on.
#[utoipa::path(delete, path = "/tokens/{token}", operation_id = "revokeToken", tag = "tokens", params(
    ("token" = Digest, Path, description = "The token's digest, as the list of tokens names it."),
), responses(
    (status = 204, description = "It is revoked, or was before."),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn revoke(State(api): State<Api>, Path(token): Path<String>) -> Result<StatusCode, Refusal> {
    let unknown = || Refusal::not_found(format!("there is no token {token:?}"));
    let digest: Digest = token.parse().map_err(|_| unknown())?;
    if api.store.revoke_token(&digest).await? {
        tracing::info!(token = %digest.short(), "token revoked");
    } else if !api.store.tokens().await?.iter().any(|known| known.token == digest) {
        return Err(unknown());
    }
    Ok(StatusCode::NO_CONTENT)
}

const fn to_store(scope: Scope) -> store::Scope {
    match scope {
        Scope::ReadOnly => store::Scope::ReadOnly,
        Scope::Operator => store::Scope::Operator,
        Scope::Reviewer => store::Scope::Reviewer,
        Scope::Admin => store::Scope::Admin,
    }
}

fn token_status(record: TokenRecord) -> TokenStatus {
    TokenStatus {
        token: record.token,
        scope: match record.scope {
            store::Scope::ReadOnly => Scope::ReadOnly,
            store::Scope::Operator => Scope::Operator,
            store::Scope::Reviewer => Scope::Reviewer,
            store::Scope::Admin => Scope::Admin,
        },
        label: record.label,
        created_ms: record.created_ms,
        expires_ms: record.expires_ms,
        revoked_ms: record.revoked_ms,
    }
}

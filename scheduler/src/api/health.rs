//! Whether a scheduler lives, and whether it can do its work.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use reelfarm_model::Digest;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use crate::leader::Leader;

/// What a scheduler needs, and whether it has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// Whether it has all of it.
    ready: bool,
    /// Whether the database answers.
    store: bool,
    /// Whether the broker can be reached.
    broker: bool,
    /// Whether it is known who leads.
    leader: bool,
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "It does.", body = String, content_type = "text/plain")), security(()))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the scheduler can do its work: database, broker and leader.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, description = "It can.", body = Readiness),
    (status = 503, description = "It cannot: something is missing.", body = Readiness),
), security(()))]
pub(super) async fn readyz(State(api): State<Api>) -> (StatusCode, Json<Readiness>) {
    // Any small question does; no token has this digest.
    let nobodys = Digest::from_bytes([0; 32]);
    let asked = tokio::time::timeout(api.limits.time, api.store.token(&nobodys));
    let store = matches!(asked.await, Ok(Ok(_)));
    let broker = api.broker.link().is_up();
    let leader = !matches!(*api.leader.borrow(), Leader::Nobody);
    let ready = store && broker && leader;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, store, broker, leader }))
}

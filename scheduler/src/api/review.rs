//! What people decide about titles that QC leaves to them.

use axum::Json as Answer;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use reelfarm_api::{ApproveRequest, Problem, RejectRequest};
use reelfarm_model::{Decision, ReviewRecord, Title, TitleId};

use super::Api;
use super::authorise::Principal;
use super::extract::{Json, Named};
use super::idempotency::once;
use super::problem::Refusal;
use crate::handle::Handle;
use crate::review::DecisionWish;

/// The most that are listed.
const LISTED: usize = 1_000;

/// Has a title made that QC leaves to people, or one that a person rejected. To approve what is approved changes nothing.
#[utoipa::path(post, path = "/titles/{title}/approve", operation_id = "approveTitle", tag = "titles", params(
    ("title" = TitleId, Path, description = "The title's name."),
    ("idempotency-key" = Option<String>, Header, description = "The same request under the same key is done once, and answered in the same way for a day.", pattern = "^[!-~]{1,255}$"),
), request_body(content = Option<ApproveRequest>), responses(
    (status = 200, description = "The title as it stands.", body = Title),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn approve(
    State(api): State<Api>,
    Extension(principal): Extension<Principal>,
    Extension(handle): Extension<Handle>,
    Named(id): Named,
    headers: HeaderMap,
    request: Option<Json<Option<ApproveRequest>>>,
) -> Result<Response, Refusal> {
    let request = request.and_then(|Json(request)| request).unwrap_or_default();
    let material = ("approve", &id, &request);
    let wish = DecisionWish {
        decision: Decision::Approved,
        why: request.why.clone(),
        asked_ms: request.asked_ms,
        reviewer: Some(principal.label.clone()),
    };
    let work = async { Ok((StatusCode::OK, handle.decide(id.clone(), wish).await?)) };
    once(&api, &principal, &headers, &material, work).await
}

/// Rejects a title that QC leaves to people, or takes an approval back while the title is not online. To reject what a person
/// rejected changes nothing.
#[utoipa::path(post, path = "/titles/{title}/reject", operation_id = "rejectTitle", tag = "titles", params(
    ("title" = TitleId, Path, description = "The title's name."),
    ("idempotency-key" = Option<String>, Header, description = "The same request under the same key is done once, and answered in the same way for a day.", pattern = "^[!-~]{1,255}$"),
), request_body = RejectRequest, responses(
    (status = 200, description = "The title as it stands.", body = Title),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn reject(
    State(api): State<Api>,
    Extension(principal): Extension<Principal>,
    Extension(handle): Extension<Handle>,
    Named(id): Named,
    headers: HeaderMap,
    Json(request): Json<RejectRequest>,
) -> Result<Response, Refusal> {
    let material = ("reject", &id, &request);
    let wish = DecisionWish {
        decision: Decision::Rejected,
        why: Some(request.why.clone()),
        asked_ms: request.asked_ms,
        reviewer: Some(principal.label.clone()),
    };
    let work = async { Ok((StatusCode::OK, handle.decide(id.clone(), wish).await?)) };
    once(&api, &principal, &headers, &material, work).await
}

/// Lists what people decided, the latest first.
#[utoipa::path(get, path = "/reviews", operation_id = "listReviews", tag = "titles", responses(
    (status = 200, description = "The last thousand.", body = Vec<ReviewRecord>),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(api): State<Api>) -> Result<Answer<Vec<ReviewRecord>>, Refusal> {
    Ok(Answer(api.store.reviews(None, LISTED).await?))
}

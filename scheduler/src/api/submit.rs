//! Titles, submitted.

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use reelfarm_api::{Problem, SubmitRequest};
use reelfarm_model::Title;

use super::Api;
use super::authorise::Principal;
use super::extract::Json;
use super::idempotency::once;
use super::problem::Refusal;
use crate::handle::Handle;

/// Submits a title. Submitting what is under way or done already, in the very same way, changes nothing.
#[utoipa::path(post, path = "/titles", operation_id = "submitTitle", tag = "titles", request_body = SubmitRequest, params(
    ("idempotency-key" = Option<String>, Header, description = "The same request under the same key is done once, and answered in the same way for a day.", pattern = "^[!-~]{1,255}$"),
), responses(
    (status = 202, description = "Accepted: the title as it stands.", body = Title),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn submit(
    State(api): State<Api>,
    Extension(principal): Extension<Principal>,
    Extension(handle): Extension<Handle>,
    headers: HeaderMap,
    Json(request): Json<SubmitRequest>,
) -> Result<Response, Refusal> {
    let work = async {
        let source = api.sources.look(&request.source).await?;
        let mut subtitles = Vec::with_capacity(request.subtitles.len());
        for wanted in &request.subtitles {
            subtitles.push(api.sources.look(&wanted.source).await?);
        }
        let standing = api.store.standing(&request.title).await?;
        let requester = Some(principal.label.as_str());
        let submission = api.intake.submission(&request, source, subtitles, &standing, requester)?;
        let title = handle.submit(submission).await?;
        Ok((StatusCode::ACCEPTED, title))
    };
    once(&api, &principal, &headers, &("submit", &request), work).await
}

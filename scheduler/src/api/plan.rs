//! What would be done for titles, and titles with another ladder.

use axum::Json as Answer;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use reelfarm_api::{PlanPreview, PlanRequest, Problem, RecodeRequest};
use reelfarm_model::title::Submission;
use reelfarm_model::{Title, TitleId};

use super::Api;
use super::extract::{Json, Named, unknown_title};
use super::problem::Refusal;
use crate::handle::Handle;

/// Shows what would be done for a title if it were submitted now, and why. Nothing is changed.
#[utoipa::path(post, path = "/titles/{title}/plan", operation_id = "planTitle", tag = "titles", params(
    ("title" = TitleId, Path, description = "The title's name."),
), request_body(content = Option<PlanRequest>), responses(
    (status = 200, description = "The plan.", body = PlanPreview),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn plan(
    State(api): State<Api>,
    Extension(handle): Extension<Handle>,
    Named(id): Named,
    request: Option<Json<Option<PlanRequest>>>,
) -> Result<Answer<PlanPreview>, Refusal> {
    let request = request.and_then(|Json(request)| request).unwrap_or_default();
    let title = api.store.title(&id).await?.ok_or_else(|| unknown_title(id.as_str()))?;
    let mut submission = Submission { tools: api.intake.tools.clone(), ..title.submission };
    if request.ladder.is_some() {
        submission.ladder = api.intake.ladder(request.ladder.as_ref())?;
    }
    if let Some(patterns) = &request.profiles {
        submission.profiles = api.intake.allowed(patterns, &submission.rights)?;
    }
    let standing = api.store.standing(&id).await?;
    if request.new_keys && submission.protection.is_some() {
        submission.protection = Some(api.intake.keys.protection(&id, standing.protection(), true)?);
    }
    Ok(Answer(handle.preview(submission).await?))
}

/// Makes a title that is online anew with another ladder, after everything else; so a recode that was stopped or failed. What the
/// ladder does not change stays, and a title that is on its way to it is left alone.
#[utoipa::path(post, path = "/titles/{title}/recode", operation_id = "recodeTitle", tag = "titles", request_body = RecodeRequest, params(
    ("title" = TitleId, Path, description = "The title's name."),
), responses(
    (status = 202, description = "Accepted: the title as it stands.", body = Title),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn recode(
    State(api): State<Api>,
    Extension(handle): Extension<Handle>,
    Named(id): Named,
    Json(request): Json<RecodeRequest>,
) -> Result<(StatusCode, Answer<Title>), Refusal> {
    let ladder = api.intake.ladder(Some(&request.ladder))?;
    let title = handle.recode(id, ladder, api.intake.tools.clone()).await?;
    Ok((StatusCode::ACCEPTED, Answer(title)))
}

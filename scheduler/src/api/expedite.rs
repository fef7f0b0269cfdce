//! Titles that go before all others of their route.

use axum::Json as Answer;
use axum::extract::{Extension, State};
use reelfarm_api::{ExpediteAnswer, ExpediteRecord, ExpediteRequest, Problem};
use reelfarm_model::TitleId;

use super::Api;
use super::authorise::Principal;
use super::extract::{Json, Named};
use super::problem::Refusal;
use crate::facts::{LONGEST_LINE, is_line};
use crate::handle::Handle;

/// The most that are listed.
const LISTED: usize = 1_000;

/// Has a title go before all others of its route until it is online; or only says what would come of it.
#[utoipa::path(post, path = "/titles/{title}/expedite", operation_id = "expediteTitle", tag = "titles", params(
    ("title" = TitleId, Path, description = "The title's name."),
), request_body = ExpediteRequest, responses(
    (status = 200, description = "What came of it, or would.", body = ExpediteAnswer),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn expedite(
    Extension(principal): Extension<Principal>,
    Extension(handle): Extension<Handle>,
    Named(id): Named,
    Json(request): Json<ExpediteRequest>,
) -> Result<Answer<ExpediteAnswer>, Refusal> {
    if !is_line(&request.why) {
        return Err(Refusal::invalid(format!("why has 1 to {LONGEST_LINE} characters on one line")));
    }
    Ok(Answer(handle.expedite(id, request, Some(principal.label)).await?))
}

/// Lists the titles that were expedited, the latest first.
#[utoipa::path(get, path = "/expedites", operation_id = "listExpedites", tag = "titles", responses(
    (status = 200, description = "The last thousand.", body = Vec<ExpediteRecord>),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(api): State<Api>) -> Result<Answer<Vec<ExpediteRecord>>, Refusal> {
    let records = api.store.expedites(0, LISTED).await?.into_iter();
    let seen = |record: reelfarm_store::ExpediteRecord| {
        let reelfarm_store::ExpediteRecord { title, expedited_ms, route, requester, why } = record;
        ExpediteRecord { title, expedited_ms, route, requester, why }
    };
    Ok(Answer(records.map(seen).collect()))
}

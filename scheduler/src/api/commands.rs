//! What is done with titles that are there.

use axum::Json as Answer;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use reelfarm_api::{Problem, RetryAnswer, RetryRequest};
use reelfarm_model::{Code, TaskKey, Title, TitleId};
use reelfarm_store::TaskRecord;

use super::Api;
use super::extract::{Json, Named, unknown_title};
use super::problem::Refusal;
use crate::commands::Again;
use crate::handle::Handle;

/// The beginning of a task's key that stands for it, at least.
const SHORTEST_KEY: usize = 8;

/// Stops a title that is under way, and takes away what it has put at the origin and is not online.
#[utoipa::path(post, path = "/titles/{title}/cancel", operation_id = "cancelTitle", tag = "titles", params(
    ("title" = TitleId, Path, description = "The title's name."),
), responses(
    (status = 200, description = "The title as it stands.", body = Title),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn cancel(
    State(api): State<Api>,
    Extension(handle): Extension<Handle>,
    Named(id): Named,
) -> Result<Answer<Title>, Refusal> {
    handle.cancel(id.clone()).await?;
    let title = api.store.title(&id).await?;
    title.map(Answer).ok_or_else(|| unknown_title(id.as_str()))
}

/// Holds a title: none of its tasks is started for its sake, and what is at work goes on.
#[utoipa::path(post, path = "/titles/{title}/hold", operation_id = "holdTitle", tag = "titles", params(
    ("title" = TitleId, Path, description = "The title's name."),
), responses(
    (status = 200, description = "The title as it stands.", body = Title),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn hold(
    Extension(handle): Extension<Handle>,
    Named(id): Named,
) -> Result<Answer<Title>, Refusal> {
    Ok(Answer(handle.hold(id, true).await?))
}

/// Lets a title go on that was held.
#[utoipa::path(post, path = "/titles/{title}/release", operation_id = "releaseTitle", tag = "titles", params(
    ("title" = TitleId, Path, description = "The title's name."),
), responses(
    (status = 200, description = "The title as it stands.", body = Title),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn release(
    Extension(handle): Extension<Handle>,
    Named(id): Named,
) -> Result<Answer<Title>, Refusal> {
    Ok(Answer(handle.hold(id, false).await?))
}

/// Does a title, a task or a rendition again.
#[utoipa::path(post, path = "/titles/{title}/retry", operation_id = "retryTitle", tag = "titles", params(
    ("title" = TitleId, Path, description = "The title's name."),
), request_body(content = Option<RetryRequest>), responses(
    (status = 202, description = "What is done again.", body = RetryAnswer),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn retry(
    State(api): State<Api>,
    Extension(handle): Extension<Handle>,
    Named(id): Named,
    request: Option<Json<Option<RetryRequest>>>,
) -> Result<(StatusCode, Answer<RetryAnswer>), Refusal> {
    let request = request.and_then(|Json(request)| request).unwrap_or_default();
    let again = match (request.task, request.rendition) {
        (None, None) => {
            let title = handle.retry_title(id).await?;
            return Ok((StatusCode::ACCEPTED, Answer(RetryAnswer { title, tasks: Vec::new() })));
        }
        (Some(_), Some(_)) => return Err(Refusal::invalid("name a task or a rendition, not both")),
        (None, Some(rendition)) => Again::Rendition(rendition),
        (Some(task), None) => {
            if api.store.title(&id).await?.is_none() {
                return Err(unknown_title(id.as_str()));
            }
            Again::Task(find(&api.store.tasks_of(&id).await?, &id, &task)?)
        }
    };
    let retried = handle.retry_part(id, again).await?;
    let tasks = retried.tasks.into_iter().collect();
    Ok((StatusCode::ACCEPTED, Answer(RetryAnswer { title: retried.title, tasks })))
}

/// The task of this label, or whose key begins so.
fn find(tasks: &[TaskRecord], title: &TitleId, named: &str) -> Result<TaskKey, Refusal> {
    let is_meant = |record: &&TaskRecord| {
        let by_key = named.len() >= SHORTEST_KEY && record.task.key.to_string().starts_with(named);
        by_key || record.task.spec.label_with(record.source.as_ref()) == named
    };
    let found: Vec<_> = tasks.iter().filter(is_meant).map(|record| record.task.key).collect();
    match found.as_slice() {
        [task] => Ok(*task),
        [] => Err(Refusal::not_found(format!("title {title} has no task {named:?}"))),
        several => {
            let keys: Vec<_> = several.iter().map(TaskKey::short).collect();
            Err(Refusal::new(
                StatusCode::CONFLICT,
                Code::RequestInvalid,
                format!("{named:?} names {} tasks: give one of the keys {}", keys.len(), keys.join(", ")),
            ))
        }
    }
}

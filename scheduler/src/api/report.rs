//! QC's report on a title as a page, made of what the store holds.

use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use reelfarm_api::Problem;
use reelfarm_model::qc::QcReport;
use reelfarm_model::{Code, Failure, Measurements, TaskSpec, Title, TitleId};
use reelfarm_qc::Policy;
use reelfarm_qc::page::{Extras, SECURITY, page};
use reelfarm_store::{Store, StoreError};

use super::Api;
use super::extract::{Named, unknown_title};
use super::problem::Refusal;

const HEADERS: [(HeaderName, &str); 3] = [
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    (CONTENT_SECURITY_POLICY, SECURITY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// QC's report on a title as one HTML page, which loads nothing and runs nothing.
#[utoipa::path(get, path = "/titles/{title}/report", operation_id = "titleReport", tag = "titles", params(
    ("title" = TitleId, Path, description = "The title's name."),
), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
    (status = "4XX", description = "Refused; 404 also while the title is not judged yet.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(State(api): State<Api>, Named(id): Named) -> Result<Response, Refusal> {
    let title = api.store.title(&id).await?.ok_or_else(|| unknown_title(id.as_str()))?;
    let report = report_of(&title)?.clone();
    let measurements = measurements_of(&*api.store, &title).await?;
    let source = title.submission.source.path.display().to_string();
    let policy = api.policies.of(&api.intake.order, &title.submission.facts);
    let target_lufs = target_lufs(&report, policy.policy());
    // Thousands of stretches take a while to draw.
    let work = move || {
        let extras = Extras { target_lufs, ..Extras::default() };
        page(&report, measurements.as_ref(), &source, extras)
    };
    let page = tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, title = %id, "the page of a report could not be made");
        let message = "the page could not be made; the farm's log says why";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, message)
    })?;
    Ok((HEADERS, page).into_response())
}

/// QC's report on a title.
///
/// # Errors
/// It is not judged yet, or will never be.
pub fn report_of(title: &Title) -> Result<&QcReport, Failure> {
    title.report.as_ref().ok_or_else(|| {
        let (id, state) = (&title.submission.title, title.state);
        let why = if state.is_final() { "it ended before QC judged it" } else { "QC has not judged it yet" };
        Failure::new(Code::NotFound, format!("there is no report on {id} ({}): {why}", state.as_str()))
    })
}

/// The programme loudness that a policy wants, in LUFS, where the report was drawn by it.
pub fn target_lufs(report: &QcReport, policy: &Policy) -> Option<f64> {
    (report.policy == policy.name && !report.external).then_some(policy.loudness.target_lufs)
}

/// What a title's report was drawn from; `None` where that is not kept any more, or the report was made elsewhere.
///
/// # Errors
/// The database.
pub async fn measurements_of(store: &dyn Store, title: &Title) -> Result<Option<Measurements>, StoreError> {
    let is_own = title.report.as_ref().is_some_and(|report| !report.external);
    let Some(source) = title.source_digest.filter(|_| is_own) else { return Ok(None) };
    let tasks = store.tasks_of(&title.submission.title).await?;
    let measured = tasks
        .into_iter()
        .find(|record| matches!(&record.task.spec, TaskSpec::Qc(spec) if spec.source == source));
    Ok(measured.and_then(|record| record.result).and_then(|result| serde_json::from_value(result).ok()))
}

//! When titles will be online.

use axum::Json;
use axum::extract::Extension;
use reelfarm_api::{Problem, TitleForecast};

use crate::handle::Handle;

/// Lists the titles that are under way with when they will be online, the most endangered first.
#[utoipa::path(get, path = "/forecast", operation_id = "forecast", tag = "titles", responses(
    (status = 200, description = "The titles.", body = Vec<TitleForecast>),
    (status = "4XX", description = "Refused.", body = Problem, content_type = "application/problem+json"),
    (status = "5XX", description = "Not possible at this moment.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn forecast(Extension(handle): Extension<Handle>) -> Json<Vec<TitleForecast>> {
    let mut forecasts: Vec<TitleForecast> = handle.forecasts().into_values().collect();
    forecasts.sort_by_key(|forecast| {
        let due_ms = forecast.required_by_ms.unwrap_or(i64::MAX);
        (forecast.foreseen.prospect(), due_ms, forecast.title.clone())
    });
    Json(forecasts)
}

//! What happens to every request before and after its handler: its name, its line in the log, room and time for it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use reelfarm_api::REQUEST_ID;
use reelfarm_model::Code;
use tokio::sync::OwnedSemaphorePermit;

use super::Api;
use super::problem::Refusal;

/// Longer names of requests are replaced by one of our own.
const LONGEST_ID: usize = 100;

/// Names the request, and puts the name into its answer and its line in the log. A handler that panics is answered for.
pub(super) async fn name(mut request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let (method, started) = (request.method().clone(), Instant::now());
    // The route and not the path: names in paths may be anything, and queries are nobody's business.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let mut response = AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        let message = "the request met an error inside the farm; its log says more";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, message).into_response()
    });
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        let plain = refusal.render(Some(&id));
        *response.body_mut() = plain.into_body();
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let (status, route) = (response.status().as_u16(), route.as_deref().unwrap_or("-"));
    let took_ms = started.elapsed().as_millis() as u64;
    if response.status().is_server_error() {
        tracing::warn!(request = id, %method, route, status, took_ms, "answered");
    } else {
        tracing::debug!(request = id, %method, route, status, took_ms, "answered");
    }
    response
}

/// The client's name for the request where it is a sound one.
fn request_id(request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let is_sound = |id: &&str| {
        (1..=LONGEST_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    given.filter(is_sound).map_or_else(|| hex::encode(rand::random::<[u8; 16]>()), str::to_owned)
}

/// One of the requests that are answered at the same time; free once the last of these is dropped.
#[derive(Clone)]
pub(super) struct Place(#[allow(dead_code, reason = "it is held, not looked at")] Arc<OwnedSemaphorePermit>);

/// Answers at once where no room is left, and gives up a request that takes too long.
pub(super) async fn bound(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let Ok(place) = api.requests.clone().try_acquire_owned() else {
        return Refusal::busy("requests").into_response();
    };
    // Work that outlives the answer keeps the place.
    let place = Place(Arc::new(place));
    request.extensions_mut().insert(place.clone());
    match tokio::time::timeout(api.limits.time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = "the request took too long; what it asked for may be done all the same";
            Refusal::new(StatusCode::GATEWAY_TIMEOUT, Code::FarmUnreachable, message).into_response()
        }
    }
}

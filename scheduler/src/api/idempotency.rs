//! Requests that may come twice and are done once.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use reelfarm_api::{IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED};
use reelfarm_model::{Code, Digest};
use reelfarm_store::{Answer, Claim, KeyedRequest};
use serde::Serialize;

use super::Api;
use super::authorise::Principal;
use super::problem::Refusal;

/// Keys are chosen by clients; a UUID has 36 characters.
const LONGEST_KEY: usize = 255;

/// What was answered, for whoever sends it.
pub(super) type Done<T> = (StatusCode, T);

/// Does what a request asks for, once for each key of a client. Only success is remembered: what was refused changed
/// nothing, and may be asked for again under its key.
pub(super) async fn once<T: Serialize>(
    api: &Api,
    principal: &Principal,
    headers: &HeaderMap,
    material: &impl Serialize,
    work: impl Future<Output = Result<Done<T>, Refusal>>,
) -> Result<Response, Refusal> {
    let Some(key) = key(headers)? else {
        let (status, value) = work.await?;
        return Ok((status, axum::Json(value)).into_response());
    };
    let request = serde_json::to_vec(material).map(|bytes| Digest::of(&bytes));
    let request = request.map_err(|error| Refusal::invalid(error.to_string()))?;
    let request = KeyedRequest { token: principal.token, key, request };
    // Longer than any request may take, so that no second one works beside the first.
    let claim = match api.store.claim(&request, api.limits.time * 2).await? {
        Claim::Granted(claim) => claim,
        Claim::Answered(answer) => return Ok(replayed(answer)),
        Claim::InProgress => {
            let message = "this very request is being worked on; ask again in a few seconds";
            return Err(Refusal::new(StatusCode::CONFLICT, Code::FarmBusy, message));
        }
    };
    match work.await {
        Ok((status, value)) => {
            let body = serde_json::to_string(&value).map_err(|error| internal(&error))?;
            let answer = Answer { status: status.as_u16(), body };
            if !api.store.answer(&request, claim, &answer, api.limits.keep_answers).await? {
                tracing::warn!("the answer to a request under an idempotency key came too late to be kept");
            }
            Ok(respond(answer))
        }
        Err(refusal) => {
            let forgotten = Answer { status: refusal.status.as_u16(), body: String::new() };
            api.store.answer(&request, claim, &forgotten, Duration::ZERO).await?;
            Err(refusal)
        }
    }
}

fn internal(error: &serde_json::Error) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, error.to_string())
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| {
        (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    });
    match (text, values.next()) {
        (Some(text), None) => Ok(Some(text.to_owned())),
        _ => Err(Refusal::invalid(format!(
            "give one {IDEMPOTENCY_KEY} of 1 to {LONGEST_KEY} visible ASCII characters"
        ))),
    }
}

fn replayed(answer: Answer) -> Response {
    let mut response = respond(answer);
    response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    response
}

fn respond(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

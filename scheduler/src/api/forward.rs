//! Requests that only the leader can answer, or can answer best: done here where this process leads, and sent on where
//! another does.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use reelfarm_api::{IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, REQUEST_ID};
use reelfarm_model::Code;
use tokio::task::JoinError;
use url::Url;

use super::Api;
use super::layers::Place;
use super::problem::Refusal;
use crate::leader::Leader;

/// Marks a request that was sent on: it is not sent on again, so that two that take each other for the leader do not send
/// it back and forth.
const FORWARDED: HeaderName = HeaderName::from_static("x-reelfarm-forwarded");
/// How long the leader may take to take a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// How long the leader may be silent in the midst of an answer; a stream of events is not, for so long.
const SILENCE: Duration = Duration::from_secs(60);
/// Bodies of commands are small; the largest are submissions with a QC report and a ladder.
pub(super) const LARGEST_BODY: usize = reelfarm_qc::external::LARGEST + (1 << 20);

const REQUEST_HEADERS: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::ACCEPT,
    HeaderName::from_static(IDEMPOTENCY_KEY),
    HeaderName::from_static(REQUEST_ID),
    HeaderName::from_static("last-event-id"),
];
const RESPONSE_HEADERS: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::CACHE_CONTROL,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static(IDEMPOTENCY_REPLAYED),
];

/// Talks to other schedulers.
#[derive(Clone)]
pub(super) struct Peers(reqwest::Client);

impl Peers {
    pub(super) fn new(tls: rustls::ClientConfig) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .http1_only()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .build()?;
        Ok(Self(client))
    }
}

/// Has a request answered by the leader: by the handler, which finds the scheduler's handle among the request's
/// extensions, or by another process.
pub(super) async fn to_leader(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let leader = api.leader.borrow().clone();
    match leader {
        Leader::Here(handle) => {
            request.extensions_mut().insert(handle);
            let place = request.extensions().get::<Place>().cloned();
            // Before the handler begins, which goes on whatever the client does: a body that never ends is not waited for.
            let request = match whole(request).await {
                Ok((parts, body)) => Request::from_parts(parts, Body::from(body)),
                Err(refusal) => return refusal.into_response(),
            };
            let answer = async move {
                let response = next.run(request).await;
                drop(place);
                response
            };
            to_its_end(answer).await
        }
        Leader::At(address) if !request.headers().contains_key(FORWARDED) => {
            send_on(&api.peers, &address, request).await.unwrap_or_else(IntoResponse::into_response)
        }
        Leader::At(_) | Leader::Nobody => no_leader().into_response(),
    }
}

/// Has a request without a body answered by the leader, which knows more than the store does; here, where no leader answers
/// soon.
pub(super) async fn by_leader_if_any(State(api): State<Api>, request: Request, next: Next) -> Response {
    let leader = api.leader.borrow().clone();
    let (parts, body) = request.into_parts();
    if let Leader::At(address) = leader
        && !parts.headers.contains_key(FORWARDED)
    {
        let copy = Request::from_parts(parts.clone(), Body::empty());
        let answer = tokio::time::timeout(CONNECT, send_on(&api.peers, &address, copy)).await;
        if let Ok(Ok(answer)) = answer
            && !answer.status().is_server_error()
        {
            return answer;
        }
    }
    next.run(Request::from_parts(parts, body)).await
}

/// The request with its body, which has come to its end.
async fn whole(request: Request) -> Result<(Parts, Bytes), Refusal> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, LARGEST_BODY).await.map_err(|_| {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::RequestTooLarge, "the body is too large")
    })?;
    Ok((parts, body))
}

/// Goes on when the client goes away, or the time for the answer is over. A request cut off halfway would leave its
/// idempotency key taken and without an answer, and its client waiting until it may ask again.
async fn to_its_end(work: impl Future<Output = Response> + Send + 'static) -> Response {
    match tokio::spawn(work).await.map_err(JoinError::try_into_panic) {
        Ok(response) => response,
        // Told as if it had happened here.
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // This process ends.
        Err(Err(_)) => no_leader().into_response(),
    }
}

pub(super) fn no_leader() -> Refusal {
    let message = "no scheduler leads at this moment; one will within seconds: try again";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::FarmUnreachable, message)
}

async fn send_on(peers: &Peers, address: &str, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = whole(request).await?;
    // Routers below this one cut off what they lie under.
    let whole = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
    let path = whole.path_and_query().map_or("/", |path| path.as_str());
    let url = Url::parse(address).and_then(|base| base.join(path)).map_err(|error| {
        tracing::error!(address, %error, "the leader's address is no URL");
        no_leader()
    })?;
    let mut headers = chosen(&parts.headers, &REQUEST_HEADERS);
    headers.insert(FORWARDED, HeaderValue::from_static("1"));
    let sent = peers.0.request(parts.method, url).headers(headers).body(body).send().await;
    let answer = sent.map_err(|error| {
        tracing::warn!(address, error = %error.without_url(), "the leader does not answer");
        no_leader()
    })?;
    let (status, headers) = (answer.status(), chosen(answer.headers(), &RESPONSE_HEADERS));
    let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn chosen(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let values = |name: &HeaderName| headers.get_all(name).iter().cloned().collect::<Vec<_>>();
    names.iter().flat_map(|name| values(name).into_iter().map(|value| (name.clone(), value))).collect()
}

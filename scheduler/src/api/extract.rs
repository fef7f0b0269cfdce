//! What handlers take of a request, refused in the farm's own words where it is wrong.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use reelfarm_model::{Code, TitleId};
use serde::de::DeserializeOwned;

use super::problem::Refusal;

/// A JSON body.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let axum::Json(value) = <axum::Json<T> as FromRequest<S>>::from_request(request, state)
            .await
            .map_err(|rejection| bad_body(&rejection))?;
        Ok(Self(value))
    }
}

/// No body, or a JSON one.
impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Refusal> {
        let is_empty = !request.headers().contains_key(header::CONTENT_TYPE)
            && request.headers().get(header::CONTENT_LENGTH).is_none_or(|length| length == "0")
            && !request.headers().contains_key(header::TRANSFER_ENCODING);
        if is_empty {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state).await.map(Some)
    }
}

fn bad_body(rejection: &JsonRejection) -> Refusal {
    let (status, text) = (rejection.status(), rejection.body_text());
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(status, Code::RequestTooLarge, "the body is too large"),
        status if status.is_client_error() => Refusal::new(status, Code::RequestInvalid, text),
        _ => Refusal::new(StatusCode::BAD_REQUEST, Code::RequestInvalid, text),
    }
}

/// The query.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let refuse = |rejection: QueryRejection| Refusal::invalid(rejection.body_text());
        let axum::extract::Query(value) =
            axum::extract::Query::<T>::from_request_parts(parts, state).await.map_err(refuse)?;
        Ok(Self(value))
    }
}

/// A part of the path.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        // What can be no name is the name of nothing.
        let refuse = |rejection: PathRejection| Refusal::not_found(rejection.body_text());
        let axum::extract::Path(value) =
            axum::extract::Path::<T>::from_request_parts(parts, state).await.map_err(refuse)?;
        Ok(Self(value))
    }
}

/// The title that the path names; whether there is one of the name is not known yet.
pub(super) struct Named(pub(super) TitleId);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(name) = Path::<String>::from_request_parts(parts, state).await?;
        name.parse().map(Self).map_err(|_| unknown_title(&name))
    }
}

/// There is no such title.
pub(super) fn unknown_title(name: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, Code::TitleNotFound, format!("no title is called {name:?}"))
}

//! Failures as answers.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use reelfarm_api::{PROBLEM_TYPE, Problem};
use reelfarm_model::{Code, Failure, FailureClass};
use reelfarm_store::StoreError;

/// What a client that finds no leader or no room is asked to wait.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Why a request is not done.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) failure: Failure,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { status, failure: Failure::new(code, message) }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::RequestInvalid, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound, message)
    }

    pub(super) fn busy(what: &str) -> Self {
        let message = format!("all places for {what} are taken; try again in a few seconds");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::FarmBusy, message)
    }

    /// The answer's body, with the request's name where it has one.
    pub(super) fn render(&self, request_id: Option<&str>) -> Response {
        let mut problem = Problem::new(self.status.as_u16(), &self.failure);
        problem.request_id = request_id.map(str::to_owned);
        // A problem is made of texts and numbers alone, so that it always has a form in JSON.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_TYPE));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER.as_secs()));
            }
            _ => {}
        }
        response
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        // The words of a database or a disk may name hosts, users and folders that are nobody's business out there.
        if failure.code == Code::StateUnreachable {
            tracing::warn!(%failure, "a part of the farm cannot be used");
            let message =
                "the farm's database or its disk cannot be used; try again in a few seconds, or see the log";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::StateUnreachable, message);
        }
        Self { status: status_of(failure.code), failure }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::KeyReused { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, Code::KeyReused, error.to_string())
            }
            // The database's own words may name hosts and users that are nobody's business out there.
            StoreError::Unreachable { .. } | StoreError::Locked { .. } => {
                tracing::warn!(%error, "the database cannot be reached");
                let message = "the farm's database cannot be reached; try again in a few seconds";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::StateUnreachable, message)
            }
            error => {
                tracing::error!(%error, "the database refuses");
                let message = "the farm's database refuses; its log says why";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::StateUnreachable, message)
            }
        }
    }
}

/// Rendered by the outermost layer, which knows the request's name.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.render(None);
        response.extensions_mut().insert(self);
        response
    }
}

/// The status that says what a client should do about a failure.
fn status_of(code: Code) -> StatusCode {
    match code {
        Code::TitleNotFound | Code::NotFound => StatusCode::NOT_FOUND,
        Code::RequestInvalid => StatusCode::BAD_REQUEST,
        Code::TokenRefused => StatusCode::UNAUTHORIZED,
        Code::ScopeTooSmall => StatusCode::FORBIDDEN,
        Code::TitleNameTaken
        | Code::TitleStateWrong
        | Code::ReviewOutdated
        | Code::ExpeditesSpent
        | Code::KeysDiffer
        | Code::UploadRefused => StatusCode::CONFLICT,
        Code::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::Internal | Code::MasterSecretUnusable => StatusCode::INTERNAL_SERVER_ERROR,
        Code::SourceUnreadable => StatusCode::UNPROCESSABLE_ENTITY,
        code => match code.class() {
            // What the request names cannot be made a title of.
            FailureClass::Permanent => StatusCode::UNPROCESSABLE_ENTITY,
            FailureClass::Transient | FailureClass::Environment => StatusCode::SERVICE_UNAVAILABLE,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_the_status_of_an_error() {
        for code in Code::ALL {
            let status = status_of(*code);
            assert!(status.is_client_error() || status.is_server_error(), "{code}: {status}");
        }
    }
}

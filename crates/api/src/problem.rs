//! What is answered where something is wrong.

use reelfarm_model::{Code, Failure};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request failed (RFC 9457). Where the status is a 4xx, it changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The kind of problem as a URI: `urn:reelfarm:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code stands for.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this very request, and what to do about it.
    pub detail: String,
    /// The code, such as `RF-API-001`, which `reelfarm explain` opens. A newer farm may know codes that its client does
    /// not.
    pub code: String,
    /// The request, as the farm's log names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A failure, answered with this status.
    pub fn new(status: u16, failure: &Failure) -> Self {
        Self {
            kind: format!("urn:reelfarm:{}", failure.code),
            title: failure.code.summary().to_owned(),
            status,
            detail: failure.message.clone(),
            code: failure.code.as_str().to_owned(),
            request_id: None,
        }
    }

    /// The problem as the failure that it was; by its status where its code is not known here.
    pub fn into_failure(self) -> Failure {
        let code = self.code.parse().unwrap_or(match self.status {
            401 => Code::TokenRefused,
            403 => Code::ScopeTooSmall,
            404 => Code::NotFound,
            413 => Code::RequestTooLarge,
            400..=499 => Code::RequestInvalid,
            503 | 504 => Code::FarmUnreachable,
            _ => Code::Internal,
        });
        Failure::new(code, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_comes_back_as_it_was() {
        let failure = Failure::new(Code::TitleNotFound, "no title is called film");
        let problem = Problem::new(404, &failure);
        assert_eq!(problem.kind, "urn:reelfarm:RF-TTL-003");
        let text = serde_json::to_string(&problem).unwrap();
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap().into_failure(), failure);
    }

    #[test]
    fn a_code_of_a_newer_farm_is_judged_by_the_status() {
        for (status, code) in [
            (403, Code::ScopeTooSmall),
            (404, Code::NotFound),
            (418, Code::RequestInvalid),
            (500, Code::Internal),
            (503, Code::FarmUnreachable),
        ] {
            let mut problem = Problem::new(status, &Failure::new(Code::Internal, "news"));
            problem.code = "RF-NEW-001".to_owned();
            assert_eq!(problem.into_failure().code, code);
        }
    }
}

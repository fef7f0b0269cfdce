//! Who asks, and whether it may.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use reelfarm_model::{Code, Digest};
use reelfarm_store::Scope;

use super::Api;
use super::problem::Refusal;

/// Whoever presents a longer token made it up.
const LONGEST_TOKEN: usize = 256;

/// What a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Looking.
    Read,
    /// Doing something with titles.
    Operate,
    /// Deciding about titles that QC leaves to people.
    Review,
    /// Doing something with the farm.
    Administer,
}

impl Need {
    const fn is_met_by(self, scope: Scope) -> bool {
        match self {
            Self::Read => true,
            Self::Operate => matches!(scope, Scope::Operator | Scope::Admin),
            Self::Review => matches!(scope, Scope::Operator | Scope::Reviewer | Scope::Admin),
            Self::Administer => matches!(scope, Scope::Admin),
        }
    }

    const fn scopes(self) -> &'static str {
        match self {
            Self::Read => "any scope",
            Self::Operate => "the scope operator or admin",
            Self::Review => "the scope reviewer, operator or admin",
            Self::Administer => "the scope admin",
        }
    }
}

/// The token under which a request came.
#[derive(Clone, Debug)]
pub(super) struct Principal {
    /// Its digest.
    pub(super) token: Digest,
    /// What people call it.
    pub(super) label: String,
}

/// Lets those pass whose token is valid and allows what the route is for.
pub(super) async fn authorise(
    State((api, need)): State<(Api, Need)>,
    mut request: Request,
    next: Next,
) -> Response {
    match check(&api, need, request.headers()).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn check(api: &Api, need: Need, headers: &HeaderMap) -> Result<Principal, Refusal> {
    // One answer for all: whether a token was ever known is nobody's business.
    let refused = || {
        let message = "a valid token is needed: Authorization: Bearer …";
        Refusal::new(StatusCode::UNAUTHORIZED, Code::TokenRefused, message)
    };
    let digest = presented(headers).ok_or_else(refused)?;
    // Found by its digest: how long that takes tells nothing of the token.
    let token = api.store.token(&digest).await?.ok_or_else(refused)?;
    if !need.is_met_by(token.scope) {
        let message = format!("this needs {}, and the token has {}", need.scopes(), token.scope);
        return Err(Refusal::new(StatusCode::FORBIDDEN, Code::ScopeTooSmall, message));
    }
    Ok(Principal { token: digest, label: token.label })
}

/// The digest of the bearer token (RFC 6750, 2.1), where there is exactly one.
fn presented(headers: &HeaderMap) -> Option<Digest> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer ");
    (is_bearer && (1..=LONGEST_TOKEN).contains(&token.len())).then(|| Digest::of(token))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_one_well_formed_bearer_token_counts() {
        let headers = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            headers
        };
        assert_eq!(presented(&headers(&["Bearer abc"])), Some(Digest::of(b"abc")));
        assert_eq!(presented(&headers(&["bearer abc"])), Some(Digest::of(b"abc")));
        for values in [&[][..], &["Bearer "], &["Bearer"], &["Basic abc"], &["Bearer a", "Bearer b"], &["é"]]
        {
            assert_eq!(presented(&headers(values)), None, "{values:?}");
        }
    }

    #[test]
    fn scopes_allow_what_they_say() {
        let allowed = |need: Need| Scope::ALL.into_iter().filter(move |scope| need.is_met_by(*scope));
        assert_eq!(allowed(Need::Read).count(), 4);
        assert!(allowed(Need::Operate).eq([Scope::Operator, Scope::Admin]));
        assert!(allowed(Need::Review).eq([Scope::Operator, Scope::Reviewer, Scope::Admin]));
        assert!(allowed(Need::Administer).eq([Scope::Admin]));
    }
}

//! The routes, and the OpenAPI document that is made of them.

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use reelfarm_api::ROOT;
use reelfarm_model::Code;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authorise::{Need, authorise};
use super::forward::{LARGEST_BODY, by_leader_if_any, to_leader};
use super::problem::Refusal;
use super::{
    Api, commands, expedite, forecast, health, layers, plan, report, review, submit, titles, tokens, uploads,
    watch, workers,
};

const BEARER: &str = "bearer";

/// The routes, by what they need.
struct Routes {
    /// No token.
    open: OpenApiRouter<Api>,
    /// Answered from the store by every scheduler.
    reads: OpenApiRouter<Api>,
    /// Answered by the leader where it can be reached, and from the store otherwise.
    told: OpenApiRouter<Api>,
    /// Answered by the leader, for whoever may look.
    live: OpenApiRouter<Api>,
    /// Streams of events, from the leader.
    streams: OpenApiRouter<Api>,
    /// Done by the leader, for operators.
    operations: OpenApiRouter<Api>,
    /// Done by the leader, for whoever may decide about titles.
    decisions: OpenApiRouter<Api>,
    /// Taken by every scheduler, for operators.
    uploads: OpenApiRouter<Api>,
    /// Done by the leader, for administrators.
    administration: OpenApiRouter<Api>,
}

fn routes() -> Routes {
    Routes {
        open: OpenApiRouter::new().routes(routes!(health::healthz)).routes(routes!(health::readyz)),
        reads: OpenApiRouter::new()
            .routes(routes!(titles::list))
            .routes(routes!(report::show))
            .routes(routes!(expedite::list))
            .routes(routes!(review::list))
            .routes(routes!(uploads::status)),
        told: OpenApiRouter::new().routes(routes!(titles::status)),
        live: OpenApiRouter::new()
            .routes(routes!(workers::list))
            .routes(routes!(workers::queues))
            .routes(routes!(forecast::forecast)),
        streams: OpenApiRouter::new().routes(routes!(watch::titles)).routes(routes!(watch::title)),
        operations: OpenApiRouter::new()
            .routes(routes!(submit::submit))
            .routes(routes!(commands::cancel))
            .routes(routes!(commands::hold))
            .routes(routes!(commands::release))
            .routes(routes!(commands::retry))
            .routes(routes!(plan::plan))
            .routes(routes!(plan::recode))
            .routes(routes!(expedite::expedite)),
        decisions: OpenApiRouter::new().routes(routes!(review::approve)).routes(routes!(review::reject)),
        uploads: OpenApiRouter::new().routes(routes!(uploads::send)),
        administration: OpenApiRouter::new()
            .routes(routes!(workers::drain))
            .routes(routes!(tokens::list, tokens::create))
            .routes(routes!(tokens::revoke)),
    }
}

/// The description of the interface (OpenAPI 3.1).
pub fn document() -> OpenApi {
    let Routes { open, reads, told, live, streams, operations, decisions, uploads, administration } =
        routes();
    let versioned = reads
        .merge(told)
        .merge(live)
        .merge(streams)
        .merge(operations)
        .merge(decisions)
        .merge(uploads)
        .merge(administration);
    let (_, paths) = open.nest(ROOT, versioned).split_for_parts();
    let info = InfoBuilder::new()
        .title("reelfarm")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Submit titles to a farm, watch and steer them."));
    let mut document = OpenApiBuilder::new()
        .info(info)
        .security(Some([SecurityRequirement::new(BEARER, Vec::<String>::new())]))
        .build();
    document.merge(paths);
    let components = document.components.get_or_insert_default();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme(BEARER, bearer);
    document
}

/// What serves.
pub(super) fn router(api: Api) -> Router {
    let Routes { open, reads, told, live, streams, operations, decisions, uploads, administration } =
        routes();
    let needs = |router: OpenApiRouter<Api>, need: Need| {
        router.route_layer(middleware::from_fn_with_state((api.clone(), need), authorise))
    };
    let leads = |router: OpenApiRouter<Api>| {
        router.route_layer(middleware::from_fn_with_state(api.clone(), to_leader))
    };
    let by_leader = |router: OpenApiRouter<Api>| {
        router.route_layer(middleware::from_fn_with_state(api.clone(), by_leader_if_any))
    };
    let bounded = |router: OpenApiRouter<Api>| {
        router.route_layer(middleware::from_fn_with_state(api.clone(), layers::bound))
    };
    let versioned = bounded(needs(reads, Need::Read))
        .merge(bounded(needs(by_leader(told), Need::Read)))
        .merge(bounded(needs(leads(live), Need::Read)))
        .merge(needs(leads(streams), Need::Read))
        .merge(bounded(needs(leads(operations), Need::Operate)))
        .merge(bounded(needs(leads(decisions), Need::Review)))
        .merge(needs(uploads, Need::Operate).layer(DefaultBodyLimit::disable()))
        .merge(bounded(needs(leads(administration), Need::Administer)));
    let description = document();
    let describe = move || {
        let description = description.clone();
        async move { Json(description) }
    };
    let router: Router<Api> = open.nest(ROOT, versioned).into();
    router
        .route(&format!("{ROOT}/openapi.json"), get(describe))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn(layers::name))
        .with_state(api)
}

async fn no_such_route() -> Refusal {
    Refusal::not_found("nothing is at this address; /api/v1/openapi.json describes what there is")
}

async fn no_such_method() -> Response {
    let message = "this address takes other methods; see the header allow";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::RequestInvalid, message).into_response()
}

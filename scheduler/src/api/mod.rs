//! The HTTP interface of a farm: what operators, their scripts and the command line talk to.
//!
//! ```text
//!  request ─▶ request id ─▶ room? ─▶ time-out ─▶ token and scope ─▶ leader? ─▶ handler ─▶ answer or problem
//!                                                                     │
//!                                            stand-by: sent on, once ─┘
//! ```
//!
//! Promises: a request that is answered with a 4xx changed nothing; a secret is neither logged nor answered, but for a
//! token once, to whoever made it; what is read comes from the store, so every scheduler answers it; commands and what
//! is known of the moment come from the scheduler that leads. The OpenAPI document is made of the routes and types that
//! serve.

mod authorise;
mod commands;
mod expedite;
mod extract;
mod forecast;
mod forward;
mod health;
mod idempotency;
mod intake;
mod layers;
mod plan;
mod problem;
mod report;
mod review;
mod router;
mod secret;
mod server;
mod sources;
mod status;
mod submit;
mod titles;
mod tls;
mod tokens;
mod uploads;
mod watch;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use reelfarm_queue::Broker;
use reelfarm_store::Store;
use tokio::sync::{Semaphore, watch as channel};
use tokio_util::sync::CancellationToken;

pub use crate::order::title_order;
pub use intake::{Intake, Protect};
pub use report::{measurements_of, report_of, target_lufs};
pub use router::document;
/// What a server shows of itself over TLS.
pub use rustls::ServerConfig as TlsSettings;
pub use secret::{TokenSecret, enrol};
pub use server::{ServeError, Server, serve};
pub use sources::{FarmSources, LookAt, ObjectSources, Sources};
pub use status::status_of;
pub use tls::{TlsError, client_settings, server_settings};
pub use uploads::{BucketUploads, FolderUploads, UploadBody, UploadError, Uploads};

use crate::leader::Leader;
use crate::policy::FarmPolicies;
use forward::Peers;

/// How much a server does at once, and for how long.
#[derive(Clone, Debug)]
pub struct ApiLimits {
    /// Connections.
    pub connections: usize,
    /// Requests, but for uploads and streams of events.
    pub requests: usize,
    /// Streams of events.
    pub watchers: usize,
    /// Uploads.
    pub uploads: usize,
    /// The largest upload, in bytes.
    pub largest_upload: u64,
    /// How long a request may take, but for uploads and streams of events.
    pub time: Duration,
    /// How long a client may be silent in the midst of an upload or of a request's head, or leave an answer unread.
    pub silence: Duration,
    /// How long after its token is good no more a stream of events may go on.
    pub token_look: Duration,
    /// How long the answer to a request under an idempotency key is kept.
    pub keep_answers: Duration,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            connections: 2048,
            requests: 256,
            watchers: 512,
            uploads: 16,
            largest_upload: 2 << 40,
            time: Duration::from_secs(30),
            silence: Duration::from_secs(60),
            token_look: Duration::from_secs(15),
            keep_answers: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// What a server serves.
pub struct ApiParts {
    /// The store, not bound to a term: it is read, and keeps tokens and idempotency keys.
    pub store: Arc<dyn Store>,
    /// The broker, to say whether it can be reached.
    pub broker: Arc<dyn Broker>,
    /// Who leads.
    pub leader: channel::Receiver<Leader>,
    /// What makes submissions of requests.
    pub intake: Intake,
    /// What titles are judged by.
    pub policies: FarmPolicies,
    /// Where sources are looked for.
    pub sources: Arc<dyn Sources>,
    /// Where uploads go.
    pub uploads: Arc<dyn Uploads>,
    /// For requests that are sent on to the leader: what its certificate is held against.
    pub peers: rustls::ClientConfig,
    /// How much at once, and for how long.
    pub limits: ApiLimits,
}

/// What every handler sees. Cheap to clone.
#[derive(Clone)]
struct Api(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    leader: channel::Receiver<Leader>,
    intake: Intake,
    policies: FarmPolicies,
    sources: Arc<dyn Sources>,
    uploads: Arc<dyn Uploads>,
    peers: Peers,
    limits: ApiLimits,
    requests: Arc<Semaphore>,
    watchers: Arc<Semaphore>,
    uploading: Arc<Semaphore>,
    /// Ends the streams of events.
    stop: CancellationToken,
}

impl std::ops::Deref for Api {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

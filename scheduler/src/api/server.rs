//! The listener: connections, TLS, and an end that takes a bounded time.
//!
//! Written out rather than left to `axum::serve`, which waits for ever for the head of a request, for a TLS handshake, and
//! for the end of streams when it is asked to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::forward::Peers;
use super::router::router;
use super::{Api, ApiParts, Inner};

/// What requests under way have, to end, once the server is asked to stop.
const GRACE: Duration = Duration::from_secs(5);
/// How long a client may take for a TLS handshake, and for the head of a request.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The pause after a connection could not be taken: no file descriptors are left, mostly.
const PAUSE: Duration = Duration::from_millis(100);

/// The interface cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be bound.
    #[error("the API cannot be served at {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The client for requests to other schedulers cannot be made.
    #[error("no client for requests to other schedulers can be made: {0}")]
    Peers(#[from] reqwest::Error),
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
    stop: DropGuard,
}

impl Server {
    /// Where it listens; the port is a real one even where 0 was asked for.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, ends streams of events, lets other requests finish for some seconds, and returns when the
    /// port is free again.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the API server did not end well");
        }
    }
}

/// Serves the interface at this address; port 0 takes a free one. Call it inside a Tokio runtime.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve(
    parts: ApiParts,
    address: SocketAddr,
    tls: Option<rustls::ServerConfig>,
) -> Result<Server, ServeError> {
    let refused = |source: io::Error| ServeError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    let stop = CancellationToken::new();
    let (connections, silence) = (Arc::new(Semaphore::new(parts.limits.connections)), parts.limits.silence);
    let api = Api(Arc::new(Inner {
        requests: Arc::new(Semaphore::new(parts.limits.requests)),
        watchers: Arc::new(Semaphore::new(parts.limits.watchers)),
        uploading: Arc::new(Semaphore::new(parts.limits.uploads)),
        peers: Peers::new(parts.peers)?,
        store: parts.store,
        broker: parts.broker,
        leader: parts.leader,
        intake: parts.intake,
        policies: parts.policies,
        sources: parts.sources,
        uploads: parts.uploads,
        limits: parts.limits,
        stop: stop.clone(),
    }));
    let tls = tls.map(|settings| TlsAcceptor::from(Arc::new(settings)));
    let listening = Listening { router: router(api), tls, connections, silence, stop: stop.clone() };
    let task = tokio::spawn(listening.run(listener));
    tracing::info!(address = %bound, "serving the API");
    Ok(Server { address: bound, task, stop: stop.drop_guard() })
}

struct Listening {
    router: Router,
    tls: Option<TlsAcceptor>,
    connections: Arc<Semaphore>,
    silence: Duration,
    stop: CancellationToken,
}

impl Listening {
    async fn run(self, listener: TcpListener) {
        let graceful = GracefulShutdown::new();
        let (stop, over) = (self.stop.clone(), CancellationToken::new());
        let _over = over.clone().drop_guard();
        while let Some(stream) = self.accept(&listener).await {
            let Ok(place) = self.connections.clone().try_acquire_owned() else { continue };
            self.prepare(&stream);
            let (router, tls, watcher, over) =
                (self.router.clone(), self.tls.clone(), graceful.watcher(), over.clone());
            tokio::spawn(async move {
                let _place = place;
                tokio::select! {
                    () = converse(stream, tls, router, watcher) => {}
                    () = over.cancelled() => {}
                }
            });
        }
        drop(listener);
        debug_assert!(stop.is_cancelled());
        if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
            tracing::info!("connections that did not end in time are cut");
        }
    }

    /// Where the system refuses one of these, the connection does without.
    fn prepare(&self, stream: &TcpStream) {
        // Events are small, and somebody waits for them.
        drop(stream.set_nodelay(true));
        // Whoever reads nothing for so long, or has gone without a word, gives its place back.
        let silence = u32::try_from(self.silence.as_millis()).unwrap_or(u32::MAX);
        if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(stream, silence) {
            tracing::debug!(%error, "a connection without a limit to how long its answers stay unread");
        }
    }

    /// The next connection; `None` once the server is to stop.
    async fn accept(&self, listener: &TcpListener) -> Option<TcpStream> {
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return None,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => return Some(stream),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn converse(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
) {
    match tls {
        None => answer(stream, router, watcher).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
            Ok(Ok(stream)) => answer(stream, router, watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        },
    }
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HANDSHAKE);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

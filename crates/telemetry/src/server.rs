//! The metrics over HTTP: `GET /metrics` for Prometheus, `GET /healthz` for whoever asks whether the process lives, `GET
//! /readyz` for whoever asks whether it is of use at the moment.
//!
//! Promises: the address is bound before [`serve`] returns; stopping takes a bounded time, whatever clients do.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::metrics::Metrics;

/// A client that neither asks nor closes is cut off after this.
const GRACE: Duration = Duration::from_secs(1);

/// The metrics cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another process listens there.
    #[error("metrics cannot be served at {address}: another process already uses this address")]
    AddressInUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address cannot be bound for another reason.
    #[error("metrics cannot be served at {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
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
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, lets those under way finish, and returns when the port is free again. Takes a little
    /// over one second at most.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the metrics server did not end well");
        }
    }
}

/// Serves the metrics at this address; port 0 takes a free one. Call it inside a Tokio runtime.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve(metrics: Metrics, address: SocketAddr) -> Result<Server, ServeError> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::AddressInUse { address },
        _ => ServeError::Bind { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    let stopped = CancellationToken::new();
    let task = tokio::spawn(run(listener, router(metrics), stopped.clone()));
    tracing::debug!(address = %bound, "serving metrics");
    Ok(Server { address: bound, task, stop: stopped.drop_guard() })
}

async fn run(listener: TcpListener, router: Router, stopped: CancellationToken) {
    let serving = axum::serve(listener, router).with_graceful_shutdown(stopped.clone().cancelled_owned());
    let out_of_patience = async {
        stopped.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = serving.into_future() => {
            if let Err(error) = result {
                tracing::error!(%error, "the metrics server stopped");
            }
        }
        () = out_of_patience => {}
    }
}

fn router(metrics: Metrics) -> Router {
    Router::new()
        .route("/metrics", get(scrape))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(metrics)
}

async fn ready(State(metrics): State<Metrics>) -> (StatusCode, String) {
    let troubles = metrics.health().troubles();
    if troubles.is_empty() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, troubles.into_iter().map(|trouble| trouble + "\n").collect())
}

async fn scrape(State(metrics): State<Metrics>) -> Response {
    let failed = |error: String| (StatusCode::INTERNAL_SERVER_ERROR, error + "\n").into_response();
    match tokio::task::spawn_blocking(move || metrics.to_text()).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Ok(Err(error)) => failed(error.to_string()),
        Err(error) => failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    async fn start() -> (Metrics, Server) {
        let metrics = Metrics::new("1.2.3").unwrap();
        let server = serve(metrics.clone(), ANY_PORT).await.unwrap();
        (metrics, server)
    }

    async fn request(address: SocketAddr, line: &'static str) -> String {
        tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "{line} HTTP/1.1\r\nhost: farm\r\nconnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
        .await
        .unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_scrape_sees_what_was_counted() {
        let (metrics, server) = start().await;
        metrics.stale_report();
        let answer = request(server.address(), "GET /metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
        assert!(answer.contains("\n# TYPE reelfarm_stale_reports_total counter\n"), "{answer}");
        assert!(answer.contains("\nreelfarm_stale_reports_total 1\n"), "{answer}");
        server.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn health_is_ok_and_other_paths_and_verbs_are_refused() {
        let (_, server) = start().await;
        let address = server.address();
        for (line, status) in [
            ("GET /healthz", "200 OK"),
            ("GET /", "404 Not Found"),
            ("POST /metrics", "405 Method Not Allowed"),
        ] {
            let answer = request(address, line).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{line}: {answer}");
        }
        server.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_is_not_ready_says_why() {
        let (metrics, server) = start().await;
        let ask = async || request(server.address(), "GET /readyz").await;
        assert!(ask().await.starts_with("HTTP/1.1 200 OK\r\n"));
        metrics.health().set("broker", Some("connection refused".to_owned()));
        let answer = ask().await;
        assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nbroker: connection refused\n"), "{answer}");
        metrics.health().set("broker", None);
        assert!(ask().await.ends_with("\r\n\r\nready\n"));
        server.stop().await;
    }

    #[tokio::test]
    async fn an_address_in_use_is_named_in_the_error() {
        let (metrics, server) = start().await;
        let error = serve(metrics, server.address()).await.unwrap_err();
        assert!(matches!(error, ServeError::AddressInUse { .. }), "{error:?}");
        assert!(error.to_string().contains(&server.address().to_string()), "{error}");
    }

    #[tokio::test]
    async fn an_address_of_another_host_is_refused() {
        // 192.0.2.0/24 is for documentation (RFC 5737): no host has it.
        let error = serve(Metrics::new("1.2.3").unwrap(), "192.0.2.1:0".parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, ServeError::Bind { .. }), "{error:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_in_mid_request_cannot_hold_up_the_stop() {
        let (_, server) = start().await;
        let address = server.address();
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET /healthz HTTP").await.unwrap();
        // Connections are taken in order: once a later one is answered, the half request has been read.
        let mut later = tokio::net::TcpStream::connect(address).await.unwrap();
        later.write_all(b"GET /healthz HTTP/1.1\r\nhost: farm\r\n\r\n").await.unwrap();
        later.read_exact(&mut [0]).await.unwrap();
        server.stop().await;
        TcpListener::bind(address).await.unwrap();
    }

    #[tokio::test]
    async fn dropping_the_server_frees_the_port() {
        let (metrics, server) = start().await;
        let Server { address, task, stop } = server;
        drop(stop);
        task.await.unwrap();
        serve(metrics, address).await.unwrap();
    }
}

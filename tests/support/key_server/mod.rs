//! A key server on a port of its own, which answers what a test has it answer. Shared by the tests of the client of key
//! servers and those of the whole farm.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::panic)] // each test binary uses a part of it

pub mod oracle;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A request as it came.
pub struct Received {
    pub at: Instant,
    pub method: Method,
    pub headers: HeaderMap,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What the server does with a request.
pub enum Reply {
    /// This status, with this body as XML.
    Status(u16, String),
    /// The same with one header more.
    Header(u16, &'static str, String, String),
    /// These bytes, as a good answer.
    Bytes(Vec<u8>),
    /// Nothing, ever.
    Silence,
    /// The beginning of an answer, and then nothing, ever.
    Beginning,
    /// An answer without end.
    Endless,
}

impl Reply {
    pub fn good(answer: impl Into<String>) -> Self {
        Self::Status(200, answer.into())
    }
}

type Script = Box<dyn Fn(usize, &Received) -> Reply + Send + Sync>;

struct Shared {
    script: Script,
    received: Mutex<Vec<Arc<Received>>>,
}

/// The server; it ends with the test's runtime.
pub struct KeyServer {
    pub url: String,
    shared: Arc<Shared>,
}

impl KeyServer {
    /// A server over TLS. The script gets the number of the request, from 0, and the request.
    pub async fn start(
        authority: &Authority,
        script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_as(authority.server_certificate("127.0.0.1", None), script).await
    }

    /// The same with a certificate of the test's choice.
    pub async fn start_as(
        acceptor: TlsAcceptor,
        script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve("https", TlsListener { listener, acceptor }, script)
    }

    /// The place of a server that is not there yet: connections are refused, and nobody else gets its port.
    pub fn absent() -> AbsentServer {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        AbsentServer { url: format!("https://{}/speke", socket.local_addr().unwrap()), socket }
    }

    /// A server without TLS.
    pub async fn start_plain(script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve("http", TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    fn serve(
        scheme: &str,
        listener: impl Listener<Addr = SocketAddr>,
        script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { script: Box::new(script), received: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url: format!("{scheme}://{address}/speke"), shared }
    }

    /// What came so far.
    pub fn received(&self) -> Vec<Arc<Received>> {
        self.shared.received.lock().unwrap().clone()
    }
}

/// See [`KeyServer::absent`].
pub struct AbsentServer {
    pub url: String,
    socket: TcpSocket,
}

impl AbsentServer {
    /// The server comes, over TLS.
    pub fn start(
        self,
        authority: &Authority,
        script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static,
    ) -> KeyServer {
        let acceptor = authority.server_certificate("127.0.0.1", None);
        KeyServer::serve("https", TlsListener { listener: self.socket.listen(16).unwrap(), acceptor }, script)
    }
}

/// Answers every request as a key server should.
pub fn right(_: usize, request: &Received) -> Reply {
    Reply::good(oracle::answer(&request.body).answer)
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    headers: HeaderMap,
    body: String,
) -> Response {
    let received = Arc::new(Received { at: Instant::now(), method, headers, body });
    let number = {
        let mut all = shared.received.lock().unwrap();
        all.push(received.clone());
        all.len() - 1
    };
    let reply = tokio::task::spawn_blocking(move || (shared.script)(number, &received)).await.unwrap();
    let response = |status| {
        Response::builder()
            .status(status)
            .header("Content-Type", "application/xml")
            .header("X-Speke-Version", "2.0")
            .header("X-Speke-User-Agent", "test")
    };
    let unending = |first: &'static str, rest: &'static str| {
        use futures::StreamExt as _;
        let chunk = |text: &'static str| Ok::<_, Infallible>(Bytes::from_static(text.as_bytes()));
        let first = futures::stream::iter([chunk(first)]);
        match rest {
            "" => Body::from_stream(first.chain(futures::stream::pending())),
            rest => Body::from_stream(first.chain(futures::stream::repeat_with(move || chunk(rest)))),
        }
    };
    match reply {
        Reply::Status(status, body) => response(status).body(body.into()).unwrap(),
        Reply::Header(status, name, value, body) => {
            let mut response = response(status).body(body.into()).unwrap();
            response.headers_mut().insert(name, value.parse().unwrap());
            response
        }
        Reply::Bytes(bytes) => response(200).body(bytes.into()).unwrap(),
        Reply::Silence => std::future::pending().await,
        Reply::Beginning => response(200).body(unending("<cpix:CPIX", "")).unwrap(),
        Reply::Endless => response(200).body(unending("<a>", "<!-- and so on -->")).unwrap(),
    }
}

struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            // A client that does not trust us goes away, and another may come.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// An authority that vouches for the certificates of a test, with a folder for its files.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        // No two have one name.
        params.distinguished_name.push(DnType::CommonName, hex::encode(key.public_key_raw()));
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        Self { issuer, folder: tempfile::tempdir().unwrap() }
    }

    /// Writes a file that only its owner may read.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join(name);
        fs_err::write(&path, content).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Its own certificate, in PEM.
    pub fn certificate_file(&self) -> PathBuf {
        self.file("authority.pem", &self.issuer.pem())
    }

    /// A certificate for this name with its key, both in PEM.
    pub fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// What a server with this name shows; where `clients` is given, it wants to see a certificate of theirs.
    pub fn server_certificate(&self, name: &str, clients: Option<&Authority>) -> TlsAcceptor {
        let (certificate, key) = self.issue(name);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.issuer.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        Arc::new(builder.with_single_cert(vec![certificate], key).unwrap()).into()
    }
}

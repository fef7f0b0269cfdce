//! A proxy before an S3 server that does with some requests what servers and networks do at their worst.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What happens to one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Nothing.
    Pass,
    /// The proxy answers, and the server does not hear of it.
    Answer(&'static str),
    /// The server does it, and the connection is cut before its answer.
    LoseAnswer,
    /// The connection is cut after so many bytes of the answer.
    CutAfter(usize),
    /// The last byte of the answer is changed.
    Change,
    /// Nobody answers, and the server does not hear of it.
    Swallow,
}

/// What overloaded stores say.
pub(crate) const SLOW_DOWN: Fault = Fault::Answer("503 Slow Down");

type Decide = dyn Fn(&str) -> Fault + Send + Sync;

/// See the module. Ends when it is dropped.
pub(crate) struct HttpProxy {
    pub(crate) endpoint: String,
    requests: Arc<AtomicUsize>,
    /// The lines of the requests that were answered whole.
    pub(crate) answered: watch::Receiver<Vec<String>>,
    _serving: JoinSet<()>,
}

impl HttpProxy {
    /// Serves what lies at `server`. `decide` sees each request's head: its line, such as `GET /farm/a?uploads HTTP/1.1`, and
    /// its headers, whose names are in lower case.
    pub(crate) async fn start(
        server: String,
        decide: impl Fn(&str) -> Fault + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let (decide, counted): (Arc<Decide>, _) = (Arc::new(decide), Arc::clone(&requests));
        let (sender, answered) = watch::channel(Vec::new());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (server, decide, counted) = (server.clone(), Arc::clone(&decide), Arc::clone(&counted));
                let sender = sender.clone();
                connections.spawn(async move {
                    counted.fetch_add(1, Ordering::Relaxed);
                    // Clients go away in the middle: that is what these tests are about.
                    if let Ok(Some(line)) = serve(client, &server, &*decide).await {
                        sender.send_modify(|lines| lines.push(line));
                    }
                });
            }
        });
        Self { endpoint, requests, answered, _serving: serving }
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Serves one request of a connection; the client makes another connection for the next. Answers the request's line where
/// nothing was done to it.
async fn serve(client: TcpStream, server: &str, decide: &Decide) -> std::io::Result<Option<String>> {
    let mut client = BufReader::new(client);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        if client.read_line(&mut head).await? == 0 {
            return Ok(None);
        }
        let line = head[start..].to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    client.read_exact(&mut body).await?;
    let line = head.lines().next().unwrap_or_default().to_owned();
    let fault = decide(&head);
    match fault {
        Fault::Answer(status) => {
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return client.write_all(answer.as_bytes()).await.map(|()| None);
        }
        Fault::Swallow => return std::future::pending().await,
        _ => {}
    }
    let mut upstream = TcpStream::connect(server).await?;
    let head = head.trim_end();
    upstream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    upstream.write_all(&body).await?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).await?;
    match fault {
        Fault::LoseAnswer => answer.clear(),
        Fault::CutAfter(bytes) => answer.truncate(bytes),
        Fault::Change => *answer.last_mut().unwrap() ^= 1,
        _ => {}
    }
    client.write_all(&answer).await?;
    Ok(matches!(fault, Fault::Pass).then_some(line))
}

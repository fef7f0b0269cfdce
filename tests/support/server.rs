//! A small web server over a folder, for players that want an address.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

/// Serves a folder on a port of its own for as long as the test runs.
pub struct FileServer {
    address: SocketAddr,
}

impl FileServer {
    pub fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let folder = folder.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let folder = folder.clone();
                // A player that goes away in the middle of a file is no failure of the test.
                std::thread::spawn(move || drop(answer(stream, &folder)));
            }
        });
        Self { address }
    }

    pub fn address(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }
}

fn answer(mut stream: TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut range = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            range = Some(value.to_owned());
        }
    }
    let path: PathBuf = request.split_whitespace().nth(1).unwrap_or("/").trim_start_matches('/').into();
    let Ok(bytes) = fs_err::read(folder.join(path)) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let (first, last) = match &range {
        None => (0, bytes.len().saturating_sub(1)),
        Some(range) => {
            let (first, last) = range.split_once('-').unwrap_or((range, ""));
            let last = last.parse().unwrap_or(bytes.len() - 1).min(bytes.len() - 1);
            (first.parse().unwrap_or(0).min(bytes.len() - 1), last)
        }
    };
    let part = bytes.get(first..=last).unwrap_or_default();
    let status = if range.is_some() { "206 Partial Content" } else { "200 OK" };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {first}-{last}/{}\r\nAccept-Ranges: bytes\r\nConnection: close\r\n\r\n",
        part.len(),
        bytes.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(part)
}

//! A static web server with byte ranges, as players need it.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Serves a folder until the test's process ends.
pub(crate) fn serve(folder: &Path) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let folder: Arc<Path> = folder.into();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            // A player that hangs up early is no fault.
            std::thread::spawn(move || answer(&stream, &folder).unwrap_or_default());
        }
    });
    address
}

fn answer(stream: &TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut range = None;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().trim().strip_prefix("range: bytes=") {
                range = value
                    .split_once('-')
                    .map(|(first, last)| (first.parse().unwrap_or(0), last.parse().ok()));
            }
        }
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = folder.join(path.split('?').next().unwrap_or_default().trim_start_matches('/'));
        respond(stream, &path, method == "HEAD", range)?;
    }
}

fn respond(
    mut stream: &TcpStream,
    path: &PathBuf,
    head: bool,
    range: Option<(u64, Option<u64>)>,
) -> std::io::Result<()> {
    let Ok(mut file) = fs_err::File::open(path) else {
        return write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    let length = file.metadata()?.len();
    let (first, last) = range.map_or((0, None), |(first, last)| (first.min(length), last));
    let last = last.unwrap_or(u64::MAX).min(length.saturating_sub(1));
    let count = (last + 1).saturating_sub(first);
    if range.is_some() {
        write!(stream, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{last}/{length}\r\n")?;
    } else {
        write!(stream, "HTTP/1.1 200 OK\r\n")?;
    }
    write!(stream, "Accept-Ranges: bytes\r\nContent-Length: {count}\r\n\r\n")?;
    if !head {
        file.seek(SeekFrom::Start(first))?;
        std::io::copy(&mut file.take(count), &mut stream)?;
    }
    Ok(())
}

//! A TCP proxy that breaks and mends a link, for any server.
//!
//! Promises: it listens on a port of 127.0.0.1 that stays the same, and passes bytes both ways until it is told to
//! [`cut`](Proxy::cut), [`refuse`](Proxy::refuse), [`stall`](Proxy::stall), [`stall_answers`](Proxy::stall_answers) or
//! [`slow`](Proxy::slow) the link; [`heal`](Proxy::heal) ends all of these for connections that are still there and for new
//! ones. Dropping it cuts everything.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Bytes that are passed on at once.
const PIECE: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Link {
    Whole,
    /// Nothing passes, and nobody is told.
    Stalled,
    /// Nothing passes from the server, and everything to it.
    AnswersStalled,
    /// Every piece is held up for this long.
    Slow(Duration),
    /// New connections are closed at once.
    Refusing,
}

#[derive(Debug)]
struct State {
    link: watch::Sender<Link>,
    /// How often the link was cut.
    cuts: watch::Sender<u64>,
    /// Connections that are open.
    open: watch::Sender<usize>,
    /// Connections that were ever taken.
    taken: watch::Sender<usize>,
    /// Bytes that have passed to the server.
    sent: watch::Sender<u64>,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    ToServer,
    FromServer,
}

/// A proxy in front of one address.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens, and passes every connection on to `target`.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            link: watch::Sender::new(Link::Whole),
            cuts: watch::Sender::new(0),
            open: watch::Sender::new(0),
            taken: watch::Sender::new(0),
            sent: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, target, Arc::clone(&state)));
        Ok(Self { address, state, accepting })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection; new ones are taken.
    pub fn cut(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Closes new connections at once, until [`heal`](Self::heal). Those that are there stay.
    pub fn refuse(&self) {
        self.state.link.send_replace(Link::Refusing);
    }

    /// Lets nothing pass in either direction while all connections stay open, until [`heal`](Self::heal): what a firewall
    /// does that forgot a connection. New connections are taken, and nothing passes there either.
    pub fn stall(&self) {
        self.state.link.send_replace(Link::Stalled);
    }

    /// Lets nothing pass from the server to its clients, until [`heal`](Self::heal): what they ask for is done, and they do
    /// not learn of it.
    pub fn stall_answers(&self) {
        self.state.link.send_replace(Link::AnswersStalled);
    }

    /// Holds up every piece of at most 16 KiB, in either direction, until [`heal`](Self::heal).
    pub fn slow(&self, by: Duration) {
        self.state.link.send_replace(Link::Slow(by));
    }

    /// The link is whole again. What was held up passes.
    pub fn heal(&self) {
        self.state.link.send_replace(Link::Whole);
    }

    /// Connections that were ever taken.
    pub fn taken(&self) -> usize {
        *self.state.taken.borrow()
    }

    /// Waits until so many connections were taken, all in all.
    pub async fn wait_until_taken(&self, count: usize) {
        // The sender is here, so this cannot fail.
        drop(self.state.taken.subscribe().wait_for(|taken| *taken >= count).await);
    }

    /// Bytes that have passed to the server.
    pub fn sent(&self) -> u64 {
        *self.state.sent.borrow()
    }

    /// Waits until no connection is open.
    pub async fn wait_until_idle(&self) {
        drop(self.state.open.subscribe().wait_for(|open| *open == 0).await);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, state: Arc<State>) {
    // Ends all connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                if *state.link.borrow() == Link::Refusing {
                    continue;
                }
                let cuts = state.cuts.subscribe();
                state.open.send_modify(|open| *open += 1);
                state.taken.send_modify(|taken| *taken += 1);
                connections.spawn(connection(client, target, cuts, Arc::clone(&state)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(
    client: TcpStream,
    target: SocketAddr,
    mut cuts: watch::Receiver<u64>,
    state: Arc<State>,
) {
    let pass = async {
        let server = TcpStream::connect(target).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        // Either side's end is passed on, and the connection ends with both.
        tokio::try_join!(
            pump(from_client, to_server, Way::ToServer, &state),
            pump(from_server, to_client, Way::FromServer, &state),
        )
    };
    tokio::select! {
        // However a connection ends: both of its sockets are closed with the future that held them.
        _ = pass => {}
        _ = cuts.changed() => {}
    }
    state.open.send_modify(|open| *open -= 1);
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way, state: &State) -> io::Result<()> {
    let mut link = state.link.subscribe();
    let passes = |link: &Link| match link {
        Link::Stalled => false,
        Link::AnswersStalled => way == Way::ToServer,
        Link::Whole | Link::Slow(_) | Link::Refusing => true,
    };
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece).await?;
        let link = *link.wait_for(passes).await.map_err(io::Error::other)?;
        if let Link::Slow(by) = link {
            tokio::time::sleep(by).await;
        }
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..read]).await?;
        if way == Way::ToServer {
            state.sent.send_modify(|sent| *sent += read as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    /// A server that sends back what it gets.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reader, mut writer) = stream.split();
                    tokio::io::copy(&mut reader, &mut writer).await
                });
            }
        });
        address
    }

    async fn exchange(stream: &mut TcpStream, text: &[u8]) -> io::Result<()> {
        stream.write_all(text).await?;
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer).await?;
        assert_eq!(answer, text);
        Ok(())
    }

    #[tokio::test]
    async fn a_cut_ends_what_is_there_and_a_new_connection_passes() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        let mut first = TcpStream::connect(proxy.address()).await.unwrap();
        exchange(&mut first, b"one").await.unwrap();
        proxy.cut();
        assert!(exchange(&mut first, b"two").await.is_err());
        proxy.wait_until_idle().await;
        let mut second = TcpStream::connect(proxy.address()).await.unwrap();
        exchange(&mut second, b"three").await.unwrap();
        assert_eq!(proxy.taken(), 2);
    }

    #[tokio::test]
    async fn new_connections_are_refused_until_healed() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        let mut old = TcpStream::connect(proxy.address()).await.unwrap();
        exchange(&mut old, b"one").await.unwrap();
        proxy.refuse();
        let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(exchange(&mut refused, b"two").await.is_err());
        exchange(&mut old, b"three").await.unwrap();
        proxy.heal();
        let mut new = TcpStream::connect(proxy.address()).await.unwrap();
        exchange(&mut new, b"four").await.unwrap();
    }

    #[tokio::test]
    async fn what_was_stalled_passes_once_healed() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        exchange(&mut stream, b"one").await.unwrap();
        proxy.stall();
        let mut exchanging = pin!(exchange(&mut stream, b"two"));
        assert!(poll_fn(|context| Poll::Ready(exchanging.as_mut().poll(context))).await.is_pending());
        proxy.heal();
        exchanging.await.unwrap();
    }

    #[tokio::test]
    async fn where_answers_are_stalled_the_server_hears_and_the_client_does_not() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        exchange(&mut stream, b"one").await.unwrap();
        proxy.stall_answers();
        let mut exchanging = pin!(exchange(&mut stream, b"two"));
        assert!(poll_fn(|context| Poll::Ready(exchanging.as_mut().poll(context))).await.is_pending());
        proxy.state.sent.subscribe().wait_for(|sent| *sent == 6).await.unwrap();
        assert_eq!(proxy.sent(), 6);
        assert!(poll_fn(|context| Poll::Ready(exchanging.as_mut().poll(context))).await.is_pending());
        proxy.heal();
        exchanging.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_link_holds_every_piece_up() {
        let proxy = Proxy::start(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        proxy.slow(Duration::from_secs(3));
        let begun = tokio::time::Instant::now();
        exchange(&mut stream, b"one").await.unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(6), "once each way");
    }
}

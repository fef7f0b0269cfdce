//! One connection to RabbitMQ, whose socket this crate holds a handle to.
//!
//! Promises: connecting takes no longer than its limit; a connection that is let go of is closed, also where the other
//! side no longer answers, so that neither sockets nor lapin's threads are left behind.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_rs::TokioRuntime;
use lapin::protocol::{AMQPErrorKind, AMQPHardError};
use lapin::tcp::{AMQPUriTcpExt as _, AsyncTcpStream, OwnedTLSConfig, TLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{ConnectionProperties, ErrorKind, runtime};
use tokio::time::timeout;

use super::options::RabbitMqOptions;
use super::topology;

/// How long RabbitMQ may take to say good-bye.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("{0}")]
    Failed(lapin::Error),
}

impl ConnectError {
    /// Whether RabbitMQ would say the same again.
    pub(super) fn is_refusal(&self) -> bool {
        let Self::Failed(error) = self else { return false };
        let not_allowed = match error.kind() {
            ErrorKind::ProtocolError(error) => {
                *error.kind() == AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
            }
            _ => false,
        };
        not_allowed || topology::is_refusal(error)
    }
}

/// A connection. Its socket is closed once it is dropped.
pub(super) struct Connection {
    pub(super) inner: lapin::Connection,
    _socket: CloseOnDrop,
}

impl Connection {
    /// Connects within the limit of the options.
    pub(super) async fn open(options: &RabbitMqOptions, purpose: &str) -> Result<Self, ConnectError> {
        let socket = CloseOnDrop::default();
        let mut uri = options.uri.clone();
        // RabbitMQ offers a minute; the smaller of the two counts.
        uri.query.heartbeat = Some(u16::try_from(options.heartbeat.as_secs()).unwrap_or(u16::MAX).max(1));
        let connect = {
            let (socket, certificates) = (socket.0.clone(), options.certificates.clone());
            async move |uri: AMQPUri, runtime: TokioRuntime| {
                let mut plain = uri.clone();
                plain.scheme = AMQPScheme::AMQP;
                let stream = plain.connect_with_config_async(TLSConfig::default(), &runtime).await?;
                if let AsyncTcpStream::Plain(stream) = &stream {
                    socket.hold(stream.get_ref())?;
                }
                if uri.scheme == AMQPScheme::AMQP {
                    return Ok(stream);
                }
                let config = OwnedTLSConfig { identity: None, cert_chain: certificates.clone() };
                Ok(stream.into_tls(&uri.authority.host, config.as_ref()).await?)
            }
        };
        let properties = ConnectionProperties::default()
            .with_connection_name(format!("{} ({purpose})", options.name).into())
            .with_client_property("product".into(), "reelfarm".into())
            .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into());
        let runtime = runtime::default_runtime().map_err(ConnectError::Failed)?;
        let connecting = lapin::Connection::connector(uri, runtime, connect, properties);
        match timeout(options.answer_timeout, connecting).await {
            Ok(Ok(inner)) => Ok(Self { inner, _socket: socket }),
            Ok(Err(error)) => Err(ConnectError::Failed(error)),
            Err(_) => Err(ConnectError::Timeout(options.answer_timeout)),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.inner.status().connected()
    }

    /// Says good-bye, which spares RabbitMQ a warning in its log.
    pub(super) async fn close(&self) {
        // Where there is no answer the socket is closed all the same.
        drop(timeout(FAREWELL, self.inner.close(200, "closed".into())).await);
    }
}

#[derive(Default)]
enum Socket {
    #[default]
    Unconnected,
    Held(TcpStream),
    Closed,
}

/// The socket under a connection, which lapin's thread waits on.
#[derive(Clone, Default)]
struct SharedSocket(Arc<Mutex<Socket>>);

impl SharedSocket {
    fn hold(&self, stream: &impl AsFd) -> io::Result<()> {
        let stream = TcpStream::from(stream.as_fd().try_clone_to_owned()?);
        let mut socket = self.lock();
        if matches!(*socket, Socket::Closed) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        *socket = Socket::Held(stream);
        Ok(())
    }

    fn close(&self) {
        if let Socket::Held(stream) = std::mem::replace(&mut *self.lock(), Socket::Closed) {
            // It may be closed already.
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Socket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the socket with the connection, or with the try to make one.
#[derive(Default)]
struct CloseOnDrop(SharedSocket);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

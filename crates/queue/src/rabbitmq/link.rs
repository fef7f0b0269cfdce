//! A connection that is made anew whenever it breaks.
//!
//! Promises: one task of its own looks after the connection; whoever needs a channel waits for it, and reports a link that
//! does not answer. What broke, and for how long, is in the log and in [`Link::state`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use lapin::{Channel, ErrorKind, Event};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::address::AtBroker;
use super::backoff::Backoff;
use super::connection::{ConnectError, Connection};
use super::options::{RabbitMqOptions, Role};
use super::topology;
use crate::error::BrokerError;
use crate::link::LinkState;

/// A link that lasted so long starts with the shortest pause when it breaks.
const STEADY: Duration = Duration::from_secs(10);

struct Current {
    connection: Option<(u64, Arc<Connection>)>,
    state: LinkState,
    ended: bool,
}

/// One of a broker's links.
pub(super) struct Link {
    options: Arc<RabbitMqOptions>,
    purpose: &'static str,
    /// Whether exchanges and queues are declared on it.
    declares: bool,
    current: watch::Sender<Current>,
    suspicions: mpsc::UnboundedSender<(u64, &'static str)>,
}

/// A channel, and which of a link's connections it is on.
#[derive(Clone)]
pub(super) struct LinkChannel {
    pub(super) inner: Channel,
    pub(super) connection: u64,
}

impl Link {
    /// Connects once, and keeps the link up from then on until `end`.
    pub(super) async fn start(
        options: Arc<RabbitMqOptions>,
        purpose: &'static str,
        declares: bool,
        end: CancellationToken,
    ) -> Result<Arc<Self>, BrokerError> {
        let (suspicions, reported) = mpsc::unbounded_channel();
        let state = LinkState::Down { since: Instant::now(), reason: "not connected yet".into() };
        let link = Arc::new(Self {
            declares: declares && options.role == Role::Scheduler,
            options,
            purpose,
            current: watch::Sender::new(Current { connection: None, state, ended: false }),
            suspicions,
        });
        let connection = link.connect().await.map_err(|error| {
            let refusal = error.is_refusal();
            let source = Box::new(link.at_broker(&error));
            if refusal {
                BrokerError::Refused { action: "connect", source }
            } else {
                BrokerError::Unreachable { action: "be connected to", source }
            }
        })?;
        tokio::spawn(Arc::clone(&link).keep(connection, reported, end));
        Ok(link)
    }

    pub(super) fn options(&self) -> &RabbitMqOptions {
        &self.options
    }

    pub(super) fn state(&self) -> LinkState {
        self.current.borrow().state.clone()
    }

    /// What went wrong, with the broker's name.
    pub(super) fn at_broker(&self, what: &impl ToString) -> AtBroker {
        AtBroker { address: self.options.address(), what: what.to_string() }
    }

    pub(super) fn unreachable(&self, action: &'static str, what: &impl ToString) -> BrokerError {
        BrokerError::Unreachable { action, source: Box::new(self.at_broker(what)) }
    }

    pub(super) fn refused(&self, action: &'static str, what: &impl ToString) -> BrokerError {
        BrokerError::Refused { action, source: Box::new(self.at_broker(what)) }
    }

    /// Declares all exchanges and queues.
    pub(super) async fn declare(&self) -> Result<(), ConnectError> {
        match self.connected().await {
            Ok((_, connection)) => self.answer(topology::declare_on(&connection.inner)).await,
            // There is nobody left to declare for.
            Err(_) => Ok(()),
        }
    }

    /// Waits until the link is up, and opens a channel.
    ///
    /// # Errors
    /// The link has ended, or holds as many channels as RabbitMQ allows.
    pub(super) async fn channel(&self) -> Result<LinkChannel, BrokerError> {
        const ACTION: &str = "open a channel";
        loop {
            let (number, connection) = self.connected().await?;
            match self.answer(connection.inner.create_channel()).await {
                Ok(inner) => return Ok(LinkChannel { inner, connection: number }),
                Err(ConnectError::Failed(error))
                    if matches!(error.kind(), ErrorKind::ChannelsLimitReached) =>
                {
                    return Err(self.refused(ACTION, &error));
                }
                Err(error) => {
                    tracing::debug!(broker = %self.options.address(), link = self.purpose, %error, "no channel");
                    self.suspect(number, "it opens no channel");
                    self.gone(number).await;
                }
            }
        }
    }

    /// Waits for RabbitMQ's answer, within the limit of the options.
    pub(super) async fn answer<T>(
        &self,
        answer: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, ConnectError> {
        match timeout(self.options.answer_timeout, answer).await {
            Ok(answer) => answer.map_err(ConnectError::Failed),
            Err(_) => Err(ConnectError::Timeout(self.options.answer_timeout)),
        }
    }

    /// The pauses between tries of something that failed while the link was up.
    pub(super) fn pauses(&self) -> Backoff {
        Backoff::new(self.options.longest_pause)
    }

    /// Deals with a failure of something that is tried again: waits a while, and has the link looked at where that may be
    /// at fault. The channel is closed.
    ///
    /// # Errors
    /// RabbitMQ would refuse again.
    pub(super) async fn after(
        &self,
        channel: &LinkChannel,
        error: ConnectError,
        action: &'static str,
        pauses: &mut Backoff,
    ) -> Result<(), BrokerError> {
        let broker = self.options.address();
        match error {
            ConnectError::Failed(error) if topology::is_refusal(&error) => {
                return Err(self.refused(action, &error));
            }
            ConnectError::Failed(error) if topology::is_not_found(&error) => {
                if self.options.role == Role::Scheduler {
                    tracing::warn!(%broker, %error, "a queue is missing, declaring all");
                    if let Err(error) = self.declare().await {
                        tracing::warn!(%broker, %error, "queues not declared");
                    }
                } else {
                    tracing::warn!(%broker, %error, "no scheduler has declared the queues yet, waiting");
                }
            }
            ConnectError::Failed(error) => {
                tracing::debug!(%broker, link = self.purpose, %error, "the broker could not {action}");
                self.close(channel).await;
            }
            ConnectError::Timeout(_) => self.suspect(channel.connection, "it does not answer"),
        }
        sleep(pauses.next()).await;
        Ok(())
    }

    /// Closes a channel: what was delivered on it and not acknowledged is put back.
    pub(super) async fn close(&self, channel: &LinkChannel) {
        if channel.inner.status().connected()
            && let Err(ConnectError::Timeout(_)) = self.answer(channel.inner.close(200, "done".into())).await
        {
            self.suspect(channel.connection, "it does not answer");
        }
    }

    /// Takes a connection for broken, unless another has taken its place already.
    pub(super) fn suspect(&self, connection: u64, reason: &'static str) {
        // Nobody looks after a link that has ended.
        let _ = self.suspicions.send((connection, reason));
    }

    /// Whether RabbitMQ takes no messages at present; waits until it does.
    pub(super) async fn unblocked(&self) {
        let mut current = self.current.subscribe();
        drop(current.wait_for(|current| !matches!(current.state, LinkState::Blocked { .. })).await);
    }

    /// Waits until the link has ended, after its end was asked for.
    pub(super) async fn wait_for_end(&self) {
        drop(self.current.subscribe().wait_for(|current| current.ended).await);
    }

    async fn connected(&self) -> Result<(u64, Arc<Connection>), BrokerError> {
        let mut current = self.current.subscribe();
        let ended = || self.unreachable("be used", &"the connection was closed by this program");
        let current = current
            .wait_for(|current| current.ended || current.connection.is_some())
            .await
            .map_err(|_| ended())?;
        current.connection.clone().ok_or_else(ended)
    }

    /// Waits until this connection is no longer the link's.
    async fn gone(&self, number: u64) {
        let mut current = self.current.subscribe();
        let is_gone =
            |current: &Current| current.connection.as_ref().is_none_or(|(other, _)| *other != number);
        drop(current.wait_for(is_gone).await);
    }

    async fn connect(&self) -> Result<Connection, ConnectError> {
        let connection = Connection::open(&self.options, self.purpose).await?;
        if self.declares {
            self.answer(topology::declare_on(&connection.inner)).await?;
        }
        Ok(connection)
    }

    /// Looks after the link until its end.
    async fn keep(
        self: Arc<Self>,
        first: Connection,
        mut suspicions: mpsc::UnboundedReceiver<(u64, &'static str)>,
        end: CancellationToken,
    ) {
        let (broker, link) = (self.options.address(), self.purpose);
        let mut backoff = Backoff::new(self.options.longest_pause);
        let mut next = Some(first);
        let mut number = 0;
        while let Some(connection) = next.take() {
            number += 1;
            let (connection, up_since) = (Arc::new(connection), Instant::now());
            let reason = tokio::select! {
                () = end.cancelled() => None,
                reason = self.watch(number, &connection, &mut suspicions) => Some(reason),
            };
            let since = Instant::now();
            self.current.send_modify(|current| {
                current.connection = None;
                let reason = reason.clone().unwrap_or_else(|| "closed".into());
                current.state = LinkState::Down { since, reason };
            });
            let Some(reason) = reason else {
                connection.close().await;
                break;
            };
            tracing::warn!(%broker, link, reason, "the link to the broker is broken, connecting again");
            drop(connection);
            if up_since.elapsed() > STEADY {
                backoff.reset();
            }
            next = tokio::select! {
                () = end.cancelled() => None,
                connection = self.reconnect(&mut backoff, since) => Some(connection),
            };
            if next.is_some() {
                let seconds = since.elapsed().as_secs_f64();
                tracing::info!(%broker, link, seconds, "the link to the broker is up again");
            }
        }
        self.current.send_modify(|current| current.ended = true);
    }

    /// Publishes a connection, and waits until it breaks: answers why.
    async fn watch(
        &self,
        number: u64,
        connection: &Arc<Connection>,
        suspicions: &mut mpsc::UnboundedReceiver<(u64, &'static str)>,
    ) -> String {
        let mut events = connection.inner.events_listener();
        self.current.send_modify(|current| {
            current.connection = Some((number, Arc::clone(connection)));
            current.state = LinkState::Up;
        });
        loop {
            if !connection.is_open() {
                return "it was closed".into();
            }
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(reason)) => {
                        tracing::warn!(broker = %self.options.address(), link = self.purpose, reason, "the broker takes no messages");
                        self.current.send_modify(|current| current.state = LinkState::Blocked { reason });
                    }
                    Some(Event::ConnectionUnblocked) => {
                        tracing::info!(broker = %self.options.address(), link = self.purpose, "the broker takes messages again");
                        self.current.send_modify(|current| current.state = LinkState::Up);
                    }
                    // Those of channels are among them.
                    Some(Event::Error(error)) if !connection.is_open() => return error.to_string(),
                    Some(_) => {}
                    None => return "it was closed".into(),
                },
                Some((suspect, reason)) = suspicions.recv() => {
                    if suspect == number {
                        return reason.into();
                    }
                }
            }
        }
    }

    async fn reconnect(&self, backoff: &mut Backoff, since: Instant) -> Connection {
        loop {
            sleep(backoff.next()).await;
            let error = match self.connect().await {
                Ok(connection) => return connection,
                Err(error) => error,
            };
            let (broker, link) = (self.options.address(), self.purpose);
            if error.is_refusal() {
                tracing::error!(%broker, link, %error, "the broker refuses the connection, trying again");
            } else {
                tracing::warn!(%broker, link, %error, "no connection to the broker, trying again");
            }
            let state = LinkState::Down { since, reason: error.to_string() };
            self.current.send_modify(|current| current.state = state);
        }
    }
}

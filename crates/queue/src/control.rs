//! A worker's view of the control messages.

use async_trait::async_trait;
use reelfarm_model::message::ControlMessage;

/// Where a [`ControlStream`] takes its messages from; one for each implementation of [`Broker`](crate::Broker).
#[async_trait]
pub trait ControlSource: Send {
    /// See [`ControlStream::next`].
    async fn next(&mut self) -> Option<ControlMessage>;
}

/// The control messages from the moment of subscription.
///
/// A subscriber that lags loses no [`Stop`](ControlMessage::Stop). While it lags, only the newest message about an
/// attempt is kept for it: an `Extended` gives way to a later `Extended` or `Stop` of the same attempt, and a `Stop`
/// gives way to nothing. So what waits is at most one message for each attempt that was live meanwhile, however far
/// it lags. Where the connection breaks, the stream ends instead of leaving a gap unseen: subscribe again. A `Stop`
/// that was sent in between comes again, because the scheduler answers every heartbeat of an attempt that is not
/// current with `Stop`.
pub struct ControlStream {
    source: Box<dyn ControlSource>,
}

impl ControlStream {
    /// A stream over `source`; for implementations of [`Broker`](crate::Broker).
    pub fn new(source: Box<dyn ControlSource>) -> Self {
        Self { source }
    }

    /// Waits for the next message; `None` once the connection is gone. Cancel-safe: a call that is dropped takes
    /// nothing.
    pub async fn next(&mut self) -> Option<ControlMessage> {
        self.source.next().await
    }
}

//! Events, received by the one scheduler.
//!
//! Promises: order is kept, and an event comes again until its batch is acknowledged. Nothing is held back from another
//! scheduler for long: once nobody has asked for events for a while, consuming stops and what was fetched is put back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions};
use lapin::types::FieldTable;
use lapin::{Acker, Consumer};
use reelfarm_model::message::{WorkerEvent, decode};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::connection::ConnectError;
use super::link::{Link, LinkChannel};
use super::topology;
use crate::delivery::{Acknowledger, EventBatch};
use crate::error::BrokerError;
use crate::event_buffer::{EventBuffer, Taken};

/// Events that are fetched before they are asked for.
const PREFETCH: u16 = 2000;
/// How long events may lie here while nobody asks for them.
const LINGER: Duration = Duration::from_secs(2);

type Fetched = (WorkerEvent, Acker);

pub(super) struct Events {
    link: Arc<Link>,
    buffer: EventBuffer<Fetched>,
    /// Calls that wait.
    waiting: AtomicUsize,
    /// Whether anybody has asked since that was last looked at.
    asked: AtomicBool,
    /// Whether the task that fetches runs.
    fetching: Mutex<bool>,
    /// Why fetching ended, for the call that waits.
    failure: Mutex<Option<BrokerError>>,
    failed: Notify,
    end: CancellationToken,
}

/// Counts a call for as long as it waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Events {
    pub(super) fn new(link: Arc<Link>, end: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            link,
            buffer: EventBuffer::new(),
            waiting: AtomicUsize::new(0),
            asked: AtomicBool::new(false),
            fetching: Mutex::new(false),
            failure: Mutex::default(),
            failed: Notify::new(),
            end,
        })
    }

    pub(super) async fn receive(self: &Arc<Self>, limit: usize) -> Result<EventBatch, BrokerError> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.waiting);
        self.ask();
        tokio::select! {
            biased;
            taken = self.buffer.take(limit) => {
                let events = taken.items.iter().map(|(event, _)| event.clone()).collect();
                let held = Held { taken: Some(taken), events: Arc::clone(self) };
                Ok(EventBatch::new(events, Box::new(held)))
            }
            error = self.failure() => Err(error),
            () = self.end.cancelled() => {
                Err(self.link.unreachable("give events", &"the connection was closed by this program"))
            }
        }
    }

    /// Has events fetched, where they are not already.
    fn ask(self: &Arc<Self>) {
        let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        self.asked.store(true, Ordering::SeqCst);
        if !*fetching {
            *fetching = true;
            tokio::spawn(Arc::clone(self).fetch());
        }
    }

    /// Whether to go on fetching; else the task that asks ends.
    fn is_wanted(&self) -> bool {
        let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = self.asked.swap(false, Ordering::SeqCst)
            || self.waiting.load(Ordering::SeqCst) > 0
            || self.buffer.is_out();
        *fetching = wanted;
        wanted
    }

    async fn failure(&self) -> BrokerError {
        loop {
            let failed = self.failed.notified();
            if let Some(error) = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return error;
            }
            failed.await;
        }
    }

    async fn fetch(self: Arc<Self>) {
        let fetched = tokio::select! {
            () = self.end.cancelled() => Ok(()),
            fetched = self.fetch_while_wanted() => fetched,
        };
        if let Err(error) = fetched {
            *self.fetching.lock().unwrap_or_else(PoisonError::into_inner) = false;
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            self.failed.notify_one();
        }
    }

    async fn fetch_while_wanted(&self) -> Result<(), BrokerError> {
        let mut pauses = self.link.pauses();
        loop {
            let channel = self.link.channel().await?;
            match self.link.answer(consume(&channel)).await {
                Ok(consumer) => {
                    pauses.reset();
                    let ended = self.read(consumer).await;
                    // RabbitMQ gives all that was not acknowledged again, in its old order.
                    self.link.close(&channel).await;
                    self.buffer.clear();
                    // Somebody may have asked while the channel was closed.
                    if matches!(ended, Ended::Unwanted) && !self.is_wanted() {
                        return Ok(());
                    }
                }
                Err(error) => self.link.after(&channel, error, "give events", &mut pauses).await?,
            }
        }
    }

    async fn read(&self, mut consumer: Consumer) -> Ended {
        let mut looks = tokio::time::interval(LINGER);
        looks.reset();
        loop {
            tokio::select! {
                delivery = consumer.next() => {
                    let Some(Ok(delivery)) = delivery else { return Ended::Broken };
                    match decode::<WorkerEvent>(&delivery.data) {
                        Ok(event) => self.buffer.push((event, delivery.acker)),
                        Err(error) => {
                            (self.link.options().on_not_understood)();
                            tracing::error!(queue = topology::EVENTS, %error, "an event was not understood");
                            let reject = delivery.acker.reject(BasicRejectOptions { requeue: false });
                            // Where this fails, the message comes again.
                            drop(self.link.answer(reject).await);
                        }
                    }
                }
                _ = looks.tick() => if self.is_idle() { return Ended::Unwanted },
            }
        }
    }

    /// Whether nobody has asked for a while.
    fn is_idle(&self) -> bool {
        let asked = self.asked.swap(false, Ordering::SeqCst);
        !asked && self.waiting.load(Ordering::SeqCst) == 0 && !self.buffer.is_out()
    }
}

enum Ended {
    Broken,
    Unwanted,
}

async fn consume(channel: &LinkChannel) -> lapin::Result<Consumer> {
    channel.inner.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    channel.inner.basic_consume(topology::EVENTS.into(), "".into(), options, FieldTable::default()).await
}

/// A batch in somebody's hands.
struct Held {
    taken: Option<Taken<Fetched>>,
    events: Arc<Events>,
}

#[async_trait]
impl Acknowledger for Held {
    async fn acknowledge(mut self: Box<Self>) -> Result<bool, BrokerError> {
        let link = &self.events.link;
        // All up to the last: batches are settled one after the other, and each starts where the one before it ended.
        let last = self.taken.as_ref().and_then(|taken| taken.items.last());
        let Some((_, acker)) = last else { return Ok(true) };
        match link.answer(acker.ack(BasicAckOptions { multiple: true })).await {
            Ok(true) => {
                let taken = self.taken.take();
                Ok(taken.is_some_and(|taken| self.events.buffer.settle(taken.epoch)))
            }
            // The channel went meanwhile.
            Ok(false) | Err(ConnectError::Failed(_)) => Ok(false),
            Err(error) => Err(link.unreachable("take an acknowledgement", &error)),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.events.buffer.put_back(taken);
        }
    }
}

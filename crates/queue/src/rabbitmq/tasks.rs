//! The tasks of one pool, received while slots are free.
//!
//! Promises: for each slot that waits one message at most is taken out of the queue, and none for a slot that does not; a
//! wait that is dropped takes nothing.
//!
//! A *lane* is a task with a channel of its own that consumes for one waiting slot, whichever: it takes one message, stops
//! consuming, hands the message to a slot that waits, and rests once the message is acknowledged or put back. Lanes
//! outlive the waits that they serve, so a caller that waits anew again and again (a loop over `select!`) is served all
//! the same.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::StreamExt as _;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    BasicRejectOptions,
};
use lapin::types::FieldTable;
use lapin::{Acker, Consumer};
use reelfarm_model::message::{TaskMessage, decode};
use reelfarm_model::task::Pool;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::link::{Link, LinkChannel};
use super::topology;
use crate::delivery::{Acknowledger, Delivery};
use crate::error::BrokerError;

type Wait = oneshot::Sender<Result<Delivery, BrokerError>>;

#[derive(Default)]
struct Demand {
    waits: VecDeque<Wait>,
    /// Lanes that consume, or are about to.
    serving: usize,
    /// Lanes that rest.
    resting: usize,
}

impl Demand {
    fn waiting(&mut self) -> usize {
        self.waits.retain(|wait| !wait.is_closed());
        self.waits.len()
    }
}

pub(super) struct Tasks {
    pool: Pool,
    link: Arc<Link>,
    demand: Mutex<Demand>,
    /// A permit wakes one lane that rests; it counts as serving already.
    calls: Semaphore,
    /// A wait was dropped.
    dropped: Notify,
    end: CancellationToken,
}

/// Tells the lanes that a wait is over.
struct TellOnDrop<'a>(&'a Notify);

impl Drop for TellOnDrop<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// What a lane does with the message that it handed out.
enum Settlement {
    Acknowledge(oneshot::Sender<Result<bool, BrokerError>>),
}

impl Tasks {
    pub(super) fn new(pool: Pool, link: Arc<Link>, end: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            pool,
            link,
            demand: Mutex::default(),
            calls: Semaphore::new(0),
            dropped: Notify::new(),
            end,
        })
    }

    pub(super) async fn receive(self: &Arc<Self>) -> Result<Delivery, BrokerError> {
        let (wait, delivery) = oneshot::channel();
        self.wait(wait);
        let _tell = TellOnDrop(&self.dropped);
        tokio::select! {
            biased;
            delivery = delivery => delivery.unwrap_or_else(|_| Err(self.ended())),
            () = self.end.cancelled() => Err(self.ended()),
        }
    }

    fn wait(self: &Arc<Self>, wait: Wait) {
        let mut demand = self.demand();
        demand.waits.push_back(wait);
        if demand.waiting() <= demand.serving {
            return;
        }
        demand.serving += 1;
        if demand.resting > 0 {
            demand.resting -= 1;
            self.calls.add_permits(1);
        } else {
            tokio::spawn(Arc::clone(self).lane());
        }
    }

    async fn lane(self: Arc<Self>) {
        let mut channel = None;
        loop {
            let served = tokio::select! {
                () = self.end.cancelled() => return,
                served = self.serve(&mut channel) => served,
            };
            if let Err(error) = served {
                self.hand_over(Err(error));
            }
            self.demand().resting += 1;
            tokio::select! {
                () = self.end.cancelled() => return,
                call = self.calls.acquire() => if let Ok(call) = call { call.forget() },
            }
        }
    }

    /// Serves one wait to its end: handed over and settled, or nobody waits any more.
    async fn serve(&self, kept: &mut Option<LinkChannel>) -> Result<(), BrokerError> {
        const ACTION: &str = "give a task";
        let mut pauses = self.link.pauses();
        while self.is_wanted() {
            let channel = match kept.take().filter(|channel| channel.inner.status().connected()) {
                Some(channel) => channel,
                None => self.link.channel().await?,
            };
            let mut consumer = match self.link.answer(self.consume(&channel)).await {
                Ok(consumer) => consumer,
                Err(error) => {
                    self.link.after(&channel, error, ACTION, &mut pauses).await?;
                    continue;
                }
            };
            pauses.reset();
            let Some(delivery) = self.next(&mut consumer).await else {
                // Nobody waits any more, or the channel or the queue is gone.
                self.link.close(&channel).await;
                continue;
            };
            // There is but one: the next can come only once this one is acknowledged, and by then nobody consumes.
            let stop = channel.inner.basic_cancel(consumer.tag(), BasicCancelOptions { nowait: true });
            if self.link.answer(stop).await.is_ok() {
                *kept = Some(channel);
            }
            let acker = delivery.acker;
            match decode::<TaskMessage>(&delivery.data) {
                Ok(message) => return self.hold(message, &acker).await,
                Err(error) => {
                    (self.link.options().on_not_understood)();
                    tracing::error!(queue = %topology::task_queue(self.pool), %error, "a task message was not understood");
                    // One that is newer may be for the next worker, but not for ever: there may be none who reads it.
                    let requeue = error.is_newer() && !delivery.redelivered;
                    let reject = acker.reject(BasicRejectOptions { requeue });
                    // Where this fails, the message comes again.
                    drop(self.link.answer(reject).await);
                    if error.is_newer() {
                        return Err(BrokerError::Outdated(error));
                    }
                }
            }
        }
        Ok(())
    }

    async fn consume(&self, channel: &LinkChannel) -> lapin::Result<Consumer> {
        channel.inner.basic_qos(1, BasicQosOptions::default()).await?;
        let (queue, options) = (topology::task_queue(self.pool), BasicConsumeOptions::default());
        channel.inner.basic_consume(queue, "".into(), options, FieldTable::default()).await
    }

    /// The next message; `None` where none will come, or nobody waits for one.
    async fn next(&self, consumer: &mut Consumer) -> Option<lapin::message::Delivery> {
        loop {
            tokio::select! {
                biased;
                delivery = consumer.next() => return delivery?.ok(),
                () = self.dropped.notified() => {
                    let mut demand = self.demand();
                    if demand.waiting() < demand.serving {
                        return None;
                    }
                }
            }
        }
    }

    /// Whether there is a wait for each lane that serves; else the lane that asks no longer does.
    fn is_wanted(&self) -> bool {
        let mut demand = self.demand();
        let wanted = demand.waiting() >= demand.serving;
        if !wanted {
            demand.serving -= 1;
        }
        wanted
    }

    /// Hands a message to a wait, and settles it with RabbitMQ.
    async fn hold(&self, message: TaskMessage, acker: &Acker) -> Result<(), BrokerError> {
        let (settle, settlement) = oneshot::channel();
        self.hand_over(Ok(Delivery::new(message, Box::new(Held { settle, ended: self.ended() }))));
        match settlement.await {
            Ok(Settlement::Acknowledge(reply)) => {
                let answer = match self.link.answer(acker.ack(BasicAckOptions::default())).await {
                    Ok(taken) => Ok(taken),
                    // The channel went meanwhile.
                    Err(super::connection::ConnectError::Failed(_)) => Ok(false),
                    Err(error) => Err(self.link.unreachable("take an acknowledgement", &error)),
                };
                // Whoever acknowledged may have gone.
                drop(reply.send(answer));
            }
            Err(_) => {
                let nack = acker.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() });
                // Where this fails, RabbitMQ puts it back by itself.
                drop(self.link.answer(nack).await);
            }
        }
        Ok(())
    }

    /// Gives a result to the wait that has waited longest. What nobody takes is dropped, and so put back.
    fn hand_over(&self, mut result: Result<Delivery, BrokerError>) {
        let mut demand = self.demand();
        demand.serving -= 1;
        while let Some(wait) = demand.waits.pop_front() {
            match wait.send(result) {
                Ok(()) => return,
                Err(back) => result = back,
            }
        }
    }

    fn ended(&self) -> BrokerError {
        self.link.unreachable("give a task", &"the connection was closed by this program")
    }

    fn demand(&self) -> MutexGuard<'_, Demand> {
        self.demand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message in somebody's hands. Dropping it lets its lane put it back.
struct Held {
    settle: oneshot::Sender<Settlement>,
    ended: BrokerError,
}

#[async_trait]
impl Acknowledger for Held {
    async fn acknowledge(self: Box<Self>) -> Result<bool, BrokerError> {
        let Self { settle, ended } = *self;
        let (reply, answer) = oneshot::channel();
        // Where the lane has gone with its broker, the message comes again.
        drop(settle.send(Settlement::Acknowledge(reply)));
        answer.await.unwrap_or(Err(ended))
    }
}

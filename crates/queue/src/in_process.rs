//! The broker of one process, on tokio's primitives. Nothing outlives the process: at the next start the store puts
//! every open attempt back, and that is all the recovery there is to do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use reelfarm_model::WorkerId;
use reelfarm_model::message::{ControlMessage, TaskMessage, WorkerEvent};
use reelfarm_model::task::Pool;
use tokio::sync::Semaphore;

use crate::control::{ControlSource, ControlStream};
use crate::delivery::{Acknowledger, Delivery, EventBatch};
use crate::error::BrokerError;
use crate::event_buffer::{EventBuffer, Taken};
use crate::link::LinkState;
use crate::mailbox::Mailbox;
use crate::task_queue::TaskQueue;
use crate::{Backlog, Broker};

/// Events that wait for the scheduler before their senders wait too: many heartbeats of every slot of a large host.
const EVENT_BUFFER: usize = 1024;

/// A broker for a scheduler and workers in one process.
///
/// The queues of tasks have no bound of their own, because the scheduler sends no more than the live slots take: a
/// bound here could only make the scheduler wait for workers. Events are bounded, so a scheduler that cannot keep up
/// slows its workers' reports instead of filling memory; the scheduler never waits for a worker, so that cannot lock up.
/// Control messages are bounded by the attempts that they are about, see [`ControlStream`].
pub struct InProcessBroker {
    tasks: BTreeMap<Pool, Arc<TaskQueue>>,
    events: Arc<Events>,
    subscribers: Mutex<Vec<(WorkerId, Weak<Mailbox>)>>,
}

struct Events {
    buffer: EventBuffer<WorkerEvent>,
    /// A permit for each event that may still be sent; it comes back with the acknowledgement.
    room: Semaphore,
}

impl InProcessBroker {
    /// A broker for workers that serve `pools`; a task of any other pool is unroutable.
    pub fn new(pools: impl IntoIterator<Item = Pool>) -> Self {
        Self {
            tasks: pools.into_iter().map(|pool| (pool, Arc::new(TaskQueue::new()))).collect(),
            events: Arc::new(Events { buffer: EventBuffer::new(), room: Semaphore::new(EVENT_BUFFER) }),
            subscribers: Mutex::default(),
        }
    }

    fn queue(&self, pool: Pool) -> Result<&Arc<TaskQueue>, BrokerError> {
        self.tasks.get(&pool).ok_or(BrokerError::Unroutable { pool })
    }

    fn subscribers(&self) -> MutexGuard<'_, Vec<(WorkerId, Weak<Mailbox>)>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for InProcessBroker {
    fn default() -> Self {
        Self::new(Pool::ALL)
    }
}

impl Drop for InProcessBroker {
    fn drop(&mut self) {
        for mailbox in self.subscribers().iter().filter_map(|(_, mailbox)| mailbox.upgrade()) {
            mailbox.close();
        }
    }
}

#[async_trait]
impl Broker for InProcessBroker {
    async fn send_tasks(&self, messages: &[TaskMessage]) -> Vec<Result<(), BrokerError>> {
        let send = |message: &TaskMessage| {
            self.queue(message.pool())?.send(message.clone());
            Ok(())
        };
        messages.iter().map(send).collect()
    }

    async fn receive_task(&self, pool: Pool) -> Result<Delivery, BrokerError> {
        let queue = self.queue(pool)?;
        let message = queue.receive().await.ok_or_else(|| gone("give a task"))?;
        let held = Held { message: Some(message.clone()), queue: Arc::clone(queue) };
        Ok(Delivery::new(message, Box::new(held)))
    }

    async fn send_event(&self, event: &WorkerEvent) -> Result<(), BrokerError> {
        self.events.room.acquire().await.map_err(|_| gone("take an event"))?.forget();
        self.events.buffer.push(event.clone());
        Ok(())
    }

    async fn receive_events(&self, limit: usize) -> Result<EventBatch, BrokerError> {
        let taken = self.events.buffer.take(limit).await;
        let events = taken.items.clone();
        Ok(EventBatch::new(
            events,
            Box::new(HeldEvents { taken: Some(taken), events: Arc::clone(&self.events) }),
        ))
    }

    async fn send_controls(&self, messages: &[ControlMessage]) -> Result<(), BrokerError> {
        self.subscribers().retain(|(worker, subscriber)| match subscriber.upgrade() {
            Some(mailbox) => {
                let meant = |message: &&ControlMessage| message.recipient().is_none_or(|only| only == worker);
                messages.iter().filter(meant).for_each(|message| mailbox.put(message));
                true
            }
            None => false,
        });
        Ok(())
    }

    async fn subscribe_control(&self, worker: &WorkerId) -> Result<ControlStream, BrokerError> {
        let mailbox = Arc::new(Mailbox::default());
        self.subscribers().push((worker.clone(), Arc::downgrade(&mailbox)));
        Ok(ControlStream::new(Box::new(Subscription(mailbox))))
    }

    async fn backlog(&self) -> Result<BTreeMap<Pool, Backlog>, BrokerError> {
        Ok(self.tasks.iter().map(|(pool, queue)| (*pool, queue.backlog())).collect())
    }

    fn link(&self) -> LinkState {
        LinkState::Up
    }
}

/// The broker itself holds every end of its channels, so this is not met while it lives.
fn gone(action: &'static str) -> BrokerError {
    BrokerError::Unreachable { action, source: "the broker of this process has ended".into() }
}

/// A message that was delivered and goes back to its queue unless it is acknowledged.
struct Held {
    message: Option<TaskMessage>,
    queue: Arc<TaskQueue>,
}

#[async_trait]
impl Acknowledger for Held {
    async fn acknowledge(mut self: Box<Self>) -> Result<bool, BrokerError> {
        self.message = None;
        Ok(true)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            self.queue.put_back(message);
        }
    }
}

/// Events that were delivered and come again unless they are acknowledged.
struct HeldEvents {
    taken: Option<Taken<WorkerEvent>>,
    events: Arc<Events>,
}

#[async_trait]
impl Acknowledger for HeldEvents {
    async fn acknowledge(mut self: Box<Self>) -> Result<bool, BrokerError> {
        if let Some(taken) = self.taken.take() {
            self.events.buffer.settle(taken.epoch);
            self.events.room.add_permits(taken.items.len());
        }
        Ok(true)
    }
}

impl Drop for HeldEvents {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.events.buffer.put_back(taken);
        }
    }
}

struct Subscription(Arc<Mailbox>);

#[async_trait]
impl ControlSource for Subscription {
    async fn next(&mut self) -> Option<ControlMessage> {
        self.0.take().await
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::attempt::{Fence, LeaseToken, Progress};
    use reelfarm_model::key::{Digest, TaskKey};

    use super::*;
    use crate::conformance::task_message;

    async fn broker() -> InProcessBroker {
        InProcessBroker::default()
    }

    crate::broker_conformance!(broker);

    fn fence(number: u8) -> Fence {
        Fence { task: TaskKey(Digest::of(&[number])), attempt: 1, lease: LeaseToken(u128::from(number)) }
    }

    fn worker() -> WorkerId {
        WorkerId("worker".into())
    }

    fn extended(number: u8, beat: u64) -> ControlMessage {
        ControlMessage::Extended { fence: fence(number), worker: worker(), beat }
    }

    fn stop(number: u8) -> ControlMessage {
        ControlMessage::Stop { fence: fence(number), worker: None }
    }

    #[tokio::test]
    async fn a_task_that_nobody_serves_is_refused_instead_of_lying_for_ever() {
        let broker = InProcessBroker::new([Pool::Light]);
        let refused = broker.send_task(&task_message(Pool::Cpu, 1)).await.unwrap_err();
        assert_eq!(refused.to_string(), "the broker has no queue for the pool cpu");
        assert!(matches!(
            broker.receive_task(Pool::Package).await,
            Err(BrokerError::Unroutable { pool: Pool::Package })
        ));
        broker.send_task(&task_message(Pool::Light, 1)).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_put_back_comes_before_what_waits() {
        let broker = InProcessBroker::default();
        for number in 0..3 {
            broker.send_task(&task_message(Pool::Cpu, number)).await.unwrap();
        }
        drop(broker.receive_task(Pool::Cpu).await.unwrap());
        for number in 0..3 {
            let delivery = broker.receive_task(Pool::Cpu).await.unwrap();
            assert_eq!(delivery.message, task_message(Pool::Cpu, number));
            assert!(delivery.acknowledge().await.unwrap());
        }
    }

    #[tokio::test]
    async fn a_lagging_subscriber_keeps_one_message_an_attempt() {
        let broker = InProcessBroker::default();
        let mut stream = broker.subscribe_control(&worker()).await.unwrap();
        for message in
            [extended(1, 1), extended(2, 1), extended(1, 2), stop(1), extended(1, 3), stop(1), extended(2, 2)]
        {
            broker.send_control(&message).await.unwrap();
        }
        drop(broker);
        let mut received = Vec::new();
        while let Some(message) = stream.next().await {
            received.push(message);
        }
        assert_eq!(received, [stop(1), extended(2, 2)]);
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_broker() {
        let broker = InProcessBroker::default();
        let mut stream = broker.subscribe_control(&worker()).await.unwrap();
        let waiting = tokio::spawn(async move { stream.next().await });
        tokio::task::yield_now().await;
        drop(broker);
        assert_eq!(waiting.await.unwrap(), None);
    }

    #[tokio::test]
    async fn subscribers_that_left_are_forgotten() {
        let broker = InProcessBroker::default();
        for _ in 0..10 {
            drop(broker.subscribe_control(&worker()).await.unwrap());
        }
        let _stream = broker.subscribe_control(&worker()).await.unwrap();
        broker.send_control(&stop(1)).await.unwrap();
        assert_eq!(broker.subscribers().len(), 1);
    }

    #[tokio::test]
    async fn a_scheduler_that_is_far_behind_makes_its_workers_wait() {
        let broker = InProcessBroker::default();
        let event = WorkerEvent::Heartbeat {
            fence: fence(1),
            worker: worker(),
            beat: 1,
            progress: Progress::default(),
        };
        for _ in 0..EVENT_BUFFER {
            broker.send_event(&event).await.unwrap();
        }
        tokio::select! {
            biased;
            _ = broker.send_event(&event) => panic!("the buffer has a bound"),
            () = tokio::task::yield_now() => {}
        }
        assert!(broker.receive_events(1).await.unwrap().acknowledge().await.unwrap());
        broker.send_event(&event).await.unwrap();
    }
}

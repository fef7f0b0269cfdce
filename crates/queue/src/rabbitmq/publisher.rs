//! Sends messages and waits for RabbitMQ's confirmations.
//!
//! Promises: a message is answered for once RabbitMQ has confirmed it, or its time is over; those of one sender that waits
//! for each are sent in order. Where the link breaks, what was not confirmed is sent again on the next: it may arrive twice.
//!
//! One task sends everything, a batch at a time, and waits for all confirmations of a batch before the next. RabbitMQ
//! returns what reaches no queue before it confirms it, but lapin hands a returned message to any of those that are
//! confirmed together. So whose it was is told from its id, once all of the batch are confirmed.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::join_all;
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Confirmation};
use reelfarm_model::WorkerId;
use reelfarm_model::task::Pool;
use tokio::sync::{mpsc, oneshot};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::connection::ConnectError;
use super::link::{Link, LinkChannel};
use super::options::Role;
use super::topology;
use crate::error::BrokerError;
use crate::link::LinkState;

/// Messages that are sent before their confirmations are waited for.
const BATCH: usize = 256;
/// AMQP 0-9-1, basic.properties.delivery-mode.
const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;

/// Something to send.
pub(super) struct Message {
    exchange: &'static str,
    routing_key: ShortString,
    body: Vec<u8>,
    delivery_mode: u8,
    /// Where it has to reach a queue: the pool's, or the scheduler's.
    needs: Option<Needs>,
    action: &'static str,
}

#[derive(Clone, Copy)]
enum Needs {
    Pool(Pool),
    Events,
}

impl Message {
    pub(super) fn task(pool: Pool, body: Vec<u8>) -> Self {
        Self {
            exchange: topology::TASKS,
            routing_key: pool.as_str().into(),
            body,
            delivery_mode: PERSISTENT,
            needs: Some(Needs::Pool(pool)),
            action: "take a task message",
        }
    }

    pub(super) fn event(body: Vec<u8>, transient: bool) -> Self {
        Self {
            exchange: topology::EVENTS,
            routing_key: "".into(),
            body,
            delivery_mode: if transient { TRANSIENT } else { PERSISTENT },
            needs: Some(Needs::Events),
            action: "take an event",
        }
    }

    pub(super) fn control(recipient: Option<&WorkerId>, body: Vec<u8>) -> Self {
        Self {
            exchange: topology::CONTROL,
            routing_key: recipient.map_or_else(|| topology::ALL_WORKERS.into(), topology::worker_key),
            body,
            delivery_mode: TRANSIENT,
            needs: None,
            action: "take a control message",
        }
    }
}

struct Request {
    message: Message,
    deadline: Instant,
    reply: oneshot::Sender<Result<(), BrokerError>>,
}

impl Request {
    fn answer(self, answer: Result<(), BrokerError>) {
        // The sender may have given up.
        drop(self.reply.send(answer));
    }
}

/// What became of one message of a batch.
enum Sent {
    Confirmed,
    /// RabbitMQ said no.
    Nacked,
    /// Nobody knows: to be sent again.
    Unknown(ConnectError),
}

/// What of a batch is to be sent again.
enum Again {
    Together(Vec<Request>),
    /// RabbitMQ closes a channel for one message that it refuses: among several nobody knows for which.
    Alone(Vec<Request>),
}

impl Again {
    fn into_requests(self) -> Vec<Request> {
        let (Self::Together(requests) | Self::Alone(requests)) = self;
        requests
    }
}

/// The handle to the task that sends.
pub(super) struct Publisher {
    link: Arc<Link>,
    requests: mpsc::Sender<Request>,
}

impl Publisher {
    pub(super) fn start(link: Arc<Link>) -> Self {
        let (requests, incoming) = mpsc::channel(BATCH);
        tokio::spawn(run(Arc::clone(&link), incoming));
        Self { link, requests }
    }

    /// Sends a message and waits for its confirmation.
    pub(super) async fn publish(&self, message: Message) -> Result<(), BrokerError> {
        let action = message.action;
        let ended = || self.link.unreachable(action, &"the connection was closed by this program");
        let (reply, answer) = oneshot::channel();
        let deadline = Instant::now() + self.link.options().send_timeout;
        let request = Request { message, deadline, reply };
        self.requests.send(request).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

async fn run(link: Arc<Link>, mut requests: mpsc::Receiver<Request>) {
    let mut channel = None;
    let mut batch = Vec::new();
    while requests.recv_many(&mut batch, BATCH).await > 0 {
        while !batch.is_empty() {
            let again = attempt(&link, &mut channel, std::mem::take(&mut batch)).await;
            match again {
                Again::Together(requests) => batch = requests,
                Again::Alone(requests) => {
                    for request in requests {
                        let mut alone = vec![request];
                        while !alone.is_empty() {
                            alone = attempt(&link, &mut channel, alone).await.into_requests();
                        }
                    }
                }
            }
        }
    }
}

/// Sends a batch once, and answers for all but those that it returns: they are to be sent again.
async fn attempt(link: &Link, channel: &mut Option<LinkChannel>, batch: Vec<Request>) -> Again {
    let now = Instant::now();
    let (late, in_time): (Vec<_>, Vec<_>) = batch.into_iter().partition(|request| request.deadline <= now);
    for request in late {
        let why = match link.state() {
            LinkState::Up => "it did not confirm in time".to_owned(),
            LinkState::Blocked { reason } => format!("it takes no messages: {reason}"),
            LinkState::Down { reason, .. } => reason,
        };
        let action = request.message.action;
        request.answer(Err(link.unreachable(action, &why)));
    }
    let batch: Vec<_> = in_time.into_iter().filter(|request| !request.reply.is_closed()).collect();
    let Some(deadline) = batch.iter().map(|request| request.deadline).min() else {
        return Again::Together(batch);
    };
    let Ok(opened) = timeout_at(deadline, confirming(link, channel)).await else {
        return Again::Together(batch);
    };
    let open = match opened {
        Ok(open) => open,
        Err(error) => {
            let why = error.to_string();
            for request in batch {
                let action = request.message.action;
                request.answer(Err(link.unreachable(action, &why)));
            }
            return Again::Together(Vec::new());
        }
    };
    let (sent, returned) = publish(link, &open, &batch).await;
    if sent.iter().any(|sent| matches!(sent, Sent::Unknown(_))) {
        *channel = None;
        let late = sent.iter().any(|sent| matches!(sent, Sent::Unknown(ConnectError::Timeout(_))));
        // A broker that is short of memory or disk says so and confirms nothing: its link is sound.
        if late && !matches!(link.state(), LinkState::Blocked { .. }) {
            link.suspect(open.connection, "it does not confirm messages");
        }
    }
    let alone = batch.len() == 1;
    let refused = sent.iter().any(|sent| match sent {
        Sent::Unknown(ConnectError::Failed(error)) => {
            topology::is_refusal(error) || topology::is_not_found(error)
        }
        _ => false,
    });
    let (mut again, mut unroutable) = (Vec::new(), Vec::new());
    for ((index, request), sent) in batch.into_iter().enumerate().zip(sent) {
        let action = request.message.action;
        match sent {
            Sent::Confirmed if returned.contains(&index) => unroutable.push(request),
            Sent::Confirmed => request.answer(Ok(())),
            Sent::Nacked => request.answer(Err(link.unreachable(action, &"it could not store the message"))),
            Sent::Unknown(ConnectError::Failed(error)) if alone && topology::is_refusal(&error) => {
                request.answer(Err(link.refused(action, &error)));
            }
            Sent::Unknown(ConnectError::Failed(error)) if alone && topology::is_not_found(&error) => {
                unroutable.push(request);
            }
            Sent::Unknown(_) => again.push(request),
        }
    }
    if !unroutable.is_empty() {
        heal(link).await;
    }
    for request in unroutable {
        match request.message.needs {
            Some(Needs::Pool(pool)) => request.answer(Err(BrokerError::Unroutable { pool })),
            Some(Needs::Events) | None => again.push(request),
        }
    }
    if refused { Again::Alone(again) } else { Again::Together(again) }
}

/// A channel that confirms, on a link that takes messages.
async fn confirming(link: &Link, channel: &mut Option<LinkChannel>) -> Result<LinkChannel, BrokerError> {
    loop {
        link.unblocked().await;
        if let Some(open) = channel.as_ref().filter(|channel| channel.inner.status().connected()) {
            return Ok(open.clone());
        }
        let opened = link.channel().await?;
        match link.answer(opened.inner.confirm_select(ConfirmSelectOptions::default())).await {
            Ok(()) => *channel = Some(opened),
            Err(_) => link.suspect(opened.connection, "it does not answer"),
        }
    }
}

/// Sends all of a batch, waits for all confirmations, and answers which of them reached no queue.
async fn publish(link: &Link, channel: &LinkChannel, batch: &[Request]) -> (Vec<Sent>, HashSet<usize>) {
    let limit = link.options().confirm_timeout;
    let deadline = Instant::now() + limit;
    let send = async |(index, request): (usize, &Request)| {
        timeout_at(deadline, publish_one(channel, index, &request.message)).await
    };
    let answers = join_all(batch.iter().enumerate().map(send)).await;
    let mut returned = HashSet::new();
    let mut understand = |answer: Result<lapin::Result<Confirmation>, Elapsed>| match answer {
        Ok(Ok(Confirmation::Ack(message))) => {
            returned.extend(message.and_then(|message| number_of(&message)));
            Sent::Confirmed
        }
        Ok(Ok(Confirmation::Nack(_) | Confirmation::NotRequested)) => Sent::Nacked,
        Ok(Err(error)) => Sent::Unknown(ConnectError::Failed(error)),
        Err(_) => Sent::Unknown(ConnectError::Timeout(limit)),
    };
    let sent = answers.into_iter().map(&mut understand).collect();
    (sent, returned)
}

/// Which message of its batch was returned.
fn number_of(message: &BasicReturnMessage) -> Option<usize> {
    message.properties.message_id().as_ref()?.as_str().parse().ok()
}

async fn publish_one(channel: &LinkChannel, index: usize, message: &Message) -> lapin::Result<Confirmation> {
    let options =
        BasicPublishOptions { mandatory: message.needs.is_some(), ..BasicPublishOptions::default() };
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(message.delivery_mode)
        .with_message_id(index.to_string().into());
    let (exchange, key) = (message.exchange.into(), message.routing_key.clone());
    channel.inner.basic_publish(exchange, key, options, &message.body, properties).await?.await
}

/// Somebody has deleted a queue, or none has been declared yet. It is declared where that is for this program to do; else a
/// while is waited for whoever does.
async fn heal(link: &Link) {
    let broker = link.options().address();
    if link.options().role != Role::Scheduler {
        tracing::warn!(%broker, "no scheduler has declared the queues yet, waiting");
        return sleep(link.pauses().next()).await;
    }
    tracing::warn!(%broker, "a queue is missing, declaring all");
    // Who waits for an answer to what was published does not wait for the link to come back as well.
    match timeout(link.options().answer_timeout, link.declare()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%broker, %error, "queues not declared"),
        Err(_) => tracing::warn!(%broker, "queues not declared in time"),
    }
}

//! Somebody at the broker who takes messages away, delivers them twice and sends what nobody understands; and an account of
//! the dead letters that come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use reelfarm_model::message::{FORMAT, TaskMessage, decode};
use reelfarm_model::task::Pool;

/// Gets a copy of every task message.
const COPIES: &str = "soak.copies";
/// Copies that are kept, the newest.
const COPIES_KEPT: i32 = 50;
const DEAD: &str = "reelfarm.dead";
/// How long the broker may take; under faults it may not be there at all.
const PATIENCE: Duration = Duration::from_secs(5);
/// What messages that nobody understands begin with.
const MARK: &str = "soak-letter-";

/// Meddles with messages, as the broker's administrator.
pub(super) struct Meddler {
    url: String,
    /// Letters that were sent, each with the number of times that the broker had been killed before.
    sent: BTreeMap<String, u64>,
    /// Letters that were taken away before anybody met them.
    taken: BTreeSet<String>,
    /// How often the broker was killed.
    kills: u64,
}

impl Meddler {
    /// Begins to copy task messages, once the schedulers have declared where they go.
    pub(super) async fn start(url: String) -> Self {
        let meddler = Self { url, sent: BTreeMap::new(), taken: BTreeSet::new(), kills: 0 };
        let start = Instant::now();
        while meddler.with_channel(async |channel| copy_tasks(channel).await).await.is_none() {
            assert!(
                start.elapsed() < crate::farm::PATIENCE,
                "no scheduler has declared the exchange of tasks"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        meddler
    }

    /// Does something on a channel of its own; `None` where the broker does not let it.
    async fn with_channel<T>(&self, work: impl AsyncFnOnce(&Channel) -> lapin::Result<T>) -> Option<T> {
        let doing = async {
            let connection = Connection::connect(&self.url, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let done = work(&channel).await?;
            connection.close(200, "done".into()).await?;
            Ok::<T, lapin::Error>(done)
        };
        tokio::time::timeout(PATIENCE, doing).await.ok()?.ok()
    }

    /// Notes that the broker was killed: what it held in its queues may have gone or come back.
    pub(super) fn broker_killed(&mut self) {
        self.kills += 1;
    }

    /// Takes all messages out of a queue.
    pub(super) async fn purge(&mut self, queue: &str) -> bool {
        let mut taken = Vec::new();
        let done = self.with_channel(async |channel| take_all(channel, queue, &mut taken).await).await;
        // Also those of a purge that was cut off.
        self.taken.extend(taken.iter().filter_map(|body| letter_in(body)));
        done.is_some()
    }

    /// Delivers a copy of a task message again, mostly of one of the latest, to whose attempt the fence may still belong.
    pub(super) async fn duplicate(&self, choice: usize) -> bool {
        let done = self.with_channel(async |channel| {
            let mut copies = Vec::new();
            take_all(channel, COPIES, &mut copies).await?;
            let Some(last) = copies.len().checked_sub(1) else { return Ok(false) };
            let back = if choice.is_multiple_of(4) { choice % copies.len() } else { choice % 3 };
            let copy = &copies[last.saturating_sub(back)];
            let message: TaskMessage = decode(copy).unwrap();
            publish(channel, &task_queue(message.pool()), copy).await?;
            Ok(true)
        });
        done.await.unwrap_or(false)
    }

    /// Sends a message that nobody understands to a pool, and answers whether the broker has it.
    pub(super) async fn send_undecodable(&mut self, choice: usize) -> bool {
        let letter = format!("{MARK}{}", self.sent.len() + 1);
        let body = match choice % 3 {
            0 => letter.clone(),
            1 => format!(r#"{{"format": 99, "message": "{letter}"}}"#),
            _ => format!(r#"{{"format": {FORMAT}, "message": {{"letter": "{letter}"}}}}"#),
        };
        let queue = task_queue(Pool::ALL[choice / 3 % Pool::ALL.len()]);
        // Noted before, because an answer may be lost.
        self.sent.insert(letter.clone(), self.kills);
        let sent = self
            .with_channel(async |channel| publish(channel, &queue, body.as_bytes()).await)
            .await
            .is_some();
        if !sent {
            self.taken.insert(letter);
        }
        sent
    }

    /// Judges the dead letters: all of them are those that were sent here, and those that no fault can have taken are all
    /// there. Answers how many there are.
    pub(super) async fn judge(&self) -> usize {
        let certain = |(letter, kills): (&String, &u64)| {
            (*kills == self.kills && !self.taken.contains(letter)).then(|| letter.clone())
        };
        let certain: BTreeSet<String> = self.sent.iter().filter_map(certain).collect();
        let (mut dead, start) = (BTreeSet::new(), Instant::now());
        loop {
            let mut bodies = Vec::new();
            let all = self.with_channel(async |channel| take_all(channel, DEAD, &mut bodies).await).await;
            let named = |body: &Vec<u8>| {
                letter_in(body).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())
            };
            dead.extend(bodies.iter().map(named));
            let unexpected: Vec<_> = dead.iter().filter(|letter| !self.sent.contains_key(*letter)).collect();
            assert_eq!(unexpected, [""; 0], "dead letters of the farm's own");
            if all.is_some() && certain.is_subset(&dead) {
                return dead.len();
            }
            let missing: Vec<_> = certain.difference(&dead).collect();
            assert!(
                start.elapsed() < crate::farm::PATIENCE,
                "messages that nobody understands are gone: {missing:?}"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn task_queue(pool: Pool) -> String {
    format!("reelfarm.tasks.{}", pool.as_str())
}

/// The letter that a message holds.
fn letter_in(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let rest = &text[text.find(MARK)? + MARK.len()..];
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(format!("{MARK}{number}"))
}

async fn copy_tasks(channel: &Channel) -> lapin::Result<()> {
    let mut bounded = FieldTable::default();
    bounded.insert("x-max-length".into(), AMQPValue::LongInt(COPIES_KEPT));
    channel.queue_declare(COPIES.into(), QueueDeclareOptions::durable(), bounded).await?;
    for pool in Pool::ALL {
        let (exchange, key) = ("reelfarm.tasks".into(), pool.as_str().into());
        channel
            .queue_bind(COPIES.into(), exchange, key, QueueBindOptions::default(), FieldTable::default())
            .await?;
    }
    Ok(())
}

/// Takes all messages that lie in a queue, the oldest first.
async fn take_all(channel: &Channel, queue: &str, bodies: &mut Vec<Vec<u8>>) -> lapin::Result<()> {
    while let Some(message) = channel.basic_get(queue.into(), BasicGetOptions::default()).await? {
        message.delivery.ack(BasicAckOptions::default()).await?;
        bodies.push(message.delivery.data);
    }
    Ok(())
}

/// Puts a persistent message into a queue, and waits until the broker has it.
async fn publish(channel: &Channel, queue: &str, body: &[u8]) -> lapin::Result<()> {
    let (options, properties) =
        (BasicPublishOptions::default(), BasicProperties::default().with_delivery_mode(2));
    channel.basic_publish("".into(), queue.into(), options, body, properties).await?.await?;
    Ok(())
}

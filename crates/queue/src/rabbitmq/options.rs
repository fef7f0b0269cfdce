//! What a connection to RabbitMQ needs to know.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lapin::uri::AMQPUri;

use super::address::{BrokerAddress, InvalidBrokerUrl};

/// What a program is in the farm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It declares exchanges and queues.
    Scheduler,
    /// It relies on them, and waits until a scheduler has declared them.
    Worker,
}

/// How RabbitMQ is reached. The times have defaults for production.
#[derive(Clone)]
pub struct RabbitMqOptions {
    pub(super) uri: AMQPUri,
    /// What this program is.
    pub role: Role,
    /// What RabbitMQ's own lists call the connection, such as a worker's id.
    pub name: String,
    /// Certificates in PEM form that are trusted beside those of the system, for `amqps`.
    pub certificates: Option<String>,
    /// Called for each message that could not be read.
    pub on_not_understood: Arc<dyn Fn() + Send + Sync>,
    /// How long connecting may take, and any one answer of RabbitMQ.
    pub answer_timeout: Duration,
    /// How long RabbitMQ may take to confirm a message before its link is taken for broken.
    pub confirm_timeout: Duration,
    /// How long a message may wait for its confirmation all in all, while links break and are made anew.
    pub send_timeout: Duration,
    /// The interval of heartbeats, in whole seconds. A link on which nothing was heard for two of them is broken.
    pub heartbeat: Duration,
    /// The longest pause between two tries to connect; the first is a hundredth of it.
    pub longest_pause: Duration,
}

impl RabbitMqOptions {
    /// Options for a broker's URL: `amqp://user:password@host:port/virtual-host`, or `amqps` for TLS.
    ///
    /// # Errors
    /// It is no such URL.
    pub fn new(url: &str, role: Role, name: impl Into<String>) -> Result<Self, InvalidBrokerUrl> {
        let invalid = |reason: String| InvalidBrokerUrl { reason };
        let uri: AMQPUri = url.parse().map_err(|reason: String| {
            // Some of these repeat the URL.
            let known = ["Invalid AMQP scheme", "relative URL", "invalid port", "empty host"];
            invalid(if known.iter().any(|known| reason.starts_with(known)) {
                reason
            } else {
                "it cannot be parsed".into()
            })
        })?;
        if uri.vhost.is_empty() {
            return Err(invalid("its virtual host is empty; write %2F for the one called /".into()));
        }
        Ok(Self {
            uri,
            role,
            name: name.into(),
            certificates: None,
            on_not_understood: Arc::new(|| ()),
            answer_timeout: Duration::from_secs(10),
            confirm_timeout: Duration::from_secs(10),
            send_timeout: Duration::from_secs(30),
            heartbeat: Duration::from_secs(10),
            longest_pause: Duration::from_secs(10),
        })
    }

    /// The broker, in a form that may be shown.
    pub fn address(&self) -> BrokerAddress {
        BrokerAddress::of(&self.uri)
    }
}

impl fmt::Debug for RabbitMqOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMqOptions")
            .field("address", &self.address().to_string())
            .field("role", &self.role)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_shown_without_its_password() {
        let options =
            RabbitMqOptions::new("amqp://some%40body:s3cr%2Fet@host:5673/a%2Fb", Role::Worker, "w").unwrap();
        assert_eq!(options.address().to_string(), "amqp://host:5673/a/b");
        assert_eq!(options.uri.authority.userinfo.password, "s3cr/et");
        let shown = format!("{options:?}");
        assert!(shown.contains("host:5673") && !shown.contains("s3cr") && !shown.contains("body"), "{shown}");
    }

    #[test]
    fn what_is_no_url_is_refused_without_repeating_it() {
        for (url, reason) in [
            ("http://u:s3cret@host/", "Invalid AMQP scheme: http"),
            ("amqp://u:s3cret@host/", "its virtual host is empty; write %2F for the one called /"),
            ("amqp://u:s3cret@host:99999/v", "invalid port number"),
            ("u:s3cret@host", "it cannot be parsed"),
            ("s3cret", "relative URL without a base"),
        ] {
            let error = RabbitMqOptions::new(url, Role::Worker, "w").unwrap_err().to_string();
            assert!(error.ends_with(reason) && !error.contains("s3cret"), "{error}");
        }
    }
}

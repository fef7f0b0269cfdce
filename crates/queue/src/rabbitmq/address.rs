//! Where a broker is, in a form that may be shown to anybody.

use std::fmt;

use lapin::uri::AMQPUri;

/// A text is not the URL of a broker.
#[derive(Debug, thiserror::Error)]
#[error("not a broker's URL such as amqp://user:password@host:5672/virtual-host: {reason}")]
pub struct InvalidBrokerUrl {
    // Never the text itself: it holds a password.
    pub(super) reason: String,
}

/// A broker's host, port and virtual host, without user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress(String);

impl BrokerAddress {
    pub(super) fn of(uri: &AMQPUri) -> Self {
        let AMQPUri { scheme, authority, vhost, .. } = uri;
        Self(format!("{scheme}://{}:{}/{vhost}", authority.host, authority.port))
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What went wrong with which broker.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {what}")]
pub(super) struct AtBroker {
    pub(super) address: BrokerAddress,
    pub(super) what: String,
}

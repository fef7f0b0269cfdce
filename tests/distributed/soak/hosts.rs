//! Hosts of a farm under faults: each runs a scheduler or a worker, and starts it again when it ends, as a service manager
//! does.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use rustix::process::Signal;

use crate::farm::LEASE;
use crate::site::{Process, Site};

/// `reelfarm` could not reach a server.
const UNREACHABLE: i32 = 5;
/// It ended because it was told to: SIGTERM.
const TOLD_TO_END: i32 = 143;
/// How long a service manager waits before it starts something again.
const BEFORE_RESTART: Duration = Duration::from_millis(500);

/// What a host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Scheduler { address: SocketAddr },
    Worker,
}

/// A host with its one process.
pub(super) struct Host {
    site: Site,
    pub(super) name: String,
    pub(super) role: Role,
    broker_url: String,
    pub(super) process: Process,
    /// How many processes ran here.
    starts: u32,
    /// How often the process ended by itself because it could not reach a server.
    pub(super) restarts: u64,
}

impl Host {
    pub(super) fn start(site: &Site, name: &str, role: Role, broker_url: &str) -> Self {
        let process = launch(site, name, name, role, broker_url);
        let (site, name, broker_url) = (site.clone(), name.to_owned(), broker_url.to_owned());
        Self { site, name, role, broker_url, process, starts: 1, restarts: 0 }
    }

    /// Starts the next process. A worker has its host's name or one of its own: both are found in the field.
    pub(super) fn start_again(&mut self) {
        self.starts += 1;
        let name = if self.starts.is_multiple_of(2) {
            format!("{}.{}", self.name, self.starts)
        } else {
            self.name.clone()
        };
        self.process = launch(&self.site, &self.name, &name, self.role, &self.broker_url);
    }

    pub(super) async fn kill(&mut self) {
        self.process.kill().await;
        self.start_again();
    }

    pub(super) async fn pause(&mut self, lasts: Duration) {
        self.process.signal(Signal::STOP);
        tokio::time::sleep(lasts).await;
        self.process.signal(Signal::CONT);
    }

    /// Tells the process to end, a second time where it hurries, and starts another.
    pub(super) async fn end(&mut self, hurries: bool) {
        let said_before = self.process.log().matches("draining").count();
        self.process.signal(Signal::TERM);
        while hurries && self.process.ended().is_none() {
            if self.process.log().matches("draining").count() > said_before {
                self.process.signal(Signal::TERM);
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let status = self.process.end().await;
        // One that had only just started does not listen to signals yet, or had found no server.
        let is_right = matches!(status.code(), Some(TOLD_TO_END | UNREACHABLE))
            || status.signal() == Some(Signal::TERM.as_raw());
        assert!(is_right, "{} was told to end: {status}\n{}", self.name, self.process.tail());
        self.start_again();
    }

    /// Starts the process again where it has ended because a server was not there; nothing else may end it.
    pub(super) async fn look_after(&mut self) {
        let Some(status) = self.process.ended() else { return };
        assert_eq!(
            status.code(),
            Some(UNREACHABLE),
            "{} ended: {status}\n{}",
            self.name,
            self.process.tail()
        );
        self.restarts += 1;
        tokio::time::sleep(BEFORE_RESTART).await;
        self.start_again();
    }
}

fn launch(site: &Site, host: &str, name: &str, role: Role, broker_url: &str) -> Process {
    match role {
        Role::Scheduler { address } => {
            site.launch(host, site.scheduler_command(host, address, broker_url, LEASE), Some(address))
        }
        Role::Worker => site.launch(host, site.worker_command(host, name, broker_url), None),
    }
}

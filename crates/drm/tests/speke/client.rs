//! Clients as the tests need them, which do not wait long.

use std::time::Duration;

use reelfarm_drm::speke::{Patience, SpekeOptions, SpekeServer};
use reelfarm_drm::{KeyError, KeyProvider as _, KeyRequest, KeyUris, TitleKeys};
use reelfarm_model::KeyDivision;
use reelfarm_model::profile::{DrmSystem, Scheme};

use crate::key_server::{Authority, KeyServer};

/// A client of this server that gives up after three attempts.
pub fn options(server: &KeyServer, authority: &Authority) -> SpekeOptions {
    let mut options = SpekeOptions::new(&server.url);
    options.authority_file = Some(authority.certificate_file());
    options.patience = Patience {
        connect: Duration::from_secs(10),
        exchange: Duration::from_secs(20),
        attempts: 3,
        first_wait: Duration::from_millis(2),
        longest_wait: Duration::from_secs(5),
    };
    options
}

/// The keys of "film", for every system that the scheme is used with.
pub fn request(division: KeyDivision, scheme: Scheme) -> KeyRequest {
    let systems = match scheme {
        Scheme::Cenc => vec![
            DrmSystem::Widevine,
            DrmSystem::Playready,
            DrmSystem::Marlin,
            DrmSystem::Verimatrix,
            DrmSystem::Clearkey,
        ],
        Scheme::Cbcs => vec![DrmSystem::Widevine, DrmSystem::Playready, DrmSystem::Fairplay],
        Scheme::SampleAes => vec![DrmSystem::Fairplay],
        Scheme::Aes128 => vec![DrmSystem::Clearkey, DrmSystem::Verimatrix],
    };
    KeyRequest { title: "film".parse().unwrap(), division, scheme, systems: systems.into_iter().collect() }
}

/// Asks for one key for "film", in the scheme that most is said in.
pub async fn ask(options: &SpekeOptions) -> Result<TitleKeys, KeyError> {
    let server = SpekeServer::new(options, KeyUris::default()).unwrap();
    server.keys(&request(KeyDivision::Title, Scheme::Cbcs)).await
}

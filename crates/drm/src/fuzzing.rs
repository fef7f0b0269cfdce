//! Readers that are the crate's own, as functions of bytes for fuzz targets. What they read is dropped.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use reelfarm_model::profile::{DrmSystem, Scheme};
use reelfarm_model::{KeyDivision, TitleId};

use crate::provider::KeyRequest;
use crate::{given, speke};

/// What is asked for a title named `film`: by division and scheme, each of all systems.
static REQUESTS: LazyLock<Vec<KeyRequest>> = LazyLock::new(|| {
    let systems: BTreeSet<_> = SYSTEMS.into();
    let asked = [
        (KeyDivision::Title, Scheme::Cenc),
        (KeyDivision::Title, Scheme::Cbcs),
        (KeyDivision::Title, Scheme::Aes128),
    ];
    let title: Option<TitleId> = "film".parse().ok();
    let request = |(division, scheme)| {
        Some(KeyRequest { title: title.clone()?, division, scheme, systems: systems.clone() })
    };
    asked.into_iter().filter_map(request).collect()
});

const SYSTEMS: [DrmSystem; 3] = [DrmSystem::Widevine, DrmSystem::Playready, DrmSystem::Fairplay];

/// A key server's answer, held against each of several requests.
pub fn key_server_answer(bytes: &[u8]) -> bool {
    REQUESTS.iter().any(|request| speke::takes_answer(bytes, request, &SYSTEMS.into()))
}

/// The operator's file of keys.
pub fn keys_file(bytes: &[u8]) {
    given::read_document(bytes);
}

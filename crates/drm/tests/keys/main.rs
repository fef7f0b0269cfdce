//! Keys as the farm handles them: made, given, kept, told to players, and never seen.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bundle;
mod given;
mod master;
mod packager;
mod secrecy;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use reelfarm_drm::KeyRequest;
use reelfarm_model::KeyDivision;
use reelfarm_model::profile::{DrmSystem, Scheme};

/// Writes a file with these permissions.
fn write(folder: &Path, name: &str, content: &str, mode: u32) -> PathBuf {
    let path = folder.join(name);
    fs_err::write(&path, content).unwrap();
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// Asks for a title's keys for every system.
fn request(title: &str, division: KeyDivision, scheme: Scheme) -> KeyRequest {
    let systems = BTreeSet::from(DrmSystem::ALL);
    KeyRequest { title: title.parse().unwrap(), division, scheme, systems }
}

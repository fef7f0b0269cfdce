//! Settings of encryption: who gives keys, and what the rights to titles allow.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reelfarm_drm::speke::{ClientCertificate, SpekeOptions, SpekeServer};
use reelfarm_drm::{GivenKeys, KeyProvider, MasterSecret};
use reelfarm_model::profile::DrmSystem;
use reelfarm_model::{Code, Failure, KeyDivision, KeySource, KeyUris, Profile, Protection, Rights, TitleId};
use reelfarm_workers::KeyRing;
use serde::Deserialize;

/// The master secret's file in the state folder, where none is set.
const MASTER_SECRET: &str = "master-secret";
/// Names the master secret's file, before the project file does.
const MASTER_SECRET_VARIABLE: &str = "REELFARM_MASTER_SECRET_FILE";

/// The table `drm` of a project file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrmSettings {
    /// The file of the master secret, made by the first run; otherwise `master-secret` in the state folder.
    master_secret_file: Option<PathBuf>,
    /// As `--keys`.
    keys_file: Option<PathBuf>,
    /// Whether a title has one key or one for each quality.
    division: KeyDivision,
    /// As `--drm`.
    systems: Option<BTreeSet<DrmSystem>>,
    /// As `--no-clear`.
    no_clear: bool,
    /// Where players ask for FairPlay keys; see [`KeyUris`].
    fairplay_uri: Option<String>,
    /// The name of the key file of AES-128 without a DRM system.
    clearkey_uri: Option<String>,
    /// Where players ask for Verimatrix keys.
    verimatrix_uri: Option<String>,
    key_server: Option<KeyServer>,
}

/// The table `drm.key_server`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyServer {
    url: String,
    credentials_file: Option<PathBuf>,
    authority_file: Option<PathBuf>,
    client_certificate_file: Option<PathBuf>,
    client_key_file: Option<PathBuf>,
    systems: Option<BTreeSet<DrmSystem>>,
    /// The longest that one exchange may take.
    timeout_seconds: Option<NonZeroU32>,
    /// How often it is asked in one attempt at a title's keys.
    attempts: Option<NonZeroU32>,
}

/// Who gives the keys of a farm, and what players are told of them.
#[derive(Clone)]
pub struct Keys {
    /// What workers have.
    pub ring: KeyRing,
    /// The key server of the ring.
    server: Option<Arc<SpekeServer>>,
    division: KeyDivision,
    uris: KeyUris,
}

impl DrmSettings {
    /// What the rights to the titles of a call allow.
    pub fn rights(&self, systems: Option<&[DrmSystem]>, no_clear: bool) -> Rights {
        let flag = systems.map(|systems| systems.iter().copied().collect::<BTreeSet<_>>());
        let systems = match (flag, &self.systems) {
            (Some(flag), Some(file)) => Some(flag.intersection(file).copied().collect()),
            (flag, file) => flag.or_else(|| file.clone()),
        };
        Rights { systems, no_clear: no_clear || self.no_clear }
    }

    /// Looks for the master secret where workers on several hosts need the same one, which none of them may make.
    ///
    /// # Errors
    /// There is no such file.
    pub fn shared_secret(&self, state: &Path) -> Result<(), Failure> {
        let file = self.master_secret(state);
        if file.exists() {
            return Ok(());
        }
        let message = format!(
            "there is no master secret at {}: all workers of a farm need the same one. Make it once (its line is `1:` and 64 random hexadecimal digits, mode 0600), bring it to each host, and name it by {MASTER_SECRET_VARIABLE}",
            file.display()
        );
        Err(Failure::new(Code::MasterSecretUnusable, message))
    }

    fn master_secret(&self, state: &Path) -> PathBuf {
        let file = std::env::var_os(MASTER_SECRET_VARIABLE).map(PathBuf::from);
        file.or_else(|| self.master_secret_file.clone()).unwrap_or_else(|| state.join(MASTER_SECRET))
    }

    /// Gets the master secret, the operator's keys and the key server ready. Blocks on I/O.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub fn keys(&self, state: &Path, keys_file: Option<&Path>) -> Result<Keys, Failure> {
        let refuse = |reason: String| Failure::new(Code::SettingsInvalid, format!("drm: {reason}"));
        let uris = self.uris()?;
        let checked = reelfarm_drm::KeyUris::new(&uris.fairplay, &uris.clearkey, &uris.verimatrix)
            .map_err(|error| refuse(error.to_string()))?;
        let master = Arc::new(MasterSecret::load_or_create(&self.master_secret(state))?);
        let given = keys_file
            .or(self.keys_file.as_deref())
            .map(|file| GivenKeys::load(file, checked.clone()))
            .transpose()?;
        let server = match &self.key_server {
            None => None,
            Some(settings) => {
                let options = settings.options().map_err(refuse)?;
                let server =
                    SpekeServer::new(&options, checked).map_err(|error| refuse(error.to_string()))?;
                Some(Arc::new(server))
            }
        };
        let asked = server.clone().map(|server| (server.url().to_owned(), server as Arc<dyn KeyProvider>));
        Ok(Keys { ring: KeyRing { master, given, server: asked }, server, division: self.division, uris })
    }

    /// The templates, those left out as they are by default.
    fn uris(&self) -> Result<KeyUris, Failure> {
        let default = || {
            let text = serde_json::to_value(reelfarm_drm::KeyUris::default())?;
            serde_json::from_value::<KeyUris>(text)
        };
        let default = default().map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
        Ok(KeyUris {
            fairplay: self.fairplay_uri.clone().unwrap_or(default.fairplay),
            clearkey: self.clearkey_uri.clone().unwrap_or(default.clearkey),
            verimatrix: self.verimatrix_uri.clone().unwrap_or(default.verimatrix),
        })
    }
}

impl reelfarm_scheduler::api::Protect for Keys {
    fn protection(
        &self,
        title: &TitleId,
        before: Option<&Protection>,
        new_keys: bool,
    ) -> Result<Protection, Failure> {
        Keys::protection(self, title, before, new_keys)
    }

    fn are_in_reach(
        &self,
        title: &TitleId,
        protection: &Protection,
        profiles: &[Profile],
        list: &[Profile],
    ) -> Result<(), Failure> {
        Keys::are_in_reach(self, title, protection, profiles, list)
    }
}

impl KeyServer {
    fn options(&self) -> Result<SpekeOptions, String> {
        let client_certificate = match (&self.client_certificate_file, &self.client_key_file) {
            (None, None) => None,
            (Some(certificate_file), Some(key_file)) => Some(ClientCertificate {
                certificate_file: certificate_file.clone(),
                key_file: key_file.clone(),
            }),
            _ => return Err("client_certificate_file and client_key_file go together".to_owned()),
        };
        let default = SpekeOptions::new(&self.url);
        let mut patience = default.patience.clone();
        if let Some(seconds) = self.timeout_seconds {
            patience.exchange = Duration::from_secs(seconds.get().into());
            patience.connect = patience.connect.min(patience.exchange);
        }
        patience.attempts = self.attempts.map_or(patience.attempts, NonZeroU32::get);
        Ok(SpekeOptions {
            patience,
            credentials_file: self.credentials_file.clone(),
            client_certificate,
            authority_file: self.authority_file.clone(),
            systems: self.systems.clone().unwrap_or(default.systems.clone()),
            ..default
        })
    }
}

impl Keys {
    /// How a title with encrypted profiles gets its keys: from the operator's file before the key server, and from that
    /// before the master secret. `before` is how it got them so far: an older version of the master secret goes on, and
    /// so does its division; any other change must be wished for, because it makes every licence useless.
    ///
    /// # Errors
    /// [`Code::KeyMissing`]: the operator's file has none for it. [`Code::KeysDiffer`]: they would not be those of before.
    pub fn protection(
        &self,
        title: &TitleId,
        before: Option<&Protection>,
        new_keys: bool,
    ) -> Result<Protection, Failure> {
        let mut source = match (&self.ring.given, &self.server) {
            (Some(given), _) => {
                let key = given.fingerprint(title).ok_or_else(|| {
                    let reason = "the file given as --keys has neither the title nor \"*\"";
                    Failure::new(
                        Code::KeyMissing,
                        format!("there is no content key for title {title}: {reason}"),
                    )
                })?;
                KeySource::Given { key }
            }
            (None, Some(server)) => KeySource::Server { url: server.url().to_owned() },
            (None, None) => KeySource::MasterSecret { secret: self.ring.master.fingerprint() },
        };
        let before = before.filter(|_| !new_keys);
        if let Some(before) = before {
            if let (KeySource::MasterSecret { .. }, KeySource::MasterSecret { secret }) =
                (&source, &before.source)
                && self.ring.master.version_of(secret).is_some()
            {
                source = before.source.clone();
            }
            if source != before.source {
                let from = match before.source {
                    KeySource::MasterSecret { .. } => "from another master secret",
                    KeySource::Given { .. } => {
                        "from a file given as --keys, which held another key or is not given now"
                    }
                    KeySource::Server { .. } => "from another key server",
                };
                return Err(Failure::new(
                    Code::KeysDiffer,
                    format!(
                        "title {title} has keys {from}; give those again, or say --new-keys, which makes its licences useless"
                    ),
                ));
            }
        }
        let division = before.map_or(self.division, |before| before.division);
        Ok(Protection { source, division, uris: self.uris.clone() })
    }

    /// Refuses profiles whose players could not get the title's keys: better now than after the encodes. `list` are all
    /// profiles of the farm: a server is asked for their systems together.
    ///
    /// # Errors
    /// [`Code::KeyOutOfReach`].
    pub fn are_in_reach(
        &self,
        title: &TitleId,
        protection: &Protection,
        profiles: &[Profile],
        list: &[Profile],
    ) -> Result<(), Failure> {
        let (Some(server), KeySource::Server { .. }) = (&self.server, &protection.source) else {
            return Ok(());
        };
        let is_out_of_reach = |profile: &&Profile| {
            let Some(scheme) = profile.scheme else { return false };
            let of_scheme = list.iter().filter(|other| other.scheme == Some(scheme));
            let systems = of_scheme.flat_map(|other| other.drm.iter().copied()).collect();
            profile.drm.iter().any(|system| !server.can_tell(*system, scheme, &systems))
        };
        let lost: Vec<_> =
            profiles.iter().filter(is_out_of_reach).map(|profile| profile.id.as_str()).collect();
        if lost.is_empty() {
            return Ok(());
        }
        Err(Failure::new(
            Code::KeyOutOfReach,
            format!(
                "title {title}: players of {} could not get their key: the key server {} gives it, and \"clearkey\" is not among its systems; name it there if the server knows it, or ask for other profiles (--profiles, --no-clear)",
                lost.join(", "),
                server.url(),
            ),
        ))
    }
}

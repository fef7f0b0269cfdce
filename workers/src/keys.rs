//! The keys of a worker: who gives them, and what keeps them.

use std::sync::Arc;

use reelfarm_drm::{
    DerivedKeys, GivenKeys, KeyBundle, KeyProvider, KeyRequest, KeyUris, MasterSecret, TitleKeys,
};
use reelfarm_model::task::KeysSpec;
use reelfarm_model::{Code, Failure, KeySource, TitleId};

/// Gives titles their keys, and opens those that were wrapped.
#[derive(Clone)]
pub struct KeyRing {
    /// Wraps keys, and is what others are derived from.
    pub master: Arc<MasterSecret>,
    /// Those of the operator's file, where one was given.
    pub given: Option<GivenKeys>,
    /// The key server with its URL, where there is one.
    pub server: Option<(String, Arc<dyn KeyProvider>)>,
}

impl KeyRing {
    /// The keys of a title from where the specification says, wrapped.
    ///
    /// # Errors
    /// That place gives none, or it is not the one that the title was planned with.
    pub(crate) async fn provide(&self, spec: &KeysSpec) -> Result<KeyBundle, Failure> {
        let request = KeyRequest {
            title: spec.title.clone(),
            division: spec.division,
            scheme: spec.scheme,
            systems: spec.systems.clone(),
        };
        let uris = KeyUris::new(&spec.uris.fairplay, &spec.uris.clearkey, &spec.uris.verimatrix)
            .map_err(|error| Failure::new(Code::SettingsInvalid, error.to_string()))?;
        let missing = |reason: &str| {
            let message = format!("there is no content key for title {}: {reason}", spec.title);
            Failure::new(Code::KeyMissing, message)
        };
        let keys = match &spec.source {
            KeySource::MasterSecret { secret } => {
                let version = self.master.version_of(secret).ok_or_else(|| {
                    missing("it was submitted under a master secret that is not there; put it back, or submit it again")
                })?;
                DerivedKeys::new(self.master.clone(), uris).of_version(version).keys(&request).await?
            }
            KeySource::Given { key } => {
                let given = self.given.as_ref().filter(|given| given.fingerprint(&spec.title) == Some(*key));
                let given = given
                    .ok_or_else(|| missing("its key came from a file; submit it again with --keys FILE"))?;
                given.with_uris(uris).keys(&request).await?
            }
            KeySource::Server { url } => {
                let server = self.server.as_ref().filter(|(known, _)| known == url);
                let (_, server) = server
                    .ok_or_else(|| missing("it was submitted for another key server; submit it again"))?;
                server.keys(&request).await?
            }
        };
        Ok(KeyBundle::seal(&keys, &spec.title, &self.master)?)
    }

    /// Keys that were wrapped for a title.
    ///
    /// # Errors
    /// The master secret is not the one that wrapped them, or they are damaged.
    pub(crate) fn open(&self, bundle: &KeyBundle, title: &TitleId) -> Result<TitleKeys, Failure> {
        Ok(bundle.open(title, &self.master)?)
    }
}

//! Artifacts, wherever they lie: in a folder, or in a bucket with copies on this host.

mod collect;
mod folders;
mod objects;
mod pack;
mod prepare;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::{ArtifactKey, Code, Digest, Failure, Fence, SourceReference};
use tokio_util::sync::CancellationToken;

use crate::artifact::Artifact;
use crate::blocking::blocking;
use crate::bucket::{Bucket, S3Access};
use crate::cache::{Cache, CacheSettings};
use crate::error::ArtifactError;
use crate::folder::{self, Disk};
use crate::location::{BucketLocation, Location};
use crate::origin::{Origin, OriginError};
use crate::source::{LocalSource, SourceSettings, Sources};
use crate::source_uploads::{self, SourceUploads};
use crate::staging::{self, StagedAttempts, Staging};
use crate::storage::StorageSettings;
pub use collect::Collection;
use folders::{Depth, Folders};
use objects::Objects;

/// Artifacts that are asked for at once.
const AT_ONCE: usize = 16;

/// The artifacts of a farm. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ArtifactStore {
    form: Form,
    outside: Arc<Outside>,
}

/// What lies outside the store and is reached through it.
#[derive(Debug, Default)]
struct Outside {
    origins: S3Access,
    /// Origins in buckets that were opened.
    opened: Mutex<HashMap<String, Origin>>,
    sources: Option<Sources>,
    /// What people have sent into the artifacts' bucket.
    sent: Option<Sources>,
}

impl Outside {
    fn origin(&self, origin: &str) -> Result<Origin, OriginError> {
        if !matches!(Location::parse(origin), Ok(Location::Bucket(_))) {
            return Origin::connect(origin, &self.origins);
        }
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(origin) = opened.get(origin) {
            return Ok(origin.clone());
        }
        let new = Origin::connect(origin, &self.origins)?;
        opened.insert(origin.to_owned(), new.clone());
        Ok(new)
    }
}

#[derive(Clone, Debug)]
enum Form {
    Folder(Arc<Folders>),
    Bucket(Arc<Objects>),
}

impl ArtifactStore {
    /// The artifacts under the state folder `root`, which is made where it is missing, and where no other process works.
    /// Blocks, shortly.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(root: &Path) -> Result<Self, ArtifactError> {
        Ok(Self { form: Form::Folder(Folders::open(root, false)?), outside: Arc::default() })
    }

    /// The artifacts under a folder that processes on several hosts use together. Blocks, shortly.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open_shared(root: &Path) -> Result<Self, ArtifactError> {
        Ok(Self { form: Form::Folder(Folders::open(root, true)?), outside: Arc::default() })
    }

    /// The artifacts in a bucket, with copies in a folder of this process. Blocks, shortly; sends nothing yet.
    ///
    /// # Errors
    /// [`ArtifactError::Unreachable`] where no client can be made; [`ArtifactError::CacheBusy`]; the folder cannot be used.
    pub fn open_bucket(
        location: &BucketLocation,
        access: &S3Access,
        cache: &CacheSettings,
    ) -> Result<Self, ArtifactError> {
        Self::in_bucket(location, access, Cache::open(cache)?)
    }

    fn in_bucket(location: &BucketLocation, access: &S3Access, cache: Cache) -> Result<Self, ArtifactError> {
        let bucket = Bucket::new(location.clone(), access).map_err(|source| ArtifactError::Unreachable {
            store: location.to_string(),
            action: "open",
            path: String::new(),
            source,
        })?;
        let objects = Objects::new(bucket, cache);
        Ok(Self { form: Form::Bucket(Arc::new(objects)), outside: Arc::default() })
    }

    /// The artifacts, and the ways to origins and sources, as the settings say. The cache's folder is used where something
    /// lies in a bucket. Blocks, shortly.
    ///
    /// # Errors
    /// As of [`open`](Self::open) and [`open_bucket`](Self::open_bucket).
    pub fn connect(settings: &StorageSettings) -> Result<Self, ArtifactError> {
        let reads_buckets = !settings.sources.places.is_empty();
        let cache = match settings.artifacts {
            Location::Folder(_) if !reads_buckets => None,
            _ => Some(Cache::open(&settings.cache)?),
        };
        let store = match (&settings.artifacts, &cache) {
            (Location::Bucket(location), Some(cache)) => {
                Self::in_bucket(location, &settings.access, cache.clone())?
            }
            (Location::Bucket(location), None) => {
                Self::open_bucket(location, &settings.access, &settings.cache)?
            }
            (Location::Folder(root), _) if settings.shared => Self::open_shared(root)?,
            (Location::Folder(root), _) => Self::open(root)?,
        };
        let sources =
            cache.filter(|_| reads_buckets).map(|cache| Sources::new(settings.sources.clone(), cache));
        let sent = match (&settings.artifacts, &store.form) {
            (Location::Bucket(artifacts), Form::Bucket(objects)) => {
                let prefix = objects.bucket.at(source_uploads::FOLDER);
                let place = BucketLocation { bucket: artifacts.bucket.clone(), prefix };
                let settings = SourceSettings { access: settings.access.clone(), places: vec![place] };
                Some(Sources::new(settings, objects.cache.clone()))
            }
            _ => None,
        };
        let outside = Outside { origins: settings.origins.clone(), opened: Mutex::default(), sources, sent };
        Ok(Self { outside: Arc::new(outside), ..store })
    }

    /// The same store, with this way to origins in buckets.
    #[must_use]
    pub fn with_origins(self, access: S3Access) -> Self {
        let outside = Outside { origins: access, ..Outside::default() };
        Self { outside: Arc::new(outside), ..self }
    }

    /// The origin at this place, as [`Origin::connect`] opens it.
    ///
    /// # Errors
    /// As of [`Origin::connect`].
    pub async fn origin(&self, origin: &str) -> Result<Origin, OriginError> {
        let (outside, place) = (Arc::clone(&self.outside), origin.to_owned());
        let opened = blocking(move || Ok::<_, io::Error>(outside.origin(&place))).await;
        opened.unwrap_or_else(|error| Err(OriginError::io(origin, "open", error)))
    }

    /// The source at `s3://bucket/key`, as it lies there now.
    ///
    /// # Errors
    /// There is no such object, it is empty, or it may not be read; sources may not come from there.
    pub async fn look_at_source(&self, source: &str) -> Result<SourceReference, Failure> {
        self.sources(source)?.look(source).await
    }

    /// A source that lies in a bucket, as a file on this host; fetched, unless this host has it. `expected` is its SHA-256,
    /// where that is known. Dropped before its end, it keeps what it has, and the next call goes on with it.
    ///
    /// # Errors
    /// [`Code::SourceChanged`] where the object is no longer the one that was submitted; [`Code::DiskFull`]; it cannot be
    /// read; sources may not come from there.
    pub async fn fetch_source(
        &self,
        source: &SourceReference,
        expected: Option<Digest>,
    ) -> Result<LocalSource, Failure> {
        self.sources(&source.path.to_string_lossy())?.fetch(source, expected).await
    }

    /// Whether a source is one that was sent into the artifacts' bucket: it is named by its digest, and not by where it lies.
    pub fn is_upload(&self, source: &str) -> bool {
        self.outside.sent.as_ref().is_some_and(|sent| sent.may_be_read(source))
    }

    /// Where people send sources to, where the artifacts lie in a bucket.
    pub fn source_uploads(&self) -> Option<SourceUploads> {
        match &self.form {
            Form::Folder(_) => None,
            Form::Bucket(objects) => Some(SourceUploads::new(objects.bucket.clone())),
        }
    }

    fn sources(&self, source: &str) -> Result<&Sources, Failure> {
        if let Some(sent) = self.outside.sent.as_ref().filter(|sent| sent.may_be_read(source)) {
            return Ok(sent);
        }
        self.outside.sources.as_ref().ok_or_else(|| {
            let reason =
                "this process was told of no bucket that sources may come from; set REELFARM_SOURCE_PLACES";
            Failure::new(Code::SettingsInvalid, format!("{source} cannot be read: {reason}"))
        })
    }

    /// The disk that attempts write to; `None` where nothing can be told of it.
    pub async fn disk(&self) -> Option<Disk> {
        let folder = match &self.form {
            Form::Folder(folders) => folders.staging.clone(),
            Form::Bucket(objects) => objects.cache.staging_folder().to_owned(),
        };
        blocking(move || folder::disk(&folder)).await.ok()
    }

    /// A fresh, empty folder for an attempt, named after it.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn staging(&self, fence: &Fence) -> Result<Staging, ArtifactError> {
        let name = staging::name_of(fence);
        match &self.form {
            Form::Folder(folders) => Ok(Staging::new(folder::make_fresh(&folders.staging, &name)?)),
            Form::Bucket(objects) => Ok(objects.cache.staging(&name)?),
        }
    }

    /// Bytes that may still be written where attempts stage their work. Blocks, shortly.
    ///
    /// # Errors
    /// The folder cannot be looked at.
    pub fn free_disk(&self) -> Result<u64, ArtifactError> {
        let staging = match &self.form {
            Form::Folder(folders) => folders.staging.as_path(),
            Form::Bucket(objects) => objects.cache.staging_folder(),
        };
        Ok(folder::disk(staging)?.free)
    }

    /// Makes `folder`, which lies in a [`Staging`], the artifact `key`: digests every file, gets everything onto the
    /// disk or into the bucket, and puts it into its place in one step. Where the artifact is there already, that one stays
    /// and is answered. `folder` is gone afterwards. Whenever the process dies, the artifact is there whole or not at all.
    ///
    /// # Errors
    /// [`ArtifactError::Unfit`] where `folder` is empty, holds a link or another thing that is no plain file, or lies
    /// elsewhere; [`ArtifactError::DiskFull`]; [`ArtifactError::Io`]; [`ArtifactError::Unreachable`].
    pub async fn take_over(&self, key: ArtifactKey, folder: &Path) -> Result<Artifact, ArtifactError> {
        match &self.form {
            Form::Folder(folders) => {
                let (folders, folder) = (Arc::clone(folders), folder.to_owned());
                blocking(move || folders.take_over(key, &folder)).await
            }
            Form::Bucket(objects) => objects.take_over(key, folder).await,
        }
    }

    /// What an artifact holds, in short, if it is there and whole, as [`get`](Self::get) says; without a copy of it on this
    /// host.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    pub async fn find(&self, key: ArtifactKey) -> Result<Option<ArtifactRecord>, ArtifactError> {
        match &self.form {
            Form::Folder(_) => Ok(self.get(key).await?.map(|artifact| artifact.record)),
            Form::Bucket(objects) => Ok(objects.find(key).await?.map(|list| list.record)),
        }
    }

    /// Which of these artifacts are there and whole, as [`find`](Self::find) says of each; several are asked for at once.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    pub async fn find_all(
        &self,
        keys: impl IntoIterator<Item = ArtifactKey>,
    ) -> Result<BTreeMap<ArtifactKey, ArtifactRecord>, ArtifactError> {
        // Boxed: otherwise the compiler cannot see that a caller's future is Send.
        let finding: Vec<_> = keys.into_iter().map(|key| self.find(key).boxed()).collect();
        let found: Vec<_> = futures::stream::iter(finding).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().map(|record| (record.key, record)).collect())
    }

    /// The artifact, if it is there and whole: every file that its list names has the size that the list says. One that
    /// is damaged is logged and set aside, so that it can be made again. From a bucket it is fetched, unless this host has a
    /// copy; every byte that is fetched is compared with the SHA-256 that the list says. Tasks that want the same one at
    /// once fetch it once.
    ///
    /// # Errors
    /// The folder or the bucket cannot be read; [`ArtifactError::DiskFull`].
    pub async fn get(&self, key: ArtifactKey) -> Result<Option<Artifact>, ArtifactError> {
        match &self.form {
            Form::Folder(folders) => {
                let folders = Arc::clone(folders);
                blocking(move || folders.get(key, &Depth::Sizes)).await
            }
            Form::Bucket(objects) => objects.get(key).await,
        }
    }

    /// The artifact, if it is there and intact: as [`get`](Self::get), but every byte of it is read, and every file has
    /// the SHA-256 that the list says. A file that the disk cannot read any more is damage too. Takes as long as the
    /// disk takes to read it; dropped before its end, it reads no further.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    pub async fn get_intact(&self, key: ArtifactKey) -> Result<Option<Artifact>, ArtifactError> {
        let stop = CancellationToken::new();
        let _stops_when_dropped = stop.clone().drop_guard();
        match &self.form {
            Form::Folder(folders) => {
                let folders = Arc::clone(folders);
                blocking(move || folders.get(key, &Depth::Bytes(stop))).await
            }
            Form::Bucket(objects) => objects.get_intact(key, &stop).await,
        }
    }

    /// Removes the artifact; nothing there is fine. It disappears whole.
    ///
    /// # Errors
    /// It cannot be removed.
    pub async fn remove(&self, key: ArtifactKey) -> Result<(), ArtifactError> {
        match &self.form {
            Form::Folder(folders) => {
                let folders = Arc::clone(folders);
                blocking(move || Ok(folders.remove(key)?)).await
            }
            Form::Bucket(objects) => objects.remove(key).await,
        }
    }

    /// What attempts have in the staging of a folder that several processes use. Elsewhere staging is one process's own, and
    /// nothing is found.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub async fn staged_attempts(&self) -> Result<StagedAttempts, ArtifactError> {
        let Form::Folder(folders) = &self.form else { return Ok(StagedAttempts::default()) };
        if !folders.shared {
            return Ok(StagedAttempts::default());
        }
        let staging = folders.staging.clone();
        blocking(move || {
            let mut staged = Vec::new();
            for entry in fs_err::read_dir(&staging)? {
                let entry = entry?;
                if let Some(attempt) = entry.file_name().to_str().and_then(staging::attempt_in) {
                    staged.push((attempt.to_owned(), entry.path()));
                }
            }
            Ok(StagedAttempts(staged))
        })
        .await
    }

    /// Removes what was staged but for the attempts `under_way`, which are asked for after the staging was looked at: what
    /// began to be staged since then is not in it, and what was there and is not under way has ended. So this may be done at
    /// any later time. A worker that lives on all the same, and does not know yet that its attempt has ended, fails.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub async fn sweep_all_but(
        &self,
        under_way: &[Fence],
        staged: StagedAttempts,
    ) -> Result<usize, ArtifactError> {
        let names: HashSet<String> = under_way.iter().map(staging::name_of).collect();
        remove_staged(staged, move |attempt| !names.contains(attempt)).await
    }

    /// Removes what these attempts, which have ended, have staged.
    ///
    /// # Errors
    /// As of [`staged_attempts`](Self::staged_attempts); something cannot be removed.
    pub async fn sweep_ended(&self, ended: &[Fence]) -> Result<usize, ArtifactError> {
        let names: HashSet<String> = ended.iter().map(staging::name_of).collect();
        remove_staged(self.staged_attempts().await?, move |attempt| names.contains(attempt)).await
    }

    /// Removes everything in this process's staging: what attempts of an earlier process left, and damaged artifacts. Only
    /// at the start, while nobody works here. Answers how many folders there were. In a folder that several processes use,
    /// others may work at any time: nothing is removed, and [`collect`](Self::collect) takes what is old. With a bucket, that
    /// was done when the store was opened.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub async fn sweep_staging(&self) -> Result<usize, ArtifactError> {
        let staging = match &self.form {
            Form::Folder(folders) if !folders.shared => folders.staging.clone(),
            Form::Folder(_) | Form::Bucket(_) => return Ok(0),
        };
        blocking(move || {
            let mut removed = 0;
            for entry in fs_err::read_dir(&staging)? {
                folder::remove_all(&entry?.path())?;
                removed += 1;
            }
            Ok(removed)
        })
        .await
    }
}

async fn remove_staged(
    staged: StagedAttempts,
    goes: impl Fn(&str) -> bool + Send + 'static,
) -> Result<usize, ArtifactError> {
    blocking(move || {
        let going: Vec<_> = staged.0.into_iter().filter(|(attempt, _)| goes(attempt)).collect();
        for (_, path) in &going {
            folder::remove_all(path)?;
        }
        Ok(going.len())
    })
    .await
}

//! What lies at the origin of a title, and taking away what should not.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use reelfarm_model::TitleId;

use super::ownership::Sweep;
use super::path::title_folder;
use super::{Origin, OriginError, local};
use crate::blocking::blocking;

impl Origin {
    /// Every file of a title with its size, by its path from the title's folder.
    pub(super) async fn listing(&self, title: &TitleId) -> Result<BTreeMap<String, u64>, OriginError> {
        let folder = title_folder(title);
        self.refuse_links(&folder).await?;
        let prefix = format!("{folder}/");
        self.store
            .list(Some(&folder))
            .try_filter_map(|object| {
                let path = object.location.as_ref().strip_prefix(&prefix).map(str::to_owned);
                futures::future::ready(Ok(path.map(|path| (path, object.size))))
            })
            .try_collect()
            .await
            .map_err(|source| self.failed("list", &folder, source))
    }

    /// Removes the files of a title that `sweep` takes; answers how many.
    pub(super) async fn sweep(&self, title: &TitleId, sweep: Sweep) -> Result<u64, OriginError> {
        let folder = title_folder(title);
        self.refuse_links(&folder).await?;
        if let Some(root) = &self.folder {
            let place = root.join(title.as_str());
            return blocking(move || local::sweep(&place, &sweep))
                .await
                .map_err(|source| self.failed_locally("remove", &folder, source));
        }
        let listing = self.listing(title).await?;
        let surplus = listing.into_keys().filter(|path| sweep.takes(path));
        let locations: Vec<_> = surplus.map(|path| Ok(Path::parse(format!("{folder}/{path}"))?)).collect();
        let count = locations.len() as u64;
        self.store
            .delete_stream(futures::stream::iter(locations).boxed())
            .try_for_each(|_| futures::future::ready(Ok(())))
            .await
            .map_err(|source| self.failed("remove", &folder, source))?;
        Ok(count)
    }

    /// Removes one file if it is there.
    pub(super) async fn remove_file(&self, location: &Path) -> Result<(), OriginError> {
        match self.store.delete(location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.failed("remove", location, source)),
        }
    }

    /// Gives up what was being uploaded below a folder, part by part, when a process died. Nobody sees it, but a bucket
    /// keeps it.
    pub(super) async fn give_up_uploads(&self, folder: &Path) -> Result<(), OriginError> {
        let Some(bucket) = &self.bucket else { return Ok(()) };
        let start = format!("{}/", bucket.at(folder.as_ref()));
        for upload in bucket.uploads(&start).await.map_err(|source| self.failed("list", folder, source))? {
            bucket.give_up(&upload).await.map_err(|source| self.failed("remove", folder, source))?;
        }
        Ok(())
    }

    /// An origin that is a folder may hold links, which `object_store` follows: none is followed out of it.
    pub(super) async fn refuse_links(&self, location: &Path) -> Result<(), OriginError> {
        let Some(root) = &self.folder else { return Ok(()) };
        let (root, place) = (Arc::clone(root), location.to_string());
        blocking(move || local::refuse_links(&root, &place))
            .await
            .map_err(|source| self.failed_locally("use", location, source))
    }

    pub(super) fn failed(&self, action: &'static str, at: &Path, source: object_store::Error) -> OriginError {
        OriginError::at(&self.name, action, at.as_ref(), source.into())
    }

    fn failed_locally(&self, action: &'static str, at: &Path, source: std::io::Error) -> OriginError {
        OriginError::at(&self.name, action, at.as_ref(), source.into())
    }
}

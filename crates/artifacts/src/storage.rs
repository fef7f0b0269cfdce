//! All that a process is told of where artifacts, origins and sources lie.

use crate::bucket::{InvalidAccess, S3Access};
use crate::cache::CacheSettings;
use crate::location::{BucketLocation, Location};
use crate::source::SourceSettings;

/// Where artifacts, origins and sources lie, and how they are reached. Printing it shows no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageSettings {
    /// Where artifacts lie.
    pub artifacts: Location,
    /// Whether other processes use the artifacts' folder too, where they lie in one.
    pub shared: bool,
    /// How the artifacts' bucket is reached.
    pub access: S3Access,
    /// How origins in buckets are reached.
    pub origins: S3Access,
    /// Which sources in buckets may be read.
    pub sources: SourceSettings,
    /// Where this process keeps copies of what lies in buckets.
    pub cache: CacheSettings,
}

impl StorageSettings {
    /// Reads the variables of [`S3Access::from_variables`]: for artifacts without a role, for origins with the role
    /// `ORIGIN`, for sources with `SOURCE`; and `REELFARM_SOURCE_PLACES`, places `s3://bucket/prefix` with commas between
    /// them. Blocks, shortly: it reads files with secrets.
    ///
    /// # Errors
    /// A value cannot be used.
    pub fn from_variables(
        artifacts: Location,
        shared: bool,
        cache: CacheSettings,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, InvalidAccess> {
        let mut places = Vec::new();
        let name = "REELFARM_SOURCE_PLACES";
        for place in variable(name).iter().flat_map(|places| places.split(',')).map(str::trim) {
            if place.is_empty() {
                continue;
            }
            let place = BucketLocation::parse(place)
                .map_err(|error| InvalidAccess { name: name.to_owned(), reason: error.to_string() })?;
            places.push(place);
        }
        Ok(Self {
            artifacts,
            shared,
            access: S3Access::from_variables(None, &variable)?,
            origins: S3Access::from_variables(Some("ORIGIN"), &variable)?,
            sources: SourceSettings { access: S3Access::from_variables(Some("SOURCE"), &variable)?, places },
            cache,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<StorageSettings, InvalidAccess> {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        let find = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        let cache = CacheSettings { folder: "/cache".into(), limit: 1, floor: 2 };
        StorageSettings::from_variables(Location::Folder("/farm".into()), true, cache, find)
    }

    #[test]
    fn places_and_accesses_are_read_or_refused_by_their_names() {
        assert_eq!(read(&[]).unwrap().sources.places, []);
        assert_eq!(read(&[("REELFARM_SOURCE_PLACES", "")]).unwrap().sources.places, []);
        let settings = read(&[
            ("REELFARM_SOURCE_PLACES", "s3://one, s3://two/a/b"),
            ("REELFARM_SOURCE_S3_REGION", "eu-west-1"),
            ("REELFARM_ORIGIN_S3_REGION", "eu-west-2"),
        ])
        .unwrap();
        let places: Vec<_> = settings.sources.places.iter().map(ToString::to_string).collect();
        assert_eq!(places, ["s3://one", "s3://two/a/b"]);
        let regions =
            [&settings.access, &settings.origins, &settings.sources.access].map(|access| &access.region);
        assert_eq!(regions, ["us-east-1", "eu-west-2", "eu-west-1"]);
        for (name, value) in [
            ("REELFARM_SOURCE_PLACES", "s3://one,/srv"),
            ("REELFARM_S3_ENDPOINT", "nowhere"),
            ("REELFARM_ORIGIN_S3_PATH_STYLE", "maybe"),
        ] {
            assert_eq!(read(&[(name, value)]).unwrap_err().name, name);
        }
    }
}

//! How an object store is reached: address, credentials, and how long it is waited for.

use std::path::Path;
use std::time::Duration;

use crate::secret::Secret;

/// How an object store is reached. Printing it shows no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Access {
    /// The URL that requests go to; `None` for AWS's own of the region.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// Whether the bucket is the first segment of a request's path, and not a part of the host's name. Servers of one's
    /// own mostly want that.
    pub path_style: bool,
    /// The access key; `None` for what the host itself is given (an instance's or a container's role).
    pub credentials: Option<S3Credentials>,
    /// How long it is waited for.
    pub patience: Patience,
}

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Credentials {
    /// Its id, which is no secret.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
    /// The token that goes with a key for a limited time.
    pub session_token: Option<Secret>,
}

/// How long an object store is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For one request to end, bodies included. They have some MiB at most.
    pub request: Duration,
    /// How often a request is tried again after an answer of 5xx or 429, a cut connection or a time-out. Between two tries
    /// it waits, longer each time (full jitter from 0.1 s, at most 15 s).
    pub retries: usize,
    /// How long after the first try none is begun any more.
    pub give_up: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(60),
            retries: 8,
            give_up: Duration::from_secs(120),
        }
    }
}

/// A setting of an object store is refused.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct InvalidAccess {
    /// The variable.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// The region where none is named. Servers of one's own mostly take any.
const REGION: &str = "us-east-1";

impl S3Access {
    /// AWS itself in its oldest region, with what the host itself is given.
    pub fn new() -> Self {
        Self {
            endpoint: None,
            region: REGION.to_owned(),
            path_style: false,
            credentials: None,
            patience: Patience::default(),
        }
    }

    /// Reads `REELFARM_S3_ENDPOINT`, `…_REGION`, `…_PATH_STYLE` (`true` or `false`; where there is an endpoint: true),
    /// `…_ACCESS_KEY_ID`, `…_SECRET_ACCESS_KEY_FILE` and `…_SESSION_TOKEN_FILE`. With a `role` such as `ORIGIN`, a variable
    /// `REELFARM_ORIGIN_S3_…` goes before the one without. Blocks, shortly: it reads the files.
    ///
    /// # Errors
    /// A value cannot be used, a file cannot be read, or one half of an access key is missing.
    pub fn from_variables(
        role: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, InvalidAccess> {
        let find = |end: &str| {
            let own = role.map(|role| format!("REELFARM_{role}_S3_{end}"));
            let names = own.into_iter().chain([format!("REELFARM_S3_{end}")]);
            names
                .map(|name| (variable(&name), name))
                .find_map(|(value, name)| Some((name, value.filter(|value| !value.is_empty())?)))
        };
        let endpoint = find("ENDPOINT").map(|(name, value)| address(&name, &value)).transpose()?;
        let path_style = match find("PATH_STYLE") {
            None => endpoint.is_some(),
            Some((_, value)) if value == "true" => true,
            Some((_, value)) if value == "false" => false,
            Some((name, value)) => {
                return Err(InvalidAccess { name, reason: format!("{value:?} is neither true nor false") });
            }
        };
        let secret =
            |end: &str| find(end).map(|(name, file)| read_secret(&name, Path::new(&file))).transpose();
        let session_token = secret("SESSION_TOKEN_FILE")?;
        let credentials = match (find("ACCESS_KEY_ID"), secret("SECRET_ACCESS_KEY_FILE")?) {
            (Some((_, access_key_id)), Some(secret_access_key)) => {
                Some(S3Credentials { access_key_id, secret_access_key, session_token })
            }
            (None, None) => None,
            (Some((name, _)), None) => {
                let reason = "it needs REELFARM_S3_SECRET_ACCESS_KEY_FILE beside it".to_owned();
                return Err(InvalidAccess { name, reason });
            }
            (None, Some(_)) => {
                let name = "REELFARM_S3_SECRET_ACCESS_KEY_FILE".to_owned();
                return Err(InvalidAccess {
                    name,
                    reason: "it needs REELFARM_S3_ACCESS_KEY_ID beside it".to_owned(),
                });
            }
        };
        let region = find("REGION").map_or_else(|| REGION.to_owned(), |(_, region)| region);
        Ok(Self { endpoint, region, path_style, credentials, patience: Patience::default() })
    }
}

impl Default for S3Access {
    fn default() -> Self {
        Self::new()
    }
}

fn address(name: &str, value: &str) -> Result<String, InvalidAccess> {
    let refused = |reason: &str| InvalidAccess { name: name.to_owned(), reason: reason.to_owned() };
    let url = url::Url::parse(value).map_err(|_| refused("it is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(refused("it is no http:// or https:// URL"));
    }
    // Not repeated in the error: it may be a password.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it has a user name; credentials go into variables and files of their own"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("it has a query or a fragment"));
    }
    Ok(value.trim_end_matches('/').to_owned())
}

fn read_secret(name: &str, file: &Path) -> Result<Secret, InvalidAccess> {
    let refused = |reason: String| InvalidAccess { name: name.to_owned(), reason };
    let text =
        zeroize::Zeroizing::new(fs_err::read_to_string(file).map_err(|error| refused(error.to_string()))?);
    let text = text.trim();
    if text.is_empty() || text.contains(char::is_control) {
        return Err(refused(format!("{} does not hold one line", file.display())));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(role: Option<&str>, variables: &[(&str, &str)]) -> Result<S3Access, InvalidAccess> {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        S3Access::from_variables(role, |name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn nothing_set_is_aws_with_the_hosts_own_role() {
        assert_eq!(read(None, &[]).unwrap(), S3Access::new());
        assert_eq!(read(None, &[("REELFARM_S3_ENDPOINT", "")]).unwrap(), S3Access::new());
    }

    #[test]
    fn a_role_has_its_own_and_shares_the_rest_and_no_secret_prints() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            fs_err::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (one, two, token) = (file("1", "sesame\n"), file("2", "mellon"), file("3", "pass"));
        let variables = [
            ("REELFARM_S3_ENDPOINT", "http://10.0.0.1:9000/"),
            ("REELFARM_S3_REGION", "eu-west-1"),
            ("REELFARM_S3_ACCESS_KEY_ID", "farm"),
            ("REELFARM_S3_SECRET_ACCESS_KEY_FILE", &one),
            ("REELFARM_S3_SESSION_TOKEN_FILE", &token),
            ("REELFARM_ORIGIN_S3_ACCESS_KEY_ID", "origin"),
            ("REELFARM_ORIGIN_S3_SECRET_ACCESS_KEY_FILE", &two),
            ("REELFARM_ORIGIN_S3_PATH_STYLE", "false"),
        ];
        let all = read(None, &variables).unwrap();
        assert_eq!(all.endpoint.as_deref(), Some("http://10.0.0.1:9000"));
        assert!(all.path_style, "as servers of one's own want it");
        let key = all.credentials.as_ref().unwrap();
        assert_eq!((key.access_key_id.as_str(), key.secret_access_key.reveal()), ("farm", "sesame"));
        let origin = read(Some("ORIGIN"), &variables).unwrap();
        assert!(!origin.path_style);
        let key = origin.credentials.as_ref().unwrap();
        assert_eq!((key.access_key_id.as_str(), key.secret_access_key.reveal()), ("origin", "mellon"));
        assert_eq!(origin.region, "eu-west-1");
        let printed = format!("{all:?} {origin:?}");
        for secret in ["sesame", "mellon", "pass"] {
            assert!(!printed.contains(&format!("\"{secret}")), "{printed}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_its_name_and_without_its_secrets() {
        let empty = tempfile::NamedTempFile::new().unwrap();
        let empty = empty.path().to_str().unwrap();
        let (file, id) = ("REELFARM_S3_SECRET_ACCESS_KEY_FILE", ("REELFARM_S3_ACCESS_KEY_ID", "farm"));
        let cases: [(&str, &[(&str, &str)]); 8] = [
            ("REELFARM_S3_ENDPOINT", &[("REELFARM_S3_ENDPOINT", "10.0.0.1:9000")]),
            ("REELFARM_S3_ENDPOINT", &[("REELFARM_S3_ENDPOINT", "ftp://farm")]),
            ("REELFARM_S3_ENDPOINT", &[("REELFARM_S3_ENDPOINT", "https://user:sesame@farm")]),
            ("REELFARM_S3_PATH_STYLE", &[("REELFARM_S3_PATH_STYLE", "yes")]),
            (id.0, &[id]),
            (file, &[(file, "/proc/version")]),
            (file, &[id, (file, "/nowhere/secret")]),
            (file, &[id, (file, empty)]),
        ];
        for (name, variables) in cases {
            let refused = read(None, variables).unwrap_err();
            assert_eq!(refused.name, name, "{refused}");
            assert!(!refused.to_string().contains("sesame"), "{refused}");
        }
    }
}

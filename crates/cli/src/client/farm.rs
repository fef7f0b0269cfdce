//! The farm that a verb talks to: its address, the token, and requests with their answers.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reelfarm_api::{Problem, ROOT};
use reelfarm_model::{Code, Failure};
use reelfarm_scheduler::api::{TokenSecret, client_settings};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Project;

/// Whether a failure with this code is over by itself, so that asking again is the thing to do.
pub const fn is_passing(code: Code) -> bool {
    matches!(code, Code::FarmUnreachable | Code::FarmBusy | Code::StateUnreachable)
}

/// How long the farm may take to take a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long it may be silent; a stream of events is not, for so long.
const SILENCE: Duration = Duration::from_secs(60);
/// How long sending a piece of a source may take, its answer included: also over a line of half a megabit a second.
const SENDING: Duration = Duration::from_secs(900);
/// The longest answer that is read, in bytes.
const LONGEST_PROBLEM: usize = 1 << 16;

/// Which farm, and who asks.
#[derive(Clone, Debug, Args)]
pub struct FarmArguments {
    /// The farm's address, such as `https://farm.example:8180` [default: this folder's own state].
    #[arg(long, env = "REELFARM_FARM", value_name = "URL")]
    pub farm: Option<String>,
    /// A file with the token, which only its owner may read.
    #[arg(long, env = "REELFARM_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// A file of the authorities (PEM) that the farm's certificate is held against [default: the system's].
    #[arg(long, env = "REELFARM_AUTHORITY_FILE", value_name = "FILE")]
    pub authority_file: Option<PathBuf>,
    /// Send the token over plain http to another host: whoever is on the way can read it.
    #[arg(long, env = "REELFARM_INSECURE_HTTP")]
    pub insecure_http: bool,
}

/// A farm to talk to. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// For what takes long to send: to the other, the time until the whole of a request is sent is silence.
    sending: reqwest::Client,
    root: Url,
    bearer: HeaderValue,
}

impl FarmArguments {
    /// The farm that is named, if one is: on the command line, in the environment or in the project file.
    ///
    /// # Errors
    /// The address, the token or the authorities cannot be used.
    pub fn connect(&self, project: &Project) -> Result<Option<Client>, Failure> {
        let Some(address) = self.farm.as_ref().or(project.farm.as_ref()) else { return Ok(None) };
        let root = self.root(address)?;
        let file = self.token_file.as_ref().or(project.token_file.as_ref()).ok_or_else(|| {
            Failure::new(
                Code::TokenRefused,
                "the farm wants a token: name its file with --token-file or REELFARM_TOKEN_FILE",
            )
        })?;
        let secret = token(file)?;
        // The text of a token is made of letters, digits and signs that headers take.
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", secret.reveal()))
            .map_err(|error| settings(error.to_string()))?;
        bearer.set_sensitive(true);
        let authority = self.authority_file.as_ref().or(project.authority_file.as_ref());
        let tls = client_settings(authority.map(PathBuf::as_path))
            .map_err(|error| settings(format!("--authority-file: {error}")))?;
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(concat!("reelfarm/", env!("CARGO_PKG_VERSION")))
                // A farm sends nobody elsewhere, and the token is for it alone.
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .http1_only()
                .connect_timeout(CONNECT)
        };
        let built =
            |builder: reqwest::ClientBuilder| builder.build().map_err(|error| settings(error.to_string()));
        let (http, sending) = (built(builder().read_timeout(SILENCE))?, built(builder().timeout(SENDING))?);
        Ok(Some(Client { http, sending, root, bearer }))
    }

    /// The farm of a verb that makes no sense without one.
    ///
    /// # Errors
    /// As of [`connect`](Self::connect); none is named.
    pub fn require(&self, project: &Project) -> Result<Client, Failure> {
        self.connect(project)?.ok_or_else(|| {
            settings("no farm is named: give its address with --farm or REELFARM_FARM".to_owned())
        })
    }

    fn root(&self, address: &str) -> Result<Url, Failure> {
        let url = Url::parse(address).ok().filter(|url| url.has_host());
        let url = url.ok_or_else(|| {
            settings(format!("--farm: {address:?} is no address such as https://farm.example:8180"))
        })?;
        let is_here = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(settings(
                "--farm: the address holds no name or password; a token says who asks".to_owned(),
            ));
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if is_here || self.insecure_http => Ok(url),
            "http" => Err(settings(format!(
                "--farm: {address} would show the token to everybody on the way; use https, or say --insecure-http"
            ))),
            other => Err(settings(format!("--farm: {other} is neither https nor http"))),
        }
    }
}

fn settings(message: String) -> Failure {
    Failure::new(Code::SettingsInvalid, message)
}

fn token(file: &Path) -> Result<TokenSecret, Failure> {
    let refuse = |reason: String| {
        Failure::new(
            Code::TokenRefused,
            format!("the token file {} cannot be used: {reason}", file.display()),
        )
    };
    let mode = fs_err::metadata(file).map_err(|error| refuse(error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        let mode = mode & 0o777;
        return Err(refuse(format!("others than its owner may use it (mode {mode:03o}): chmod 600 it")));
    }
    let text =
        zeroize::Zeroizing::new(fs_err::read_to_string(file).map_err(|error| refuse(error.to_string()))?);
    TokenSecret::parse(text.trim()).ok_or_else(|| refuse("it holds no token".to_owned()))
}

impl Client {
    /// Asks for something.
    ///
    /// # Errors
    /// What the farm answers; [`Code::FarmUnreachable`] where it does not.
    pub async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> Result<T, Failure> {
        self.answer(self.request(Method::GET, path).query(query)).await
    }

    /// Asks for a text, such as a page.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    pub async fn text(&self, path: &[&str]) -> Result<String, Failure> {
        let answer = self.send(self.request(Method::GET, path)).await?;
        answer.text().await.map_err(|error| self.unreachable(error))
    }

    /// Has something done that bears to be done once alone: without an answer, nobody knows whether it was.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.answer(self.request(Method::POST, path).json(body)).await
    }

    /// As [`post`](Self::post), with a header that makes it safe to ask again.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    pub async fn post_with<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        (name, value): (&str, &str),
    ) -> Result<T, Failure> {
        self.answer(self.request(Method::POST, path).header(name, value).json(body)).await
    }

    /// As [`post`](Self::post), where nothing is answered.
    ///
    /// # Errors
    /// As of [`get`](Self::get).
    pub async fn command(&self, method: Method, path: &[&str]) -> Result<(), Failure> {
        self.send(self.request(method, path)).await.map(drop)
    }

    /// A request to what lies at these names below the root.
    pub(super) fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        self.of(&self.http, method, path)
    }

    /// A request with a body that may take long to send.
    pub(super) fn long_request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        self.of(&self.sending, method, path)
    }

    fn of(&self, http: &reqwest::Client, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.root.clone();
        url.set_query(None);
        // An address with a host can be a base; each name becomes one segment, whatever is in it.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(ROOT.split('/').filter(|part| !part.is_empty())).extend(path);
        }
        http.request(method, url).header(AUTHORIZATION, self.bearer.clone())
    }

    /// Sends a request, and makes a failure of what is no success.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let answer = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        Err(self.problem(status, answer).await)
    }

    pub(super) async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let answer = self.send(request).await?;
        answer.json().await.map_err(|error| match error.is_decode() {
            true => Failure::new(
                Code::Internal,
                format!(
                    "the farm at {} answers what this reelfarm does not understand; use its version",
                    self.root
                ),
            ),
            false => self.unreachable(error),
        })
    }

    async fn problem(&self, status: StatusCode, mut answer: Response) -> Failure {
        let mut body = Vec::new();
        while let Ok(Some(piece)) = answer.chunk().await {
            body.extend_from_slice(&piece);
            if body.len() > LONGEST_PROBLEM {
                break;
            }
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => problem.into_failure(),
            // A proxy between, or no farm at all.
            Err(_) => Failure::new(
                Code::FarmUnreachable,
                format!("{} answers {status}, and not as a farm does; check the address", self.root),
            ),
        }
    }

    pub(super) fn unreachable(&self, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            reason = cause.to_string();
            source = cause.source();
        }
        Failure::new(Code::FarmUnreachable, format!("the farm at {} cannot be reached: {reason}", self.root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(insecure_http: bool) -> FarmArguments {
        FarmArguments { farm: None, token_file: None, authority_file: None, insecure_http }
    }

    #[test]
    fn a_token_goes_over_plain_http_only_to_this_host_unless_somebody_says_so() {
        for (address, plain, insecure) in [
            ("https://farm.example", true, true),
            ("http://127.0.0.1:8180", true, true),
            ("http://[::1]:8180", true, true),
            ("http://localhost:8180/", true, true),
            ("http://farm.example", false, true),
            ("http://127.0.0.1.example", false, true),
            ("http://10.0.0.1", false, true),
            ("ftp://localhost", false, false),
            ("https://somebody:word@farm.example", false, false),
            ("farm.example", false, false),
            ("", false, false),
        ] {
            assert_eq!(arguments(false).root(address).is_ok(), plain, "{address}");
            assert_eq!(arguments(true).root(address).is_ok(), insecure, "{address}");
        }
    }
}

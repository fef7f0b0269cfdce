//! One question to a key server over HTTPS and its answer, asked again where that may help. What comes back is bounded in
//! size and time and zeroed when dropped; what the HTTP and TLS libraries keep in buffers of their own is out of reach.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};
use zeroize::{Zeroize as _, Zeroizing};

use super::credentials::Credentials;
use super::options::{Address, SpekeSetupError};
use super::retry::{Patience, retry_after};
use super::scrub::Scrubber;

/// The largest answer that is read; one with five keys for six systems has about 100 KiB.
const MAXIMUM_ANSWER: usize = 1024 * 1024;
/// As much of a refusal as is read.
const MAXIMUM_REFUSAL: usize = 4096;

const XML: &str = "application/xml";
const SPEKE_VERSION: &str = "2.0";
const USER_AGENT: &str = concat!("reelfarm/", env!("CARGO_PKG_VERSION"));

/// No answer was had.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// The server cannot be reached, or cannot serve now.
    Unreachable(String),
    /// The server does not let us in, or we have nothing to show it.
    Login(String),
    /// The server does not serve this, and asking again gives the same.
    Refused(String),
}

/// What went wrong with one attempt.
struct Trouble {
    failure: NoAnswer,
    /// Asking again may help; after how long, where the server says so.
    again: Option<Option<Duration>>,
}

impl Trouble {
    fn passing(reason: String) -> Self {
        Self { failure: NoAnswer::Unreachable(reason), again: Some(None) }
    }

    fn login(reason: String) -> Self {
        Self { failure: NoAnswer::Login(reason), again: None }
    }

    fn refused(reason: String) -> Self {
        Self { failure: NoAnswer::Refused(reason), again: None }
    }
}

/// A way to one key server.
pub(super) struct Exchange {
    client: Client,
    address: Address,
    patience: Patience,
    /// Whether we show a certificate of our own.
    shows_certificate: bool,
}

impl Exchange {
    pub(super) fn new(
        address: Address,
        tls: rustls::ClientConfig,
        patience: Patience,
        shows_certificate: bool,
    ) -> Result<Self, SpekeSetupError> {
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(USER_AGENT)
            // Credentials and keys go where the operator said and nowhere else.
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(patience.connect)
            .timeout(patience.exchange)
            // A title is asked for once: no connection is kept, and no buffer with it.
            .pool_max_idle_per_host(0);
        if address.loopback {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| SpekeSetupError::Tls(chain(&error)))?;
        Ok(Self { client, address, patience, shows_certificate })
    }

    /// The server's URL, as it may be shown.
    pub(super) fn shown(&self) -> &str {
        &self.address.shown
    }

    /// Sends a request and returns the body of the answer.
    pub(super) async fn post(
        &self,
        document: &str,
        credentials: Option<&Credentials>,
        scrubber: &Scrubber,
    ) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
        let mut failed = 0;
        loop {
            let trouble = match self.attempt(document, credentials, scrubber).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            failed += 1;
            let wait = trouble.again.and_then(|wish| self.patience.wait(failed, wish, rand::random()));
            match (trouble.failure, wait) {
                (NoAnswer::Unreachable(reason), Some(wait)) => {
                    tracing::warn!(
                        server = self.shown(),
                        attempt = failed,
                        ?wait,
                        reason,
                        "the key server did not answer"
                    );
                    tokio::time::sleep(wait).await;
                }
                (NoAnswer::Unreachable(reason), None) if failed > 1 => {
                    return Err(NoAnswer::Unreachable(format!("{reason} (asked {failed} times)")));
                }
                (failure, _) => return Err(failure),
            }
        }
    }

    async fn attempt(
        &self,
        document: &str,
        credentials: Option<&Credentials>,
        scrubber: &Scrubber,
    ) -> Result<Zeroizing<Vec<u8>>, Trouble> {
        let mut request = self
            .client
            .post(self.address.url.clone())
            .header(CONTENT_TYPE, XML)
            .header(ACCEPT, XML)
            .header("X-Speke-Version", SPEKE_VERSION)
            .header("X-Speke-User-Agent", USER_AGENT)
            .body(document.to_owned());
        if let Some(credentials) = credentials {
            request = request.header(AUTHORIZATION, credentials.header());
        }
        let mut response = request.send().await.map_err(|error| self.no_response(error))?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(refusal(&mut response, scrubber).await);
        }
        check_headers(&response, scrubber)?;
        let mut body = Zeroizing::new(Vec::with_capacity(MAXIMUM_ANSWER));
        match read(&mut response, &mut body).await {
            Ok(true) => Ok(body),
            Ok(false) => Err(Trouble::refused(format!("it is larger than {MAXIMUM_ANSWER} bytes"))),
            Err(error) => Err(self.no_response(error)),
        }
    }

    fn no_response(&self, error: reqwest::Error) -> Trouble {
        if error.is_timeout() {
            let longest = if error.is_connect() { self.patience.connect } else { self.patience.exchange };
            return Trouble::passing(format!("it did not answer within {longest:?}"));
        }
        // A server of TLS 1.3 learns after the handshake who asks (RFC 8446, 4.4.2.4), and what it then says of a
        // certificate is often lost with the connection.
        let ended = self.address.url.scheme() == "https" && error.is_request() && !error.is_connect();
        let hint = match (ended, self.shows_certificate) {
            (false, _) => "",
            (true, false) => "; the server may want to see a client certificate",
            (true, true) => "; the server may not accept the client certificate",
        };
        let reason = format!("{}{hint}", chain(&error.without_url()));
        match reason.find("invalid peer certificate") {
            // It will be no more valid in a moment; and whoever answers there may not be the server.
            Some(at) => Trouble { failure: NoAnswer::Unreachable(reason[at..].to_owned()), again: None },
            None => Trouble::passing(reason),
        }
    }
}

/// An error with all that is behind it.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Reads a body into memory that does not grow; `false` where it does not fit.
async fn read(response: &mut Response, body: &mut Zeroizing<Vec<u8>>) -> Result<bool, reqwest::Error> {
    while let Some(chunk) = response.chunk().await? {
        let room = body.capacity() - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        let whole = chunk.len() <= room;
        // Only where the connection does not share it.
        if let Ok(mut chunk) = chunk.try_into_mut() {
            chunk.zeroize();
        }
        if !whole {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What an answer other than 200 means.
async fn refusal(response: &mut Response, scrubber: &Scrubber) -> Trouble {
    let status = response.status();
    let wish = response.headers().get(RETRY_AFTER).and_then(|header| header.to_str().ok());
    let wish = wish.and_then(|header| retry_after(header, SystemTime::now()));
    let mut words = Zeroizing::new(Vec::with_capacity(MAXIMUM_REFUSAL));
    // Whatever of them arrived is good enough.
    drop(read(response, &mut words).await);
    let words = scrubber.scrub(&Zeroizing::new(String::from_utf8_lossy(&words).into_owned()));
    let said = if words.is_empty() { status.to_string() } else { format!("{status}: {words}") };
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        return Trouble { failure: NoAnswer::Unreachable(format!("it answered {said}")), again: Some(wish) };
    }
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Trouble::login(format!("it answered {said}")),
        _ if status.is_redirection() => {
            Trouble::refused(format!("it answered {status}, and redirects are not followed"))
        }
        _ => Trouble::refused(format!("it answered {said}")),
    }
}

/// Checks the headers of an answer as SPEKE v2.0 has them.
fn check_headers(response: &Response, scrubber: &Scrubber) -> Result<(), Trouble> {
    let header =
        |name: &str| response.headers().get(name).map(HeaderValue::as_bytes).map(String::from_utf8_lossy);
    let kind = header(CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(XML) && !kind.eq_ignore_ascii_case("text/xml") {
        return Err(Trouble::refused(format!("its type is {:?} and not {XML}", scrubber.scrub(kind))));
    }
    match header("X-Speke-Version") {
        Some(version) if version != SPEKE_VERSION => {
            let version = scrubber.scrub(&version);
            Err(Trouble::refused(format!("it is of SPEKE version {version:?} and not {SPEKE_VERSION}")))
        }
        _ => Ok(()),
    }
}

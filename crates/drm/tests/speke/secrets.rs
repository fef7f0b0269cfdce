//! Neither keys nor credentials are to be seen in anything that is written down.

use std::io;
use std::sync::{Arc, Mutex};

use reelfarm_drm::speke::SpekeServer;
use reelfarm_drm::{KeyProvider as _, KeyUris};
use reelfarm_model::KeyDivision;
use reelfarm_model::profile::Scheme;
use tracing_subscriber::fmt::MakeWriter;

use crate::client::{options, request};
use crate::key_server::{Authority, KeyServer, Reply, oracle, right};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The log of this process in full, libraries and all; this is why it is a test of its own process.
#[tokio::test(flavor = "multi_thread")]
async fn no_log_however_detailed_shows_a_secret() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .with_ansi(false)
        .init();
    let authority = Authority::new();
    let server = KeyServer::start(&authority, |number, request| {
        let good = oracle::answer(&request.body);
        match number {
            0 => Reply::Status(500, format!("cannot store {:?}", good.forms_of_keys())),
            1 | 3 => right(number, request),
            2 => Reply::Status(403, format!("no {:?}", request.headers)),
            _ => Reply::good(good.answer.replace("version=\"2.3\"", "version=\"2.4\"")),
        }
    })
    .await;
    let mut options = options(&server, &authority);
    options.url += "?token=a-token-in-the-url";
    options.credentials_file = Some(authority.file("credentials", "farm:open sesame"));
    let client = SpekeServer::new(&options, KeyUris::default()).unwrap();
    let wanted = request(KeyDivision::Title, Scheme::Cbcs);
    let keys = client.keys(&wanted).await.unwrap();
    let forbidden = client.keys(&wanted).await.unwrap_err();
    client.keys(&wanted).await.unwrap();
    let wrong = client.keys(&wanted).await.unwrap_err();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("the key server did not answer") && log.contains("attempt=1"), "{log}");
    assert!(log.contains(" TRACE ") && log.contains("reqwest"), "{log}");
    let judgement = oracle::answer(&server.received()[0].body);
    let mut secrets = judgement.forms_of_keys();
    // As `Debug` prints bytes.
    secrets.extend(judgement.keys.values().map(|key| format!("{key:?}").trim_matches(['[', ']']).to_owned()));
    secrets.extend(["sesame", "ZmFybTpvcGVuIHNlc2FtZQ", "a-token-in-the-url"].map(str::to_owned));
    for text in [log, format!("{client:?} {keys:?} {forbidden:?} {wrong:?} {forbidden} {wrong}")] {
        for secret in &secrets {
            let at = text.find(secret.as_str());
            assert_eq!(at, None, "{secret} in: {}", &text[at.unwrap_or_default().saturating_sub(200)..]);
        }
    }
}

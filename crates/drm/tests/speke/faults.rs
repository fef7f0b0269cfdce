//! Servers that are away, slow, broken, in a hurry, in the wrong place or not who they say.

use std::time::Duration;

use reelfarm_drm::speke::{ClientCertificate, SpekeOptions, SpekeServer, SpekeSetupError};
use reelfarm_drm::{KeyError, KeyProvider as _, KeyUris};
use reelfarm_model::profile::Scheme;
use reelfarm_model::{Code, Failure, FailureClass, KeyDivision};

use crate::client::{ask, options, request};
use crate::key_server::{Authority, KeyServer, Reply, oracle, right};

/// The message of an error that says that the server cannot be reached: one that may pass.
async fn unreachable(options: &SpekeOptions) -> String {
    let error = ask(options).await.unwrap_err();
    assert!(matches!(error, KeyError::Unreachable { .. }), "{error:?}");
    let failure = Failure::from(error);
    assert_eq!((failure.code, failure.class), (Code::KeyServerUnreachable, FailureClass::Transient));
    failure.message
}

/// The message of an error that asking again gives again.
async fn refused(options: &SpekeOptions) -> String {
    let error = ask(options).await.unwrap_err();
    assert!(matches!(error, KeyError::Answer { .. }), "{error:?}");
    let failure = Failure::from(error);
    assert_eq!((failure.code, failure.class), (Code::KeyServerAnswerInvalid, FailureClass::Permanent));
    failure.message
}

/// The message of an error that says that the server does not let the farm in.
async fn shut_out(options: &SpekeOptions) -> String {
    let error = ask(options).await.unwrap_err();
    assert!(matches!(error, KeyError::Login { .. }), "{error:?}");
    let failure = Failure::from(error);
    assert_eq!((failure.code, failure.class), (Code::KeyServerLoginRefused, FailureClass::Environment));
    failure.message
}

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_asked_for_a_while() {
    let authority = Authority::new();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = KeyServer::start(&authority, right).await;
    let options = SpekeOptions { url: format!("https://{gone}/speke"), ..options(&server, &authority) };
    let message = unreachable(&options).await;
    says(&message, &[&options.url, "Connection refused", "(asked 3 times)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_not_waited_for_without_end() {
    let authority = Authority::new();
    for reply in [|| Reply::Silence, || Reply::Beginning] {
        let server = KeyServer::start(&authority, move |_, _| reply()).await;
        let mut options = options(&server, &authority);
        options.patience.exchange = Duration::from_millis(300);
        let message = unreachable(&options).await;
        says(&message, &["did not answer within 300ms", "(asked 3 times)"]);
        assert_eq!(server.received().len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_recovers_is_asked_again() {
    let authority = Authority::new();
    for broken in [500, 502, 503, 504, 429] {
        let server = KeyServer::start(&authority, move |number, request| match number {
            0 | 1 => Reply::Status(broken, "not now".to_owned()),
            _ => right(number, request),
        })
        .await;
        ask(&options(&server, &authority)).await.unwrap();
        let bodies: Vec<_> = server.received().iter().map(|request| request.body.clone()).collect();
        assert_eq!(bodies, vec![bodies[0].clone(); 3]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stays_broken_is_given_up() {
    let authority = Authority::new();
    let server = KeyServer::start(&authority, |_, _| Reply::Status(503, "down for repairs".to_owned())).await;
    let message = unreachable(&options(&server, &authority)).await;
    says(&message, &["503 Service Unavailable: down for repairs", "(asked 3 times)"]);
    assert_eq!(server.received().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_is_asked_no_sooner_than_it_wants() {
    let authority = Authority::new();
    let server = KeyServer::start(&authority, |number, request| match number {
        0 => Reply::Header(429, "retry-after", "1".to_owned(), "too many".to_owned()),
        _ => right(number, request),
    })
    .await;
    ask(&options(&server, &authority)).await.unwrap();
    let [first, second] = &server.received()[..] else { panic!() };
    assert!(second.at - first.at >= Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_a_long_rest_is_left_alone() {
    let authority = Authority::new();
    let server = KeyServer::start(&authority, |_, _| {
        Reply::Header(503, "retry-after", "3600".to_owned(), "back in an hour".to_owned())
    })
    .await;
    says(&unreachable(&options(&server, &authority)).await, &["503", "back in an hour"]);
    assert_eq!(server.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_final_and_shows_the_servers_words_without_keys() {
    let authority = Authority::new();
    let server = KeyServer::start(&authority, |_, request| {
        let judgement = oracle::answer(&request.body);
        let id = judgement.keys.keys().next().unwrap();
        let forms = judgement.forms_of_keys().join(" ");
        Reply::Status(422, format!("Missing ContentKey@commonEncryptionScheme for KID {id} {forms}"))
    })
    .await;
    let message = refused(&options(&server, &authority)).await;
    let received = server.received();
    let judgement = oracle::answer(&received[0].body);
    let id = judgement.keys.keys().next().unwrap();
    says(&message, &["422", &format!("Missing ContentKey@commonEncryptionScheme for KID {id} […]")]);
    for form in judgement.forms_of_keys() {
        assert!(!message.contains(&form), "{message}");
    }
    assert_eq!(received.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_sent_and_never_told() {
    let authority = Authority::new();
    for (status, content, header, secrets) in [
        (401, "farm:open sesame\n", "Basic ZmFybTpvcGVuIHNlc2FtZQ==", ["sesame", "ZmFybTpvcGVuIHNlc2FtZQ=="]),
        (403, "abc.def-0123456789\n", "Bearer abc.def-0123456789", ["abc.def", "0123456789"]),
    ] {
        // Wrong ones, for this server, which repeats all that it gets.
        let server = KeyServer::start(&authority, move |_, request| {
            Reply::Status(status, format!("not {} ({content})", request.header("authorization").unwrap()))
        })
        .await;
        let mut options = options(&server, &authority);
        options.credentials_file = Some(authority.file("credentials", content));
        let message = shut_out(&options).await;
        says(
            &message,
            &[&server.url, "refuses the farm's credentials", &format!("it answered {status}"), ": not "],
        );
        for secret in secrets {
            assert!(!message.contains(secret), "{message}");
        }
        let received = server.received();
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].header("authorization"), Some(header));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_credentials_count_from_the_next_title() {
    let authority = Authority::new();
    let server = KeyServer::start(&authority, right).await;
    let mut options = options(&server, &authority);
    let file = authority.file("credentials", "first-token");
    options.credentials_file = Some(file.clone());
    let client = SpekeServer::new(&options, KeyUris::default()).unwrap();
    let wanted = request(KeyDivision::Title, Scheme::Cbcs);
    client.keys(&wanted).await.unwrap();
    authority.file("credentials", "second-token");
    client.keys(&wanted).await.unwrap();
    let sent: Vec<_> =
        server.received().iter().map(|request| request.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(sent, ["Bearer first-token", "Bearer second-token"]);
    fs_err::remove_file(&file).unwrap();
    let error = client.keys(&wanted).await.unwrap_err();
    assert!(matches!(&error, KeyError::Login { reason, .. } if reason.contains("no such file")), "{error}");
    assert_eq!(server.received().len(), 2, "nothing is sent without credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let authority = Authority::new();
    let elsewhere = KeyServer::start(&authority, right).await;
    for status in [301, 302, 307, 308] {
        let target = elsewhere.url.clone();
        let server = KeyServer::start(&authority, move |_, _| {
            Reply::Header(status, "location", target.clone(), String::new())
        })
        .await;
        says(
            &refused(&options(&server, &authority)).await,
            &[&status.to_string(), "redirects are not followed"],
        );
        assert_eq!(server.received().len(), 1);
    }
    assert!(elsewhere.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_must_be_who_it_should_be() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for (acceptor, reason) in [
        (theirs.server_certificate("127.0.0.1", None), "UnknownIssuer"),
        (ours.server_certificate("keys.example", None), "not valid for name"),
    ] {
        let server = KeyServer::start_as(acceptor, right).await;
        let message = unreachable(&options(&server, &ours)).await;
        says(&message, &["invalid peer certificate", reason]);
        assert!(!message.contains("asked"), "it is no more valid the next time: {message}");
        assert!(server.received().is_empty(), "nothing is sent to a stranger");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_want_to_see_a_certificate() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let acceptor = servers.server_certificate("127.0.0.1", Some(&clients));
    let server = KeyServer::start_as(acceptor, right).await;
    let mut options = options(&server, &servers);
    says(&unreachable(&options).await, &["may want to see a client certificate"]);

    let (certificate, key) = clients.issue("farm.example");
    let certificate_file = servers.file("client.pem", &certificate);
    let key_file = servers.file("client.key", &key);
    options.client_certificate = Some(ClientCertificate { certificate_file, key_file: key_file.clone() });
    ask(&options).await.unwrap();
    let stranger = Authority::new().issue("farm.example");
    servers.file("client.pem", &stranger.0);
    servers.file("client.key", &stranger.1);
    says(&unreachable(&options).await, &["may not accept the client certificate"]);
    servers.file("client.pem", &certificate);

    let (_, other) = clients.issue("farm.example");
    for (content, reason) in [(other.as_str(), "client.pem"), ("no key", "no private key")] {
        servers.file("client.key", content);
        let error = SpekeServer::new(&options, KeyUris::default()).unwrap_err();
        assert!(matches!(&error, SpekeSetupError::File(text) if text.contains(reason)), "{error}");
    }
    use std::os::unix::fs::PermissionsExt as _;
    servers.file("client.key", &key);
    fs_err::set_permissions(&key_file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = SpekeServer::new(&options, KeyUris::default()).unwrap_err().to_string();
    says(&error, &["client.key", "mode 644"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_this_host_is_asked_without_tls() {
    let authority = Authority::new();
    let server = KeyServer::start_plain(right).await;
    ask(&SpekeOptions { authority_file: None, ..options(&server, &authority) }).await.unwrap();
    let error =
        SpekeServer::new(&SpekeOptions::new("http://10.0.0.1/speke"), KeyUris::default()).unwrap_err();
    says(&error.to_string(), &["http: is refused", "https:"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_cut_off() {
    let authority = Authority::new();
    for reply in [|| Reply::Endless, || Reply::good("x".repeat(2 * 1024 * 1024))] {
        let server = KeyServer::start(&authority, move |_, _| reply()).await;
        says(&refused(&options(&server, &authority)).await, &["larger than 1048576 bytes"]);
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_of_the_right_type_and_version() {
    let authority = Authority::new();
    for (name, value, reason) in [
        ("content-type", "text/html; charset=utf-8", "its type is \"text/html\""),
        ("x-speke-version", "1.0", "SPEKE version \"1.0\""),
    ] {
        let server = KeyServer::start(&authority, move |_, request| {
            Reply::Header(200, name, value.to_owned(), oracle::answer(&request.body).answer)
        })
        .await;
        says(&refused(&options(&server, &authority)).await, &[reason]);
    }
    let server = KeyServer::start(&authority, |_, request| {
        let value = "text/xml; charset=UTF-8".to_owned();
        Reply::Header(200, "content-type", value, oracle::answer(&request.body).answer)
    })
    .await;
    ask(&options(&server, &authority)).await.unwrap();
    let server =
        KeyServer::start(&authority, |_, request| Reply::Status(201, oracle::answer(&request.body).answer))
            .await;
    says(&refused(&options(&server, &authority)).await, &["201 Created"]);
}

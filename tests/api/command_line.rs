//! `reelfarm` as a client: what its verbs print, and how they end.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};
use std::time::Duration;

use reelfarm_model::Pool;
use reelfarm_scheduler::api::server_settings;
use reelfarm_scheduler::leader::Leader;
use reelfarm_store::{Scope, Store as _};
use serde_json::Value;

use crate::farm::{Farm, PATIENCE, Wish, wait_until};
use crate::support::describe;

/// The command line of a person with a token.
pub(crate) struct Person<'a> {
    pub(crate) farm: &'a Farm,
    pub(crate) scope: Scope,
}

impl Person<'_> {
    pub(crate) fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let folder = self.farm.path("home");
        fs_err::create_dir_all(&folder).unwrap();
        let token = folder.join(format!("{}.token", self.scope));
        fs_err::write(&token, format!("{}\n", self.farm.tokens[&self.scope].reveal())).unwrap();
        fs_err::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_reelfarm"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("REELFARM_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(folder)
            .env("REELFARM_FARM", self.farm.url(""))
            .env("REELFARM_TOKEN_FILE", token)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        tokio::time::timeout(3 * PATIENCE, self.command(arguments).output()).await.unwrap().unwrap()
    }

    async fn exit(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments).await;
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat()).await;
        assert!(output.status.success(), "{arguments:?}: {}", describe(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    async fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", describe(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_submits_looks_and_steers() {
    let farm = Farm::start().await;
    let person = Person { farm: &farm, scope: Scope::Operator };
    let film = farm.film("film.mov");
    let submitted = person.json(&["submit", film.to_str().unwrap()]).await;
    assert_eq!(submitted["titles"][0]["title"], "film");
    assert_eq!(submitted["titles"][0]["state"], "checking");
    assert_eq!(person.json(&["list"]).await[0]["submission"]["title"], "film");
    assert_eq!(person.json(&["list", "--in", "published"]).await, serde_json::json!([]));
    wait_until("it is planned", async || {
        person.text(&["status", "film"]).await.contains("next   fingerprint film.mov waits for a worker")
    })
    .await;
    assert_eq!(person.text(&["hold", "film"]).await, "film  checking, held\n");
    assert!(person.text(&["status", "film"]).await.starts_with("film  checking, held\n"));
    assert_eq!(person.text(&["release", "film"]).await, "film  checking\n");
    assert_eq!(person.text(&["cancel", "film"]).await, "film  cancelled\n");
    assert_eq!(person.json(&["retry", "film"]).await["title"]["generation"], 2);
    farm.report("host-1", &[(Pool::Cpu, 2, 1)]).await;
    assert!(person.text(&["workers"]).await.starts_with("host-1 "));
    assert_eq!(person.json(&["workers"]).await[0]["worker"], "host-1");
    assert_eq!(person.json(&["queues"]).await[0]["slots"], 2);
    let admin = Person { farm: &farm, scope: Scope::Admin };
    assert_eq!(admin.exit(&["drain", "host-1"]).await.0, 0);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_json_is_printed_with_a_farm_and_without() {
    let farm = Farm::start().await;
    farm.submit("film").await;
    farm.handle.hold("film".parse().unwrap(), true).await.unwrap();
    let person = Person { farm: &farm, scope: Scope::ReadOnly };
    let status = async || farm.get("/api/v1/titles/film").await;
    wait_until("it is planned", async || status().await["tasks"] != serde_json::json!([])).await;
    fs_err::create_dir_all(farm.path("state")).unwrap();
    for verb in [&["list"][..], &["status", "film"]] {
        let remote = person.json(verb).await;
        fs_err::copy(farm.path("farm.db"), farm.path("state/reelfarm.db")).unwrap();
        for end in ["-wal", "-shm"] {
            fs_err::copy(farm.path(&format!("farm.db{end}")), farm.path(&format!("state/reelfarm.db{end}")))
                .unwrap();
        }
        let mut command = person.command(&[verb, &["--json"]].concat());
        let output = command.env_remove("REELFARM_FARM").env("REELFARM_STATE", farm.path("state"));
        let output = output.output().await.unwrap();
        assert!(output.status.success(), "{}", describe(&output));
        assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), remote, "{verb:?}");
    }
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_say_what_is_wrong() {
    let farm = Farm::start().await;
    farm.submit("film").await;
    let operator = Person { farm: &farm, scope: Scope::Operator };
    let reader = Person { farm: &farm, scope: Scope::ReadOnly };
    let none = farm.path("films/none.mov").to_string_lossy().into_owned();
    let film = farm.path("films/film.mov").to_string_lossy().into_owned();
    for (person, arguments, code, word) in [
        (&reader, &["status", "none"][..], 3, "RF-TTL-003"),
        (&reader, &["status", "../etc"], 3, "RF-TTL-003"),
        (&operator, &["cancel", "none"], 3, "RF-TTL-003"),
        (&operator, &["watch", "none"], 3, "RF-TTL-003"),
        (&operator, &["retry", "film", "--rendition", "720p"], 3, "RF-API-005"),
        (&operator, &["submit", &none], 3, "RF-SRC-001"),
        (&operator, &["submit", &film, "--ladder", "best"], 2, "RF-CFG-004"),
        (&operator, &["submit", "/etc/passwd"], 2, "RF-API-001"),
        (&operator, &["retry", "film"], 4, "RF-TTL-004"),
        (&reader, &["cancel", "film"], 4, "RF-API-003"),
        (&operator, &["drain", "host"], 4, "RF-API-003"),
        (&operator, &["token", "list"], 4, "RF-API-003"),
        (&operator, &["watch", "film", "--timeout", "0"], 6, ""),
        (&operator, &["submit", &film, "--wait", "--timeout", "0"], 6, ""),
    ] {
        let (exit, words) = person.exit(arguments).await;
        assert_eq!(exit, code, "{arguments:?}: {words}");
        assert!(words.contains(word), "{arguments:?}: {words}");
    }
    farm.leader.send_replace(Leader::Nobody);
    let (exit, words) = operator.exit(&["cancel", "film"]).await;
    assert_eq!((exit, words.contains("RF-API-008")), (5, true), "{words}");
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_token_files_that_cannot_be_used_are_named() {
    let farm = Farm::start().await;
    let person = Person { farm: &farm, scope: Scope::ReadOnly };
    let run = async |change: &dyn Fn(&mut tokio::process::Command)| {
        let mut command = person.command(&["list"]);
        change(&mut command);
        let output = command.output().await.unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let loose = farm.path("loose.token");
    fs_err::write(&loose, farm.tokens[&Scope::Admin].reveal()).unwrap();
    fs_err::set_permissions(&loose, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (exit, words) = run(&|command| {
        command.env("REELFARM_TOKEN_FILE", &loose);
    })
    .await;
    assert_eq!((exit, words.contains("chmod 600")), (4, true), "{words}");
    assert!(!words.contains(farm.tokens[&Scope::Admin].reveal()), "{words}");
    let (exit, words) = run(&|command| {
        command.env_remove("REELFARM_TOKEN_FILE");
    })
    .await;
    assert_eq!((exit, words.contains("--token-file")), (4, true), "{words}");
    // RFC 5737: no host has this address.
    let (exit, words) = run(&|command| {
        command.env("REELFARM_FARM", "http://192.0.2.1");
    })
    .await;
    assert_eq!((exit, words.contains("--insecure-http")), (2, true), "{words}");
    let (exit, words) = run(&|command| {
        command.env("REELFARM_FARM", "http://127.0.0.1:1");
    })
    .await;
    assert_eq!((exit, words.contains("RF-API-008")), (5, true), "{words}");
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_uploaded_once_and_submitted() {
    let farm = Farm::start().await;
    let person = Person { farm: &farm, scope: Scope::Operator };
    let file = farm.path("my-film.mov");
    fs_err::write(&file, vec![7; 300_000]).unwrap();
    for _ in 0..2 {
        let submitted = person.json(&["submit", file.to_str().unwrap(), "--upload"]).await;
        assert_eq!(submitted["titles"][0]["title"], "my-film");
    }
    let status = person.json(&["status", "my-film"]).await;
    assert_eq!(
        (&status["title"]["generation"], &status["title"]["submission"]["source"]["size"]),
        (&1.into(), &300_000.into())
    );
    assert_eq!(fs_err::read_dir(farm.path("uploads")).unwrap().count(), 1);
    let large = farm.path("large.mov");
    fs_err::write(&large, vec![7; (1 << 20) + 1]).unwrap();
    let (exit, words) = person.exit(&["submit", large.to_str().unwrap(), "--upload"]).await;
    assert_eq!((exit, words.contains("RF-API-004")), (2, true), "{words}");
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_told_the_end() {
    let farm = Farm::start().await;
    let person = Person { farm: &farm, scope: Scope::Operator };
    let film = farm.film("film.mov");
    let mut waiting = person.command(&["submit", film.to_str().unwrap(), "--wait", "--json"]);
    let waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let title = "film".parse().unwrap();
    wait_until("it is submitted", async || farm.store.title(&title).await.unwrap().is_some()).await;
    // The connection is lost on the way, and another leads for a moment.
    farm.leader.send_replace(Leader::Nobody);
    farm.leader.send_replace(Leader::Here(farm.handle.clone()));
    farm.handle.cancel(title).await.unwrap();
    let output = tokio::time::timeout(PATIENCE, waiting.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["titles"][0]["state"], "cancelled");
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_makes_and_revokes_tokens() {
    let farm = Farm::start().await;
    let admin = Person { farm: &farm, scope: Scope::Admin };
    let file = farm.path("new.token");
    let make = ["token", "create", "--scope", "read-only", "--label", "somebody", "--output"];
    let (exit, words) = admin.exit(&[&make[..], &[file.to_str().unwrap()]].concat()).await;
    assert_eq!(exit, 0, "{words}");
    assert_eq!(fs_err::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let list = async || {
        let mut command = admin.command(&["list"]);
        command.env("REELFARM_TOKEN_FILE", &file).output().await.unwrap().status.code().unwrap()
    };
    assert_eq!(list().await, 0);
    let tokens = admin.text(&["token", "list"]).await;
    let ours = tokens.lines().find(|line| line.ends_with("somebody")).unwrap();
    assert!(ours.contains("read-only"), "{ours}");
    assert_eq!(admin.exit(&["token", "revoke", &ours[..12]]).await.0, 0);
    assert_eq!(list().await, 4);
    assert_eq!(admin.exit(&["token", "revoke", "none"]).await.0, 3);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_spoken_with_the_authorities_that_are_named_alone() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    fs_err::write(&certificate, cert.pem()).unwrap();
    fs_err::write(&key, signing_key.serialize_pem()).unwrap();
    let tls = Some(server_settings(&certificate, &key).unwrap());
    let farm = Farm::start_with(Wish { tls, ..Wish::default() }).await;
    let person = Person { farm: &farm, scope: Scope::ReadOnly };
    let trusted = person.run(&["list", "--json", "--authority-file", certificate.to_str().unwrap()]).await;
    assert!(trusted.status.success(), "{}", describe(&trusted));
    let (exit, words) = person.exit(&["list"]).await;
    assert_eq!((exit, words.contains("RF-API-008")), (5, true), "{words}");
    // A client that says nothing in the TLS handshake does not keep the server from others.
    let silent = tokio::net::TcpStream::connect(farm.server.address()).await.unwrap();
    let again = person.run(&["list", "--json", "--authority-file", certificate.to_str().unwrap()]).await;
    assert!(again.status.success(), "{}", describe(&again));
    drop(silent);
    tokio::time::timeout(Duration::from_secs(30), farm.stop()).await.unwrap();
}

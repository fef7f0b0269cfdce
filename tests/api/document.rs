//! The description of the interface: what is written down, what is served, and what requests made from it find.

use std::process::Stdio;

use reelfarm_scheduler::api::document;
use reelfarm_store::Scope;
use reqwest::Method;

use crate::farm::{Farm, body};
use crate::support::repository;

/// Says that the written description is to be replaced by the one that is served.
const UPDATE: &str = "REELFARM_UPDATE_OPENAPI";

#[test]
fn the_description_that_is_written_down_is_the_one_of_the_routes() {
    let path = repository().join("docs/openapi.json");
    let now = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
    if std::env::var_os(UPDATE).is_some() {
        fs_err::write(&path, &now).unwrap();
    }
    let written = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(
        written == now,
        "docs/openapi.json is out of date: run this test with {UPDATE}=1 and look at what changed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_served_to_everybody() {
    let farm = Farm::start().await;
    let answer = farm.plain(Method::GET, "/api/v1/openapi.json").send().await.unwrap();
    let served = body(answer, reqwest::StatusCode::OK).await;
    assert_eq!(served, serde_json::to_value(document()).unwrap());
    assert_eq!(served["openapi"], "3.1.0");
    farm.stop().await;
}

/// Requests made from the description, right ones and wrong ones, over the wire: the server answers each as the
/// description says, refuses what is wrong with a 4xx, and none makes it answer with a 5xx.
#[tokio::test(flavor = "multi_thread")]
async fn requests_generated_from_the_description_find_no_answer_that_it_does_not_foresee() {
    let farm = Farm::start().await;
    farm.submit("film").await;
    let tool = repository().join(".tools/schemathesis/bin/schemathesis");
    assert!(tool.exists(), "{} is missing: run scripts/setup --tests", tool.display());
    let mut command = tokio::process::Command::new(tool);
    command
        .current_dir(farm.path(""))
        .arg("--config-file")
        .arg(repository().join("tests/api/schemathesis.toml"))
        .args(["run", &farm.url("/api/v1/openapi.json"), "--url", &farm.url("")])
        .args(["--header", &format!("Authorization: {}", farm.bearer(Scope::Admin))])
        // Streams do not end, and a token that revokes itself ends the test.
        .args(["--exclude-path-regex", "events$", "--exclude-operation-id", "revokeToken"])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,negative_data_rejection,unsupported_method"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--seed", "1"])
        .args(["--request-timeout", "20", "--no-color"])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(std::time::Duration::from_secs(180), command.output()).await;
    let output = output.expect("generated requests take longer than they may").unwrap();
    assert!(output.status.success(), "{}", crate::support::describe(&output));
    // It is still there, and its title is as it was.
    assert_eq!(farm.get("/api/v1/titles/film").await["title"]["submission"]["title"], "film");
    farm.stop().await;
}

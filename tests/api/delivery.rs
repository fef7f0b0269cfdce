//! What is delivered with a film, over the wire: its checksums, and a QC report that was made elsewhere.

use reelfarm_model::Code;
use reelfarm_store::Scope;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::command_line::Person;
use crate::farm::{Farm, body, problem};
use crate::support::{describe, md5};

/// A report as another system makes one, on a film of five rungs at most.
fn report() -> Value {
    let check =
        json!({ "code": "RF-QC-001", "name": "opens", "verdict": "warn", "value": "mov", "limit": "mov" });
    let video = json!({
        "stream": 0, "frame_rate": 25, "frame_count": 250, "width": 1280, "height": 720, "rotation": 0,
        "deinterlace": false, "matrix": "bt709", "full_range": false,
    });
    let sound = json!({ "language": "en", "stereo": { "from": "track", "stream": 1 }, "surround": null });
    json!({
        "schema": 1, "source_sha256": "0".repeat(64), "policy": "house", "ladder": "fast", "verdict": "warn",
        "checks": [check], "conclusion": { "video": video, "rungs": ["720p", "240p"], "audio": [sound] },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn checksums_and_a_report_become_parts_of_the_submission() {
    let farm = Farm::start().await;
    let mut wish = farm.submission("film");
    wish["checksums"] = json!([
        { "checksum": format!("md5:{}", "A".repeat(32)), "stated_in": "film.mov.md5" },
        { "checksum": format!("sha256:{}", "b".repeat(64)) },
    ]);
    wish["qc_report"] = report();
    let title = body(farm.post("/api/v1/titles", &wish).await, StatusCode::ACCEPTED).await;
    let submission = &title["submission"];
    assert_eq!(
        submission["checksums"],
        json!([
            { "checksum": format!("md5:{}", "a".repeat(32)), "stated_in": "film.mov.md5" },
            { "checksum": format!("sha256:{}", "b".repeat(64)), "stated_in": "the submission" },
        ])
    );
    assert_eq!(submission["qc_report"]["external"], true);
    assert_eq!(submission["qc_report"]["conclusion"], report()["conclusion"]);
    // Submitted again in the same way it is the same title.
    let again = body(farm.post("/api/v1/titles", &wish).await, StatusCode::ACCEPTED).await;
    assert_eq!(again["generation"], 1);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_checksum_and_a_report_that_cannot_be_are_refused() {
    let farm = Farm::start().await;
    let before = farm.everything().await;
    let changed = |pointer: &str, value: Value| {
        let mut report = report();
        *report.pointer_mut(pointer).unwrap() = value;
        report
    };
    let md5 = format!("md5:{}", "a".repeat(32));
    let (unprocessable, bad) = (StatusCode::UNPROCESSABLE_ENTITY, StatusCode::BAD_REQUEST);
    for (member, value, status, code) in [
        ("checksums", json!([{ "checksum": "md5:abc" }]), unprocessable, Code::RequestInvalid),
        ("checksums", json!([{ "checksum": "a".repeat(32) }]), unprocessable, Code::RequestInvalid),
        ("checksums", json!([{ "checksum": md5, "stated_in": "" }]), bad, Code::RequestInvalid),
        ("checksums", json!([{ "checksum": md5, "stated_in": "a\u{1b}b" }]), bad, Code::RequestInvalid),
        ("checksums", json!(vec![json!({ "checksum": md5 }); 17]), bad, Code::RequestInvalid),
        ("qc_report", json!({}), unprocessable, Code::RequestInvalid),
        ("qc_report", changed("/schema", json!(2)), unprocessable, Code::ExternalReportInvalid),
        ("qc_report", changed("/source_sha256", Value::Null), unprocessable, Code::ExternalReportInvalid),
        ("qc_report", changed("/verdict", json!("pass")), unprocessable, Code::ExternalReportInvalid),
        ("qc_report", changed("/ladder", json!("default")), unprocessable, Code::ExternalReportInvalid),
        ("qc_report", changed("/conclusion", Value::Null), unprocessable, Code::ExternalReportInvalid),
        (
            "qc_report",
            changed("/conclusion/video/frame_rate", json!(23)),
            unprocessable,
            Code::ExternalReportInvalid,
        ),
        ("qc_report", changed("/checks/0/code", json!("ACME-1")), unprocessable, Code::RequestInvalid),
    ] {
        let mut wish = farm.submission("film");
        wish[member] = value;
        let answer = farm.post("/api/v1/titles", &wish).await;
        assert_eq!(answer.status(), status, "{wish}");
        problem(answer, status, code).await;
    }
    assert_eq!(farm.everything().await, before);
    farm.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sends_what_lies_beside_the_film_and_a_report() {
    let farm = Farm::start().await;
    let person = Person { farm: &farm, scope: Scope::Operator };
    let film = farm.film("film.mov");
    let film = film.to_str().unwrap();
    let digits = md5(film.as_ref());
    fs_err::write(format!("{film}.md5"), format!("{digits} *film.mov\n")).unwrap();
    let report_file = farm.path("report.json");
    fs_err::write(&report_file, report().to_string()).unwrap();
    let submission = async |arguments: &[&str]| {
        person.json(&[&["submit", film], arguments].concat()).await;
        farm.get("/api/v1/titles/film").await["title"]["submission"].clone()
    };
    let stated = json!([{ "checksum": format!("md5:{digits}"), "stated_in": "film.mov.md5" }]);
    for arguments in [&[][..], &["--upload"]] {
        assert_eq!(submission(arguments).await["checksums"], stated, "{arguments:?}");
        person.run(&["cancel", "film"]).await;
    }
    assert_eq!(submission(&["--no-checksum"]).await.get("checksums"), None);
    let named = format!("sha1:{}", "c".repeat(40));
    let sent = submission(&["--checksum", &named, "--qc-report", report_file.to_str().unwrap()]).await;
    assert_eq!(sent["checksums"], json!([{ "checksum": named, "stated_in": "--checksum" }]));
    assert_eq!(sent["qc_report"]["policy"], "house");

    fs_err::write(format!("{film}.md5"), "no\n").unwrap();
    let refused = person.run(&["submit", film]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", describe(&refused));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("RF-SRC-007"), "{}", describe(&refused));
    farm.stop().await;
}

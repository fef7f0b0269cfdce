//! Content keys from a key server, through the whole farm: profiles that are made with them and read back, and servers
//! that fail.

use std::collections::BTreeMap;
use std::process::Output;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key_server::{Authority, KeyServer, Received, Reply, oracle, right};
use crate::support::canary::{files_with, found_in};
use crate::support::players::{decrypted_segment_frames, ffmpeg_frames, frames_with_key};
use crate::support::{Bench, clips, describe, tree};

const PASSWORD: &str = "open sesame";
const TOKEN: &str = "a-token-in-the-url";
/// What stands in the URL's place for people.
const QUERY: &str = "?token=a-token-in-the-url";
/// A vector of the server's own.
const VECTOR: [u8; 16] = [0x5a; 16];

/// A farm that asks a key server.
struct Farm {
    bench: Bench,
    authority: Authority,
}

impl Farm {
    fn new() -> Self {
        Self { bench: Bench::new(), authority: Authority::new() }
    }

    /// Has the farm ask this server, with further settings of it.
    fn ask(&self, url: &str, more: &str) {
        let certificate = self.authority.certificate_file();
        let credentials = self.authority.file("credentials", &format!("farm:{PASSWORD}\n"));
        let settings = format!(
            "[drm.key_server]\nurl = \"{url}{QUERY}\"\nauthority_file = {certificate:?}\n\
             credentials_file = {credentials:?}\n{more}\n"
        );
        fs_err::write(self.bench.path("reelfarm.toml"), settings).unwrap();
    }

    fn run(&self, file: &str, profiles: &str) -> Output {
        self.bench.output(["run", file, "--ladder", "fast", "--audio-lang", "en", "--profiles", profiles])
    }

    fn made(&self, file: &str, profiles: &str) {
        let output = self.run(file, profiles);
        assert!(output.status.success(), "{}", describe(&output));
    }

    fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.bench.origin().join(path)).unwrap()
    }

    /// Where a title's profile has its manifest and its media, from the origin.
    fn profile(&self, title: &str, id: &str) -> (String, String) {
        let index = self.bench.index(title);
        let profiles = index["profiles"].as_array().unwrap();
        let profile = profiles.iter().find(|profile| profile["id"] == id).unwrap();
        let [manifest, media] =
            ["manifest", "media_path"].map(|field| format!("{title}/{}", profile[field].as_str().unwrap()));
        (manifest, media)
    }

    /// Neither credentials nor keys of the server are in what was said or left anywhere.
    fn betrays_nothing(&self, output: Option<&Output>, received: &[Arc<Received>]) {
        let keys = received.iter().flat_map(|request| oracle::judge(&request.body).keys.into_values());
        let mut secrets: Vec<String> = keys.map(hex::encode).collect();
        secrets.sort();
        secrets.dedup();
        let said = output.map(describe).unwrap_or_default();
        for key in &secrets {
            assert_eq!(found_in(said.as_bytes(), key), None, "{said}");
            let found = files_with(&self.bench.path(""), key);
            assert!(found.is_empty(), "{found:?}");
        }
        for secret in [PASSWORD, TOKEN, &STANDARD.encode(format!("farm:{PASSWORD}"))] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}

/// What a server says to one system (by the beginning of its UUID) in one scheme, by the name of the element.
fn told(received: &[Arc<Received>], scheme: &str, system: &str) -> BTreeMap<String, String> {
    let (scheme, system) = (format!("\"{scheme}\""), format!("systemId=\"{system}"));
    let both = |request: &&Arc<Received>| request.body.contains(&scheme) && request.body.contains(&system);
    let answer = oracle::answer(&received.iter().find(both).unwrap().body).answer;
    let begin = answer.find(&system).unwrap();
    let element = &answer[begin..begin + answer[begin..].find("</cpix:DRMSystem>").unwrap()];
    let parts = element.split("<cpix:").skip(1).map(|part| {
        let (tag, rest) = part.split_once('>').unwrap();
        (tag.split(' ').next().unwrap().to_owned(), rest.split('<').next().unwrap().to_owned())
    });
    parts.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_clip_is_encrypted_with_keys_of_a_server_told_as_it_says_and_decrypted() {
    let farm = Farm::new();
    let server = KeyServer::start(&farm.authority, |_, request| {
        let good = oracle::answer(&request.body).answer;
        // A server with vectors of its own.
        let mut parts = good.split("explicitIV=\"");
        let first = parts.next().unwrap().to_owned();
        Reply::good(parts.fold(first, |answer, part| {
            let (_, rest) = part.split_once('"').unwrap();
            format!("{answer}explicitIV=\"{}\"{rest}", STANDARD.encode(VECTOR))
        }))
    })
    .await;
    fs_err::copy(clips::real("bigbuckbunny.mp4"), farm.bench.path("film.mp4")).unwrap();
    farm.ask(&server.url, "");
    farm.made(
        "film.mp4",
        "dash-wvpr-2s,dash-wvpr-cbcs-2s,od-wv-2s,hls-multi-2s,hls-fp-2s,ts-fp-2s,hss-pr-2s,mp4-ml",
    );
    let received = server.received();
    assert_eq!(received.len(), 3, "once for each scheme");
    for request in &received {
        let expected = format!("Basic {}", STANDARD.encode(format!("farm:{PASSWORD}")));
        assert_eq!(request.header("authorization"), Some(&*expected));
    }
    let keys = oracle::answer(&received[0].body).keys;
    let key = hex::encode(keys.values().next().unwrap());

    let manifest = |id: &str| farm.profile("film", id).0;
    let media = |id: &str| farm.bench.origin().join(farm.profile("film", id).1);
    // An independent reader, with the server's key: 2 s at 25 frames a second, and the whole film.
    for id in ["dash-wvpr-2s", "dash-wvpr-cbcs-2s", "hls-fp-2s"] {
        assert_eq!(decrypted_segment_frames(&media(id).join("video-360p"), &key), 50, "{id}");
    }
    assert_eq!(frames_with_key(&farm.bench.origin().join(manifest("mp4-ml")), &key), 132);

    // Players are told in the server's words.
    for (id, scheme) in [("dash-wvpr-2s", "cenc"), ("dash-wvpr-cbcs-2s", "cbcs")] {
        let mpd = farm.read(&manifest(id));
        for system in ["edef8ba9", "9a04f079"] {
            assert!(mpd.contains(&told(&received, scheme, system)["PSSH"]), "{id} {system}");
        }
    }
    let smooth = farm.read(&manifest("hss-pr-2s"));
    let object = told(&received, "cenc", "9a04f079")["SmoothStreamingProtectionHeaderData"].clone();
    assert!(smooth.contains(&object), "{smooth}");
    let id = keys.keys().next().unwrap();
    for profile in ["hls-fp-2s", "hls-multi-2s", "ts-fp-2s"] {
        let path = manifest(profile);
        let playlist = farm.read(&format!("{}/video-360p.m3u8", path.rsplit_once('/').unwrap().0));
        assert!(playlist.contains(&format!("URI=\"skd://{id}\"")), "{profile}: {playlist}");
    }
    // The vector that the server hands out to FairPlay's players is that of the media.
    for track in ["video-360p", "audio-en-stereo"] {
        let header = fs_err::read(media("hls-fp-2s").join(track).join("init.mp4")).unwrap();
        assert!(header.windows(16).any(|bytes| bytes == VECTOR), "{track}");
    }
    farm.betrays_nothing(None, &received);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_key_of_whole_segments_is_never_the_servers() {
    let farm = Farm::new();
    let server = KeyServer::start(&farm.authority, right).await;
    for title in ["common", "whole", "verimatrix"] {
        clips::film(&farm.bench.path(&format!("{title}.mp4")), 4);
    }
    let key_files = |title: &str| {
        let files = tree(&farm.bench.origin().join(title)).into_keys();
        files.filter(|path| path.ends_with(".key")).collect::<Vec<_>>()
    };
    // A server that knows no AES-128: the key follows from the server's, and its file plays what it should.
    farm.ask(&server.url, "");
    farm.made("common.mp4", "ts-aes-2s,dash-wv-2s");
    let [file] = &key_files("common")[..] else { panic!("one key file") };
    let published = fs_err::read(farm.bench.origin().join("common").join(file)).unwrap();
    for request in server.received() {
        for key in oracle::answer(&request.body).keys.into_values() {
            assert_ne!(published, key);
        }
    }
    let (manifest, _) = farm.profile("common", "ts-aes-2s");
    assert_eq!(ffmpeg_frames(&farm.bench.origin().join(manifest)), 100);

    // One that does gives a key for nothing else, which players get from it alone.
    farm.ask(&server.url, "systems = [\"widevine\", \"clearkey\", \"verimatrix\"]");
    farm.made("whole.mp4", "ts-aes-2s,ts-vmx-2s,dash-wv-2s");
    assert!(key_files("whole").is_empty());
    let playlist = farm.read("whole/ts-aes-2s/video-360p.m3u8");
    let [common, whole] = ["cenc", "cbc1"].map(|scheme| {
        let of_title = |request: &&Arc<Received>| {
            request.body.contains("\"whole\"") && request.body.contains(&format!("\"{scheme}\""))
        };
        let received = server.received();
        oracle::answer(&received.iter().find(of_title).unwrap().body).keys
    });
    let (id, key) = whole.first_key_value().unwrap();
    assert!(playlist.contains(&format!("URI=\"https://keys.example/{id}\"")), "{playlist}");
    assert!(common.iter().all(|(other, other_key)| other != id && other_key != key));

    // One that knows only Verimatrix leaves a key that has no place for all to fetch it from: said before anything
    // begins, also where other profiles could be made.
    farm.ask(&server.url, "systems = [\"widevine\", \"verimatrix\"]");
    let asked = server.received().len();
    for profiles in ["ts-aes-2s", "dash-wv-2s,ts-aes-*,mp4-clr"] {
        let output = farm.run("verimatrix.mp4", profiles);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words}");
        for part in ["RF-KEY-008", "clearkey", "ts-aes-2s", &server.url] {
            assert!(words.contains(part), "{part}: {words}");
        }
    }
    assert_eq!(farm.bench.output(["status", "verimatrix"]).status.code(), Some(3), "it was never submitted");
    assert_eq!(server.received().len(), asked);
    assert!(tree(&farm.bench.origin().join("verimatrix")).is_empty());
    farm.made("verimatrix.mp4", "ts-vmx-2s");
    assert!(key_files("verimatrix").is_empty());
    farm.betrays_nothing(None, &server.received());
}

/// A fault of a server, and what the farm makes of it.
struct Fault {
    reply: fn(&Received) -> Reply,
    code: &'static str,
    exit: i32,
    says: &'static str,
    /// How often the farm tries.
    attempts: usize,
}

const ARGUMENTS: (&str, &str) = ("film.mp4", "dash-wvpr-2s,mp4-clr");
/// What is asked again within an attempt is tested with the client alone. A machine that is busy takes seconds for an answer.
const ONCE: &str = "attempts = 1\ntimeout_seconds = 60";
/// For a server that never answers.
const IMPATIENT: &str = "attempts = 1\ntimeout_seconds = 1";

/// A title whose pictures are encoded meets the fault: it fails, and nothing of it is seen. When the fault is mended, the
/// same command goes on where it stood.
async fn fails_and_goes_on(fault: Fault) {
    fails_and_goes_on_with(ONCE, fault).await;
}

/// The same, with settings of one's own until the fault is mended.
async fn fails_and_goes_on_with(settings: &str, fault: Fault) {
    let farm = Farm::new();
    let mended = Arc::new(Mutex::new(false));
    let state = mended.clone();
    let server = KeyServer::start(&farm.authority, move |number, request| {
        if *state.lock().unwrap() { right(number, request) } else { (fault.reply)(request) }
    })
    .await;
    let (file, profiles) = ARGUMENTS;
    clips::film(&farm.bench.path(file), 4);
    farm.ask(&server.url, settings);
    farm.made(file, "mp4-clr");
    let (online, before) = (tree(&farm.bench.origin()), farm.bench.attempts("film"));

    let output = farm.run(file, profiles);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(fault.exit), "{}", describe(&output));
    for part in [fault.code, fault.says, &server.url, "film"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!(server.received().len(), fault.attempts, "{words}");
    assert_eq!(farm.bench.attempts("film")["keys cenc"], vec!["failed"; fault.attempts]);
    assert_eq!(tree(&farm.bench.origin()), online, "what is online stays, and nothing half-made is there");
    farm.betrays_nothing(Some(&output), &server.received());

    *mended.lock().unwrap() = true;
    farm.ask(&server.url, ONCE);
    farm.made(file, profiles);
    let after = farm.bench.attempts("film");
    for task in ["encode-video", "encode-audio"] {
        for (label, outcomes) in before.iter().filter(|(label, _)| label.starts_with(task)) {
            assert_eq!(&after[label], outcomes, "{label}");
        }
    }
    assert!(farm.read("film/dash-wvpr-2s/manifest.mpd").contains("edef8ba9"));
    farm.betrays_nothing(None, &server.received());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_broken_for_good() {
    let reply = |_: &Received| Reply::Status(500, "down for repairs".to_owned());
    let says = "500 Internal Server Error: down for repairs";
    fails_and_goes_on(Fault { reply, code: "RF-KEY-003", exit: 5, says, attempts: 3 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers() {
    let says = "did not answer within 1s";
    let fault = Fault { reply: |_| Reply::Silence, code: "RF-KEY-003", exit: 5, says, attempts: 3 };
    fails_and_goes_on_with(IMPATIENT, fault).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_knows_no_such_farm() {
    let reply =
        |request: &Received| Reply::Status(401, format!("not {}", request.header("authorization").unwrap()));
    let says = "refuses the farm's credentials: it answered 401";
    fails_and_goes_on(Fault { reply, code: "RF-KEY-007", exit: 5, says, attempts: 3 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_let_the_farm_have_keys() {
    let says = "refuses the farm's credentials: it answered 403 Forbidden: no";
    let reply = |_: &Received| Reply::Status(403, "no".to_owned());
    fails_and_goes_on(Fault { reply, code: "RF-KEY-007", exit: 5, says, attempts: 3 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_another_titles_keys() {
    let reply = |request: &Received| {
        Reply::good(oracle::answer(&request.body).answer.replace("\"film\"", "\"other\""))
    };
    let says = "it is for another title";
    fails_and_goes_on(Fault { reply, code: "RF-KEY-004", exit: 1, says, attempts: 1 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_mixes_up_keys() {
    // All ids are right; the key is not the one that PlayReady is told of.
    let reply = |request: &Received| {
        let judgement = oracle::answer(&request.body);
        let key = STANDARD.encode(judgement.keys.values().next().unwrap());
        Reply::good(judgement.answer.replace(&key, &STANDARD.encode([1; 16])))
    };
    let says = "the checksum in its PlayReady header";
    fails_and_goes_on(Fault { reply, code: "RF-KEY-004", exit: 1, says, attempts: 1 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_answer_is_cut() {
    let reply = |request: &Received| {
        let answer = oracle::answer(&request.body).answer;
        Reply::good(&answer[..answer.len() * 2 / 3])
    };
    let says = "it is not the XML of an answer";
    fails_and_goes_on(Fault { reply, code: "RF-KEY-004", exit: 1, says, attempts: 1 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_recovers_in_time_costs_a_new_title_nothing() {
    let farm = Farm::new();
    let server = KeyServer::start(&farm.authority, |number, request| match number {
        0 => Reply::Status(500, "not now".to_owned()),
        _ => right(number, request),
    })
    .await;
    let (file, profiles) = ARGUMENTS;
    clips::film(&farm.bench.path(file), 4);
    // Within an attempt.
    farm.ask(&server.url, "");
    farm.made(file, profiles);
    assert_eq!(server.received().len(), 2);
    assert_eq!(farm.bench.attempts("film")["keys cenc"], ["completed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_leaves_a_new_title_unpublished_until_it_comes() {
    let farm = Farm::new();
    let absent = KeyServer::absent();
    let (file, profiles) = ARGUMENTS;
    clips::film(&farm.bench.path(file), 4);
    farm.ask(&absent.url, ONCE);
    let output = farm.run(file, profiles);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{}", describe(&output));
    assert!(words.contains("RF-KEY-003") && words.contains(&absent.url), "{words}");
    assert!(words.contains("Connection refused"), "{words}");
    assert!(tree(&farm.bench.origin()).is_empty());
    farm.betrays_nothing(Some(&output), &[]);

    let server = absent.start(&farm.authority, right);
    farm.made(file, profiles);
    assert_eq!(server.received().len(), 1);
    let attempts = farm.bench.attempts("film");
    assert_eq!(attempts["keys cenc"], ["failed", "failed", "failed", "completed"]);
    let encoded = attempts["encode-video"].iter().filter(|outcome| *outcome == "completed").count();
    assert_eq!(encoded, 1, "{attempts:?}");
}

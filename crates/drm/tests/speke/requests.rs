//! What is asked, and what is made of a right answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use reelfarm_drm::signal::signal;
use reelfarm_drm::speke::SpekeServer;
use reelfarm_drm::{KeyProvider as _, KeyRequest, KeyUris};
use reelfarm_model::profile::{DrmSystem, Scheme};
use reelfarm_model::{KeyDivision, KeyUse};

use crate::client::{options, request};
use crate::oracle;
use crate::server::{Authority, KeyServer, Reply, right};

const SCHEMES: [Scheme; 4] = [Scheme::Cenc, Scheme::Cbcs, Scheme::SampleAes, Scheme::Aes128];

#[tokio::test(flavor = "multi_thread")]
async fn every_request_meets_the_published_schema_and_is_answered() {
    let authority = Authority::new();
    let given = Arc::new(Mutex::new(BTreeMap::new()));
    let keys = given.clone();
    let server = KeyServer::start(&authority, move |_, request| {
        let judgement = oracle::answer(&request.body);
        keys.lock().unwrap().extend(judgement.keys);
        Reply::good(judgement.answer)
    })
    .await;
    let client = SpekeServer::new(&options(&server, &authority), KeyUris::default()).unwrap();
    assert_eq!(client.url(), server.url);
    let divisions = [KeyDivision::Title, KeyDivision::Quality];
    for (scheme, division) in
        SCHEMES.into_iter().flat_map(|scheme| divisions.map(|division| (scheme, division)))
    {
        let request = request(division, scheme);
        let title_keys = client.keys(&request).await.unwrap();
        let uses: Vec<_> = title_keys.keys().map(|(wanted, _)| wanted).collect();
        assert_eq!(uses, division.uses());
        for (_, key) in title_keys.keys() {
            assert_eq!(
                key.key.expose(),
                &given.lock().unwrap()[&key.id.to_uuid()],
                "{scheme:?} {division:?}"
            );
            for system in &request.systems {
                let told = title_keys.signal(*system, key.id).unwrap();
                let told_here = signal(*system, scheme, key, &request.title, &KeyUris::default());
                let by_server = match (system, scheme) {
                    (DrmSystem::Widevine, Scheme::Cenc) => (true, false, false),
                    (DrmSystem::Playready, Scheme::Cenc) => (true, true, false),
                    (DrmSystem::Widevine, _) => (true, false, true),
                    (DrmSystem::Playready, _) => (true, true, true),
                    (DrmSystem::Fairplay, _) => (false, false, true),
                    // The only system that a server can be asked about in this scheme.
                    (DrmSystem::Clearkey, Scheme::Aes128) => (false, false, true),
                    _ => {
                        assert_eq!(*told, told_here, "{system:?} {scheme:?}");
                        continue;
                    }
                };
                let found = (told.pssh.is_some(), told.playready_object.is_some(), told.hls_uri.is_some());
                assert_eq!(found, by_server, "{system:?} {scheme:?}");
                assert_ne!(*told, told_here, "{system:?} {scheme:?}");
            }
        }
        let told = title_keys.signals().count();
        assert_eq!(
            told,
            request.systems.len() * division.uses().len(),
            "nothing is said that was not asked for"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_asked_about_the_systems_that_it_knows() {
    let authority = Authority::new();
    let server = KeyServer::start(&authority, right).await;
    let mut options = options(&server, &authority);
    options.systems = [DrmSystem::Marlin, DrmSystem::Verimatrix, DrmSystem::Clearkey].into();
    let client = SpekeServer::new(&options, KeyUris::default()).unwrap();
    for scheme in [Scheme::Cenc, Scheme::Aes128] {
        let request = request(KeyDivision::Title, scheme);
        let title_keys = client.keys(&request).await.unwrap();
        let key = title_keys.key(KeyUse::All).unwrap();
        for system in &request.systems {
            let told = title_keys.signal(*system, key.id).unwrap();
            if !options.systems.contains(system) {
                let told_here = signal(*system, scheme, key, &request.title, &KeyUris::default());
                assert_eq!(*told, told_here, "{system:?}");
                continue;
            }
            let uri = format!("https://keys.example/{}", key.id.to_uuid());
            assert_eq!(told.pssh.is_some(), scheme == Scheme::Cenc, "{system:?}");
            assert_eq!(told.hls_uri, (scheme == Scheme::Aes128).then_some(uri), "{system:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_speke_had_us_ask_for_in_vain_is_not_passed_on() {
    let authority = Authority::new();
    let server = KeyServer::start(&authority, right).await;
    let client = SpekeServer::new(&options(&server, &authority), KeyUris::default()).unwrap();
    // The server knows no Verimatrix, and there is no request without a system.
    let request =
        KeyRequest { systems: [DrmSystem::Verimatrix].into(), ..request(KeyDivision::Title, Scheme::Aes128) };
    let title_keys = client.keys(&request).await.unwrap();
    let told: Vec<_> = title_keys.signals().map(|(system, _, _)| system).collect();
    assert_eq!(told, [DrmSystem::Verimatrix]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_asked_each_time_with_the_headers_of_speke() {
    let authority = Authority::new();
    let server = KeyServer::start(&authority, right).await;
    for _ in 0..2 {
        crate::client::ask(&options(&server, &authority)).await.unwrap();
    }
    let [first, second] = &server.received()[..] else { panic!() };
    assert_eq!(first.body, second.body);
    assert_eq!(first.method, "POST");
    for (name, value) in
        [("content-type", "application/xml"), ("accept", "application/xml"), ("x-speke-version", "2.0")]
    {
        assert_eq!(first.header(name), Some(value), "{name}");
    }
    assert!(first.header("x-speke-user-agent").unwrap().starts_with("reelfarm/"));
    assert_eq!(first.header("authorization"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_can_refuse() {
    let authority = Authority::new();
    let server = KeyServer::start(&authority, right).await;
    let client = SpekeServer::new(&options(&server, &authority), KeyUris::default()).unwrap();
    client.keys(&request(KeyDivision::Quality, Scheme::Cbcs)).await.unwrap();
    let request = server.received()[0].body.clone();
    for (from, to, fault) in [
        ("ContentKeyList>", "ContentKeys>", "schema"),
        ("<cpix:PSSH/><cpix:ContentProtectionData/>", "<cpix:ContentProtectionData/><cpix:PSSH/>", "schema"),
        ("playlist=\"media\"", "playlist=\"main\"", "schema"),
        ("maxPixels=\"", "maxPixels=\"about ", "schema"),
        ("version=\"2.3\"", "", "root"),
        (" commonEncryptionScheme=\"cbcs\"", "", "commonEncryptionScheme"),
        ("intendedTrackType=\"SD\"", "intendedTrackType=\"HD\"", "intendedTrackType"),
    ] {
        assert!(request.contains(from), "{from}");
        let faults = oracle::judge(&request.replace(from, to)).faults;
        assert!(faults.iter().any(|found| found.contains(fault)), "{from} to {to}: {faults:?}");
    }
}

//! What is asked, and what is made of a right answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reelfarm_drm::signal::signal;
use reelfarm_drm::speke::{SpekeOptions, SpekeServer, SpekeSetupError};
use reelfarm_drm::{ContentKey, KeyProvider as _, KeyUris};
use reelfarm_model::profile::{DrmSystem, Scheme};
use reelfarm_model::{KeyDivision, KeyUse};

use crate::client::{options, request};
use crate::key_server::{Authority, KeyServer, Reply, oracle, right};

/// Those in which a server is asked by default.
const SCHEMES: [Scheme; 3] = [Scheme::Cenc, Scheme::Cbcs, Scheme::SampleAes];

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

/// The key of a title at a server that knows these systems, for a scheme, and what each system is told of it.
async fn key_of(server: &KeyServer, authority: &Authority, systems: &[DrmSystem], scheme: Scheme) -> Given {
    let options = SpekeOptions { systems: systems.iter().copied().collect(), ..options(server, authority) };
    let client = SpekeServer::new(&options, KeyUris::default()).unwrap();
    let wanted = request(KeyDivision::Title, scheme);
    let keys = client.keys(&wanted).await.unwrap();
    let (key, uris) = (keys.key(KeyUse::All).unwrap().clone(), KeyUris::default());
    let uri = |system| keys.signal(system, key.id).and_then(|told| told.hls_uri.clone());
    let here = |system: &DrmSystem| {
        keys.signal(*system, key.id) == Some(&signal(*system, scheme, &key, &wanted.title, &uris))
    };
    if scheme == Scheme::Aes128 {
        for system in &wanted.systems {
            assert_eq!(
                client.can_tell(*system, scheme, &wanted.systems),
                uri(*system).is_some(),
                "{system:?}"
            );
        }
    }
    let known = oracle::answer(&server.received().last().unwrap().body).keys;
    Given {
        is_the_servers: known.get(&key.id.to_uuid()) == Some(key.key.expose()),
        uris: [DrmSystem::Clearkey, DrmSystem::Verimatrix, DrmSystem::Fairplay].map(uri),
        told_here: wanted.systems.iter().all(here),
        vector: keys.agreed_vector(key.id),
        key,
    }
}

struct Given {
    key: ContentKey,
    is_the_servers: bool,
    /// For ClearKey, Verimatrix and FairPlay.
    uris: [Option<String>; 3],
    told_here: bool,
    vector: Option<[u8; 16]>,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_servers_for_whole_segments_opens_nothing_else_and_lies_in_no_file() {
    let authority = Authority::new();
    let server = KeyServer::start(&authority, right).await;
    let systems = [DrmSystem::Clearkey, DrmSystem::Verimatrix];
    let common = key_of(&server, &authority, &systems, Scheme::Cenc).await;
    for (systems, [clearkey, verimatrix]) in [
        (&systems[..], ["server", "server"]),
        (&systems[..1], ["server", "farm"]),
        (&systems[1..], ["", "server"]),
    ] {
        let whole = key_of(&server, &authority, systems, Scheme::Aes128).await;
        assert!(whole.is_the_servers && whole.key.id != common.key.id && whole.key.key != common.key.key);
        let expected = |who| match who {
            "server" => Some(format!("https://keys.example/{}", whole.key.id.to_uuid())),
            "farm" => Some("https://vcas.invalid/CAB/keyfile?r=film&t=VOD&p=0".to_owned()),
            // The farm would name a file, with the server's own key in it.
            _ => None,
        };
        assert_eq!(whole.uris, [expected(clearkey), expected(verimatrix), None], "{systems:?}");
    }
    // Where nobody asks for what the server knows of whole segments, their key follows from another of its keys.
    let options = SpekeOptions { systems: [DrmSystem::Verimatrix].into(), ..options(&server, &authority) };
    let client = SpekeServer::new(&options, KeyUris::default()).unwrap();
    assert!(client.can_tell(DrmSystem::Clearkey, Scheme::Aes128, &[DrmSystem::Clearkey].into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_knows_no_whole_segments_gives_what_their_key_follows_from() {
    let authority = Authority::new();
    let server = KeyServer::start(&authority, right).await;
    for systems in [&[DrmSystem::Widevine, DrmSystem::Playready][..], &[DrmSystem::Fairplay]] {
        let whole = key_of(&server, &authority, systems, Scheme::Aes128).await;
        let asked = &server.received().last().unwrap().body.clone();
        let common = oracle::answer(asked).keys;
        let scheme = if systems.len() == 1 { "cbcs" } else { "cenc" };
        assert!(asked.contains(&format!("commonEncryptionScheme=\"{scheme}\"")), "{asked}");
        assert!(!whole.is_the_servers && !common.values().any(|key| key == whole.key.key.expose()));
        assert!(whole.told_here && whole.vector.is_none());
        let again = key_of(&server, &authority, systems, Scheme::Aes128).await;
        assert_eq!(again.key, whole.key);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_knows_no_fairplay_gives_the_key_and_the_farm_says_the_rest() {
    let authority = Authority::new();
    let server = KeyServer::start(&authority, right).await;
    let systems = [DrmSystem::Widevine, DrmSystem::Playready];
    let segments = key_of(&server, &authority, &systems, Scheme::SampleAes).await;
    assert!(segments.is_the_servers && segments.told_here && segments.vector.is_none());
    assert_eq!(segments.key, key_of(&server, &authority, &systems, Scheme::Cbcs).await.key);
    let none = SpekeOptions { systems: [].into(), ..options(&server, &authority) };
    let error = SpekeServer::new(&none, KeyUris::default()).unwrap_err();
    assert_eq!(error, SpekeSetupError::Systems);
}

/// What the first key of a document has as `explicitIV`.
fn stated_vector(document: &str) -> Option<[u8; 16]> {
    let (value, _) = document.split_once("explicitIV=\"")?.1.split_once('"')?;
    Some(STANDARD.decode(value).unwrap().try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn farm_and_server_agree_on_the_vector_that_fairplay_hands_out() {
    let authority = Authority::new();
    let fairplay = [DrmSystem::Fairplay, DrmSystem::Widevine];
    let attribute = |vector| format!("explicitIV=\"{}\"", STANDARD.encode(vector));
    // A server that takes what it is told, one that says nothing of it, and one with a vector of its own.
    for answered in [None, Some(None), Some(Some([0x5a; 16]))] {
        let server = KeyServer::start(&authority, move |_, request| {
            let good = oracle::answer(&request.body).answer;
            Reply::good(match (answered, stated_vector(&good)) {
                (Some(own), Some(told)) => {
                    good.replace(&attribute(told), &own.map(attribute).unwrap_or_default())
                }
                _ => good,
            })
        })
        .await;
        for scheme in [Scheme::Cbcs, Scheme::SampleAes] {
            let found = key_of(&server, &authority, &fairplay, scheme).await.vector;
            let told = stated_vector(&server.received().last().unwrap().body);
            assert!(told.is_some(), "the server is told");
            assert_eq!(found, answered.flatten().or(told), "{scheme:?} {answered:?}");
        }
        // Without FairPlay tracks have vectors of their own, which the media state.
        for (systems, scheme) in [(&fairplay[1..], Scheme::Cbcs), (&fairplay, Scheme::Cenc)] {
            assert_eq!(key_of(&server, &authority, systems, scheme).await.vector, None);
            assert_eq!(stated_vector(&server.received().last().unwrap().body), None);
        }
    }
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

//! Answers that are wrong in one place each: a right one, changed. None may be taken, and none may show in an error.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reelfarm_drm::speke::SpekeServer;
use reelfarm_drm::{KeyError, KeyProvider as _, KeyUris};
use reelfarm_model::KeyDivision;
use reelfarm_model::profile::Scheme;

use crate::client::{options, request};
use crate::key_server::oracle::{self, Judgement};
use crate::key_server::{Authority, KeyServer, Reply};

const WIDEVINE: &str = "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed";
const PLAYREADY: &str = "9a04f079-9840-4286-ab92-e65be0885f95";
const FAIRPLAY: &str = "94ce86fb-07ff-4f43-adb8-93d2fa968ca2";
const STRANGER: &str = "01234567-89ab-cdef-0123-456789abcdef";

/// A right answer to take apart.
struct Right {
    answer: String,
    ids: Vec<String>,
    judgement: Judgement,
}

impl Right {
    fn new(request: &str) -> Self {
        let judgement = oracle::answer(request);
        // In the order of the document.
        let ids: Vec<_> =
            request.split("<cpix:ContentKey kid=\"").skip(1).map(|rest| rest[..36].to_owned()).collect();
        Self { answer: judgement.answer.clone(), ids, judgement }
    }

    /// The key of the n-th id, as it stands in the answer.
    fn key(&self, number: usize) -> String {
        STANDARD.encode(self.judgement.keys[&self.ids[number]])
    }

    /// The answer with every occurrence replaced; there is one.
    #[track_caller]
    fn replace(&self, from: &str, to: &str) -> String {
        assert!(self.answer.contains(from), "{from} is not in {}", self.answer);
        self.answer.replace(from, to)
    }

    /// The whole element that begins so.
    #[track_caller]
    fn element(&self, begin: &str) -> String {
        let name = begin[1..].split([' ', '>']).next().unwrap();
        let end = format!("</{name}>");
        let start = self.answer.find(begin).unwrap_or_else(|| panic!("{begin} is not in {}", self.answer));
        let length = self.answer[start..].find(&end).unwrap() + end.len();
        self.answer[start..start + length].to_owned()
    }

    /// The answer with another vector for the n-th key.
    #[track_caller]
    fn vector(&self, number: usize, vector: &str) -> String {
        let whole = self.content_key(number);
        let (begin, rest) = whole.split_once("explicitIV=\"").unwrap();
        let (_, end) = rest.split_once('"').unwrap();
        self.replace(&whole, &format!("{begin}explicitIV=\"{vector}\"{end}"))
    }

    fn content_key(&self, number: usize) -> String {
        self.element(&format!("<cpix:ContentKey kid=\"{}\"", self.ids[number]))
    }

    fn drm_system(&self, system: &str, number: usize) -> String {
        self.element(&format!("<cpix:DRMSystem kid=\"{}\" systemId=\"{system}\"", self.ids[number]))
    }

    /// The answer with what one element says to one system of the n-th key replaced.
    #[track_caller]
    fn say(
        &self,
        system: &str,
        number: usize,
        begin: &str,
        change: impl FnOnce(Vec<u8>) -> Vec<u8>,
    ) -> String {
        let whole = self.drm_system(system, number);
        let start = whole.find(begin).unwrap_or_else(|| panic!("{begin} is not in {whole}"));
        let start = start + whole[start..].find('>').unwrap() + 1;
        let end = start + whole[start..].find('<').unwrap();
        let said = STANDARD.encode(change(STANDARD.decode(&whole[start..end]).unwrap()));
        self.replace(&whole, &[&whole[..start], &said, &whole[end..]].concat())
    }

    /// What one element says to one system of the n-th key.
    fn said(&self, system: &str, number: usize, begin: &str) -> Vec<u8> {
        let mut said = Vec::new();
        drop(self.say(system, number, begin, |bytes| {
            said.clone_from(&bytes);
            bytes
        }));
        said
    }
}

/// A change with the reason for which the answer is then refused.
type Fault = (&'static str, fn(&Right) -> String);

/// Gives each fault to a client that asks for this, and looks at what it says.
async fn refuse_all(division: KeyDivision, scheme: Scheme, faults: &'static [Fault]) {
    let authority = Authority::new();
    let right: Arc<Mutex<Option<Arc<Right>>>> = Arc::default();
    let seen = right.clone();
    // First the right answer, which shows that nothing but the changes is refused.
    let server = KeyServer::start(&authority, move |number, request| {
        let right = seen.lock().unwrap().get_or_insert_with(|| Arc::new(Right::new(&request.body))).clone();
        match number.checked_sub(1) {
            None => Reply::good(&*right.answer),
            Some(fault) => Reply::good(faults[fault].1(&right)),
        }
    })
    .await;
    let client = SpekeServer::new(&options(&server, &authority), KeyUris::default()).unwrap();
    let request = request(division, scheme);
    client.keys(&request).await.unwrap();
    let right = right.lock().unwrap().clone().unwrap();
    for (number, (expected, _)) in faults.iter().enumerate() {
        let Err(error) = client.keys(&request).await else {
            panic!("fault {number} ({expected}) was accepted");
        };
        assert!(matches!(error, KeyError::Answer { .. }), "{expected}: {error:?}");
        let message = error.to_string();
        assert!(message.contains(expected) && message.contains("title film"), "{expected}: {message}");
        for form in right.judgement.forms_of_keys() {
            assert!(!message.contains(&form), "{expected}: {message}");
        }
    }
    assert_eq!(server.received().len(), faults.len() + 1, "a wrong answer is not asked for again");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_those_that_were_asked_for() {
    const FAULTS: &[Fault] = &[
        ("for another title", |it| it.replace("contentId=\"film\"", "contentId=\"film2\"")),
        ("for another title", |it| it.replace("contentId=\"film\"", "id=\"film\"")),
        // What the server says of itself is shown, but not where it is a key.
        ("contentId is \"[…]\"", |it| it.replace("\"film\"", &format!("\"{}\"", it.key(0)))),
        ("version is not 2.3", |it| it.replace("version=\"2.3\"", "version=\"2.2\"")),
        ("a key that was not asked for", |it| it.replace(&it.ids[1], STRANGER)),
        ("a key that was not asked for", |it| {
            let one = it.content_key(0);
            it.replace(&one, &[&one, &*one.replace(&it.ids[0], STRANGER)].concat())
        }),
        ("no UUID", |it| it.replace(&it.ids[1], "second")),
        ("is missing", |it| it.replace(&it.content_key(1), "")),
        ("is there twice", |it| {
            let one = it.content_key(0);
            it.replace(&one, &[&*one, &one].concat())
        }),
        ("has 15 bytes", |it| it.replace(&it.key(0), &STANDARD.encode([1; 15]))),
        ("has 17 bytes", |it| it.replace(&it.key(0), &STANDARD.encode([1; 17]))),
        ("has 0 bytes", |it| it.replace(&it.key(0), "")),
        ("not base64", |it| it.replace(&it.key(0), &it.key(0)[..23])),
        ("has 24 bytes", |it| it.replace(&it.key(0), &hex::encode(it.judgement.keys[&it.ids[0]]))),
        ("is no secret", |it| it.replace(&it.key(0), &STANDARD.encode([0; 16]))),
        ("is no secret", |it| {
            let id = hex::decode(it.ids[0].replace('-', "")).unwrap();
            it.replace(&it.key(0), &STANDARD.encode(id))
        }),
        ("equals another key", |it| it.replace(&it.key(1), &it.key(0))),
        ("commonEncryptionScheme is not cbcs", |it| {
            let one = it.content_key(2);
            it.replace(&one, &one.replace("cbcs", "cenc"))
        }),
        ("explicitIV is not base64", |it| it.vector(0, "seven")),
        ("explicitIV has not 16 bytes", |it| it.vector(0, &STANDARD.encode([7; 8]))),
        // AWS's reference server answers this where it is not told of a vector.
        ("explicitIV is a key", |it| it.vector(0, &it.key(0))),
        ("explicitIV is a key", |it| it.vector(0, &it.key(2))),
        ("has no Data", |it| {
            it.replace(&it.content_key(0), &it.content_key(0).replace("cpix:Data", "cpix:Date"))
        }),
        ("is encrypted", |it| it.replace("pskc:PlainValue", "pskc:EncryptedValue")),
        ("more than one PlainValue", |it| {
            let value = format!("<pskc:PlainValue>{}</pskc:PlainValue>", it.key(0));
            it.replace(&value, &[&*value, &value].concat())
        }),
        ("its keys are encrypted", |it| {
            it.replace("<cpix:ContentKeyList>", "<cpix:DeliveryDataList/><cpix:ContentKeyList>")
        }),
        ("it is signed", |it| {
            it.replace(
                "</cpix:CPIX>",
                "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"/></cpix:CPIX>",
            )
        }),
        ("not asked for: ContentKeyPeriodList", |it| {
            it.replace("</cpix:DRMSystemList>", "</cpix:DRMSystemList><cpix:ContentKeyPeriodList/>")
        }),
        ("has no ContentKeyList", |it| it.replace(&it.element("<cpix:ContentKeyList>"), "")),
        ("is not the one that was sent", |it| {
            let rules = it.element("<cpix:ContentKeyUsageRuleList>");
            let changed = rules
                .replace(&it.ids[1], STRANGER)
                .replace(&it.ids[2], &it.ids[1])
                .replace(STRANGER, &it.ids[2]);
            it.replace(&rules, &changed)
        }),
        ("is not the one that was sent", |it| it.replace("minPixels=\"442369\"", "minPixels=\"400000\"")),
        ("is not the one that was sent", |it| {
            let rules = it.element("<cpix:ContentKeyUsageRuleList>");
            it.replace(&rules, "<cpix:ContentKeyUsageRuleList/>")
        }),
    ];
    refuse_all(KeyDivision::Quality, Scheme::Cbcs, FAULTS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn players_are_told_of_the_same_keys() {
    const MEDIA: &str = "<cpix:HLSSignalingData playlist=\"media\"";
    const MASTER: &str = "<cpix:HLSSignalingData playlist=\"master\"";
    const FAULTS: &[Fault] = &[
        ("fairplay for the key", |it| it.replace(&it.drm_system(FAIRPLAY, 1), "")),
        ("a DRMSystem that was not asked for", |it| {
            let one = it.drm_system(WIDEVINE, 0);
            it.replace(&one, &[&*one, &one.replace(WIDEVINE, STRANGER)].concat())
        }),
        ("a DRMSystem that was not asked for", |it| {
            let one = it.drm_system(WIDEVINE, 0);
            it.replace(&one, &[&*one, &one.replace(&it.ids[0], STRANGER)].concat())
        }),
        ("is there twice", |it| {
            let one = it.drm_system(WIDEVINE, 0);
            it.replace(&one, &[&*one, &one].concat())
        }),
        ("its PSSH is empty", |it| it.say(WIDEVINE, 0, "<cpix:PSSH", |_| Vec::new())),
        ("not one well-formed pssh box", |it| it.say(WIDEVINE, 0, "<cpix:PSSH", |bytes| bytes[1..].to_vec())),
        ("for another system", |it| {
            it.say(WIDEVINE, 0, "<cpix:PSSH", |_| it.said(PLAYREADY, 0, "<cpix:PSSH"))
        }),
        ("names another key", |it| it.say(WIDEVINE, 0, "<cpix:PSSH", |_| it.said(WIDEVINE, 1, "<cpix:PSSH"))),
        ("names another key", |it| {
            it.say(PLAYREADY, 0, "<cpix:PSSH", |_| it.said(PLAYREADY, 1, "<cpix:PSSH"))
        }),
        ("is not that of its PSSH", |it| {
            let other = it.said(WIDEVINE, 1, "<cpix:ContentProtectionData");
            it.say(WIDEVINE, 0, "<cpix:ContentProtectionData", |_| other)
        }),
        ("ContentProtectionData is malformed", |it| {
            it.say(WIDEVINE, 0, "<cpix:ContentProtectionData", |_| b"<cenc:pssh/>".to_vec())
        }),
        ("names another key", |it| {
            let text = |number| {
                String::from_utf8(it.said(PLAYREADY, number, "<cpix:ContentProtectionData")).unwrap()
            };
            let (ours, other) = (text(0), text(1));
            // The right box beside the wrong object.
            let mixed = [ours.split_once('\n').unwrap().0, other.split_once('\n').unwrap().1].concat();
            it.say(PLAYREADY, 0, "<cpix:ContentProtectionData", |_| mixed.into_bytes())
        }),
        ("no HLSSignalingData for master", |it| it.replace("playlist=\"master\"", "playlist=\"main\"")),
        ("more than one HLSSignalingData for media", |it| {
            it.replace("playlist=\"master\"", "playlist=\"media\"")
        }),
        ("HLSSignalingData is empty", |it| it.say(FAIRPLAY, 0, MEDIA, |_| Vec::new())),
        ("not UTF-8", |it| it.say(FAIRPLAY, 0, MEDIA, |_| vec![0xff])),
        ("no EXT-X-KEY", |it| it.say(FAIRPLAY, 0, MEDIA, |_| it.said(FAIRPLAY, 0, MASTER))),
        ("differ", |it| it.say(FAIRPLAY, 0, MASTER, |_| it.said(FAIRPLAY, 1, MASTER))),
        ("KEYFORMAT", |it| {
            it.say(FAIRPLAY, 0, MEDIA, |_| it.said(WIDEVINE, 0, MEDIA)).replace(
                &STANDARD.encode(it.said(FAIRPLAY, 0, MASTER)),
                &STANDARD.encode(it.said(WIDEVINE, 0, MASTER)),
            )
        }),
        ("widevine for the key", |it| {
            it.say(WIDEVINE, 0, MEDIA, |_| it.said(WIDEVINE, 1, MEDIA)).replace(
                &STANDARD.encode(it.said(WIDEVINE, 0, MASTER)),
                &STANDARD.encode(it.said(WIDEVINE, 1, MASTER)),
            )
        }),
        ("playready for the key", |it| {
            it.say(PLAYREADY, 0, MEDIA, |_| it.said(PLAYREADY, 1, MEDIA)).replace(
                &STANDARD.encode(it.said(PLAYREADY, 0, MASTER)),
                &STANDARD.encode(it.said(PLAYREADY, 1, MASTER)),
            )
        }),
    ];
    refuse_all(KeyDivision::Quality, Scheme::Cbcs, FAULTS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn playready_is_told_of_the_same_key() {
    const SMOOTH: &str = "<cpix:SmoothStreamingProtectionHeaderData";
    const FAULTS: &[Fault] = &[
        // All the ids are right, and the key is another title's.
        ("the checksum in its PlayReady header", |it| it.replace(&it.key(0), &STANDARD.encode([1; 16]))),
        ("names another key", |it| it.say(PLAYREADY, 0, SMOOTH, |_| it.said(PLAYREADY, 1, SMOOTH))),
        ("is empty", |it| it.say(PLAYREADY, 0, SMOOTH, |_| Vec::new())),
        ("malformed", |it| it.say(PLAYREADY, 0, SMOOTH, |bytes| bytes[..9].to_vec())),
        ("has no SmoothStreamingProtectionHeaderData", |it| {
            it.replace("SmoothStreamingProtectionHeaderData", "Smooth")
        }),
    ];
    refuse_all(KeyDivision::Quality, Scheme::Cenc, FAULTS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_the_xml_of_an_answer() {
    const FAULTS: &[Fault] = &[
        ("no element", |_| String::new()),
        ("no CPIX document", |_| "<html><body>Please log in</body></html>".to_owned()),
        ("no CPIX document", |it| it.replace("urn:dashif:org:cpix", "urn:dashif:org:other")),
        ("not the XML", |it| it.answer[..it.answer.len() / 2].to_owned()),
        ("not the XML", |it| it.replace("</cpix:ContentKeyList>", "</cpix:ContentKeyLists>")),
        ("not declared", |it| it.replace(" xmlns:pskc=\"urn:ietf:params:xml:ns:keyprov:pskc\"", "")),
        ("more than one root", |it| [&it.answer, "<again/>"].concat()),
        ("document types", |it| {
            // Each refers ten times to the one before: a gigabyte, were it ever unfolded.
            let mut laughs = "<!ENTITY lol0 \"lol\">".to_owned();
            for number in 1..10 {
                laughs += &format!("<!ENTITY lol{number} \"{}\">", format!("&lol{};", number - 1).repeat(10));
            }
            let (declaration, document) = it.answer.split_once('\n').unwrap();
            let document = document.replace(&it.key(0), "&lol9;");
            format!("{declaration}<!DOCTYPE laughs [{laughs}]>{document}")
        }),
        ("entities", |it| it.replace(&it.key(0), "&key;")),
        ("document types", |it| {
            let (declaration, document) = it.answer.split_once('\n').unwrap();
            format!("{declaration}<!DOCTYPE a SYSTEM \"file:///etc/passwd\">{document}")
        }),
        ("deeper", |it| {
            let deep = ["<a>".repeat(10_000), "</a>".repeat(10_000)].concat();
            it.replace("<cpix:ContentKeyList>", &format!("{deep}<cpix:ContentKeyList>"))
        }),
        ("not UTF-8", |it| it.replace("encoding='UTF-8'", "encoding='UTF-16'")),
    ];
    refuse_all(KeyDivision::Title, Scheme::Cbcs, FAULTS).await;
    let authority = Authority::new();
    let server = KeyServer::start(&authority, |_, _| Reply::Bytes(b"<a>\xff</a>".to_vec())).await;
    let error = crate::client::ask(&options(&server, &authority)).await.unwrap_err().to_string();
    assert!(error.contains("it is not UTF-8"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_speke_has_ignored_is_ignored() {
    let authority = Authority::new();
    let server = KeyServer::start(&authority, |_, request| {
        let right = Right::new(&request.body);
        let answer = right
            .answer
            .replace(
                "<cpix:VideoFilter",
                "<cpix:BitrateFilter maxBitrate=\"1\"/><cpix:VideoFilter wcg=\"false\"",
            )
            .replace("</cpix:CPIX>", "<cpix:UpdateHistoryItemList/></cpix:CPIX>")
            .replace("<cpix:ContentKey ", "<cpix:ContentKey dependsOnKey=\"none\" ")
            .replace(&right.ids[0], &right.ids[0].to_uppercase())
            .replace(WIDEVINE, &WIDEVINE.to_uppercase());
        assert_ne!(answer, right.answer);
        Reply::good(answer)
    })
    .await;
    let client = SpekeServer::new(&options(&server, &authority), KeyUris::default()).unwrap();
    client.keys(&request(KeyDivision::Quality, Scheme::Cbcs)).await.unwrap();
}

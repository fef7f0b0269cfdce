//! What Shaka Packager tells players of the same keys.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reelfarm_drm::{ContentKey, KeyUris, Secret, Signal, signal};
use reelfarm_model::KeyId;
use reelfarm_model::profile::{DrmSystem, Scheme};
use tempfile::TempDir;

use crate::write;

/// Key ids and keys; the first id has each byte once, the last needs every letter of base64's end.
const KEYS: [([u8; 16], [u8; 16]); 3] = [
    (*b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", [0x5c; 16]),
    ([0x80; 16], *b"\xfe\xdc\xba\x98\x76\x54\x32\x10\x01\x23\x45\x67\x89\xab\xcd\xef"),
    ([0xfb; 16], [0xff; 16]),
];

/// A manifest and a playlist for one key.
struct Packaged {
    mpd: String,
    playlist: String,
}

fn packager() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/packager");
    let named = std::env::var_os("REELFARM_PACKAGER").map(PathBuf::from);
    named.unwrap_or_else(|| if built.exists() { built } else { PathBuf::from("packager") })
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn package(folder: &Path, scheme: &str, key: &ContentKey) -> Packaged {
    let clip = folder.join("clip.mp4");
    if !clip.exists() {
        let source = ["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=128x96:r=25:d=1"];
        run(Command::new("ffmpeg").args(source).args(["-c:v", "libx264", "-pix_fmt", "yuv420p"]).arg(&clip));
    }
    let iv = if scheme == "cenc" { "11".repeat(8) } else { "11".repeat(16) };
    let verimatrix = told(DrmSystem::Verimatrix, scheme, key).pssh.unwrap();
    let flags = [
        "--enable_raw_key_encryption".to_owned(),
        format!("--keys=label=:key_id={}:key={}:iv={iv}", key.id, hex::encode(key.key.expose())),
        "--protection_systems=Widevine,PlayReady,Marlin,CommonSystem,FairPlay".to_owned(),
        format!("--pssh={}", hex::encode(verimatrix)),
        format!("--protection_scheme={scheme}"),
        "--clear_lead=0".to_owned(),
        "--generate_static_live_mpd".to_owned(),
        "--mpd_output=manifest.mpd".to_owned(),
        "--hls_master_playlist_output=master.m3u8".to_owned(),
    ];
    let flags = write(folder, "flags", &flags.join("\n"), 0o600);
    let stream = "in=clip.mp4,stream=video,init_segment=init.mp4,segment_template=$Number$.m4s,playlist_name=video.m3u8";
    run(Command::new(packager())
        .current_dir(folder)
        .arg(stream)
        .arg(format!("--flagfile={}", flags.display())));
    let read = |name| fs_err::read_to_string(folder.join(name)).unwrap();
    Packaged { mpd: read("manifest.mpd"), playlist: read("video.m3u8") }
}

fn told(system: DrmSystem, scheme: &str, key: &ContentKey) -> Signal {
    let scheme = if scheme == "cenc" { Scheme::Cenc } else { Scheme::Cbcs };
    signal::signal(system, scheme, key, &"film".parse().unwrap(), &KeyUris::default())
}

/// The text between two others, the first time that they come.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

impl Packaged {
    /// The text of an element inside of a system's `ContentProtection`.
    fn element(&self, system: DrmSystem, name: &str) -> Option<&str> {
        let mut systems = self.mpd.split("<ContentProtection ").skip(1);
        let of_system = |element: &&str| {
            let scheme = between(element, "schemeIdUri=\"urn:uuid:", "\"");
            scheme.is_some_and(|uuid| uuid.eq_ignore_ascii_case(system.uuid()))
        };
        let element = systems.find(of_system)?.split("</ContentProtection>").next()?;
        between(element, &format!("<{name}>"), &format!("</{name}>"))
    }

    fn bytes(&self, system: DrmSystem, name: &str) -> Option<Vec<u8>> {
        self.element(system, name).map(|text| BASE64.decode(text).unwrap())
    }

    /// Method and URI of the `EXT-X-KEY` with this `KEYFORMAT`.
    fn line(&self, format: &str) -> Option<(&str, &str)> {
        let wanted = format!("KEYFORMAT=\"{format}\"");
        let line =
            self.playlist.lines().find(|line| line.starts_with("#EXT-X-KEY") && line.contains(&wanted))?;
        Some((between(line, "METHOD=", ",")?, between(line, "URI=\"", "\"")?))
    }
}

#[test]
fn players_are_told_what_shaka_packager_tells_them() {
    let folder = TempDir::new().unwrap();
    for (id, key) in KEYS {
        let key = ContentKey { id: KeyId(id), key: Secret::new(key) };
        for scheme in ["cenc", "cbcs"] {
            let packaged = package(folder.path(), scheme, &key);
            let told = |system| told(system, scheme, &key);
            for system in
                [DrmSystem::Widevine, DrmSystem::Playready, DrmSystem::Clearkey, DrmSystem::Verimatrix]
            {
                let pssh = packaged.bytes(system, "cenc:pssh");
                assert!(pssh.is_some() && told(system).pssh == pssh, "{system:?} {scheme}: {}", packaged.mpd);
            }
            let object = packaged.bytes(DrmSystem::Playready, "mspr:pro");
            assert!(object.is_some() && told(DrmSystem::Playready).playready_object == object, "{scheme}");
            // Manifests name Marlin's content by the key's id alone.
            let content = packaged.element(DrmSystem::Marlin, "mas:MarlinContentId").unwrap();
            assert_eq!(content, format!("urn:marlin:kid:{}", key.id));
            assert_eq!(told(DrmSystem::Marlin), Signal::default());
            // FairPlay has no element, whatever the scheme.
            assert_eq!(packaged.element(DrmSystem::Fairplay, "cenc:pssh"), None);
            assert_eq!(told(DrmSystem::Fairplay).pssh, None);

            let widevine = packaged.line("urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed").unwrap();
            let playready = packaged.line("com.microsoft.playready").unwrap();
            let fairplay = packaged.line("com.apple.streamingkeydelivery").unwrap();
            if scheme == "cbcs" {
                for (line, system) in [(widevine, DrmSystem::Widevine), (playready, DrmSystem::Playready)] {
                    assert_eq!(line, ("SAMPLE-AES", told(system).hls_uri.unwrap().as_str()));
                }
                // The packager's own URI has the id in base64, whose "/", "+" and "=" mean something in a URI.
                assert_eq!(fairplay, ("SAMPLE-AES", format!("skd://{}", BASE64.encode(key.id.0)).as_str()));
                assert_eq!(told(DrmSystem::Fairplay).hls_uri.unwrap(), format!("skd://{}", key.id));
                // "identity" says that the URI gives the key (RFC 8216 clause 4.3.2.4); what the packager puts there is
                // the id, with which nobody can play.
                let identity = packaged.line("identity").unwrap();
                assert_eq!(identity.1, format!("data:text/plain;base64,{}", BASE64.encode(key.id.0)));
                assert_eq!(told(DrmSystem::Clearkey).hls_uri, None);
            } else {
                // SAMPLE-AES-CTR is no method of RFC 8216, and FairPlay has no counter mode at all: the farm has no such
                // playlists.
                for line in [widevine, playready, fairplay] {
                    assert_eq!(line.0, "SAMPLE-AES-CTR");
                }
                for system in DrmSystem::ALL {
                    assert_eq!(told(system).hls_uri, None, "{system:?}");
                }
            }
        }
    }
}

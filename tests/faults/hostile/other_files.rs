//! Files that point at others: none is opened, looked at or waited for.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, inotify};

use super::judge::{judge, judge_bytes};
use super::movie::{Track, full, movie};
use crate::support::{Bench, clips, describe};

/// Watches a file: whoever opens it is seen.
struct Watch(OwnedFd);

impl Watch {
    fn of(path: &Path) -> Self {
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&watch, path, inotify::WatchFlags::OPEN | inotify::WatchFlags::ACCESS).unwrap();
        Self(watch)
    }

    fn events(&self) -> usize {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        std::iter::from_fn(|| reader.next().ok().map(|_| ())).count()
    }
}

/// An entry of `dref` that says that the media lie in another file: as a URL, as a path in a Macintosh alias, and as a
/// volume-relative one (QuickTime File Format, "Data reference atoms").
fn references(path: &Path) -> Vec<Vec<u8>> {
    let path = path.to_str().unwrap();
    let name = path.rsplit('/').next().unwrap();
    let field = |kind: u16, text: &str| {
        let mut bytes = [kind.to_be_bytes(), u16::try_from(text.len()).unwrap().to_be_bytes()].concat();
        bytes.extend(text.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        bytes
    };
    let mut alias = vec![0; 10];
    alias.extend([&[4][..], b"disk", &[0; 23]].concat());
    alias.extend([0; 12]);
    alias.push(u8::try_from(name.len()).unwrap());
    alias.extend(name.as_bytes());
    alias.resize(10 + 28 + 12 + 64, 0);
    // Levels from and to: one up, so that relative paths are tried as well.
    alias.extend([0; 12]);
    alias.extend([0, 1, 0, 1]);
    alias.extend([0; 16]);
    alias.extend([field(2, path), field(18, path), field(0, "tmp"), vec![0xFF, 0xFF, 0, 0]].concat());
    vec![
        full(b"url ", 0, format!("file://{path}\0").as_bytes()),
        full(b"url ", 0, format!("{path}\0").as_bytes()),
        full(b"urn ", 0, format!("urn:x\0file://{path}\0").as_bytes()),
        full(b"alis", 0, &alias),
    ]
}

#[test]
fn media_that_lie_in_another_file_are_not_fetched() {
    let bench = Bench::new();
    // It holds what the references ask for, so that a film would come of it.
    let secret = bench.path("secret");
    fs_err::write(&secret, vec![0x80; 36 + 25 * 9216]).unwrap();
    let pipe = bench.path("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
        .unwrap();
    let watch = Watch::of(&secret);
    // Whoever opens the pipe waits for ever.
    for target in [&secret, &pipe, Path::new("/dev/zero"), Path::new("/etc/passwd")] {
        for reference in references(target) {
            let track = Track { reference, ..Track::sound() };
            let film = bench.path("film.mov");
            fs_err::write(&film, movie(25, &[track.written(1)], &[])).unwrap();
            let judged = judge(&bench, &film);
            assert!(
                judged.is_for("RF-QC-001") || judged.is_for("RF-QC-003"),
                "{}: {judged:?}",
                target.display()
            );
        }
    }
    assert_eq!(watch.events(), 0);
    drop(fs_err::File::open(&secret).unwrap());
    assert_eq!(watch.events(), 1, "the watch sees an opening");
}

#[test]
fn lists_of_other_files_are_refused_whatever_they_are_called() {
    let bench = Bench::new();
    let secret = clips::film(&bench.path("secret.ts"), 1);
    let watch = Watch::of(&secret);
    let path = secret.display();
    let names = ["list.mp4", "list.mov", "list.ts", "list.m3u8", "list.concat", "list.mpd"];
    let texts = [
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{path}\n#EXT-X-ENDLIST\n"),
        format!("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"file:{path}\"\n#EXTINF:1,\nfile:{path}\n"),
        format!("ffconcat version 1.0\nfile '{path}'\nfile 'concat:{path}|{path}'\n"),
        format!(
            "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\"><Period><BaseURL>file://{path}</BaseURL></Period></MPD>"
        ),
        format!("v=0\nm=video 0 RTP/AVP 96\nc=IN IP4 127.0.0.1\na=control:file:{path}\n"),
        format!("<smil><body><video src=\"{path}\"/></body></smil>"),
        format!("[Reference]\nRef1=file://{path}\n"),
        format!("XPLAYLIST\nfile:{path}\n"),
    ];
    for (text, name) in texts.iter().zip(names.iter().cycle()) {
        let list = bench.path(name);
        fs_err::write(&list, text).unwrap();
        let judged = judge(&bench, &list);
        assert_eq!(judged.codes, ["RF-QC-001"], "{name}: {text}: {judged:?}");
    }
    assert_eq!(watch.events(), 0);
}

#[test]
fn material_outside_of_an_mxf_file_is_not_looked_for() {
    let bench = Bench::new();
    let whole = clips::make(
        &bench.path("whole.mxf"),
        "-f lavfi -i testsrc2=size=320x180:rate=25:duration=1 -c:v mpeg2video",
    );
    let bytes = fs_err::read(whole).unwrap();
    // Without its body: as an OPAtom file whose essence lies in another file, beside it.
    let body = bytes
        .windows(13)
        .position(|window| window == b"\x06\x0e\x2b\x34\x01\x02\x01\x01\x0d\x01\x03\x01\x15")
        .unwrap();
    let film = bench.path("film.mxf");
    fs_err::write(&film, &bytes[..body]).unwrap();
    fs_err::write(bench.path("essence.mxf"), &bytes).unwrap();
    let watch = Watch::of(&bench.path("essence.mxf"));
    assert_eq!(judge(&bench, &film).verdict, "reject");
    assert_eq!(watch.events(), 0);
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let bench = Bench::new();
    let pipe = bench.path("pipe.mp4");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
        .unwrap();
    std::os::unix::fs::symlink("/dev/zero", bench.path("zero.mp4")).unwrap();
    for name in ["pipe.mp4", "zero.mp4"] {
        let output = bench.output(["qc", name, "--json"]);
        let words = describe(&output);
        assert!(output.status.code() == Some(1) && words.contains("RF-SRC-002"), "{words}");
    }
    assert!(judge_bytes("text.mp4", b"file:///etc/passwd").is_for("RF-QC-001"));
}

//! The page of QC's report: from a file, from measurements, and of a title; opened in a real browser.

use serde_json::Value;

use crate::support::{Bench, browser, clips, describe};

/// A film that is black from 2 s on, flashes from 6 s on, and lies on its side.
fn faulty(bench: &Bench) {
    let filters = "drawbox=c=black:t=fill:enable='between(t,2,4.5)',\
                   drawbox=c=white:t=fill:enable='between(t,6,7.5)*lt(mod(t,0.16),0.08)',\
                   drawbox=c=black:t=fill:enable='between(t,6,7.5)*gte(mod(t,0.16),0.08)'";
    let upright = clips::make(
        &bench.path("upright.mp4"),
        &format!(
            "-f lavfi -i testsrc2=size=640x360:rate=25:duration=9,{filters} \
             -f lavfi -i sine=frequency=440:sample_rate=48000:duration=9 \
             -c:v libx264 -preset ultrafast -b:v 1500k -pix_fmt yuv420p -c:a aac -ac 2 -metadata:s:a:0 language=eng"
        ),
    );
    let turn = format!("-i {} -c copy -metadata:s:v rotate=90", upright.display());
    clips::make(&bench.path("film.mp4"), &turn);
}

/// Whether a page that shows no fault of its own shows what is wrong with the film.
fn shows_the_faults(page: &browser::Opened) -> bool {
    assert_eq!((page.requests.len(), page.errors.len()), (0, 0), "{page:?}");
    for image in &page.images {
        assert_eq!((image.width, image.height), (180, 320), "upright, and decoded: {page:?}");
    }
    let shown = |what: &str| page.images.iter().find(|image| image.alternative.starts_with(what));
    let (black, flash) =
        (shown("black: the picture at 00:00:03:"), shown("flashes: the picture at 00:00:06:"));
    black.is_some_and(|image| image.light < 5.0) && flash.is_some()
}

#[test]
fn a_browser_shows_the_page_with_its_pictures_and_asks_for_nothing_else() {
    let bench = Bench::new();
    faulty(&bench);
    let judged = bench.output(["qc", "film.mp4", "--report", "film.html", "--measurements", "film.json"]);
    assert!(judged.status.success(), "{}", describe(&judged));
    let page = browser::open(&bench.path("film.html"));
    assert!(shows_the_faults(&page), "{page:?}");
    assert_eq!(page.title, "Passed with warnings: film.mp4");
    assert!(page.drawing > 100.0, "the time line is drawn: {page:?}");

    // Of measurements alone there is all but the pictures.
    let again = bench.output(["qc", "--replay", "film.json", "--report", "again.html"]);
    assert!(again.status.success(), "{}", describe(&again));
    let page = browser::open(&bench.path("again.html"));
    assert!(!shows_the_faults(&page) && page.images.is_empty() && page.drawing > 100.0, "{page:?}");

    // A file that nobody can open has a page that says so.
    fs_err::write(bench.path("none.mp4"), [7; 1000]).unwrap();
    let rejected = bench.output(["qc", "none.mp4", "--report", "none.html"]);
    assert_eq!(rejected.status.code(), Some(1), "{}", describe(&rejected));
    assert!(rejected.stderr.is_empty(), "{}", describe(&rejected));
    let page = browser::open(&bench.path("none.html"));
    assert_eq!((page.images.len(), page.drawing, page.errors.len()), (0, 0.0, 0), "{page:?}");
    assert_eq!(page.title, "Rejected: none.mp4");
}

#[test]
fn a_title_has_its_report_after_it_was_made() {
    let bench = Bench::new();
    faulty(&bench);
    let unknown = bench.output(["report", "film"]);
    assert_eq!(unknown.status.code(), Some(3), "{}", describe(&unknown));
    bench.json(["run", "film.mp4", "--ladder", "fast", "--profiles", "mp4-clr", "--json"]);
    let judged = bench.output(["report", "film", "--out", "film.html"]);
    assert!(judged.status.success(), "{}", describe(&judged));
    let table = String::from_utf8_lossy(&judged.stdout).into_owned();
    assert!(table.starts_with("PASSED with warnings") && table.contains("RF-QC-017"), "{table}");
    let page = browser::open(&bench.path("film.html"));
    assert!(shows_the_faults(&page), "{page:?}");
    let status: Value = bench.json(["status", "film", "--json"]);
    assert_eq!(bench.json(["report", "film", "--json"]), status["title"]["report"]);

    // The film is not written over, and another one in its place lends it no pictures.
    let refused = bench.output(["report", "film", "--out", "film.mp4"]);
    assert_eq!(refused.status.code(), Some(2), "{}", describe(&refused));
    clips::film(&bench.path("film.mp4"), 3);
    assert!(bench.output(["report", "film", "--out", "film.html"]).status.success());
    let page = browser::open(&bench.path("film.html"));
    assert!(page.images.is_empty() && page.drawing > 100.0, "{page:?}");
}

//! Players in a real browser.

use std::collections::BTreeMap;

use crate::support::server::FileServer;
use crate::support::{Bench, browser, clips};

#[test]
fn browsers_play_dash_and_hls_to_the_end() {
    let bench = Bench::new();
    clips::film(&bench.path("film.mp4"), 5);
    let profiles = "dash-clr-2s,dash-clr-4s,od-clr-2s,hls-clr-2s,ts-clr-4s";
    bench.json(["run", "film.mp4", "--ladder", "fast", "--profiles", profiles, "--json"]);
    let server = FileServer::start(&bench.origin());
    for (player, profile) in [
        ("shaka", "dash-clr-2s/manifest.mpd"),
        ("shaka", "dash-clr-4s/manifest.mpd"),
        ("shaka", "od-clr-2s/manifest.mpd"),
        ("shaka", "hls-clr-2s/master.m3u8"),
        ("hls", "hls-clr-2s/master.m3u8"),
        ("hls", "ts-clr-4s/master.m3u8"),
    ] {
        let played = browser::play(player, &server.address(&format!("film/{profile}")), &BTreeMap::new());
        println!("{player} {profile}: {played:?}");
        played.assert_whole(125);
    }
}

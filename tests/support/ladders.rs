//! Ladders that are quickly encoded.

/// Two rungs, of films in chunks of four seconds.
pub const TWO_RUNGS: &str = r#"
name = "chunks"
description = "Two rungs, in chunks of four seconds."
chunk_seconds = 4

[[rung]]
name = "360p"
width = 640
height = 360
min_source_kbps = 100
crf = 28
maxrate_kbps = 800
bufsize_kbps = 1600
preset = "ultrafast"
profile = "main"

[[rung]]
name = "240p"
width = 426
height = 240
min_source_kbps = 50
crf = 28
maxrate_kbps = 400
bufsize_kbps = 800
preset = "ultrafast"
profile = "main"

[[audio]]
name = "stereo"
layout = "stereo"
bitrate_kbps = 128
"#;

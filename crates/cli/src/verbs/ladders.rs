//! `reelfarm ladders`: the ladders that come with the farm, or a ladder file checked.

use reelfarm_model::{Failure, Ladder};

use crate::arguments::Ladders;
use crate::config::{BUILT_IN_LADDERS, Project};
use crate::exit::Exit;
use crate::printer::Printer;

/// Lists the ladders, or shows one.
pub fn run(verb: &Ladders, printer: &Printer) -> Result<Exit, Failure> {
    let project = Project::load()?;
    if let Some(name) = &verb.name {
        let (_, ladder) = project.ladder(Some(name))?;
        if verb.json.json {
            printer.json(&ladder);
        } else {
            printer.data(&table(&ladder));
        }
        return Ok(Exit::Done);
    }
    let mut ladders = Vec::new();
    for (name, _) in BUILT_IN_LADDERS {
        ladders.push(project.ladder(Some(name))?.1);
    }
    if verb.json.json {
        printer.json(&ladders);
    } else {
        for ladder in &ladders {
            let rungs: Vec<_> = ladder.rungs.iter().map(|rung| rung.name.as_str()).collect();
            printer.data(&format!("{:<10} {:<28} {}", ladder.name, rungs.join(" "), ladder.description));
        }
    }
    Ok(Exit::Done)
}

fn table(ladder: &Ladder) -> String {
    let mut text = format!("{}: {}\n\n", ladder.name, ladder.description);
    text.push_str(&format!(
        "{:<10} {:<10} {:>4} {:>9} {:>9} {:>11}  {:<10} {:<6} {}\n",
        "RUNG", "BOX", "CRF", "MAX kb/s", "BUF kb", "SOURCE kb/s", "PRESET", "CODEC", "PROFILE"
    ));
    for rung in &ladder.rungs {
        text.push_str(&format!(
            "{:<10} {:<10} {:>4} {:>9} {:>9} {:>11}  {:<10} {:<6} {}\n",
            rung.name,
            format!("{}x{}", rung.width, rung.height),
            rung.crf,
            rung.maxrate_kbps,
            rung.bufsize_kbps,
            format!(">= {}", rung.min_source_kbps),
            rung.preset,
            rung.codec.name(),
            rung.profile
        ));
    }
    text.push('\n');
    for audio in &ladder.audio {
        let layout = audio.layout.ffmpeg_name();
        text.push_str(&format!("{:<10} AAC-LC {layout}, {} kb/s\n", audio.name, audio.bitrate_kbps));
    }
    text
}

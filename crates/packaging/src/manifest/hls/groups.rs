//! Groups of sound in a master playlist. The packager puts every rendition into the group of its layout; but groups are
//! encodings of the same members (RFC 8216 4.3.4.2.1), and a player that chose the group of 5.1 sound would have no
//! English where only German has 5.1. So a group gets what it lacks from another.

use crate::playlist::{AudioMedia, Master, Variant};

/// The text of a master playlist, with the same members in every group of sound. `master` is what it says.
///
/// # Errors
/// Its lines are not written as the packager writes them.
pub(super) fn complete(text: &str, master: &Master) -> Result<String, String> {
    let tags = |tag: &str| text.lines().filter(|line| line.starts_with(tag)).collect::<Vec<_>>();
    let (sound, variants) = (tags("#EXT-X-MEDIA:"), tags("#EXT-X-STREAM-INF:"));
    if (sound.len(), variants.len()) != (master.audio.len(), master.variants.len()) {
        return Err("its tags are not those that were read".to_owned());
    }
    let (mut sounds_seen, mut variants_seen) = (0, 0);
    let mut completed = String::with_capacity(text.len() * 2);
    for line in text.lines() {
        if sound.get(sounds_seen) == Some(&line) {
            push(&mut completed, line);
            let group = &master.audio[sounds_seen].group;
            sounds_seen += 1;
            if master.audio[sounds_seen..].iter().all(|later| later.group != *group) {
                for index in lacking(master, group) {
                    push(&mut completed, &in_group(sound[index], &master.audio[index], group)?);
                }
            }
        } else if variants.get(variants_seen) == Some(&line) {
            let widest = widest(master, variants_seen);
            push(&mut completed, &with_rates_of(line, variants[widest])?);
            variants_seen += 1;
        } else {
            push(&mut completed, line);
        }
    }
    Ok(completed)
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// The renditions that a group lacks, each name once: their places among all.
fn lacking(master: &Master, group: &str) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    for (index, other) in master.audio.iter().enumerate() {
        let is_there = |audio: &AudioMedia| audio.group == group && audio.name == other.name;
        let is_found = found.iter().any(|found| master.audio[*found].name == other.name);
        if !is_found && !master.audio.iter().any(is_there) {
            found.push(index);
        }
    }
    found
}

/// A rendition's line, in another group.
fn in_group(line: &str, audio: &AudioMedia, group: &str) -> Result<String, String> {
    let own = format!(",GROUP-ID=\"{}\",", audio.group);
    let (before, after) = line.split_once(&own).ok_or_else(|| format!("{own:?} is not in {line:?}"))?;
    Ok(format!("{before},GROUP-ID=\"{group}\",{after}"))
}

/// Which variant stream states rates that this one's are not above, now that other sound may be chosen with it: itself,
/// or the same picture with the group that the sound is from.
fn widest(master: &Master, index: usize) -> usize {
    let own = &master.variants[index];
    let lent = lacking(master, &own.audio_group);
    let is_candidate = |other: &Variant| {
        other.uri == own.uri && lent.iter().any(|lent| master.audio[*lent].group == other.audio_group)
    };
    let candidates = master.variants.iter().enumerate().filter(|(_, other)| is_candidate(other));
    let highest = candidates.max_by_key(|(_, other)| other.bandwidth);
    highest.filter(|(_, other)| other.bandwidth > own.bandwidth).map_or(index, |(place, _)| place)
}

/// A variant stream's line with the rates of another, which the packager writes first.
fn with_rates_of(line: &str, other: &str) -> Result<String, String> {
    const NEXT: &str = ",CODECS=";
    let place = |line: &str| line.find(NEXT).ok_or_else(|| format!("{NEXT:?} is not in {line:?}"));
    Ok(format!("{}{}", &other[..place(other)?], &line[place(line)?..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two languages in stereo, one of them in 5.1 as well; the stereo sound of the second picture has the higher rate.
    const MASTER: &str = r#"#EXTM3U

#EXT-X-MEDIA:TYPE=AUDIO,URI="en.m3u8",GROUP-ID="stereo",LANGUAGE="en",NAME="English",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"
#EXT-X-MEDIA:TYPE=AUDIO,URI="de.m3u8",GROUP-ID="stereo",LANGUAGE="de",NAME="German",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2"
#EXT-X-MEDIA:TYPE=AUDIO,URI="de-6.m3u8",GROUP-ID="surround",LANGUAGE="de",NAME="German",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="6"

#EXT-X-STREAM-INF:BANDWIDTH=20,AVERAGE-BANDWIDTH=15,CODECS="a,b",RESOLUTION=4x2,FRAME-RATE=25.000,AUDIO="stereo"
large.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=12,AVERAGE-BANDWIDTH=11,CODECS="c,b",RESOLUTION=2x2,FRAME-RATE=25.000,AUDIO="stereo"
small.m3u8

#EXT-X-STREAM-INF:BANDWIDTH=30,AVERAGE-BANDWIDTH=25,CODECS="a,b",RESOLUTION=4x2,FRAME-RATE=25.000,AUDIO="surround"
large.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=10,AVERAGE-BANDWIDTH=9,CODECS="c,b",RESOLUTION=2x2,FRAME-RATE=25.000,AUDIO="surround"
small.m3u8
"#;

    fn completed(text: &str) -> String {
        complete(text, &Master::parse(text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn a_group_gets_what_it_lacks_and_states_rates_that_hold_for_it() {
        let english = MASTER.lines().nth(2).unwrap();
        let german = MASTER.lines().nth(4).unwrap();
        let lent = english.replace("\"stereo\"", "\"surround\"");
        let expected = MASTER
            .replace(german, &format!("{german}\n{lent}"))
            .replace("BANDWIDTH=10,AVERAGE-BANDWIDTH=9,", "BANDWIDTH=12,AVERAGE-BANDWIDTH=11,");
        assert_eq!(completed(MASTER), expected);
        assert_eq!(completed(&expected), expected, "nothing is left to do");
    }

    #[test]
    fn whole_groups_stay_as_they_are() {
        let one_group = MASTER.replace("\"surround\"", "\"stereo\"").replacen("German", "German, 5.1", 1);
        assert_eq!(completed(&one_group), one_group);
    }

    #[test]
    fn text_that_another_writes_is_refused() {
        let text =
            MASTER.replace("URI=\"en.m3u8\",GROUP-ID=\"stereo\",", "GROUP-ID=\"stereo\",URI=\"en.m3u8\",");
        let read = Master::parse(text.as_bytes()).unwrap();
        assert!(complete(&text, &read).is_ok());
        let text = text.replace("TYPE=AUDIO,GROUP-ID=\"stereo\",", "GROUP-ID=\"stereo\",TYPE=AUDIO,");
        let read = Master::parse(text.as_bytes()).unwrap();
        assert!(complete(&text, &read).unwrap_err().contains("GROUP-ID"));
        assert!(complete("#EXTM3U\n", &read).is_err());
    }
}

//! How much work a source may make, by its size.
//!
//! A few bytes can ask for hours: a sample table that names the same bytes a million times over, pictures of which
//! hardly anything is coded, packets of nothing. Such a file moves all the time, so that who looks for a hang finds
//! none.
//!
//! Promises: work is counted in samples of pictures and never in seconds, so that a file is broken off at the same
//! place on every machine; what a file may make grows with its bytes alone; a film of any length, size and codec stays
//! below it. The most that films reached, in samples a byte, black pictures without sound: of 3840x2160 by SVT-AV1 230,186,
//! by VP9 87,638; of 1920x1080 by x264 24,000.

/// Work that a file of any size may make: 8,000 pictures of 1920x1080, or 16,000 smaller ones.
const FREE: u64 = 1 << 34;
/// Work that each byte may make.
const A_BYTE: u64 = 1 << 19;
/// What a packet takes, however small: a container spends two bytes on it at least.
const PACKET: u64 = 1 << 16;
/// What each byte of a packet takes, whatever comes of it. Each byte of a file is in one packet, so that films use a sixteenth
/// of what they may; who names the same bytes more than sixteen times is found out.
const BYTE: u64 = 1 << 15;
/// What a picture takes at least: a file spends eight bytes on it, with what the container says of it.
const PICTURE: u64 = 1 << 20;
/// What it takes to begin anew with pictures of another size or format.
const CHANGE: u64 = 1 << 23;
/// What a sample of sound takes more than one of a picture: loudness, and the true peak between samples.
const SOUND: u64 = 8;

/// The work that a file of so many bytes may make.
pub(super) fn allowed(bytes: u64) -> u64 {
    FREE.saturating_add(bytes.saturating_mul(A_BYTE))
}

/// The work that packets of so many bytes together take before they are decoded.
pub(super) fn packets(count: u64, bytes: u64) -> u64 {
    count.saturating_mul(PACKET).saturating_add(bytes.saturating_mul(BYTE))
}

/// The work that a picture of so many samples takes.
pub(super) fn picture(width: u32, height: u32) -> u64 {
    (u64::from(width) * u64::from(height)).max(PICTURE)
}

/// The work that so many changes of the pictures' format take.
pub(super) fn changes(count: u64) -> u64 {
    count.saturating_mul(CHANGE)
}

/// The work that so many samples in each of so many channels take.
pub(super) fn sound(samples: u64, channels: u32) -> u64 {
    samples.saturating_mul(u64::from(channels)).saturating_mul(SOUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Films at the lowest bitrates that are met, in kb/s, and what share of their allowance they use.
    #[test]
    fn films_stay_below() {
        for (name, width, height, rate, video, sound_channels, audio) in [
            ("a lecture", 1920, 1080, 25, 60, 1, 32),
            ("a slide show", 3840, 2160, 25, 100, 2, 64),
            ("ultra high definition", 3840, 2160, 60, 2_000, 6, 384),
            ("the largest", 8192, 8192, 60, 20_000, 2, 128),
            ("a black picture", 1920, 1080, 25, 17, 2, 32),
            ("a black picture by SVT-AV1, without sound", 3840, 2160, 25, 7, 0, 0),
            ("a proxy", 320, 180, 60, 30, 2, 32),
        ] {
            for seconds in [1, 60, 7_200, 43_200] {
                let pictures = seconds * rate;
                let packets_of_sound = seconds * 50;
                let bytes = seconds * (video + audio) * 125;
                let made = pictures * picture(width, height)
                    + packets(pictures + packets_of_sound, bytes)
                    + sound(seconds * 48_000, sound_channels);
                assert!(
                    made < allowed(bytes) / 100 * 55,
                    "{name}, {seconds} s: {made} of {}",
                    allowed(bytes)
                );
            }
        }
    }

    #[test]
    fn what_costs_a_file_nothing_is_soon_too_much() {
        let small = allowed(10_000);
        assert!(packets(1_000_000, 0) > small);
        // The same bytes seventy times.
        assert!(packets(70, 700_000) > small);
        assert!(30_000 * picture(64, 48) > small);
        assert!(400 * picture(8192, 8192) > small);
        assert!(changes(3_000) > small);
        assert!(sound(100_000_000, 64) > small);
    }

    #[test]
    fn nothing_overflows() {
        assert_eq!(allowed(u64::MAX), u64::MAX);
        assert_eq!(packets(u64::MAX, 0), u64::MAX);
        assert_eq!(packets(0, u64::MAX), u64::MAX);
        assert_eq!(changes(u64::MAX), u64::MAX);
        assert_eq!(sound(u64::MAX, u32::MAX), u64::MAX);
        assert!(picture(u32::MAX, u32::MAX) > 1 << 63);
    }
}

//! What manifests call the codec of a track.

use crate::readback::Codec;

/// A codec as RFC 6381 writes it (ISO/IEC 14496-15 annex E for H.264).
pub(super) fn rfc6381(codec: &Codec) -> String {
    match codec {
        Codec::Avc { parameter_sets, .. } => {
            let profile = parameter_sets.iter().find(|set| set.first().is_some_and(|nal| nal & 0x1F == 7));
            match profile.and_then(|set| set.get(1..4)) {
                Some([profile, constraints, level]) => {
                    format!("avc1.{profile:02x}{constraints:02x}{level:02x}")
                }
                _ => "avc1".to_owned(),
            }
        }
        Codec::Hevc { profile, .. } => hevc(profile),
        Codec::Aac { .. } => "mp4a.40.2".to_owned(),
    }
}

/// ISO/IEC 14496-15 annex E.3: the profile, its compatibility in reverse order of bits, tier and level, and the bytes of constraints
/// but for zeros at the end.
fn hevc(profile: &[u8; 12]) -> String {
    let [first, compatibility @ .., level] = profile;
    let space = ["", "A", "B", "C"][usize::from(first >> 6)];
    let tier = if first & 0x20 == 0 { 'L' } else { 'H' };
    let (compatibility, constraints) = compatibility.split_at(4);
    let bits = compatibility.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)).reverse_bits();
    let used = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let constraints: String = constraints[..used].iter().map(|byte| format!(".{byte:x}")).collect();
    format!("hvc1.{space}{}.{bits:x}.{tier}{level}{constraints}", first & 0x1F)
}

#[cfg(test)]
mod tests {
    use super::hevc;

    #[test]
    fn profiles_of_hevc_have_their_names() {
        for (profile, expected) in [
            ([1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93], "hvc1.1.6.L93.90"),
            ([2, 0x20, 0, 0, 0, 0xB0, 0, 0, 0, 0, 0, 150], "hvc1.2.4.L150.b0"),
            ([0x61, 0x60, 0, 0, 0, 0x90, 0, 1, 0, 0, 0, 120], "hvc1.A1.6.H120.90.0.1"),
        ] {
            assert_eq!(hevc(&profile), expected);
        }
    }
}

//! Whatever can be written is read back as it was, and whatever is read does not panic.

use proptest::prelude::*;

use super::cue::Text;
use super::encoding::is_text;
use super::*;

/// Characters that formats trip over, beside any.
fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => any::<char>(),
        4 => prop::char::range(' ', '~'),
        2 => prop::sample::select(vec!['<', '>', '&', '-', '{', '}', '\\', ' ', '\n', '\u{A0}', '\u{85}', '\u{2028}', '\u{FEFF}']),
    ];
    prop::collection::vec(character, 1..40)
        .prop_map(|characters| characters.into_iter().filter(|character| is_text(*character)).collect())
}

fn style() -> impl Strategy<Value = Style> {
    any::<[bool; 3]>().prop_map(|[italic, bold, underline]| Style { italic, bold, underline })
}

fn cues(settings: impl Strategy<Value = Settings> + Clone) -> impl Strategy<Value = Vec<Cue>> {
    let lines = prop::collection::vec((text(), style()), 1..5).prop_map(|spans| {
        let mut text = Text::default();
        spans.iter().for_each(|(span, style)| text.push(span, *style));
        text.complete()
    });
    let cue = (
        0u64..20_000,
        1u64..10_000_000,
        settings,
        lines.prop_filter("nothing to see", |lines| !lines.is_empty()),
    );
    prop::collection::vec(cue, 1..8).prop_map(|cues| {
        let mut start = 0;
        let cues = cues.into_iter().map(|(after, duration, settings, lines)| {
            start += after;
            Cue { start, end: start + duration, settings, lines }
        });
        cues.collect()
    })
}

fn placed() -> impl Strategy<Value = Settings> + Clone {
    let align =
        prop::sample::select(vec![Align::Start, Align::Center, Align::End, Align::Left, Align::Right]);
    (any::<bool>(), align).prop_map(|(top, align)| Settings::placed(top, align))
}

/// Settings of any kind.
fn settings() -> impl Strategy<Value = Settings> + Clone {
    let setting = prop_oneof![
        (0u32..101).prop_map(|percent| format!("line:{percent}%,start")),
        (-20i32..20).prop_map(|line| format!("line:{line}")),
        (0u32..101).prop_map(|percent| format!("position:{percent}.5%,line-left")),
        (0u32..101).prop_map(|percent| format!("size:{percent}%")),
        Just("align:middle".to_owned()),
        Just("align:start".to_owned()),
        Just("vertical:lr".to_owned()),
        "[a-z]{1,8}:[ -~]{0,8}",
    ];
    prop::collection::vec(setting, 0..4).prop_map(|settings| Settings::parse(&settings.join(" ")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn cues_survive_webvtt(cues in cues(settings())) {
        let written = webvtt::write(&cues);
        prop_assert_eq!(read(written.as_bytes()), Ok((Format::WebVtt, cues)), "{}", written);
    }

    #[test]
    fn cues_survive_ttml(cues in cues(placed())) {
        let written = ttml::write(&cues, "en-GB");
        prop_assert_eq!(read(written.as_bytes()), Ok((Format::Ttml, cues)), "{}", written);
    }

    #[test]
    fn any_bytes_give_cues_in_order_or_an_error(
        beginning in prop::sample::select(vec!["", "WEBVTT\n\n", "1\n", "<tt>", "<tt><body><p begin='1s' end='2s'>"]),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        check(&[beginning.as_bytes(), &bytes].concat())?;
    }

    #[test]
    fn changed_files_give_cues_in_order_or_an_error(
        cues in cues(placed()),
        is_webvtt: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = if is_webvtt { webvtt::write(&cues) } else { ttml::write(&cues, "en") }.into_bytes();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        check(&bytes)?;
    }
}

/// What is read is in order, and survives being written.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok((_, cues)) = read(bytes) {
        prop_assert!(cues.is_sorted_by_key(|cue| cue.start) && cues.iter().all(|cue| cue.start < cue.end));
        prop_assert_eq!(read(webvtt::write(&cues).as_bytes()), Ok((Format::WebVtt, cues)));
    }
    Ok(())
}

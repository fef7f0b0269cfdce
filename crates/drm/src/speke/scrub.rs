//! Takes out of a text whatever could be a secret, before it goes into an error: the words of a key server may repeat
//! what it was sent or what it was about to send.

use zeroize::Zeroizing;

/// A run of at least so many characters of base64, base64url or hexadecimal may be a key: one of 16 bytes takes 22.
const SUSPICIOUS_LENGTH: usize = 20;

/// As many bytes in a list may be part of a key.
const SUSPICIOUS_COUNT: usize = 8;

/// Stands where something was.
const MARK: &str = "[…]";

/// As much of a server's words as an error shows.
const MAXIMUM_LENGTH: usize = 300;

/// Long words of CPIX and its namespaces, which are no keys.
const VOCABULARY: [&str; 9] = [
    "commonEncryptionScheme",
    "ContentProtectionData",
    "ContentKeyPeriodList",
    "ContentKeyUsageRuleList",
    "UpdateHistoryItemList",
    "SmoothStreamingProtectionHeaderData",
    "DRMSystemList",
    "text/plain;charset=utf-8",
    "application/octet-stream",
];

/// What takes secrets out of texts.
#[derive(Default)]
pub(super) struct Scrubber {
    harmless: Vec<String>,
    secrets: Vec<Zeroizing<String>>,
}

impl Scrubber {
    /// Leaves these words alone, and takes those secrets out wherever they stand.
    pub(super) fn new(harmless: Vec<String>, secrets: Vec<Zeroizing<String>>) -> Self {
        Self { harmless, secrets }
    }

    /// The text on one line, cut short, with a mark where something could have been a secret.
    pub(super) fn scrub(&self, text: &str) -> String {
        let mut text = Zeroizing::new(text.to_owned());
        for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
            text = Zeroizing::new(text.replace(secret.as_str(), MARK));
        }
        let pieces: Vec<_> = pieces(&text).collect();
        let mut line = String::new();
        for (piece, hidden) in pieces.iter().zip(self.hidden(&pieces)) {
            match piece {
                _ if hidden && line.ends_with(MARK) => {}
                _ if hidden => line.push_str(MARK),
                _ if !piece.contains(|c: char| c.is_whitespace() || c.is_control()) => line.push_str(piece),
                _ if line.ends_with(' ') => {}
                _ => line.push(' '),
            }
        }
        let mut line = line.trim().to_owned();
        if let Some((end, _)) = line.char_indices().nth(MAXIMUM_LENGTH) {
            line.truncate(end);
            line.push('…');
        }
        line
    }

    /// Which pieces could be a key: long words, and many short ones in a row that could each be a byte.
    fn hidden(&self, pieces: &[&str]) -> Vec<bool> {
        let mut hidden = vec![false; pieces.len()];
        let mut row: Vec<usize> = Vec::new();
        let words = pieces.iter().enumerate().filter(|(_, piece)| piece.starts_with(is_part_of_a_key));
        for (at, word) in words {
            hidden[at] = word.len() >= SUSPICIOUS_LENGTH && !self.is_harmless(word);
            if !is_like_a_byte(word) {
                row.clear();
                continue;
            }
            row.push(at);
            if row.len() >= SUSPICIOUS_COUNT {
                hidden[row[0]..=at].fill(true);
            }
        }
        hidden
    }

    fn is_harmless(&self, word: &str) -> bool {
        // Of the sentence that it stands in.
        let word = word.trim_end_matches(':');
        VOCABULARY.contains(&word) || self.harmless.iter().any(|harmless| harmless.eq_ignore_ascii_case(word))
    }
}

/// The text in pieces: words of what could be part of a key, and single characters between them.
fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let first = text.chars().next()?;
        let length = text.find(|c| !is_part_of_a_key(c)).unwrap_or(text.len());
        let (piece, rest) = text.split_at(if length == 0 { first.len_utf8() } else { length });
        text = rest;
        Some(piece)
    })
}

/// Whether a word could be one byte, as lists show them: `7f`, `0x7f`, `127`, `-12`.
fn is_like_a_byte(word: &str) -> bool {
    let digits =
        word.strip_prefix('-').or(word.strip_prefix("0x")).or(word.strip_prefix("0X")).unwrap_or(word);
    (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Also what separates the bytes of hexadecimal, and `%` of URLs.
fn is_part_of_a_key(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '+' | '/' | '=' | '-' | '_' | ':' | '%')
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    #[test]
    fn the_words_of_the_specification_stay_readable() {
        let scrubber = Scrubber::new(vec!["98ee5596-cd3e-a20d-163a-e382420c6eff".to_owned()], Vec::new());
        for words in [
            "Missing ContentKey@commonEncryptionScheme for KID 98ee5596-cd3e-a20d-163a-e382420c6eff",
            "Requested CPIX encryption contract not supported",
            "Unsupported CPIX@version",
            "the key 98ee5596-cd3e-a20d-163a-e382420c6eff: it is missing",
        ] {
            assert_eq!(scrubber.scrub(words), words);
        }
        assert_eq!(
            scrubber.scrub("sent 1 2 3 4 5 6 7 bytes, not 0x1f, -2,3,4,5,6,7,ff (twice)"),
            "sent 1 2 3 4 5 6 7 bytes, not […] (twice)"
        );
        assert_eq!(scrubber.scrub("  two\r\n\tlines\u{7} \u{1b}[31m "), "two lines [31m");
        assert_eq!(scrubber.scrub(&"long words ".repeat(99)).chars().count(), MAXIMUM_LENGTH + 1);
    }

    #[test]
    fn credentials_go_wherever_they_stand() {
        let secret = |text: &str| Zeroizing::new(text.to_owned());
        let scrubber = Scrubber::new(Vec::new(), vec![secret("pass"), secret("")]);
        assert_eq!(scrubber.scrub("no access for farm:pass, xpassx"), "no access for farm:[…], x[…]x");
    }

    proptest! {
        #[test]
        fn no_form_of_a_key_gets_through(key: [u8; 16], before in "[ -~]{0,30}", after in "[ -~]{0,30}") {
            let hexadecimal = hex::encode(key);
            let pairs: Vec<String> = key.iter().map(|byte| format!("{byte:02X}")).collect();
            for form in [
                hexadecimal.clone(),
                hexadecimal.to_uppercase(),
                pairs.join(":"),
                pairs.join("-"),
                pairs.join(" "),
                format!("0x{}", pairs.join(", 0x")),
                format!("{key:?}"),
                format!("{:?}", key.map(u8::cast_signed)),
                reelfarm_model::KeyId(key).to_uuid(),
                STANDARD.encode(key),
                STANDARD_NO_PAD.encode(key),
                URL_SAFE_NO_PAD.encode(key),
            ] {
                let shown = Scrubber::default().scrub(&format!("{before}{form}{after}"));
                prop_assert!(!shown.contains(&form), "{}", shown);
            }
        }
    }
}

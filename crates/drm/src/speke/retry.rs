//! When a key server is asked again, and after how long. Pure, so that it can be tested without waiting.

use std::time::{Duration, SystemTime};

/// How long a key server is waited for, and how often it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The longest that connecting may take, TLS and all.
    pub connect: Duration,
    /// The longest that one exchange may take, from connecting to the last byte.
    pub exchange: Duration,
    /// How often the server is asked at most, the first time counted. At least once.
    pub attempts: u32,
    /// The longest wait before the second attempt; it doubles from attempt to attempt.
    pub first_wait: Duration,
    /// No wait is longer. A server that asks for more is given up for now.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            exchange: Duration::from_secs(20),
            attempts: 4,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(30),
        }
    }
}

impl Patience {
    /// How long to wait after this many attempts that failed, or `None` to give up. `chance`, of 0 to 1, spreads the
    /// waits, so that many workers that failed together do not come back together. A server's own wish is honoured:
    /// it is not asked earlier.
    pub(super) fn wait(&self, failed: u32, wish: Option<Duration>, chance: f64) -> Option<Duration> {
        if failed >= self.attempts || wish.is_some_and(|wish| wish > self.longest_wait) {
            return None;
        }
        let doubled = 2_u32
            .checked_pow(failed.saturating_sub(1))
            .and_then(|factor| self.first_wait.checked_mul(factor));
        let longest = doubled.map_or(self.longest_wait, |wait| wait.min(self.longest_wait));
        let spread = longest.div_f64(2.0) + longest.div_f64(2.0).mul_f64(chance.clamp(0.0, 1.0));
        Some(spread.max(wish.unwrap_or_default()))
    }
}

/// What `Retry-After` asks for (RFC 9110 clause 10.2.3): seconds, or a date.
pub(super) fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    // A date that has passed asks for no wait.
    httpdate::parse_http_date(header).ok().map(|date| date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let patience = Patience { attempts: 8, ..Patience::default() };
        let longest: Vec<_> =
            (1..8).map(|failed| patience.wait(failed, None, 1.0).unwrap().as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(patience.wait(8, None, 1.0), None);
        assert_eq!(Patience { attempts: 0, ..patience }.wait(1, None, 0.0), None);
    }

    #[test]
    fn a_servers_wish_is_honoured_or_it_is_given_up() {
        let patience = Patience::default();
        let wish = |seconds| patience.wait(1, Some(Duration::from_secs(seconds)), 0.5);
        assert_eq!(wish(0), Some(Duration::from_millis(750)));
        assert_eq!(wish(7), Some(Duration::from_secs(7)));
        assert_eq!(wish(30), Some(Duration::from_secs(30)));
        assert_eq!(wish(31), None);
    }

    #[test]
    fn retry_after_has_two_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (header, expected) in [
            ("120", Some(120)),
            (" 3 ", Some(3)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(retry_after(header, now).map(|wait| wait.as_secs()), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn a_wait_is_never_shorter_than_wished_nor_longer_than_the_longest(
            failed in 1_u32..100, wish in proptest::option::of(0_u64..60), chance in 0.0..=1.0
        ) {
            let patience = Patience { attempts: 100, ..Patience::default() };
            let wish = wish.map(Duration::from_secs);
            match patience.wait(failed, wish, chance) {
                None => prop_assert!(wish > Some(patience.longest_wait)),
                Some(wait) => {
                    prop_assert!(wait <= patience.longest_wait && wait >= wish.unwrap_or_default());
                    prop_assert!(wait >= patience.first_wait / 2);
                }
            }
        }
    }
}

//! The workloads that come with the program.

/// Name on the command line and text of each.
pub const WORKLOADS: [(&str, &str); 7] = [
    ("ordinary-day", include_str!("../workloads/ordinary-day.toml")),
    ("small-farm", include_str!("../workloads/small-farm.toml")),
    ("dump", include_str!("../workloads/dump.toml")),
    ("all-urgent", include_str!("../workloads/all-urgent.toml")),
    ("recode", include_str!("../workloads/recode.toml")),
    ("host-lost", include_str!("../workloads/host-lost.toml")),
    ("live-evening", include_str!("../workloads/live-evening.toml")),
];

/// The text of a workload that comes with the program.
pub fn text(name: &str) -> Option<&'static str> {
    WORKLOADS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

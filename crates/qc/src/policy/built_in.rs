//! The policies that come with the farm.

/// A policy that comes with the farm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its name, by which settings call it.
    pub name: &'static str,
    /// Where its text is among the farm's own.
    pub file: &'static str,
    /// For what it is, in a line.
    pub summary: &'static str,
    /// The TOML.
    pub text: &'static str,
}

/// The policy that a farm judges by unless it is told otherwise.
pub const BUILT_IN: &str = include_str!("../../../../ladders/qc.toml");

/// Every policy that comes with the farm.
pub const BUILT_IN_POLICIES: [BuiltIn; 4] = [
    BuiltIn {
        name: "default",
        file: "ladders/qc.toml",
        summary: "rejects what every viewer would suffer from, warns of the rest; EBU R 128",
        text: BUILT_IN,
    },
    BuiltIn {
        name: "broadcast",
        file: "ladders/qc-broadcast.toml",
        summary: "leaves to people what broadcasters send back; EBU R 128",
        text: include_str!("../../../../ladders/qc-broadcast.toml"),
    },
    BuiltIn {
        name: "a85",
        file: "ladders/qc-a85.toml",
        summary: "the default for North America: loudness by ATSC A/85",
        text: include_str!("../../../../ladders/qc-a85.toml"),
    },
    BuiltIn {
        name: "streaming",
        file: "ladders/qc-streaming.toml",
        summary: "the default for what is mixed for the Internet: loudness by AES TD1008",
        text: include_str!("../../../../ladders/qc-streaming.toml"),
    },
];

impl BuiltIn {
    /// The one of this name.
    pub fn find(name: &str) -> Option<Self> {
        BUILT_IN_POLICIES.into_iter().find(|policy| policy.name == name)
    }

    /// Their names, as people are told them.
    pub fn names() -> String {
        BUILT_IN_POLICIES.map(|policy| policy.name).join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use toml::{Table, Value};

    use super::*;
    use crate::policy::Policy;

    /// Every value of a policy's text with its key, but for what every policy has of its own.
    fn values(text: &str) -> BTreeMap<String, Value> {
        let sections: Table = toml::from_str(text).unwrap();
        let sections = sections.into_iter().filter(|(key, _)| key != "name" && key != "base");
        sections
            .flat_map(|(section, values)| match values {
                Value::Table(values) => {
                    let named = |(key, value)| (format!("{section}.{key}"), value);
                    values.into_iter().map(named).collect::<Vec<_>>()
                }
                other => vec![(section, other)],
            })
            .collect()
    }

    fn own_keys(name: &str) -> Vec<String> {
        values(BuiltIn::find(name).unwrap().text).into_keys().collect()
    }

    #[test]
    fn each_is_sound_and_is_called_what_it_calls_itself() {
        for built_in in BUILT_IN_POLICIES {
            let policy = Policy::parse(built_in.file, built_in.text).unwrap();
            assert_eq!(policy.name, built_in.name);
            assert_eq!(BuiltIn::find(built_in.name), Some(built_in));
            // A report's table and `reelfarm policies` have lines of 100 columns.
            assert!(built_in.summary.len() < 80, "{}", built_in.summary);
        }
        assert_eq!(BuiltIn::find("defaults"), None);
    }

    #[test]
    fn each_differs_from_the_default_in_what_it_says_and_in_nothing_else() {
        let default = values(BUILT_IN);
        for built_in in BUILT_IN_POLICIES.into_iter().filter(|policy| policy.text != BUILT_IN) {
            let own = values(built_in.text);
            for (key, value) in &own {
                assert_ne!(
                    Some(value),
                    default.get(key),
                    "{}: {key} is what the default says",
                    built_in.name
                );
            }
            let whole: BTreeMap<_, _> = default.clone().into_iter().chain(own).collect();
            let mut written = Table::from_iter([("name".to_owned(), built_in.name.into())]);
            for (key, value) in whole {
                let (section, key) = key.split_once('.').unwrap();
                let table = written.entry(section).or_insert_with(|| Table::new().into());
                table.as_table_mut().unwrap().insert(key.to_owned(), value);
            }
            let written = Policy::parse("whole.toml", &toml::to_string(&written).unwrap()).unwrap();
            assert_eq!(Policy::parse(built_in.file, built_in.text).unwrap(), written, "{}", built_in.name);
        }
    }

    #[test]
    fn the_policies_for_loudness_change_loudness_alone() {
        let loudness = |keys: &[&str]| keys.iter().map(|key| format!("loudness.{key}")).collect::<Vec<_>>();
        let a85 = ["limit_lu", "max_true_peak_dbtp", "target_lufs", "tolerance_lu"];
        assert_eq!(own_keys("a85"), loudness(&a85));
        assert_eq!(own_keys("streaming"), loudness(&["limit_lu", "target_lufs", "tolerance_lu"]));
    }

    #[test]
    fn the_policy_for_broadcasters_changes_verdicts_alone_and_rejects_nothing_more() {
        let own = values(BuiltIn::find("broadcast").unwrap().text);
        assert!(own.len() > 10, "{own:?}");
        for (key, value) in own {
            assert!(key.ends_with("verdict") && value.as_str() == Some("human"), "{key} = {value}");
        }
    }
}

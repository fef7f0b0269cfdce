//! A policy laid over its base: tables key by key, everything else whole, rules by their names.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// The operator's own rules.
const RULES: &str = "rule";

/// Lays a policy over its base. What it touches carries its places from then on.
pub(super) fn lay_over<'t>(base: &mut DeTable<'t>, mut policy: DeTable<'t>) {
    let rules = policy.remove_entry(RULES).map(|(key, rules)| {
        let below = base.remove(RULES);
        (
            key,
            together(below, rules, |below, rules| match (below, rules) {
                (DeValue::Array(below), DeValue::Array(rules)) => DeValue::Array(with_rules(below, rules)),
                (_, rules) => rules,
            }),
        )
    });
    base.extend(rules);
    merge(base, policy);
}

fn merge<'t>(base: &mut DeTable<'t>, policy: DeTable<'t>) {
    for (key, value) in policy {
        let below = base.remove(key.get_ref().as_ref());
        let merged = together(below, value, |below, value| match (below, value) {
            (DeValue::Table(mut below), DeValue::Table(value)) => {
                merge(&mut below, value);
                DeValue::Table(below)
            }
            (_, value) => value,
        });
        base.insert(key, merged);
    }
}

fn together<'t>(
    below: Option<Spanned<DeValue<'t>>>,
    value: Spanned<DeValue<'t>>,
    merge: impl FnOnce(DeValue<'t>, DeValue<'t>) -> DeValue<'t>,
) -> Spanned<DeValue<'t>> {
    match below {
        Some(below) => Spanned::new(value.span(), merge(below.into_inner(), value.into_inner())),
        None => value,
    }
}

/// A rule takes the place of the one of its name; others come after those of the base. Two that share a name in one policy
/// both stay, so that they are refused where they are read.
fn with_rules<'t>(base: DeArray<'t>, own: DeArray<'t>) -> DeArray<'t> {
    let mut rules: Vec<_> = base.into_iter().collect();
    let mut open: BTreeSet<usize> = (0..rules.len()).collect();
    for rule in own {
        let name = name_of(&rule);
        let place = open.iter().copied().find(|place| name.is_some() && name_of(&rules[*place]) == name);
        match place {
            Some(place) => {
                open.remove(&place);
                rules[place] = rule;
            }
            None => rules.push(rule),
        }
    }
    rules.into_iter().collect()
}

fn name_of<'r>(rule: &'r Spanned<DeValue<'_>>) -> Option<&'r str> {
    rule.get_ref().as_table()?.get("name")?.get_ref().as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::{Table, Value};

    /// What a text says after another was laid over it.
    fn laid_over(base: &str, policy: &str) -> Value {
        let mut merged = DeTable::parse(base).unwrap().into_inner();
        lay_over(&mut merged, DeTable::parse(policy).unwrap().into_inner());
        plain(DeValue::Table(merged))
    }

    fn plain(value: DeValue<'_>) -> Value {
        match value {
            DeValue::Table(table) => {
                let keys = table.into_iter();
                keys.map(|(key, value)| (key.into_inner().into_owned(), plain(value.into_inner())))
                    .collect::<Table>()
                    .into()
            }
            DeValue::Array(array) => {
                array.into_iter().map(|value| plain(value.into_inner())).collect::<Vec<_>>().into()
            }
            DeValue::Integer(number) => number.as_str().parse::<i64>().unwrap().into(),
            DeValue::String(text) => text.into_owned().into(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tables_are_merged_and_all_else_is_replaced() {
        for (base, policy, merged) in [
            ("[a]\nx = 1\ny = 2", "", "[a]\nx = 1\ny = 2"),
            ("[a]\nx = 1\ny = 2", "[a]\ny = 3", "[a]\nx = 1\ny = 3"),
            ("[a]\nx = 1\ny = 2", "a.y = 3", "[a]\nx = 1\ny = 3"),
            ("[a]\nx = 1\ny = 2", "a = { y = 3, z = 4 }", "[a]\nx = 1\ny = 3\nz = 4"),
            ("[a.b.c]\nx = 1\ny = 2", "[a.b.c]\nx = 3", "[a.b.c]\nx = 3\ny = 2"),
            ("[a]\nx = 1", "[b]\nx = 1", "[a]\nx = 1\n[b]\nx = 1"),
            ("[a]\nx = [1, 2]", "[a]\nx = [3]", "[a]\nx = [3]"),
            ("[a]\nx = 1", "a = 7", "a = 7"),
            ("a = 7", "[a]\nx = 1", "[a]\nx = 1"),
            ("[[a.b]]\nx = 1\n[[a.b]]\nx = 2", "[[a.b]]\nx = 3", "[[a.b]]\nx = 3"),
        ] {
            assert_eq!(
                laid_over(base, policy),
                Value::Table(merged.parse().unwrap()),
                "{base:?} under {policy:?}"
            );
        }
    }

    #[test]
    fn rules_are_added_and_take_the_place_of_those_of_their_name() {
        let rules = |rules: &[(&str, i64)]| -> String {
            rules.iter().map(|(name, x)| format!("[[rule]]\nname = \"{name}\"\nx = {x}\n")).collect()
        };
        for (base, policy, merged) in [
            (&[("a", 1)][..], &[("b", 2)][..], &[("a", 1), ("b", 2)][..]),
            (&[("a", 1), ("b", 2)], &[("a", 3)], &[("a", 3), ("b", 2)]),
            (&[("a", 1)], &[("c", 2), ("a", 3)], &[("a", 3), ("c", 2)]),
            (&[("a", 1)], &[], &[("a", 1)]),
            (&[], &[("a", 1)], &[("a", 1)]),
            (&[("a", 1)], &[("a", 2), ("a", 3)], &[("a", 2), ("a", 3)]),
        ] {
            let merged: Table = rules(merged).parse().unwrap();
            assert_eq!(
                laid_over(&rules(base), &rules(policy)),
                Value::Table(merged),
                "{base:?} under {policy:?}"
            );
        }
        // What is no rule is left to whoever reads it.
        assert_eq!(laid_over("rule = [1]", "rule = [2]"), Value::Table("rule = [1, 2]".parse().unwrap()));
        assert_eq!(laid_over("rule = [1]", "rule = 7"), Value::Table("rule = 7".parse().unwrap()));
    }
}

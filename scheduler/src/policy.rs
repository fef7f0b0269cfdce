//! The QC policies that a farm judges by, with what tells one from every other: people's decisions hold under the policy that
//! asked for them. A route can have a policy of its own.

use std::collections::BTreeMap;

use reelfarm_model::{Digest, Facts, RouteName, Title};
use reelfarm_priority::Rules;
use reelfarm_qc::{Policy, PolicyError, PolicyTexts};

use crate::service::Scheduler;

/// A policy as its text and those of its bases say it.
#[derive(Clone, Debug)]
pub struct FarmPolicy {
    policy: Policy,
    digest: Digest,
}

impl FarmPolicy {
    /// Reads a policy and those that it is based on.
    ///
    /// # Errors
    /// The first fault, with file and line.
    pub fn of(texts: &PolicyTexts) -> Result<Self, PolicyError> {
        Ok(Self { policy: Policy::of(texts)?, digest: texts.digest() })
    }

    /// Reads a policy from TOML. Its base can only be one that comes with the farm. `file` is only for the error.
    ///
    /// # Errors
    /// The first fault of the file, with its line.
    pub fn parse(file: &str, text: &str) -> Result<Self, PolicyError> {
        Self::of(&PolicyTexts::of(file, text)?)
    }

    /// What it says.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What tells its text from every other ([`PolicyTexts::digest`]).
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

/// The policies of a farm: one for every title, unless its route has another.
#[derive(Clone, Debug)]
pub struct FarmPolicies {
    usual: FarmPolicy,
    of_routes: BTreeMap<RouteName, FarmPolicy>,
}

impl FarmPolicies {
    /// The policy of routes that have none of their own, and those that have one.
    pub const fn new(usual: FarmPolicy, of_routes: BTreeMap<RouteName, FarmPolicy>) -> Self {
        Self { usual, of_routes }
    }

    /// The policy that a title of these facts is judged by. A title that names no route, or one that the rules do not have any
    /// more, is of the first, as it is for its order.
    pub fn of(&self, rules: &Rules, facts: &Facts) -> &FarmPolicy {
        let route = rules.routes.get(rules.route(facts.route.as_ref()).unwrap_or(0));
        route.and_then(|route| self.of_routes.get(&route.name)).unwrap_or(&self.usual)
    }
}

impl From<FarmPolicy> for FarmPolicies {
    fn from(policy: FarmPolicy) -> Self {
        Self::new(policy, BTreeMap::new())
    }
}

impl Scheduler {
    /// The policy that a title is judged by.
    pub(crate) fn policy_of(&self, title: &Title) -> &FarmPolicy {
        self.options.policies.of(&self.options.order, &title.submission.facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> FarmPolicy {
        FarmPolicy::parse("qc.toml", text).unwrap()
    }

    #[test]
    fn a_title_is_judged_by_the_policy_of_its_route() {
        let rules = Rules::parse("order.toml", reelfarm_priority::rules::BUILT_IN).unwrap();
        let route = |name: &str, share_percent| {
            let main = rules.routes[0].clone();
            reelfarm_priority::Route { name: name.parse().unwrap(), share_percent, ..main }
        };
        let rules = rules.with_routes("order.toml", vec![route("main", 60), route("ads", 40)]).unwrap();
        let name = |policy: &FarmPolicy| policy.policy().name.clone();
        let judged_by = |policies: &FarmPolicies, route: Option<&str>| {
            let route = route.map(|route| route.parse().unwrap());
            name(policies.of(&rules, &Facts { route, ..Facts::default() }))
        };
        let own = |route: &str, text: &str| {
            let of_routes = BTreeMap::from([(route.parse().unwrap(), policy(text))]);
            FarmPolicies::new(policy(reelfarm_qc::BUILT_IN), of_routes)
        };
        let usual = FarmPolicies::from(policy(reelfarm_qc::BUILT_IN));
        let ads = own("ads", "name = \"for ads\"\nbase = \"a85\"\n");
        let main = own("main", "name = \"for main\"\nbase = \"default\"\n");
        for (policies, route, judge) in [
            (&usual, None, "default"),
            (&usual, Some("ads"), "default"),
            (&ads, None, "default"),
            (&ads, Some("main"), "default"),
            (&ads, Some("ads"), "for ads"),
            (&main, None, "for main"),
            (&main, Some("gone"), "for main"),
            (&main, Some("ads"), "default"),
        ] {
            assert_eq!(judged_by(policies, route), judge, "{route:?}");
        }
        let usual = usual.of(&rules, &Facts::default()).digest();
        assert_eq!(usual, Digest::of(reelfarm_qc::BUILT_IN.as_bytes()));
    }
}

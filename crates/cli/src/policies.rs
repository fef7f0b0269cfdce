//! The QC policies that settings name: by the names of those that come with the farm, or by file.

use std::collections::BTreeMap;
use std::path::Path;

use reelfarm_model::{Code, Facts, Failure, RouteName};
use reelfarm_priority::Rules;
use reelfarm_qc::policy::is_file;
use reelfarm_qc::{BuiltIn, PolicyError, PolicyTexts};
use reelfarm_scheduler::{FarmPolicies, FarmPolicy};

use crate::config::Project;

/// The policy of this name, or of this file. It blocks.
///
/// # Errors
/// There is no such policy; it, or one that it is based on, cannot be read or is refused.
pub fn policy(reference: &str) -> Result<FarmPolicy, Failure> {
    FarmPolicy::of(&texts(reference)?).map_err(|error| refused(&error))
}

/// The texts of the policy of this name, or of this file, and of those that it is based on. It blocks.
///
/// # Errors
/// There is no such policy; it, or one that it is based on, cannot be read.
pub fn texts(reference: &str) -> Result<PolicyTexts, Failure> {
    let gathered = if is_file(reference) {
        let text = read(Path::new(reference)).map_err(|reason| Failure::new(Code::PolicyInvalid, reason))?;
        PolicyTexts::gather(reference, &text, read)
    } else {
        let built_in = BuiltIn::find(reference).ok_or_else(|| unknown(reference))?;
        PolicyTexts::of(built_in.file, built_in.text)
    };
    gathered.map_err(|error| refused(&error))
}

/// The policies that titles are judged by at this farm, as the project file names them. It blocks.
///
/// # Errors
/// One of them cannot be had, or is for a route that there is not.
pub fn policies(project: &Project, rules: &Rules) -> Result<FarmPolicies, Failure> {
    let usual = policy(project.qc_policy.as_deref().unwrap_or("default"))?;
    let mut of_routes = BTreeMap::new();
    for (route, reference) in &project.qc_policies {
        check_route(route, rules).map_err(|reason| {
            Failure::new(Code::SettingsInvalid, format!("the table qc_policies: {reason}"))
        })?;
        of_routes.insert(route.clone(), policy(reference)?);
    }
    Ok(FarmPolicies::new(usual, of_routes))
}

/// The policy that a title of these facts is judged by at this farm. It blocks.
///
/// # Errors
/// As [`policies`] and [`Project::order_rules`]; there is no such route.
pub fn policy_for(project: &Project, facts: &Facts) -> Result<FarmPolicy, Failure> {
    let rules = project.order_rules()?;
    let policies = policies(project, &rules)?;
    if let Some(route) = &facts.route {
        check_route(route, &rules).map_err(|reason| Failure::new(Code::UnknownName, reason))?;
    }
    Ok(policies.of(&rules, facts).clone())
}

fn check_route(route: &RouteName, rules: &Rules) -> Result<(), String> {
    if rules.route(Some(route)).is_some() {
        return Ok(());
    }
    let known: Vec<_> = rules.routes.iter().map(|route| route.name.as_str()).collect();
    Err(format!("no route is called {route}; the rules of order have {}", known.join(", ")))
}

fn read(path: &Path) -> Result<String, String> {
    fs_err::read_to_string(path).map_err(|error| error.to_string())
}

fn unknown(name: &str) -> Failure {
    let names = BuiltIn::names();
    let message =
        format!("no QC policy is called {name:?}; there are {names}, or name a policy file (*.toml)");
    Failure::new(Code::UnknownName, message)
}

fn refused(error: &PolicyError) -> Failure {
    Failure::new(Code::PolicyInvalid, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules::parse("order.toml", reelfarm_priority::rules::BUILT_IN).unwrap()
    }

    fn project(text: &str) -> Project {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_policy_is_had_by_name_or_file() {
        assert_eq!(policy("a85").unwrap().policy().name, "a85");
        assert_eq!(policy("a58").unwrap_err().code, Code::UnknownName);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        fs_err::write(file("house.toml"), "name = \"house\"\nbase = \"a85\"\n").unwrap();
        fs_err::write(file("ads.toml"), "name = \"ads\"\nbase = \"house.toml\"\n[black]\nmax_s = 1\n")
            .unwrap();
        assert_eq!(policy(&file("house.toml")).unwrap().policy().loudness.target_lufs, -24.0);
        let refused = policy(&file("ads.toml")).unwrap_err();
        assert_eq!(refused.code, Code::PolicyInvalid);
        assert!(refused.message.contains("ads.toml, line 4: unknown field"), "{refused}");
        let missing = policy(&file("none.toml")).unwrap_err();
        assert_eq!((missing.code, missing.message.contains("none.toml")), (Code::PolicyInvalid, true));
    }

    #[test]
    fn a_route_has_the_policy_that_the_project_names_for_it() {
        let name = |text: &str| {
            let policies = policies(&project(text), &rules())?;
            Ok::<_, Failure>(policies.of(&rules(), &Facts::default()).policy().name.clone())
        };
        assert_eq!(name("").unwrap(), "default");
        assert_eq!(name("qc_policy = \"broadcast\"").unwrap(), "broadcast");
        let own = "qc_policy = \"broadcast\"\n[qc_policies]\nmain = \"a85\"";
        assert_eq!(name(own).unwrap(), "a85");
        let elsewhere = name("[qc_policies]\nads = \"a85\"").unwrap_err();
        assert_eq!(elsewhere.code, Code::SettingsInvalid);
        assert!(
            elsewhere.message.contains("no route is called ads; the rules of order have main"),
            "{elsewhere}"
        );
    }
}

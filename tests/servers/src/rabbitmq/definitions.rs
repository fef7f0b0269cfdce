//! Users, virtual hosts and permissions that a broker starts with.

use std::io;

use serde_json::{Value, json};

use super::User;

/// What a farm's operator imports.
const DEFINITIONS: &str = include_str!("../../../../crates/queue/definitions.json");

/// The same for each of these virtual hosts, with users, passwords and an administrator.
pub(super) fn for_tests(virtual_hosts: &[&str]) -> io::Result<String> {
    let given: Value = serde_json::from_str(DEFINITIONS)?;
    let mut permissions = Vec::new();
    for virtual_host in virtual_hosts {
        for permission in given["permissions"].as_array().into_iter().flatten() {
            let mut permission = permission.clone();
            permission["vhost"] = json!(virtual_host);
            permissions.push(permission);
        }
        permissions.push(json!({
            "user": User::Administrator.name(), "vhost": virtual_host, "configure": ".*", "write": ".*", "read": ".*",
        }));
    }
    let users = User::ALL.map(|user| {
        let tags = if user == User::Administrator { "administrator" } else { "" };
        json!({ "name": user.name(), "password": user.password(), "tags": tags })
    });
    let virtual_hosts: Vec<_> = virtual_hosts.iter().map(|name| json!({ "name": name })).collect();
    let all = json!({ "users": users, "vhosts": virtual_hosts, "permissions": permissions });
    Ok(all.to_string())
}

//! `reelfarm profiles`: what is made for which devices.

use reelfarm_model::Failure;
use reelfarm_model::profile::Scheme;
use serde::Serialize;

use crate::arguments::Json;
use crate::config::Project;
use crate::exit::Exit;
use crate::printer::Printer;

/// Lists the profiles.
pub fn run(json: Json, printer: &Printer) -> Result<Exit, Failure> {
    let profiles = super::profile_list(&Project::load()?)?;
    if json.json {
        printer.json(&profiles.all());
        return Ok(Exit::Done);
    }
    let mut table = format!(
        "{:<17} {:<15} {:<27} {:<11} {:<14} FOR\n",
        "PROFILE", "CONTAINER", "DRM", "SCHEME", "MEDIA SET"
    );
    for profile in profiles.all() {
        let drm: Vec<_> = profile.drm.iter().map(word).collect();
        let drm = if drm.is_empty() { "none".to_owned() } else { drm.join("+") };
        let scheme = profile.scheme.map_or("", Scheme::as_str);
        let (id, container, set) = (&profile.id, word(&profile.container), &profile.media_set.0);
        table.push_str(&format!(
            "{id:<17} {container:<15} {drm:<27} {scheme:<11} {set:<14} {}\n",
            profile.purpose
        ));
    }
    printer.data(&table);
    Ok(Exit::Done)
}

/// The word that a value has in JSON.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

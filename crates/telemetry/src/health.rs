//! What keeps a process from being of use at the moment, for whoever sends it work or watches it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The troubles of a process, by the part that has one. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Health {
    /// Replaces what a part has; nothing where it is well. A change is logged.
    pub fn set(&self, part: &'static str, trouble: Option<String>) {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match &trouble {
            Some(trouble) => troubles.insert(part, trouble.clone()),
            None => troubles.remove(part),
        };
        match (before, trouble) {
            (None, Some(trouble)) => tracing::warn!(part, trouble, "not ready"),
            (Some(_), None) => tracing::info!(part, "ready again"),
            _ => {}
        }
    }

    /// One line for each part that has a trouble; none where the process is ready.
    pub fn troubles(&self) -> Vec<String> {
        let troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.iter().map(|(part, trouble)| format!("{part}: {trouble}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_trouble_until_it_is_well() {
        let health = Health::default();
        let seen = health.clone();
        assert!(seen.troubles().is_empty());
        health.set("broker", Some("unreachable".to_owned()));
        health.set("worker", Some("the disk is full".to_owned()));
        health.set("broker", Some("refused".to_owned()));
        assert_eq!(seen.troubles(), ["broker: refused", "worker: the disk is full"]);
        health.set("broker", None);
        health.set("broker", None);
        assert_eq!(seen.troubles(), ["worker: the disk is full"]);
    }
}

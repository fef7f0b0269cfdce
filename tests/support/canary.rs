//! A known key is looked for wherever it does not belong, in every form that a program may write it in.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// The forms in which a key may be found.
fn forms(key: &str) -> Vec<(&'static str, Vec<u8>)> {
    let raw = hex::decode(key).unwrap();
    let unpadded = |text: String| text.trim_end_matches('=').as_bytes().to_vec();
    let list = raw.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut reversed = raw.clone();
    reversed.reverse();
    vec![
        ("raw", raw.clone()),
        ("reversed", reversed),
        ("hexadecimal", key.as_bytes().to_vec()),
        ("upper-case hexadecimal", key.to_uppercase().into_bytes()),
        ("base64", unpadded(STANDARD.encode(&raw))),
        ("base64 for URLs", unpadded(URL_SAFE.encode(&raw))),
        ("a list of numbers", list.join(",").into_bytes()),
        ("a list of numbers with blanks", list.join(", ").into_bytes()),
    ]
}

/// The form in which a key, in hexadecimal, stands in these bytes.
pub fn found_in(bytes: &[u8], key: &str) -> Option<&'static str> {
    forms(key)
        .into_iter()
        .find(|(_, form)| bytes.windows(form.len()).any(|window| window == form))
        .map(|(name, _)| name)
}

/// Every file below a folder in which the key stands, but for the operator's own file.
pub fn files_with(folder: &Path, key: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name != "keys.json"
                && let Some(form) = found_in(&fs_err::read(&path).unwrap(), key)
            {
                found.insert(format!("{name} ({form})"));
            }
        }
    }
    found
}

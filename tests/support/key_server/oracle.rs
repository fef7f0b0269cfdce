//! The independent view of SPEKE in `oracle.py`, as a child process.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What it says of a request.
pub struct Judgement {
    /// What is wrong with the request.
    pub faults: Vec<String>,
    /// The right answer, where nothing is.
    pub answer: String,
    /// The keys in it, by id.
    pub keys: BTreeMap<String, [u8; 16]>,
}

impl Judgement {
    /// The forms in which texts show keys.
    pub fn forms_of_keys(&self) -> Vec<String> {
        let forms = |key: &[u8; 16]| [hex::encode(key), hex::encode_upper(key), STANDARD.encode(key)];
        self.keys.values().flat_map(forms).collect()
    }
}

pub fn judge(request: &str) -> Judgement {
    // Of whichever package the test belongs to.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".tools/oracle/bin/python");
    let mut child = Command::new(&python)
        .arg(root.join("tests/support/key_server/oracle.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; run scripts/setup --tests", python.display()));
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{request}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let key = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap();
    Judgement {
        faults: said["faults"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| fault.as_str().unwrap().to_owned())
            .collect(),
        answer: said["answer"].as_str().unwrap().to_owned(),
        keys: said["keys"].as_object().unwrap().iter().map(|(id, value)| (id.clone(), key(value))).collect(),
    }
}

/// The right answer to a right request.
pub fn answer(request: &str) -> Judgement {
    let judgement = judge(request);
    assert!(judgement.faults.is_empty(), "{:?}: {request}", judgement.faults);
    judgement
}

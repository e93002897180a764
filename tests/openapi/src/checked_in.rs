//! The checked-in document and the generated one.

use std::path::Path;

use serde_json::Value;

/// Asserts that the file at `path` holds `document`; `UPDATE_GOLDENS=1` writes it.
#[track_caller]
pub fn agree(document: &Value, path: &Path) {
    let generated = format!("{document:#}\n");
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(path, &generated).expect("the document's file");
        return;
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    let differs = generated.lines().zip(checked_in.lines()).position(|(new, old)| new != old);
    assert!(
        generated == checked_in,
        "{} is not what the code says, from line {} on; `make goldens` writes it anew",
        path.display(),
        differs.map_or_else(|| generated.lines().count().min(checked_in.lines().count()) + 1, |line| line + 1),
    );
}

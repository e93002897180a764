//! The helm binary, and folders for charts made on the spot.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug, Clone)]
pub(crate) struct Helm(PathBuf);

impl Helm {
    pub(crate) fn find() -> Option<Self> {
        if let Some(helm) = std::env::var_os("HELM") {
            return Some(Self(helm.into()));
        }
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join("helm")).find(|file| file.is_file()).map(Self)
    }

    /// What it prints, or what it says when it fails.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.0).args(arguments).output();
        let output = output.map_err(|error| format!("run {}: {error}", self.0.display()))?;
        if output.status.success() {
            return String::from_utf8(output.stdout).map_err(|error| error.to_string());
        }
        Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }
}

/// A folder that is gone with its owner.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("msctl-manifests-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, its folders with it.
    pub(crate) fn write(&self, path: &str, text: &str) -> PathBuf {
        let file = self.0.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        file
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The charts under a name of the user's own: service-a's chart with nothing but the library's defaults.
pub(crate) fn own_chart(folder: &Folder, name: &str, charts: &Path) {
    let chart = crate::support::read(&charts.join("service-a/Chart.yaml"));
    let chart = chart.replace("name: service-a", &format!("name: {name}"));
    folder.write(&format!("{name}/Chart.yaml"), &chart);
    folder.write(&format!("{name}/values.yaml"), "{}\n");
    for file in ["values.schema.json", "templates/objects.yaml", "templates/tests/call.yaml"] {
        folder.write(&format!("{name}/{file}"), &crate::support::read(&charts.join("service-a").join(file)));
    }
    std::fs::create_dir_all(folder.path().join(name).join("charts")).unwrap();
    let library = std::fs::canonicalize(charts.join("microservice")).unwrap();
    std::os::unix::fs::symlink(library, folder.path().join(name).join("charts/microservice")).unwrap();
}

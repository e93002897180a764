//! A supervisor in a process of its own, to be killed.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::{env, io};

use local::ServiceSpec;

use crate::project::Project;

pub(crate) const ROLE: &str = "role:victim";

/// `role:victim FOLDER SPECS`: runs the project until its stdin ends, and says `ready` once it is.
pub(crate) fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    // Not dropped: the folder is the test's.
    let project = std::mem::ManuallyDrop::new(Project::at(Path::new(&arguments[2])));
    let specs: Vec<ServiceSpec> = serde_json::from_str(&arguments[3]).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let up = project.up(specs).await;
        println!("ready");
        let _ = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await;
        up.stop().await;
    });
    ExitCode::SUCCESS
}

pub(crate) fn start(project: &Project, specs: &[ServiceSpec]) -> Child {
    Command::new(env::current_exe().unwrap())
        .arg(ROLE)
        .arg(project.folder())
        .arg(serde_json::to_string(specs).unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

//! `msctl up --detach`: msctl once more, in the background; this one waits until it is ready, or says why it is not.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ::local::Kind;
use ::local::control::Client;
use ::local::state::Running;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::addresses;
use crate::error::{Error, ExitCode};
use crate::interrupt::Interrupt;
use crate::local::Local;
use crate::output::Printer;

/// Between two looks at what it has written.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) async fn run(local: &Local, services: &[String], printer: &Printer) -> Result<ExitCode, Error> {
    let folder = local.state();
    let path = folder.join("up.log");
    let failed = |cause: std::io::Error| {
        Error::new(ExitCode::Failed, format!("cannot write {}", path.display())).why(cause.to_string())
    };
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(cause) if cause.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(cause)),
        _ => {}
    }
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(failed)?;
    let mut said = Said::from_end(&path).map_err(failed)?;
    let mut interrupt = Interrupt::listen()?;
    let mut child = spawn(local, services, log)?;
    let pid = child.id();
    let outcome = tokio::select! {
        biased;
        () = interrupt.signalled() => None,
        outcome = ready(&folder, &mut child, &mut said, printer) => Some(outcome?),
    };
    match outcome {
        Some(Outcome::Ready(client)) => {
            printer.text(&addresses(&client.status().await?))?;
            printer
                .hint(&format!("it goes on in the background, and writes to {}; msctl down ends it", path.display()));
            Ok(ExitCode::Done)
        }
        Some(Outcome::Ended(code)) => Ok(code),
        None => {
            // It drains, as after a Ctrl-C of its own.
            if let Some(pid) = pid.and_then(|pid| i32::try_from(pid).ok()) {
                let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT);
            }
            let _ = child.wait().await;
            Err(Error::new(ExitCode::Interrupted, "interrupted: starting the services"))
        }
    }
}

/// Makes this process one that no terminal ends.
pub(super) fn leave_terminal() -> Result<(), Error> {
    match nix::unistd::setsid() {
        // One that leads a group already has left.
        Ok(_) | Err(nix::errno::Errno::EPERM) => Ok(()),
        Err(cause) => Err(Error::new(ExitCode::Failed, "cannot leave the terminal").why(cause.to_string())),
    }
}

fn spawn(local: &Local, services: &[String], log: File) -> Result<Child, Error> {
    let failed = |cause: std::io::Error| {
        Error::new(ExitCode::Failed, "cannot start msctl in the background").why(cause.to_string())
    };
    let errors = log.try_clone().map_err(failed)?;
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args(["up", "--background", "--project"]).arg(&local.project().file).args(services);
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    command.spawn().map_err(failed)
}

enum Outcome {
    Ready(Client),
    /// It has said why.
    Ended(ExitCode),
}

async fn ready(folder: &Path, child: &mut Child, said: &mut Said, printer: &Printer) -> Result<Outcome, Error> {
    let pid = child.id();
    let reached = async {
        loop {
            // Not the one that was there before.
            if let Some(running) = Running::read(folder).filter(|running| Some(running.pid) == pid) {
                let client = Client::new(running.socket);
                match client.started().await {
                    Ok(_) => break client,
                    // It ends for that reason, and says so itself.
                    Err(error) if error.kind == Kind::RolloutFailed => std::future::pending().await,
                    Err(_) => {}
                }
            }
            sleep(PAUSE).await;
        }
    };
    tokio::pin!(reached);
    loop {
        tokio::select! {
            biased;
            status = child.wait() => {
                said.tell(printer);
                let code = status.ok().and_then(|status| status.code());
                return Ok(Outcome::Ended(code.map_or(ExitCode::Failed, ExitCode::of_process)));
            }
            client = &mut reached => return Ok(Outcome::Ready(client)),
            () = sleep(PAUSE) => said.tell(printer),
        }
    }
}

/// What the one in the background writes, as it comes.
struct Said {
    file: File,
    partial: String,
}

impl Said {
    fn from_end(path: &Path) -> std::io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { file, partial: String::new() })
    }

    /// Whole lines go to stderr. What can't be read is not worth an end: it is there to be looked at.
    fn tell(&mut self, printer: &Printer) {
        let mut bytes = Vec::new();
        let _ = self.file.read_to_end(&mut bytes);
        self.partial.push_str(&String::from_utf8_lossy(&bytes));
        while let Some((line, rest)) = self.partial.split_once('\n') {
            printer.note(line);
            self.partial = rest.to_owned();
        }
    }
}

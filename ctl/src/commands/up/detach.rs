//! `msctl up --detach`: msctl once more, in the background; this one waits until it is ready, or says why it is not.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ::local::Kind;
use ::local::control::Client;
use ::local::state::{self, Running};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use super::run::Where;
use super::tell::Teller;
use super::{addresses, explained};
use crate::error::{Aim, Error, ExitCode};
use crate::interrupt::{Interrupt, interrupted};
use crate::local::Local;
use crate::output::Printer;

/// Between two looks at whether it can be asked.
const PAUSE: Duration = Duration::from_millis(10);
/// For its last words, once it has ended.
const MOMENT: Duration = Duration::from_secs(1);

pub(super) async fn run(local: &Local, services: &[String], aim: Option<&Aim>) -> Result<ExitCode, Error> {
    let mut interrupt = Interrupt::listen()?;
    let printer = Printer::of_a_thread();
    if let Some(aim) = aim {
        printer.aim(aim.clone());
    }
    let mut teller = Teller::start(printer, Where::Terminal)?;
    let outcome = up(local, services, &mut teller, &mut interrupt).await;
    let outcome = outcome.map_err(|error| explained(error, local));
    let code = teller.code(outcome, aim);
    tokio::select! {
        biased;
        () = teller.finish() => Ok(code),
        _ = interrupt.signalled() => Ok(ExitCode::Interrupted),
    }
}

async fn up(
    local: &Local,
    services: &[String],
    teller: &mut Teller,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, Error> {
    let folder = local.state();
    let path = folder.join("up.log");
    let failed = |cause: std::io::Error| {
        Error::new(ExitCode::Failed, format!("cannot write {}", path.display())).why(cause.to_string())
    };
    // Checked before anything is written into it.
    state::prepare(&folder)?;
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(failed)?;
    let (mut child, mut said) = spawn(local, services, log)?;
    let outcome = tokio::select! {
        biased;
        signal = interrupt.signalled() => Outcome::Interrupted(signal),
        outcome = ready(&folder, &mut child, &mut said, teller) => outcome,
    };
    match outcome {
        Outcome::Ready(client) => {
            teller.result(addresses(&client.status().await?));
            teller.hint(format!("it goes on in the background, and writes to {}; msctl down ends it", path.display()));
            Ok(ExitCode::Done)
        }
        Outcome::Ended(status) => {
            let code = status.and_then(|status| status.code());
            if code.is_none() || !said.anything {
                let how = status.map_or_else(|| "for an unknown reason".to_owned(), |status| status.to_string());
                return Err(Error::new(ExitCode::Failed, format!("msctl up ended in the background: {how}"))
                    .why("it did not say why")
                    .next(format!("tail {}", path.display())));
            }
            Ok(code.map_or(ExitCode::Failed, ExitCode::of_process))
        }
        Outcome::Interrupted(signal) => {
            // It drains, as after a Ctrl-C of its own; and once more means at once.
            interrupt_it(&child);
            tokio::select! {
                biased;
                () = interrupt.insisted() => interrupt_it(&child),
                _ = child.wait() => {}
                () = said.pass_on(teller) => {}
            }
            Err(interrupted("starting the services", signal))
        }
    }
}

/// Nothing happens when it has ended.
fn interrupt_it(child: &Child) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
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

/// Its stderr is the log, and its stdout says the same to whoever waits: what the log has no place for too.
fn spawn(local: &Local, services: &[String], log: File) -> Result<(Child, Said), Error> {
    let failed = |cause: std::io::Error| {
        Error::new(ExitCode::Failed, "cannot start msctl in the background").why(cause.to_string())
    };
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args(["up", "--background", "--project"]).arg(&local.project().file).args(services);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    let mut child = command.spawn().map_err(failed)?;
    let said = Said { lines: child.stdout.take().map(|stdout| BufReader::new(stdout).lines()), anything: false };
    Ok((child, said))
}

enum Outcome {
    Ready(Client),
    Ended(Option<ExitStatus>),
    /// By this signal.
    Interrupted(&'static str),
}

async fn ready(folder: &Path, child: &mut Child, said: &mut Said, teller: &mut Teller) -> Outcome {
    let pid = child.id();
    let reached = async {
        loop {
            // Not the one that was there before.
            if let Some(running) = Running::read(folder).filter(|running| Some(running.pid) == pid) {
                let client = Client::from(running);
                match client.started().await {
                    Ok(_) => break client,
                    // It ends for that reason, and says so itself.
                    Err(error) if error.kind == Kind::RolloutFailed => std::future::pending().await,
                    // Somebody has deleted a service meanwhile; or else it ends.
                    Err(error) if error.kind == Kind::Stopped && client.info().await.is_ok() => break client,
                    Err(_) => {}
                }
            }
            sleep(PAUSE).await;
        }
    };
    let status = tokio::select! {
        biased;
        status = child.wait() => status.ok(),
        client = reached => return Outcome::Ready(client),
        () = async {
            said.pass_on(teller).await;
            std::future::pending::<()>().await;
        } => None,
    };
    let _ = timeout(MOMENT, said.pass_on(teller)).await;
    Outcome::Ended(status)
}

/// What the one in the background says.
struct Said {
    lines: Option<Lines<BufReader<ChildStdout>>>,
    anything: bool,
}

impl Said {
    /// Until it says no more. Cancel safe.
    async fn pass_on(&mut self, teller: &mut Teller) {
        let Some(lines) = &mut self.lines else { return };
        while let Ok(Some(line)) = lines.next_line().await {
            self.anything = true;
            teller.note(line);
        }
    }
}

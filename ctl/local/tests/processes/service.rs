//! A service for the tests: a few lines of HTTP, with the faults that a test asks for.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio, exit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, fs, thread};

use nix::sys::signal::{SigSet, Signal};

pub(crate) const ROLE: &str = "role:service";

/// What the service does wrong: the value of `FAULT`.
pub(crate) mod fault {
    /// Ends at once, after two lines.
    pub(crate) const CRASH: &str = "crash";
    /// Answers `/readyz` with 503.
    pub(crate) const UNREADY: &str = "unready";
    /// Does not end at SIGTERM.
    pub(crate) const STUBBORN: &str = "stubborn";
    /// Starts a process in its own group.
    pub(crate) const CHILD: &str = "child";
    /// The first time, ends at once and leaves a process that listens on its port.
    pub(crate) const SQUAT: &str = "squat";
    /// Is that process.
    pub(crate) const SQUATTER: &str = "squatter";
    /// Starts a process in a session of its own, which loses its parent.
    pub(crate) const DAEMON: &str = "daemon";
}

/// After `GET /sicken`, until `GET /recover`.
static SICK: AtomicBool = AtomicBool::new(false);

/// After `GET /stick`.
static STUCK: AtomicBool = AtomicBool::new(false);

pub(crate) fn main() -> ! {
    let fault = env::var("FAULT").unwrap_or_default();
    println!("service of {} starts", env::var("VERSION").unwrap_or_default());
    match fault.as_str() {
        fault::CRASH => {
            eprintln!("there is no database");
            exit(3);
        }
        fault::STUBBORN => {
            let mut blocked = SigSet::empty();
            blocked.add(Signal::SIGTERM);
            blocked.thread_block().unwrap();
        }
        fault::CHILD => {
            // Through a shell, which leaves it behind.
            Command::new("sh").args(["-c", "sleep 1003 &"]).status().unwrap();
        }
        fault::SQUAT if !Path::new("squatted").exists() => {
            let mut squatter = Command::new("setsid");
            squatter.arg(env::current_exe().unwrap()).arg(ROLE).env("FAULT", fault::SQUATTER).spawn().unwrap();
            while !Path::new("squatted").exists() {
                thread::sleep(Duration::from_millis(1));
            }
            exit(1);
        }
        fault::SQUATTER => {
            let _held = TcpListener::bind(env::var("LISTEN_ADDR").unwrap()).unwrap();
            fs::write("part", env::var("PORT").unwrap()).unwrap();
            fs::rename("part", "squatted").unwrap();
            thread::sleep(Duration::from_mins(10));
        }
        fault::DAEMON => {
            let script = "setsid sleep 1000 >/dev/null 2>&1 & setsid sh -c 'sleep 1001 & sleep 1002' >/dev/null 2>&1 &";
            Command::new("sh").args(["-c", script]).stdin(Stdio::null()).status().unwrap();
        }
        _ => {}
    }
    let listener = TcpListener::bind(env::var("LISTEN_ADDR").unwrap()).unwrap();
    let admin = TcpListener::bind(env::var("ADMIN_ADDR").unwrap()).unwrap();
    thread::spawn(move || serve(&admin));
    serve(&listener);
    exit(0);
}

fn serve(listener: &TcpListener) {
    while let Ok((stream, _)) = listener.accept() {
        thread::spawn(move || answer(stream));
    }
}

/// One request a connection.
fn answer(mut stream: TcpStream) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    while !lines.next()?.ok()?.is_empty() {}
    let path = request.split(' ').nth(1)?;
    let (status, body) = match path {
        "/readyz" if env::var("FAULT").is_ok_and(|fault| fault == fault::UNREADY) => {
            ("503 Service Unavailable", String::new())
        }
        "/readyz" if SICK.load(Ordering::SeqCst) => ("500 Internal Server Error", String::new()),
        "/sicken" | "/recover" => {
            SICK.store(path == "/sicken", Ordering::SeqCst);
            ("200 OK", String::new())
        }
        "/livez" if STUCK.load(Ordering::SeqCst) => {
            thread::sleep(Duration::from_mins(1));
            return None;
        }
        "/stick" => {
            STUCK.store(true, Ordering::SeqCst);
            ("200 OK", String::new())
        }
        "/env" => ("200 OK", environment()),
        "/slow" => {
            thread::sleep(Duration::from_millis(300));
            ("200 OK", env::var("POD_NAME").unwrap_or_default())
        }
        "/signals" => ("200 OK", fs::read_to_string("/proc/self/status").unwrap_or_default()),
        _ => ("200 OK", env::var("POD_NAME").unwrap_or_default()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).ok()
}

fn environment() -> String {
    let variables: BTreeMap<String, String> = env::vars().collect();
    variables.into_iter().fold(String::new(), |text, (name, value)| text + &name + "=" + &value + "\n")
}

//! A service on a socket: it keeps its connections, answers by path, and remembers what it was asked.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What it answers to the paths that begin so: one answer after the other, the last one for ever.
pub(crate) type Answers = Vec<(&'static str, Vec<String>)>;

pub(crate) struct Service {
    pub(crate) port: u16,
    asked: Arc<Asked>,
}

#[derive(Default)]
struct Asked {
    requests: Mutex<Vec<String>>,
    more: Condvar,
}

impl Service {
    pub(crate) fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Asked> = Arc::default();
        let (kept, answers) = (asked.clone(), Arc::new(Mutex::new(answers)));
        // Ends with the process: nobody else knows the port.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (kept, answers) = (kept.clone(), answers.clone());
                thread::spawn(move || serve(&stream.unwrap(), &kept, &answers));
            }
        });
        Self { port, asked }
    }

    /// What it was asked so far, heads and bodies, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.asked.requests.lock().unwrap().clone()
    }

    /// Returns once it has been asked so often.
    pub(crate) fn wait_for(&self, requests: usize) {
        let asked = self.asked.requests.lock().unwrap();
        let fewer = |asked: &mut Vec<String>| asked.len() < requests;
        let (asked, waited) = self.asked.more.wait_timeout_while(asked, Duration::from_secs(30), fewer).unwrap();
        assert!(!waited.timed_out(), "{asked:?}");
    }
}

fn serve(mut stream: &TcpStream, asked: &Asked, answers: &Mutex<Answers>) {
    let mut read = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut piece) {
        read.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let length = header(&text, "content-length").map_or(0, |length| length.parse().unwrap());
        if read.len() < end + 4 + length {
            continue;
        }
        read.clear();
        let answer = next(&mut answers.lock().unwrap(), &text);
        asked.requests.lock().unwrap().push(text);
        asked.more.notify_all();
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn next(answers: &mut Answers, request: &str) -> String {
    let path = request.split(' ').nth(1).unwrap();
    match answers.iter_mut().find(|(begin, _)| path.starts_with(begin)) {
        Some((_, answers)) if answers.len() > 1 => answers.remove(0),
        Some((_, answers)) => answers[0].clone(),
        None => answer("404 Not Found", "", ""),
    }
}

pub(crate) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let head = request.split("\r\n\r\n").next()?;
    head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// `headers` bring their own line ends.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

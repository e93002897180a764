//! The other end of the control socket: the supervisor's methods for who does not run it.

mod dial;
mod lines;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::peer::is_ours;
use super::{Apply, Delete, Info, ReadLogs, Scale};
use crate::logs::{LogLine, Options};
use crate::state::Running;
use crate::{Applied, Deleted, Error, Events, Kind, Scaled, ServiceSpec, ServiceStatus};
use lines::Lines;

pub use dial::DialFailure;

/// For the first of an answer: the supervisor is on this machine, and answers before it begins.
const ANSWER: Duration = Duration::from_secs(10);

/// Reaches a supervisor through its control socket. Each method has a connection of its own.
///
/// Dropping a method's future in its midst does not take back what was asked for: see [`control`](super).
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    /// Of the supervisor, as far as it is known.
    pid: Option<u32>,
}

impl From<Running> for Client {
    fn from(running: Running) -> Self {
        Self { socket: running.socket, pid: Some(running.pid) }
    }
}

impl Client {
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), pid: None }
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What runs there.
    ///
    /// # Errors
    /// As every method here: when nobody answers, or what answers is of another version.
    pub async fn info(&self) -> Result<Info, Error> {
        self.get("/info").await
    }

    pub async fn status(&self) -> Result<Vec<ServiceStatus>, Error> {
        self.get("/status").await
    }

    /// Waits until all that `up` began with is ready: [`Supervisor::started`](crate::Supervisor::started), with its
    /// errors.
    pub async fn started(&self) -> Result<Vec<Applied>, Error> {
        // There are no events: who was there from the start has seen them.
        let (events, _) = mpsc::channel(1);
        self.operation("/started", &(), events).await
    }

    /// [`Supervisor::apply`](crate::Supervisor::apply), with its errors.
    pub async fn apply(&self, specs: Vec<ServiceSpec>, events: Events) -> Result<Vec<Applied>, Error> {
        self.operation("/apply", &Apply { specs }, events).await
    }

    /// [`Supervisor::scale`](crate::Supervisor::scale), with its errors.
    pub async fn scale(&self, name: &str, replicas: u32, events: Events) -> Result<Scaled, Error> {
        self.operation("/scale", &Scale { name: name.to_owned(), replicas }, events).await
    }

    /// [`Supervisor::delete`](crate::Supervisor::delete), with its errors.
    pub async fn delete(&self, name: &str, events: Events) -> Result<Deleted, Error> {
        self.operation("/delete", &Delete { name: name.to_owned() }, events).await
    }

    /// Returns when every service has ended; the process of `up` ends a moment later.
    pub async fn stop(&self, events: Events) -> Result<(), Error> {
        self.operation("/stop", &(), events).await
    }

    /// The lines of these services, of all that there are when none is named. Without `follow` it ends; with it only `up` does.
    pub fn logs(&self, services: Vec<String>, options: &Options) -> BoxStream<'static, Result<LogLine, Error>> {
        let (client, asked) = (self.clone(), ReadLogs { services, options: options.clone() });
        let opened = async move { Ok(client.post("/logs", &asked).await?.into_events::<LogLine>()) };
        stream::once(opened)
            .map(|opened| opened.unwrap_or_else(|error| stream::iter([Err(error)]).boxed()))
            .flatten()
            .boxed()
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let answer = self.send(Method::GET, path, Vec::new()).await?;
        let body = timeout(ANSWER, answer.into_body().collect()).await.map_err(|_| self.silent())?;
        read(&body.map_err(|error| self.lost(&error.to_string()))?.to_bytes())
    }

    async fn operation<T: DeserializeOwned>(
        &self,
        path: &str,
        asked: &impl Serialize,
        events: Events,
    ) -> Result<T, Error> {
        self.post(path, asked).await?.result(events).await
    }

    async fn post(&self, path: &str, asked: &impl Serialize) -> Result<Lines, Error> {
        let body = serde_json::to_vec(asked)
            .map_err(|error| Error::failed(format!("cannot write what {path} is asked for")).why(error))?;
        let answer = self.send(Method::POST, path, body).await?;
        Ok(Lines::new(answer.into_body(), self.clone()))
    }

    /// An answer of 200; any other is the error in it.
    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Response<Incoming>, Error> {
        let exchange = async {
            let socket = self.connect().await?;
            let lost = |error: hyper::Error| self.lost(&error.to_string());
            let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(lost)?;
            // It ends with the answer; its errors are those of the answer.
            tokio::spawn(connection);
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(HOST, "up")
                .header(CONTENT_TYPE, "application/json")
                .body(Full::<Bytes>::from(body))
                .map_err(|error| Error::failed(format!("cannot ask for {path}")).why(error))?;
            let answer = sender.send_request(request).await.map_err(lost)?;
            if answer.status() == StatusCode::OK {
                return Ok(answer);
            }
            let body = answer.into_body().collect().await.map_err(lost)?;
            Err(read::<Error>(&body.to_bytes())?)
        };
        timeout(ANSWER, exchange).await.unwrap_or_else(|_| Err(self.silent()))
    }

    async fn connect(&self) -> Result<UnixStream, Error> {
        let socket = UnixStream::connect(&self.socket).await.map_err(|error| {
            let cannot = |kind: Kind| Error::new(kind, "cannot reach the `msctl up` of this project");
            let socket = self.socket.display();
            match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    cannot(Kind::NotUp).why(format!("nobody answers at {socket}")).next("msctl up")
                }
                io::ErrorKind::PermissionDenied => cannot(Kind::Failed).why(format!("{socket} is another user's")),
                _ => cannot(Kind::Failed).why(format!("{socket}: {error}")),
            }
        })?;
        // Specs have passwords in them.
        if !is_ours(&socket) {
            return Err(Error::failed("cannot trust the `msctl up` of this project")
                .why(format!("a process of another user listens at {}", self.socket.display()))
                .next("run msctl as the user who ran msctl up"));
        }
        Ok(socket)
    }

    fn silent(&self) -> Error {
        let (socket, after) = (self.socket.display(), ANSWER.as_secs());
        let error = Error::new(Kind::TimedOut, "the `msctl up` of this project does not answer")
            .why(format!("nothing came from {socket} within {after} s; is it stopped?"));
        match self.pid {
            Some(pid) => error.next(format!("kill -CONT {pid}, if it is; kill -KILL {pid} ends it and its services")),
            None => error,
        }
    }

    /// The connection ended before the answer did.
    fn lost(&self, why: &str) -> Error {
        Error::new(Kind::Stopped, "the `msctl up` of this project ended before it answered")
            .why(why)
            .why(format!("its control socket is {}", self.socket.display()))
    }
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json).map_err(|error| {
        Error::failed("cannot read what the `msctl up` of this project answers")
            .why(error)
            .next("if it is of another version: msctl down, then msctl up")
    })
}

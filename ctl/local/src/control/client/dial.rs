//! A connection to a service, through the control socket.

use std::fmt;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::{Client, read};
use crate::Error;
use crate::names::DialError;

/// An answer of ours is shorter.
const MAX_ANSWER: u64 = 64 << 10;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialFailure {
    /// To the target.
    Target(DialError),
    /// To the supervisor.
    Control(Error),
}

impl fmt::Display for DialFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(error) => error.fmt(f),
            Self::Control(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DialFailure {}

impl From<Error> for DialFailure {
    fn from(error: Error) -> Self {
        Self::Control(error)
    }
}

impl Client {
    /// A connection to `port` of `host`: a service's name in any of its forms, or another host that the machine of the
    /// supervisor reaches. What the service sends last may be lost when it breaks off: the stream then just ends.
    ///
    /// # Errors
    /// See [`DialError`]; within 10 s.
    pub async fn dial(&self, host: &str, port: u16) -> Result<UnixStream, DialFailure> {
        if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_graphic()) {
            let detail = "it is no host".to_owned();
            return Err(DialFailure::Target(DialError::NoHost { host: host.to_owned(), detail }));
        }
        let bare = host.contains(':') && !host.starts_with('[');
        let target = if bare { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut socket = self.connect().await?;
        let lost = |error: std::io::Error| DialFailure::Control(self.lost(&error.to_string()));
        // `close` is about a refusal: a tunnel ends with its connection in any case.
        let request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.map_err(lost)?;
        let mut head = Vec::with_capacity(64);
        // Byte by byte, some twenty of them: what follows is the service's.
        while !head.ends_with(b"\r\n\r\n") && head.len() < 8192 {
            head.push(socket.read_u8().await.map_err(lost)?);
        }
        if head.starts_with(b"HTTP/1.1 200 ") {
            return Ok(socket);
        }
        let mut body = Vec::new();
        socket.take(MAX_ANSWER).read_to_end(&mut body).await.map_err(lost)?;
        Err(match serde_json::from_slice(&body) {
            Ok(error) => DialFailure::Target(error),
            Err(_) => DialFailure::Control(read::<Error>(&body)?),
        })
    }
}

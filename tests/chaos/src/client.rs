//! Requests to one address, one after another.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::error::told;

/// Longer than A waits for a delivery.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A kept connection.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, String> {
        let open = async {
            let socket = TcpStream::connect(address).await.map_err(|error| told(&error))?;
            http1::handshake(TokioIo::new(socket)).await.map_err(|error| told(&error))
        };
        let (sender, connection) = timeout(PATIENCE, open).await.map_err(|_| "no connection in time".to_owned())??;
        tokio::spawn(connection);
        Ok(Self { sender, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// After an error the connection is of no more use.
    pub(crate) async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Response, String> {
        let host = self.address.to_string().parse().map_err(|_| "an address is no header".to_owned())?;
        request.headers_mut().insert(http::header::HOST, host);
        let exchange = async {
            self.sender.ready().await?;
            let (head, body) = self.sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Response { status: head.status, headers: head.headers, body })
        };
        match timeout(PATIENCE, exchange).await {
            Ok(done) => done.map_err(|error| told(&error)),
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Response, String> {
        let request = Request::get(path).body(Full::default()).map_err(|error| told(&error))?;
        self.send(request).await
    }
}

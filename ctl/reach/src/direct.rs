//! Plain connections, for those who run inside the cluster's network.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::tunnel::DialError;

/// Resolves with the system's resolver, which in a pod asks cluster DNS, and connects.
pub(crate) async fn dial(host: &str, port: u16, limit: Duration) -> Result<TcpStream, DialError> {
    let target = format!("{host}:{port}");
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match timeout(limit, TcpStream::connect((bare, port))).await {
        Ok(Ok(stream)) => {
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
        Ok(Err(error)) => Err(failed(target, &error)),
        Err(_) => Err(DialError::TimedOut { target, detail: format!("no connection within {limit:?}") }),
    }
}

fn failed(target: String, error: &io::Error) -> DialError {
    let text = error.to_string();
    let detail = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
    match error.kind() {
        io::ErrorKind::ConnectionRefused => DialError::Refused { target, detail },
        io::ErrorKind::TimedOut => DialError::TimedOut { target, detail },
        // A failed lookup has no number of the operating system's.
        _ if error.raw_os_error().is_none() => DialError::NotFound { target, detail },
        _ => DialError::Unreachable { target, detail },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_where_nothing_listens_refuses() {
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let error = dial("127.0.0.1", port, Duration::from_secs(5)).await.unwrap_err();
        assert!(matches!(error, DialError::Refused { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn an_address_in_brackets_is_dialled() {
        let Ok(listener) = tokio::net::TcpListener::bind("[::1]:0").await else {
            // A machine without IPv6 has nothing to dial.
            return;
        };
        let port = listener.local_addr().unwrap().port();
        dial("[::1]", port, Duration::from_secs(5)).await.unwrap();
    }
}

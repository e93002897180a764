//! Making a connection.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::{Config, NoTls};

use super::failure::{describe, unavailable};
use super::session::Session;
use crate::{Error, PostgresUrl};

/// A connection and the task that moves its bytes.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) session: Session,
    pub(crate) lost: Lost,
}

/// Resolves, with the reason, when the connection is gone. Dropped, it ends the connection.
#[derive(Debug)]
pub(crate) struct Lost(JoinHandle<Result<(), tokio_postgres::Error>>);

impl Future for Lost {
    type Output = Error;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Error> {
        Pin::new(&mut self.0).poll(cx).map(|ended| match ended {
            Ok(Err(error)) => Error::unavailable(format!("the connection broke: {}", describe(&error))),
            Ok(Ok(())) | Err(_) => Error::unavailable("the connection was closed"),
        })
    }
}

impl Drop for Lost {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What every session is set to; in one message. A commit that the server may forget is none.
const SET_UP: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s'; \
    SET idle_in_transaction_session_timeout = '30s'; \
    SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')";

/// For tests that plant a fault.
const SET_NO_SYNC: &str = "SET synchronous_commit = off";

/// Connects to what `url` says now.
pub(crate) async fn connect(url: &PostgresUrl) -> Result<Connected, Error> {
    let mut config = url.config().map_err(Error::unavailable)?;
    bound(&mut config);
    let failed =
        |error: tokio_postgres::Error| Error::unavailable(format!("can't connect to {url}: {}", describe(&error)));
    let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
    let lost = Lost(tokio::spawn(connection));
    let session = Session::new(client);
    session.client().batch_execute(SET_UP).await.map_err(|error| unavailable(&error))?;
    if failpoints::planted("no-sync") {
        session.client().batch_execute(SET_NO_SYNC).await.map_err(|error| unavailable(&error))?;
    }
    Ok(Connected { session, lost })
}

/// Bounds where the URL sets none: a server that is gone without a word is noticed in 15 s or so.
fn bound(config: &mut Config) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(5));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(15));
    }
    if config.get_keepalives_interval().is_none() {
        config
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(2);
    }
    if config.get_application_name().is_none() {
        config.application_name(program());
    }
}

/// As operators see it in `pg_stat_activity`.
fn program() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    path.file_stem().map_or_else(|| "service".to_owned(), |name| name.to_string_lossy().into_owned())
}

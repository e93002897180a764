//! Making a connection.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Connection, Error as PgError, Socket};

use super::PATIENCE;
use super::failure::{describe, unavailable};
use super::session::Session;
use super::tls::{Failed, Stream, Tls};
use crate::ssl::{Mode, Ssl};
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

/// What a session is set to; in one message. A commit that the server may forget is none.
macro_rules! set_up {
    ($statement:literal, $lock:literal) => {
        concat!(
            "SET statement_timeout = '",
            $statement,
            "'; SET lock_timeout = '",
            $lock,
            "'; SET idle_in_transaction_session_timeout = '30s'; \
             SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')"
        )
    };
}

/// For the connection that commits.
pub(crate) const COMMITS: &str = set_up!("10s", "5s");

/// For the one that reads, where a statement holds up those behind it: the server ends what is slow before they give up.
pub(crate) const READS: &str = set_up!("5s", "2s");

/// For tests that plant a fault.
const SET_NO_SYNC: &str = "SET synchronous_commit = off";

/// Connects to what `url` says now, for [`COMMITS`] or [`READS`].
pub(crate) async fn connect(url: &PostgresUrl, set_up: &str) -> Result<Connected, Error> {
    let failed = |detail: String| Error::unavailable(format!("can't connect to {url}: {detail}"));
    let (mut config, ssl) = url.target().map_err(Error::unavailable)?;
    bound(&mut config);
    // The URL's own bound is of the network's part alone. Each host gets its chance.
    let patience = PATIENCE * u32::try_from(config.get_hosts().len()).unwrap_or(1).max(1);
    let connecting = async {
        let (client, connection) = connect_with(&mut config, &ssl).await.map_err(failed)?;
        let lost = Lost(tokio::spawn(connection));
        let session = Session::new(client);
        session.client().batch_execute(set_up).await.map_err(|error| unavailable(&error))?;
        if failpoints::planted("no-sync") {
            session.client().batch_execute(SET_NO_SYNC).await.map_err(|error| unavailable(&error))?;
        }
        Ok(Connected { session, lost })
    };
    let connected = timeout(patience, connecting).await;
    connected.unwrap_or_else(|_| Err(failed(format!("it did not answer within {patience:?}"))))
}

type Connecting = (Client, Connection<Socket, Stream<Socket>>);

async fn connect_with(config: &mut Config, ssl: &Ssl) -> Result<Connecting, String> {
    let tls = Tls::new(ssl)?;
    // Without a host name there is nothing to say in a handshake.
    let mode = if ssl.mode == Mode::Prefer && config.get_hosts().is_empty() { Mode::Disable } else { ssl.mode };
    config.ssl_mode(match mode {
        Mode::Disable => SslMode::Disable,
        Mode::Prefer => SslMode::Prefer,
        Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
    });
    let connected = match config.connect(tls.clone()).await {
        Err(error) if mode == Mode::Prefer && is_of_encryption(&error) => {
            config.ssl_mode(SslMode::Disable).connect(tls).await
        }
        connected => connected,
    };
    connected.map_err(|error| told(&error, ssl))
}

/// Whether the same server may take the connection without encryption, as libpq tries it then.
fn is_of_encryption(error: &PgError) -> bool {
    error.source().is_some_and(<dyn StdError>::is::<Failed>)
        || error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

/// Before a connection is there, no error can hold data, and each of its causes says something.
fn told(error: &PgError, ssl: &Ssl) -> String {
    if error.as_db_error().is_some() {
        return describe(error);
    }
    let mut causes = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes = format!("{causes}: {error}");
        cause = error.source();
    }
    if error.source().is_some_and(<dyn StdError>::is::<std::io::Error>) || ssl.mode == Mode::Prefer {
        return causes;
    }
    let roots = ssl.roots.as_ref().map(|path| format!(", sslrootcert={}", path.display())).unwrap_or_default();
    format!("{causes} (sslmode={}{roots})", ssl.mode.name())
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

//! The client: a call's deadline and its retries.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, sleep};

use crate::attempt::{Pool, attempt};
use crate::body::Body;
use crate::budget::Budget;
use crate::config::Config;
use crate::connector::{Aging, Connector};
use crate::error::{Error, Kind, Target};
use crate::jitter;

/// The callee's route template, as a request's extension: it names the client span, `GET /messages/{id}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template(pub &'static str);

/// Calls services; cheap to clone, one pool of connections behind all clones.
#[derive(Clone)]
pub struct Client<C = HttpConnector> {
    shared: Arc<Shared<C>>,
}

struct Shared<C> {
    pool: Pool<C>,
    config: Config,
    budget: Budget,
}

impl Client {
    /// Connects by TCP to what the URL's host resolves to.
    pub fn new(config: Config) -> Self {
        let mut connector = HttpConnector::new();
        // Requests are small and whole: waiting for more to send would only delay them.
        connector.set_nodelay(true);
        Self::with_connector(config, connector)
    }
}

impl<C: Connector> Client<C> {
    /// Connects by `connector`.
    pub fn with_connector(config: Config, connector: C) -> Self {
        let aging = Aging { connector, connect_timeout: config.connect_timeout, max_age: config.max_connection_age };
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.pool_idle_timeout)
            .pool_max_idle_per_host(config.pool_max_idle)
            .build(aging);
        let budget = Budget::new(config.budget);
        Self { shared: Arc::new(Shared { pool, config, budget }) }
    }

    /// Sends `request`, whose URI is absolute and `http`, and waits for the answer's head; its body comes as it is
    /// read.
    ///
    /// Sent again within the deadline and the budget: an idempotent request whose connection broke, and any request of
    /// which nothing was sent. Whatever status is answered is an answer.
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Body>, Error> {
        let Shared { pool, config, budget } = &*self.shared;
        let target = Target::new(request.method(), request.uri());
        check(request.uri()).map_err(|cause| Error::new(Kind::Url, target.clone(), Some(cause.into())))?;
        if let Some(agent) = &config.user_agent {
            request.headers_mut().entry(USER_AGENT).or_insert_with(|| agent.clone());
        }

        let deadline = Instant::now() + config.timeout;
        budget.deposit();
        let mut resends = 0;
        loop {
            let failed = match attempt(pool, &request, &target, resends, deadline).await {
                Ok(answer) => return Ok(answer.map(|body| Body::new(body, target, deadline))),
                Err(failed) => failed,
            };
            let pause = jitter::backoff(resends);
            let allowed = failed.may_repeat(request.method())
                && resends < config.max_retries
                && Instant::now() + pause < deadline
                && budget.withdraw();
            if !allowed {
                return Err(failed.error);
            }
            tracing::debug!(error = %failed.error.report(), ?pause, "trying again");
            sleep(pause).await;
            resends += 1;
        }
    }
}

fn check(uri: &Uri) -> Result<(), &'static str> {
    match (uri.scheme(), uri.host()) {
        (None, _) => Err("it has no scheme; http://HOST[:PORT]/PATH is meant"),
        (Some(scheme), _) if *scheme != Scheme::HTTP => Err("only http is spoken here"),
        (_, None | Some("")) => Err("it has no host"),
        _ => Ok(()),
    }
}

impl<C> fmt::Debug for Client<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("config", &self.shared.config)
            .field("budget", &self.shared.budget)
            .finish_non_exhaustive()
    }
}

//! A relay in the target's namespace, made on demand, and streams through it.
//!
//! # The relay is a Job, and its pod's name is remembered
//! A pod of a Job has a random name, which a list has to find (4 of 33 ms of a call). A bare pod could have a fixed
//! name, but nothing would remove it once it has ended: only Jobs have `ttlSecondsAfterFinished`, and no trick makes a
//! Job take over a pod without a race in which it deletes it or makes a second one. So it is a Job of a fixed name, one
//! per namespace, user, version and image, and the pod's name is kept in the user's cache directory between calls. A
//! name that is out of date costs one refused request (404), then the list.
//!
//! # What the user must be allowed
//! In the target's namespace: `get`, `create`, `delete` on `jobs.batch`; `list`, `watch` on `pods`; `get` and, from
//! Kubernetes 1.35 on, `create` on `pods/portforward`; `create`, `patch` on `networkpolicies.networking.k8s.io` (without
//! it the relay works wherever pods may talk freely). `list` on `events` makes quota and policy errors readable.

mod diagnose;
mod error;
mod objects;
mod options;
mod remember;
mod session;
mod start;
mod stream;
#[cfg(test)]
mod tests;
mod wait;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::client::{Cluster, Trouble, hung_up};
use crate::forward;
use crate::relay::PORT;

pub use error::{DialError, TunnelError};
pub use options::{Progress, ProgressFn, PullPolicy, TunnelOptions};
pub use stream::TunnelStream;

use objects::Identity;
use remember::Memory;
use session::{Established, Session};

/// How often a dial is begun anew on a new connection when the one before broke off under it.
const DIALS: usize = 3;

/// For reaching a relay that is said to run. The API server asks the kubelet, and waits long for a node that is gone.
const ATTACH: Duration = Duration::from_secs(3);

/// A way through a relay pod to what cluster DNS names. Clones share the pod and the connection.
///
/// It heals itself: when the relay or the API server's connection is lost, the next dial makes it anew. Streams that
/// were open then fail with [`std::io::ErrorKind::ConnectionReset`].
#[derive(Clone)]
pub struct Tunnel {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    client: Client,
    server: String,
    options: TunnelOptions,
    identity: Identity,
    memory: Memory,
    session: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Arc<Session>>,
    /// The last pod that was reached; kept when its connection is lost.
    pod: Option<String>,
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tunnel")
            .field("namespace", &self.inner.options.namespace)
            .field("job", &self.inner.identity.name)
            .finish_non_exhaustive()
    }
}

impl Tunnel {
    /// Reaches the relay of the namespace, or makes one: within the start timeout, telling through the callback what it
    /// waits for, and at once when it can't succeed. What it made and could not use is removed again.
    ///
    /// # Errors
    /// See [`TunnelError`]; each names its remedy.
    pub async fn open(cluster: &Cluster, options: TunnelOptions) -> Result<Self, TunnelError> {
        let identity = Identity::new(&cluster.user, &options);
        let memory = Memory::new(options.cache_dir.as_deref(), &cluster.server, &options.namespace, &identity.name);
        let inner = Inner {
            client: cluster.client.clone(),
            server: cluster.server.clone(),
            options,
            identity,
            memory,
            session: Mutex::default(),
        };
        let tunnel = Self { inner: Arc::new(inner) };
        tunnel.inner.session().await?;
        Ok(tunnel)
    }

    /// A connection from the relay to `port` of `host`: a name as cluster DNS has it (`service-b`, `service-b.demo`,
    /// `service-b.demo.svc`) or an address.
    ///
    /// # Errors
    /// What the relay reported, or that it could not be reached; see [`DialError`].
    pub async fn dial(&self, host: &str, port: u16) -> Result<TunnelStream, DialError> {
        let target = session::authority(host, port)?;
        let mut lost = String::new();
        for _ in 0..DIALS {
            let session = self.inner.session().await?;
            let limit = self.inner.options.dial_timeout;
            match timeout(limit, session.connect(&target)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(session::ConnectFailed::Refused(error))) => return Err(error),
                // Nothing has reached the target: beginning anew is safe, whatever the request.
                Ok(Err(session::ConnectFailed::Lost(cause))) => {
                    self.inner.lost(&session, &cause).await;
                    lost = cause;
                }
                Err(_) if session.heard_from() => {
                    return Err(DialError::TimedOut {
                        target: target.to_string(),
                        detail: format!("no answer of the relay within {limit:?}"),
                    });
                }
                Err(_) => {
                    lost = format!("the relay was silent for {limit:?}");
                    self.inner.lost(&session, &lost).await;
                }
            }
        }
        Err(DialError::Lost { target: target.to_string(), cause: lost })
    }

    /// The pod that the relay runs in, the last one that was reached.
    pub async fn pod(&self) -> Option<String> {
        self.inner.session.lock().await.pod.clone()
    }

    /// The namespace that the relay runs in.
    pub fn namespace(&self) -> &str {
        &self.inner.options.namespace
    }
}

impl Inner {
    /// The connection to the relay; makes it when there is none. Callers that come meanwhile wait for the same one.
    async fn session(self: &Arc<Self>) -> Result<Arc<Session>, TunnelError> {
        let mut state = self.session.lock().await;
        if let Some(session) = &state.current
            && session.is_alive()
        {
            return Ok(Arc::clone(session));
        }
        if let Some(gone) = state.current.take() {
            self.options.report(&Progress::Reconnecting { cause: gone.end() });
        }
        if self.options.cancel.is_cancelled() {
            return Err(TunnelError::Cancelled);
        }
        let began = Instant::now();
        let known = state.pod.take().or_else(|| self.memory.recall());
        let quick = tokio::select! {
            biased;
            () = self.options.cancel.cancelled() => return Err(TunnelError::Cancelled),
            quick = self.quick(known) => quick?,
        };
        let (session, created) = match quick {
            Some(session) => (session, false),
            // Boxed: it is large and seldom needed.
            None => Box::pin(start::start(self)).await?,
        };
        self.memory.keep(session.pod());
        state.pod = Some(session.pod().to_owned());
        let session = Arc::new(session);
        state.current = Some(Arc::clone(&session));
        self.options.report(&Progress::Connected { pod: session.pod().to_owned(), created, elapsed: began.elapsed() });
        Ok(session)
    }

    /// Straight to the pod that was there last time: one request. Whether it answers shows with the first dial.
    async fn quick(&self, known: Option<String>) -> Result<Option<Session>, TunnelError> {
        let Some(pod) = known else { return Ok(None) };
        match self.attach_soon(&pod, Established::OnFirstUse).await {
            Ok(session) => Ok(Some(session)),
            // Its node may be gone: the slow way finds out, once and not with each call.
            Err(error) if error.is_silence() => {
                self.memory.forget();
                Ok(None)
            }
            Err(AttachError::Api(error)) if is_final(&error) => Err(self.cannot_forward(&pod, error)),
            Err(_) => Ok(None),
        }
    }

    /// To a relay that should be there already.
    async fn attach_soon(&self, pod: &str, established: Established) -> Result<Session, AttachError> {
        timeout(ATTACH, self.attach(pod, established)).await.unwrap_or(Err(AttachError::Silent))
    }

    async fn attach(&self, pod: &str, established: Established) -> Result<Session, AttachError> {
        let stream = forward::open(&self.client, &self.options.namespace, pod, PORT).await.map_err(AttachError::Api)?;
        Session::open(stream, pod, established).await.map_err(AttachError::Relay)
    }

    /// The connection broke off: never again this one, and its pod only if nothing says that it is gone.
    async fn lost(&self, session: &Arc<Session>, cause: &str) {
        session.close(cause);
        let mut state = self.session.lock().await;
        if !session.heard_from() {
            // A remembered pod that takes port-forwards but has no relay (any more).
            self.memory.forget();
            state.pod = None;
        }
    }

    fn cannot_forward(&self, pod: &str, error: kube::Error) -> TunnelError {
        let namespace = &self.options.namespace;
        TunnelError::api(&self.server, namespace, format!("port-forward to pod {pod} in {namespace}"), error)
    }
}

/// An error that no other pod and no second try will mend: no right, or no API server.
///
/// One that hangs up instead of answering is there: it does so when the kubelet it asks cuts it off, as while a container
/// starts.
fn is_final(error: &kube::Error) -> bool {
    !hung_up(error)
        && matches!(
            Trouble::of(error),
            Trouble::Forbidden | Trouble::Unauthorized | Trouble::Unreachable | Trouble::Untrusted | Trouble::TimedOut
        )
}

/// Why there is no connection to a pod's relay.
#[derive(Debug, thiserror::Error)]
enum AttachError {
    #[error("{0}")]
    Api(kube::Error),
    #[error("{0}")]
    Relay(String),
    #[error("no answer within {ATTACH:?}")]
    Silent,
}

impl AttachError {
    /// Nobody said anything, neither the node nor the API server for it.
    fn is_silence(&self) -> bool {
        match self {
            Self::Silent => true,
            Self::Api(error) => Trouble::of(error) == Trouble::TimedOut,
            Self::Relay(_) => false,
        }
    }
}

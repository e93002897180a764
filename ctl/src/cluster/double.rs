//! A double of the API server, for what a real one can't be made to do: errors, silence, conflicts, watches that end.
//!
//! It keeps objects by path, answers get, list, watch, create, patch and delete as the real one does as far as msctl
//! can tell, and plays the controllers by a function that a test gives it.

mod answer;
mod log;
mod selector;
mod store;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::Value;

use answer::{AnswerBody, problem};
use store::Store;

/// Scripted trouble: a request that matches gets this answer instead of its own.
#[derive(Debug, Clone)]
struct Fault {
    method: Method,
    /// Part of the path with its query.
    part: String,
    /// How often; then the request goes through.
    times: usize,
    what: Trouble,
}

#[derive(Debug, Clone)]
enum Trouble {
    Status(StatusCode, Value),
    /// Never answers.
    Silence,
    /// A watch that says 410 in its first line.
    GoneInWatch,
}

type Controller = Box<dyn Fn(&mut Store, &str) + Send>;

#[derive(Default)]
struct Inner {
    store: Store,
    faults: Vec<Fault>,
    requests: Vec<String>,
    controller: Option<Controller>,
}

/// A server with the namespaces `shop` and `default`.
#[derive(Clone, Default)]
pub(crate) struct Double(Arc<Mutex<Inner>>);

impl Double {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A cluster whose client talks to this double; its namespace is `shop`.
    pub(crate) fn cluster(&self) -> reach::Cluster {
        let inner = Arc::clone(&self.0);
        let service = tower::service_fn(move |request: Request<Body>| {
            let inner = Arc::clone(&inner);
            async move { Ok::<_, Infallible>(serve(&inner, request).await) }
        });
        reach::Cluster {
            client: kube::Client::new(service, "shop"),
            namespace: "shop".to_owned(),
            context: "double".to_owned(),
            server: "https://double".to_owned(),
            user: "alice".to_owned(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next `times` requests of this method, with `part` in their path, are answered with this error.
    pub(crate) fn fail(&self, method: Method, part: &str, times: usize, code: u16, message: &str) -> &Self {
        let code = StatusCode::from_u16(code).unwrap();
        self.fault(method, part, times, Trouble::Status(code, problem(code, message)))
    }

    /// As `fail`, with a whole Status.
    pub(crate) fn fail_with(&self, method: Method, part: &str, times: usize, status: Value) -> &Self {
        let code = u16::try_from(status["code"].as_u64().unwrap()).unwrap();
        self.fault(method, part, times, Trouble::Status(StatusCode::from_u16(code).unwrap(), status))
    }

    pub(crate) fn silence(&self, method: Method, part: &str) -> &Self {
        self.fault(method, part, usize::MAX, Trouble::Silence)
    }

    pub(crate) fn watch_is_gone(&self, part: &str, times: usize) -> &Self {
        self.fault(Method::GET, part, times, Trouble::GoneInWatch)
    }

    fn fault(&self, method: Method, part: &str, times: usize, what: Trouble) -> &Self {
        self.lock().faults.push(Fault { method, part: part.to_owned(), times, what });
        self
    }

    /// A line of a pod's log, written at this second (`10.5`) of a minute; who follows it gets it.
    pub(crate) fn log(&self, pod: &str, second: &str, line: &str) -> &Self {
        self.lock().store.logs.write(pod, second, line);
        self
    }

    /// As `log`, but text as it is: with its time, and maybe without its newline.
    pub(crate) fn log_piece(&self, pod: &str, piece: &str) -> &Self {
        self.lock().store.logs.write_piece(pod, piece);
        self
    }

    /// Who follows a log comes to the end of the answer, not of the log.
    pub(crate) fn hang_up(&self, pod: &str) -> &Self {
        self.lock().store.logs.hang_up(pod);
        self
    }

    /// The queries of those who read a pod's log.
    pub(crate) fn log_queries(&self, pod: &str) -> Vec<String> {
        self.lock().store.logs.asked(pod)
    }

    /// The container ends: who follows its log comes to the end of it. What it writes next is of its next run.
    pub(crate) fn end_log(&self, pod: &str) -> &Self {
        self.lock().store.logs.end(pod);
        self
    }

    /// The connections of those who follow a log break.
    pub(crate) fn break_log(&self, pod: &str) -> &Self {
        self.lock().store.logs.lose(pod);
        self
    }

    /// Takes an object away, as a controller does.
    pub(crate) fn remove(&self, path: &str) -> &Self {
        self.lock().store.remove(path);
        self
    }

    /// Plays controllers and kubelets: called with the path of every object that a client writes.
    pub(crate) fn controller(&self, controller: impl Fn(&mut Store, &str) + Send + 'static) -> &Self {
        self.lock().controller = Some(Box::new(controller));
        self
    }

    /// Every Deployment is rolled out at once.
    pub(crate) fn instant_rollouts(&self) -> &Self {
        self.controller(|store, path| {
            if path.contains("/deployments/") {
                store.roll_out(path);
            }
        })
    }

    pub(crate) fn put(&self, path: &str, object: Value) -> &Self {
        self.lock().store.put(path, object);
        self
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.lock().store.get(path).cloned()
    }

    /// "PATCH /apis/…", without queries, in the order in which they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.lock().requests.clone()
    }

    /// The paths of everything in a namespace.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.lock().store.paths()
    }
}

async fn serve(inner: &Arc<Mutex<Inner>>, request: Request<Body>) -> Response<AnswerBody> {
    let (head, body) = request.into_parts();
    let body: Bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let target = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let fault = {
        let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.requests.push(format!("{} {}", head.method, head.uri.path()));
        let decoded = selector::decode(&target);
        let found = inner
            .faults
            .iter_mut()
            .find(|fault| fault.times > 0 && fault.method == head.method && decoded.contains(&fault.part));
        found.map(|fault| {
            fault.times -= 1;
            fault.what.clone()
        })
    };
    match fault {
        Some(Trouble::Status(code, status)) => return answer::whole(code, &status),
        Some(Trouble::Silence) => return std::future::pending().await,
        Some(Trouble::GoneInWatch) => return answer::gone_in_watch(),
        None => {}
    }
    let mut guard = inner.lock().unwrap_or_else(PoisonError::into_inner);
    let inner = &mut *guard;
    let answer = inner.store.answer(&head.method, head.uri.path(), head.uri.query().unwrap_or_default(), &body);
    let written = head.method != Method::GET && head.method != Method::DELETE;
    if written && let Some(controller) = &inner.controller {
        let path = head.uri.path().trim_end_matches("/scale");
        controller(&mut inner.store, path);
    }
    answer
}

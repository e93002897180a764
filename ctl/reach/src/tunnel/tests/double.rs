//! A double of the API server: the few requests that a tunnel makes, over real HTTP and a real WebSocket.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::{Message, protocol::Role};
use tokio_util::sync::CancellationToken;

use crate::client::{Cluster, KubeOptions, connect};
use crate::relay::PORT;
use crate::tunnel::{Progress, TunnelOptions};

type Body = BoxBody<Bytes, Infallible>;

/// What becomes of a port-forward.
#[derive(Debug, Clone, Copy)]
pub(super) enum Forward {
    Status(u16, &'static str),
    /// The connection is closed without an answer.
    HangsUp,
    /// Accepted, then "connection refused" on the error channel.
    NobodyListens,
    /// As with a node that is gone: no answer.
    Silent,
    To(SocketAddr),
}

/// Marks an answer that is never sent.
#[derive(Debug, Clone, Copy)]
struct HangUp;

/// What becomes of a new Job.
#[derive(Debug, Clone)]
pub(super) enum Create {
    /// It is made, and then these pods' states follow one another.
    Pods(Vec<Value>),
    Status(u16, &'static str),
    /// It is made, or this one is there instead; the caller gives up before an answer.
    GivenUp {
        cancel: CancellationToken,
        instead: Option<Value>,
    },
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) create: Create,
    /// Used up one by one; the last one stays.
    pub(super) forwards: VecDeque<Forward>,
    pub(super) events: Vec<&'static str>,
    pub(super) job: Option<Value>,
    /// Each request as "METHOD what".
    pub(super) seen: Vec<String>,
    pub(super) progress: Vec<Progress>,
    made: usize,
}

pub(super) struct Double {
    pub(super) state: Arc<Mutex<State>>,
    pods: watch::Sender<Option<Value>>,
    connections: Mutex<CancellationToken>,
    address: SocketAddr,
}

impl Double {
    pub(super) async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = State {
            create: Create::Pods(vec![running("relay-1")]),
            forwards: VecDeque::from([Forward::NobodyListens]),
            events: Vec::new(),
            job: None,
            seen: Vec::new(),
            progress: Vec::new(),
            made: 0,
        };
        let double = Arc::new(Self {
            state: Arc::new(Mutex::new(state)),
            pods: watch::Sender::new(None),
            connections: Mutex::default(),
            address: listener.local_addr().unwrap(),
        });
        let serving = Arc::clone(&double);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let double = Arc::clone(&serving);
                let service = service_fn(move |request| {
                    let double = Arc::clone(&double);
                    async move {
                        {
                            let answer = double.answer(request).await;
                            match answer.extensions().get::<HangUp>() {
                                Some(HangUp) => Err(std::io::Error::other("hung up")),
                                None => Ok(answer),
                            }
                        }
                    }
                });
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
                tokio::spawn(connection.with_upgrades());
            }
        });
        double
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub(super) fn seen(&self) -> Vec<String> {
        self.state.lock().unwrap().seen.clone()
    }

    /// A Job and its pod, as if from an earlier run.
    pub(super) fn has(&self, job: Value, pod: Value) {
        self.state.lock().unwrap().job = Some(job);
        self.pods.send_replace(Some(pod));
    }

    /// Breaks off every port-forward.
    pub(super) fn cut(&self) {
        std::mem::take(&mut *self.connections.lock().unwrap()).cancel();
    }

    pub(super) async fn cluster(&self) -> Cluster {
        let file = std::env::temp_dir().join(format!("reach-double-{}-{}", std::process::id(), self.address.port()));
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "double",
            "clusters": [{"name": "double", "cluster": {"server": format!("http://{}", self.address)}}],
            "contexts": [{"name": "double", "context": {"cluster": "double", "user": "ann"}}],
            "users": [{"name": "ann", "user": {"token": "secret"}}],
        });
        std::fs::write(&file, config.to_string()).unwrap();
        let options = KubeOptions { kubeconfig: Some(file.clone()), ..KubeOptions::default() };
        let cluster = connect(&options).await.unwrap();
        std::fs::remove_file(file).unwrap();
        cluster
    }

    pub(super) fn options(&self) -> TunnelOptions {
        let state = Arc::clone(&self.state);
        let mut options = TunnelOptions::new("demo", "ghcr.io/msctl/msctl:0.1.0");
        options.cache_dir = None;
        options.progress = Some(Arc::new(move |progress| state.lock().unwrap().progress.push(progress.clone())));
        options
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        assert_eq!(request.headers()[header::AUTHORIZATION], "Bearer secret");
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let what = path.rsplit("/demo/").next().unwrap_or(&path).to_owned();
        let watch = query.contains("watch=true");
        let verb = if watch { "WATCH" } else { request.method().as_str() };
        self.set(|state| state.seen.push(format!("{verb} {what}")));
        match (request.method().clone(), what.as_str()) {
            (Method::GET, "pods") if watch => self.watch_pods(),
            (Method::GET, "pods") => {
                let items: Vec<Value> = self.pods.borrow().iter().cloned().collect();
                json_of(StatusCode::OK, &json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": items}))
            }
            (Method::GET, "events") => {
                let events = self.state.lock().unwrap().events.clone();
                let items: Vec<Value> =
                    events.iter().map(|text| json!({"metadata": {}, "involvedObject": {}, "message": text})).collect();
                json_of(
                    StatusCode::OK,
                    &json!({"apiVersion": "v1", "kind": "EventList", "metadata": {}, "items": items}),
                )
            }
            (Method::POST, "jobs") => self.create_job(request).await,
            (Method::PATCH, _) => {
                let applied = request.into_body().collect().await.unwrap().to_bytes();
                json_of(StatusCode::OK, &serde_json::from_slice(&applied).unwrap())
            }
            (method, what) if what.starts_with("jobs/") => self.one_job(&method),
            (Method::GET, what) if what.ends_with("/portforward") => self.forward(request).await,
            other => panic!("unexpected request {other:?}"),
        }
    }

    async fn create_job(&self, request: Request<Incoming>) -> Response<Body> {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        match self.created(&body) {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    fn created(&self, body: &[u8]) -> Option<Response<Body>> {
        let mut state = self.state.lock().unwrap();
        if state.job.is_some() {
            return Some(status(409, "jobs.batch \"x\" already exists"));
        }
        Some(match state.create.clone() {
            Create::GivenUp { cancel, instead } => {
                let mut job: Value = serde_json::from_slice(body).unwrap();
                job["metadata"]["uid"] = json!("uid-unseen");
                state.job = Some(instead.unwrap_or(job));
                cancel.cancel();
                return None;
            }
            Create::Status(code, message) => status(code, message),
            Create::Pods(pods) => {
                state.made += 1;
                let mut job: Value = serde_json::from_slice(body).unwrap();
                let uid = format!("uid-{}", state.made);
                job["metadata"]["uid"] = json!(uid);
                state.job = Some(job.clone());
                for mut pod in pods {
                    pod["metadata"]["ownerReferences"][0]["uid"] = json!(uid);
                    self.pods.send_replace(Some(pod));
                }
                json_of(StatusCode::CREATED, &job)
            }
        })
    }

    fn one_job(&self, method: &Method) -> Response<Body> {
        let mut state = self.state.lock().unwrap();
        let Some(job) = state.job.clone() else { return status(404, "jobs.batch \"x\" not found") };
        if *method == Method::DELETE {
            state.job = None;
            self.pods.send_replace(None);
        }
        json_of(StatusCode::OK, &job)
    }

    fn watch_pods(&self) -> Response<Body> {
        let changes = futures::stream::unfold((self.pods.subscribe(), true), |(mut pods, first)| async move {
            if !first {
                pods.changed().await.ok()?;
            }
            let pod = pods.borrow_and_update().clone();
            let event = pod.map(|pod| format!("{}\n", json!({"type": "MODIFIED", "object": pod}))).unwrap_or_default();
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from(event))), (pods, false)))
        });
        Response::new(BodyExt::boxed(StreamBody::new(changes)))
    }

    async fn forward(&self, mut request: Request<Incoming>) -> Response<Body> {
        let forward = {
            let mut state = self.state.lock().unwrap();
            if state.forwards.len() > 1 { state.forwards.pop_front() } else { state.forwards.front().copied() }
        };
        let forward = match forward.unwrap() {
            Forward::Status(code, message) => return status(code, message),
            Forward::Silent => std::future::pending().await,
            Forward::HangsUp => {
                let mut nothing = status(500, "");
                nothing.extensions_mut().insert(HangUp);
                return nothing;
            }
            forward => forward,
        };
        let accept = derive_accept_key(request.headers()[header::SEC_WEBSOCKET_KEY].as_bytes());
        let upgrade = hyper::upgrade::on(&mut request);
        let cut = self.connections.lock().unwrap().clone();
        tokio::spawn(async move {
            let socket = TokioIo::new(upgrade.await.unwrap());
            let socket = WebSocketStream::from_raw_socket(socket, Role::Server, None).await;
            tokio::select! {
                () = cut.cancelled() => {}
                () = serve_forward(socket, forward) => {}
            }
        });
        Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::UPGRADE, "websocket")
            .header(header::CONNECTION, "Upgrade")
            .header(header::SEC_WEBSOCKET_ACCEPT, accept)
            .header(header::SEC_WEBSOCKET_PROTOCOL, "v4.channel.k8s.io")
            .body(Full::default().boxed())
            .unwrap()
    }
}

/// As the kubelet does it.
async fn serve_forward<S>(mut socket: WebSocketStream<S>, forward: Forward)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let [low, high] = PORT.to_le_bytes();
    for channel in [0, 1] {
        socket.send(Message::binary(vec![channel, low, high])).await.unwrap();
    }
    let Forward::To(relay) = forward else {
        let text = b"\x01error forwarding port 8600 to pod x: connect: connection refused";
        socket.send(Message::binary(text.to_vec())).await.unwrap();
        let _ = socket.close(None).await;
        return;
    };
    let mut relay = TcpStream::connect(relay).await.unwrap();
    let (mut read, mut write) = relay.split();
    let (mut out, mut incoming) = socket.split();
    let up = async {
        while let Some(Ok(message)) = incoming.next().await {
            if message.is_binary() && write.write_all(&message.into_data()[1..]).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let mut buffer = vec![0u8; 32 << 10];
        while let Ok(length @ 1..) = read.read(&mut buffer).await {
            if out.send(Message::binary([&[0], &buffer[..length]].concat())).await.is_err() {
                return;
            }
        }
        let _ = out.send(Message::Close(None)).await;
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

fn json_of(status: StatusCode, value: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(value.to_string())).boxed();
    Response::builder().status(status).header(header::CONTENT_TYPE, "application/json").body(body).unwrap()
}

pub(super) fn status(code: u16, message: &str) -> Response<Body> {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "AlreadyExists",
        _ => "Unknown",
    };
    let value = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code,
    });
    json_of(StatusCode::from_u16(code).unwrap(), &value)
}

fn pod(name: &str, node: Option<&str>, phase: &str, state: &Value) -> Value {
    let container =
        json!({"name": "relay", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": "uid-0"}]},
        "spec": {"nodeName": node, "containers": []},
        "status": {"phase": phase, "containerStatuses": [container]},
    })
}

pub(super) fn running(name: &str) -> Value {
    pod(name, Some("node-a"), "Running", &json!({"running": {}}))
}

pub(super) fn waiting(name: &str, reason: &str, message: &str) -> Value {
    pod(name, Some("node-a"), "Pending", &json!({"waiting": {"reason": reason, "message": message}}))
}

pub(super) fn ended(name: &str, code: i32, message: &str) -> Value {
    let phase = if code == 0 { "Succeeded" } else { "Failed" };
    pod(name, Some("node-a"), phase, &json!({"terminated": {"exitCode": code, "reason": "Error", "message": message}}))
}

pub(super) fn unschedulable(name: &str) -> Value {
    let condition = json!({"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available"});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": "uid-0"}]},
        "spec": {"containers": []},
        "status": {"phase": "Pending", "conditions": [condition]},
    })
}

pub(super) fn job(uid: &str, condition: Option<&str>) -> Value {
    let conditions: Vec<Value> = condition.iter().map(|kind| json!({"type": kind, "status": "True"})).collect();
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x", "uid": uid}, "status": {"conditions": conditions}})
}

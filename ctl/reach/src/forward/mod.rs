//! A byte stream to a port of a pod, through the API server.
//!
//! Needs the verbs `get` and, from Kubernetes 1.35 on, `create` on `pods/portforward`: an upgrade of a GET counts as
//! both there.

mod stream;

use http::Request;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use kube::Client;

pub(crate) use stream::PodStream;

/// A port-forward over a real connection.
pub(crate) type Forwarded = PodStream<TokioIo<Upgraded>>;

/// Asks for a port of a pod. It stands when the API server and the kubelet agreed to forward; whether something listens
/// on the port shows when the stream is read.
///
/// # Errors
/// What the API server answered: 404 no such pod; 400 not scheduled yet; 403; 500 the kubelet does not know the pod yet.
pub(crate) async fn open(client: &Client, namespace: &str, pod: &str, port: u16) -> Result<Forwarded, kube::Error> {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/portforward?ports={port}");
    let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    let connection = client.connect(request).await?;
    Ok(PodStream::new(connection.into_stream(), port))
}

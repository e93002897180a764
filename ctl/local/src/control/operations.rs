//! What the server needs of a supervisor. A seam for the tests of the protocol, which need no processes.

use std::future::Future;

use futures::stream::BoxStream;

use crate::logs::{LogLine, Options};
use crate::{Applied, Deleted, Error, Events, Scaled, ServiceSpec, ServiceStatus, Supervisor};

pub(super) trait Operations: Clone + Send + Sync + 'static {
    fn started(&self) -> impl Future<Output = Result<Vec<Applied>, Error>> + Send;

    fn apply(
        &self,
        specs: Vec<ServiceSpec>,
        events: Events,
    ) -> impl Future<Output = Result<Vec<Applied>, Error>> + Send;

    fn scale(&self, name: &str, replicas: u32, events: Events) -> impl Future<Output = Result<Scaled, Error>> + Send;

    fn delete(&self, name: &str, events: Events) -> impl Future<Output = Result<Deleted, Error>> + Send;

    fn stop(&self, events: Events) -> impl Future<Output = ()> + Send;

    fn status(&self) -> Vec<ServiceStatus>;

    fn logs(&self, services: Vec<String>, options: &Options) -> BoxStream<'static, Result<LogLine, Error>>;
}

impl Operations for Supervisor {
    async fn started(&self) -> Result<Vec<Applied>, Error> {
        self.started().await
    }

    async fn apply(&self, specs: Vec<ServiceSpec>, events: Events) -> Result<Vec<Applied>, Error> {
        self.apply(specs, events).await
    }

    async fn scale(&self, name: &str, replicas: u32, events: Events) -> Result<Scaled, Error> {
        self.scale(name, replicas, events).await
    }

    async fn delete(&self, name: &str, events: Events) -> Result<Deleted, Error> {
        self.delete(name, events).await
    }

    async fn stop(&self, events: Events) {
        self.stop(events).await;
    }

    fn status(&self) -> Vec<ServiceStatus> {
        self.status()
    }

    fn logs(&self, services: Vec<String>, options: &Options) -> BoxStream<'static, Result<LogLine, Error>> {
        self.logs().read(services, options)
    }
}

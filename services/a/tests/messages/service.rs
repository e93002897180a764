//! A, serving on ports of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use database::Url;
use http::Uri;
use runtime::{Context, Health, Readiness, ServeConfig, Server, Shutdown, Trigger};
use service_a::{Config, MessagesConfig, app};
use telemetry::{Identity, Settings, Telemetry};
use tokio::task::JoinHandle;

use crate::double::Double;

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    pub(crate) context: Context,
    trigger: Trigger,
    served: JoinHandle<()>,
}

/// Removed with what is in it.
#[derive(Debug)]
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("service-a-messages-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn url(&self) -> Url {
        Url::Sqlite(self.0.join("a.sqlite3"))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn config(service_b: Uri, database: Url) -> Config {
    Config { service_b, upstream_timeout: Duration::from_secs(2), database, messages: MessagesConfig::default() }
}

/// A with defaults, and B.
pub(crate) async fn a_and_b() -> (Service, Double, Directory) {
    a_and_b_with(|_| ()).await
}

pub(crate) async fn a_and_b_with(change: impl FnOnce(&mut Config)) -> (Service, Double, Directory) {
    let (double, directory) = (Double::start(), Directory::new());
    let mut config = config(double.uri(), directory.url());
    change(&mut config);
    (Service::start(config).await, double, directory)
}

impl Service {
    /// Serving, and ready.
    pub(crate) async fn start(config: Config) -> Self {
        let service = Self::begin(config);
        service.ready().await;
        service
    }

    /// Serving.
    pub(crate) fn begin(config: Config) -> Self {
        let identity = Identity { service_name: "service-a", service_version: "0.0.0" };
        let settings = Settings { endpoint: Some("http://127.0.0.1:1/v1/traces".to_owned()), ..Settings::default() };
        let telemetry = Telemetry::new(identity, &settings, None).unwrap();
        let context = Context { health: Health::new(), telemetry };
        let server = Server::bind(ServeConfig::local(0, 0)).unwrap();
        let (address, admin) = (server.traffic_addr(), server.admin_addr());
        let (trigger, shutdown) = Shutdown::by_hand();
        let task = tokio::spawn({
            let context = context.clone();
            async move {
                let (router, stop) = app(&config, context.clone());
                server.run(router, context.health, &context.telemetry, shutdown).await.unwrap();
                stop.await;
            }
        });
        Self { address, admin, context, trigger, served: task }
    }

    pub(crate) async fn ready(&self) {
        let ready = async {
            while self.context.health.readiness() != Readiness::Ready
                || crate::client::get(self.address, "/messages").await.status != 200
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ready).await.expect("ready in time");
    }

    pub(crate) async fn metrics(&self) -> String {
        crate::client::get(self.admin, "/metrics").await.body
    }

    /// Drains and stops.
    pub(crate) async fn stop(self) {
        self.trigger.pull();
        self.served.await.unwrap();
    }
}

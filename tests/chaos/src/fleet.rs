//! Two services, their databases and their addresses.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use test_postgres::{Fsync, Guard};
use tokio::time::{sleep, timeout};

use crate::client::Connection;
use crate::databases::{Databases, Engine};
use crate::error::{Failure, Result};
use crate::front::{Cuts, Front, Live};
use crate::schedule::Who;
use crate::service::{Process, Service};

/// Processes of each service.
pub(crate) const REPLICAS: usize = 2;

/// Until a service has its database.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a run works on. Nothing of it outlives this value, nor this process.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) a: Service,
    pub(crate) b: Service,
    pub(crate) live_a: Live,
    pub(crate) live_b: Live,
    pub(crate) databases: Databases,
    pub(crate) guard: Arc<Guard>,
    /// What A knows of B.
    _front: Front,
}

impl Fleet {
    /// Starts the databases; the services are the caller's to start.
    pub(crate) async fn prepare(engine: Engine, binaries: &Path, cuts: Option<Cuts>) -> Result<Self> {
        let guard = Arc::new(Guard::new("chaos").map_err(Failure::to("make a temporary directory"))?);
        // Syncing is what a crash tests.
        let databases = Databases::start(engine, Fsync::On, guard.folder()).await?;
        let (live_a, live_b) = (Live::new(REPLICAS), Live::new(REPLICAS));
        let front = Front::listen(live_b.clone(), cuts).await?;
        let b = Service::new(Who::B, binaries, guard.clone()).with("DATABASE_URL", databases.b.url());
        // Short, so that what a dead process had leased comes back while the run lasts.
        let a = Service::new(Who::A, binaries, guard.clone())
            .with("DATABASE_URL", databases.a.url())
            .with("SERVICE_B_URL", format!("http://{}", front.address))
            .with("UPSTREAM_TIMEOUT", "1s")
            .with("OUTBOX_LEASE", "3s")
            .with("DELIVERY_WAIT", "500ms");
        Ok(Self { a, b, live_a, live_b, databases, guard, _front: front })
    }

    /// Keeps the logs of all processes of `service`, one file a service.
    pub(crate) fn keep_logs(&mut self, engine: Engine, folder: &Path) -> Result<()> {
        for service in [&mut self.a, &mut self.b] {
            let path = folder.join(format!("{engine}-{:?}.log", service.who));
            let file = File::create(&path).map_err(Failure::to(&format!("write {}", path.display())))?;
            service.lines = Some(Arc::new(file));
        }
        Ok(())
    }

    /// Starts one process of a service, in its first place, and waits until it has its database.
    pub(crate) async fn serve_one(&self, service: &Service) -> Result<Process> {
        let process = service.serve().await?;
        let action = format!("wait for the database of {:?}", service.who);
        let usable = async {
            let mut connection = Connection::open(process.address).await?;
            // Both services list their messages at the same path.
            while connection.get(api::a::MESSAGES_PATH).await?.status != http::StatusCode::OK {
                sleep(Duration::from_millis(10)).await;
            }
            Ok::<_, String>(())
        };
        let waited = timeout(PATIENCE, usable).await.map_err(Failure::to(&action))?;
        waited.map_err(|why| Failure::new(action, why))?;
        let live = if service.who == Who::A { &self.live_a } else { &self.live_b };
        live.set(0, Some(process.address));
        Ok(process)
    }
}

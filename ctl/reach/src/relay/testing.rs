//! A relay in this process, which may dial loopback.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::dial::Dialer;
use super::dns::ResolvConf;
use super::{Ended, Relay, RelayConfig};

pub(crate) struct TestRelay {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    run: JoinHandle<Ended>,
}

impl TestRelay {
    pub(crate) async fn start(config: RelayConfig) -> Self {
        Self::with(config, true, "search demo.svc.cluster.local svc.cluster.local cluster.local").await
    }

    /// As in production: loopback is refused.
    pub(crate) async fn strict(config: RelayConfig) -> Self {
        Self::with(config, false, "").await
    }

    async fn with(config: RelayConfig, loopback: bool, resolv_conf: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut dialer = Dialer::new(&config, ResolvConf::parse(resolv_conf));
        dialer.policy.loopback = loopback;
        let stop = CancellationToken::new();
        let run = Relay::new(config, dialer).run(listener, stop.clone().cancelled_owned());
        Self { address, stop, run: tokio::spawn(run) }
    }

    /// As SIGTERM does.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    pub(crate) async fn ended(self) -> Ended {
        self.run.await.unwrap()
    }
}

//! A relay between a service and its Postgres: connections are counted, and can be frozen and cut.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Ends, with its connections, when it is dropped.
pub(crate) struct Relay {
    url: String,
    connections: Connections,
    _tasks: JoinSet<()>,
}

/// What each is told, in the order in which they were made.
type Connections = Arc<Mutex<Vec<watch::Sender<Order>>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Go,
    /// Open, and silent.
    Freeze,
    Cut,
}

impl Relay {
    /// To the server of `url`, `postgres://USER@ADDRESS:PORT/DATABASE`.
    pub(crate) async fn to(url: &str) -> Self {
        let (user, rest) = url.split_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let server: SocketAddr = server.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{user}@{}/{database}", listener.local_addr().unwrap());
        let connections = Connections::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, server, Arc::clone(&connections)));
        Self { url, connections, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.connections.lock().unwrap().len()
    }

    /// Lets nothing more through the connection, which stays open; they are counted from 0.
    pub(crate) fn freeze(&self, connection: usize) {
        self.connections.lock().unwrap()[connection].send_replace(Order::Freeze);
    }

    pub(crate) fn cut(&self, connection: usize) {
        self.connections.lock().unwrap()[connection].send_replace(Order::Cut);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, connections: Connections) {
    // With the set, every connection ends.
    let mut serving = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (order, orders) = watch::channel(Order::Go);
        connections.lock().unwrap().push(order);
        serving.spawn(serve(client, server, orders));
    }
}

async fn serve(mut client: TcpStream, server: SocketAddr, mut orders: watch::Receiver<Order>) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let stopped = tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => false,
        order = orders.wait_for(|order| *order != Order::Go) => order.is_ok(),
    };
    if stopped {
        // The sockets are still open.
        let _ = orders.wait_for(|order| *order == Order::Cut).await;
    }
}

//! A relay between a client and its server: what passes is counted, and connections can be frozen and cut.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Ends, with its connections, when it is dropped.
#[derive(Debug)]
pub struct Relay {
    url: String,
    traffic: Arc<Traffic>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Traffic {
    /// From the server.
    bytes: AtomicUsize,
    /// What each connection is told, in the order in which they were made.
    connections: Mutex<Vec<watch::Sender<Order>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Go,
    /// Open, and silent.
    Freeze,
    Cut,
}

impl Relay {
    /// To the server of `url`, `postgres://USER@ADDRESS:PORT/DATABASE`.
    ///
    /// # Panics
    /// When the URL has another form, and when loopback has no port left.
    pub async fn to(url: &str) -> Self {
        let (user, rest) = url.split_once('@').expect("a user");
        let (server, database) = rest.split_once('/').expect("a database");
        let server: SocketAddr = server.parse().expect("an address and a port");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the address of a listener");
        let traffic = Arc::<Traffic>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, server, Arc::clone(&traffic)));
        Self { url: format!("{user}@{address}/{database}"), traffic, _tasks: tasks }
    }

    /// As the server's own, by way of the relay.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Bytes that the server has sent.
    pub fn bytes(&self) -> usize {
        self.traffic.bytes.load(Ordering::Relaxed)
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.traffic.connections.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Lets nothing more through the connection, which stays open; they are counted from 0.
    ///
    /// # Panics
    /// When there is no such connection.
    pub fn freeze(&self, connection: usize) {
        self.tell(connection, Order::Freeze);
    }

    /// Ends the connection.
    ///
    /// # Panics
    /// When there is no such connection.
    pub fn cut(&self, connection: usize) {
        self.tell(connection, Order::Cut);
    }

    fn tell(&self, connection: usize, order: Order) {
        let connections = self.traffic.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections[connection].send_replace(order);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, traffic: Arc<Traffic>) {
    // With the set, every connection ends.
    let mut serving = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (order, orders) = watch::channel(Order::Go);
        traffic.connections.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        serving.spawn(serve(client, server, Arc::clone(&traffic), orders));
    }
}

async fn serve(mut client: TcpStream, server: SocketAddr, traffic: Arc<Traffic>, mut orders: watch::Receiver<Order>) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let counted = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            traffic.bytes.fetch_add(read, Ordering::Relaxed);
            if to_client.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    let stopped = tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => false,
        () = counted => false,
        order = orders.wait_for(|order| *order != Order::Go) => order.is_ok(),
    };
    if stopped {
        // The sockets are still open.
        let _ = orders.wait_for(|order| *order == Order::Cut).await;
    }
}

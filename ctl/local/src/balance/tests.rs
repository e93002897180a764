use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::*;

/// For what happens at once, on a machine that is busy with other things.
const SOON: Duration = Duration::from_secs(20);

/// A replica under a test's control.
struct Replica {
    name: &'static str,
    listener: TcpListener,
}

impl Replica {
    async fn new(name: &'static str) -> Self {
        Self { name, listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn backend(&self) -> Backend {
        Backend { replica: self.name.to_owned(), address: self.listener.local_addr().unwrap() }
    }

    async fn accepted(&self) -> TcpStream {
        soon(self.listener.accept()).await.unwrap().0
    }
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(SOON, work).await.expect("it takes too long")
}

/// Polls, since what is waited for has no event of its own.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn over(replicas: &[&Replica]) -> Balancer {
    let balancer = Balancer::bind(0).await.unwrap();
    balancer.set(replicas.iter().map(|replica| replica.backend()).collect());
    balancer
}

async fn client(balancer: &Balancer) -> TcpStream {
    soon(TcpStream::connect(balancer.address())).await.unwrap()
}

/// A connection through the balancer, from both of its ends.
async fn pair(balancer: &Balancer, replica: &Replica) -> (TcpStream, TcpStream) {
    (client(balancer).await, replica.accepted().await)
}

async fn all(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    soon(stream.read_to_end(&mut bytes)).await.map(|_| bytes)
}

async fn is_reset(stream: &mut TcpStream) -> bool {
    all(stream).await.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
}

fn totals(balancer: &Balancer) -> Vec<(String, u64)> {
    balancer.traffic().replicas.into_iter().map(|count| (count.replica, count.total)).collect()
}

#[tokio::test]
async fn connections_go_round_the_ready_replicas() {
    let (a, b) = (Replica::new("a").await, Replica::new("b").await);
    let balancer = over(&[&a, &b]).await;
    let mut open = Vec::new();
    for _ in 0..6 {
        open.push(client(&balancer).await);
    }
    until("three each", || totals(&balancer) == [("a".to_owned(), 3), ("b".to_owned(), 3)]).await;
    let counts = balancer.traffic();
    assert!(counts.replicas.iter().all(|count| count.open == 3), "{counts:?}");
    assert_eq!(counts.refused, 0);

    drop((open, a, b));
    until("all closed", || balancer.traffic().replicas.iter().all(|count| count.open == 0)).await;
}

#[tokio::test]
async fn a_replica_that_refuses_costs_nobody_a_connection() {
    let (gone, there) = (Replica::new("gone").await, Replica::new("there").await);
    let balancer = over(&[&gone, &there]).await;
    drop(gone.listener);
    for _ in 0..4 {
        let (mut client, mut server) = pair(&balancer, &there).await;
        server.write_all(b"here").await.unwrap();
        drop(server);
        assert_eq!(all(&mut client).await.unwrap(), b"here");
    }
    assert_eq!(totals(&balancer), [("gone".to_owned(), 0), ("there".to_owned(), 4)]);
}

#[tokio::test]
async fn without_anybody_ready_a_client_is_reset_at_once() {
    let gone = Replica::new("gone").await;
    let balancer = over(&[]).await;
    assert!(is_reset(&mut client(&balancer).await).await);

    balancer.set(vec![gone.backend()]);
    drop(gone.listener);
    assert!(is_reset(&mut client(&balancer).await).await);
    assert_eq!(balancer.traffic().refused, 2);
}

#[tokio::test]
async fn each_side_may_end_before_the_other_has_answered() {
    let replica = Replica::new("a").await;
    let balancer = over(&[&replica]).await;

    let (mut client, mut server) = pair(&balancer, &replica).await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(all(&mut server).await.unwrap(), b"question");
    server.write_all(b"answer").await.unwrap();
    drop(server);
    assert_eq!(all(&mut client).await.unwrap(), b"answer");

    let (mut client, mut server) = pair(&balancer, &replica).await;
    server.write_all(b"greeting").await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(all(&mut client).await.unwrap(), b"greeting");
    client.write_all(b"late").await.unwrap();
    drop(client);
    assert_eq!(all(&mut server).await.unwrap(), b"late");
}

#[tokio::test]
async fn a_reset_on_one_side_is_a_reset_on_the_other() {
    let replica = Replica::new("a").await;
    let balancer = over(&[&replica]).await;

    let (client, mut server) = pair(&balancer, &replica).await;
    client.set_zero_linger().unwrap();
    drop(client);
    assert!(is_reset(&mut server).await, "the replica takes half a request for a whole one");

    let (mut client, mut server) = pair(&balancer, &replica).await;
    server.write_all(b"half an ans").await.unwrap();
    let mut half = [0; 11];
    soon(client.read_exact(&mut half)).await.unwrap();
    server.set_zero_linger().unwrap();
    drop(server);
    assert!(is_reset(&mut client).await, "the client takes half an answer for a whole one");
}

#[tokio::test]
async fn an_answer_arrives_from_a_replica_that_did_not_read_the_whole_request() {
    let replica = Replica::new("a").await;
    let balancer = over(&[&replica]).await;
    let (mut client, mut server) = pair(&balancer, &replica).await;

    let sent = tokio::spawn(async move {
        // More than all the buffers on the way take.
        let sent = soon(client.write_all(&vec![b'x'; 32 << 20])).await;
        (client, sent)
    });
    let mut start = [0; 100];
    soon(server.read_exact(&mut start)).await.unwrap();
    server.write_all(b"413 too large").await.unwrap();
    server.shutdown().await.unwrap();
    drop(server);

    let (mut client, sent) = sent.await.unwrap();
    assert!(sent.is_err());
    let mut answer = [0; 13];
    soon(client.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"413 too large");
}

#[tokio::test]
async fn large_bodies_arrive_whole_both_ways_at_once() {
    const SIZE: usize = 8 << 20;
    let replica = Replica::new("a").await;
    let balancer = over(&[&replica]).await;
    let (client, server) = pair(&balancer, &replica).await;
    let bytes = |seed: u8| (0..SIZE).map(|at| seed ^ (at % 251).to_le_bytes()[0]).collect::<Vec<_>>();
    let exchange = async |stream: TcpStream, sends: Vec<u8>| {
        let (mut reads, mut writes) = stream.into_split();
        let sending = tokio::spawn(async move {
            writes.write_all(&sends).await.unwrap();
            writes.shutdown().await.unwrap();
        });
        let mut got = Vec::new();
        reads.read_to_end(&mut got).await.unwrap();
        sending.await.unwrap();
        got
    };
    let (at_client, at_server) =
        soon(async { tokio::join!(exchange(client, bytes(1)), exchange(server, bytes(2))) }).await;
    assert!(at_client == bytes(2) && at_server == bytes(1));
}

#[tokio::test]
async fn a_replica_that_leaves_keeps_its_connections() {
    let (old, new) = (Replica::new("old").await, Replica::new("new").await);
    let balancer = over(&[&old]).await;
    let (mut client, mut server) = pair(&balancer, &old).await;
    balancer.set(vec![new.backend()]);

    client.write_all(b"still here").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(all(&mut server).await.unwrap(), b"still here");
    let open =
        |counts: Traffic| counts.replicas.into_iter().map(|count| (count.replica, count.open)).collect::<Vec<_>>();
    assert_eq!(open(balancer.traffic()), [("new".to_owned(), 0), ("old".to_owned(), 1)]);

    drop(server);
    until("the old one is done", || open(balancer.traffic()) == [("new".to_owned(), 0)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_connection_is_lost_while_the_list_changes() {
    let names = ["a", "b"];
    let balancer = Balancer::bind(0).await.unwrap();
    let mut backends = Vec::new();
    for name in names {
        let replica = Replica::new(name).await;
        backends.push(replica.backend());
        tokio::spawn(async move {
            while let Ok((mut server, _)) = replica.listener.accept().await {
                tokio::spawn(async move { server.write_all(b"here").await });
            }
        });
    }
    let (a, b) = (backends[0].clone(), backends[1].clone());
    balancer.set(vec![a.clone()]);
    let address = balancer.address();
    let asking = tokio::spawn(async move {
        for number in 0..1000 {
            let mut client = soon(TcpStream::connect(address)).await.unwrap();
            assert_eq!(all(&mut client).await.unwrap(), b"here", "connection {number}");
        }
    });
    while !asking.is_finished() {
        // As a rollout does: never none.
        for ready in [vec![a.clone(), b.clone()], vec![b.clone()], vec![b.clone(), a.clone()], vec![a.clone()]] {
            balancer.set(ready);
            tokio::task::yield_now().await;
        }
    }
    asking.await.unwrap();
    assert_eq!(balancer.traffic().refused, 0);
}

#[tokio::test]
async fn beyond_the_cap_a_connection_is_reset_until_another_has_ended() {
    let replica = Replica::new("a").await;
    let listener = listen(0).await.unwrap();
    let address = listener.local_addr().unwrap();
    let balancer = Balancer::on(listener, address, 1);
    balancer.set(vec![replica.backend()]);

    let (first, server) = pair(&balancer, &replica).await;
    assert!(is_reset(&mut client(&balancer).await).await);
    drop((first, server));
    until("the first has ended", || balancer.traffic().replicas[0].open == 0).await;
    // The slot is freed after the count.
    soon(async {
        loop {
            let mut next = client(&balancer).await;
            next.write_all(b"x").await.unwrap_or_default();
            if timeout(Duration::from_millis(50), replica.listener.accept()).await.is_ok() {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_port_in_use_is_said_with_its_holder_and_free_again_after_close() {
    let balancer = Balancer::bind(0).await.unwrap();
    let port = balancer.address().port();

    let taken = Balancer::bind(port).await.unwrap_err();
    assert_eq!(taken.holder.as_ref().map(|holder| holder.pid), Some(std::process::id()), "{taken}");
    assert!(taken.to_string().starts_with(&format!("port {port} is in use by process ")), "{taken}");

    balancer.close().await;
    Balancer::bind(port).await.unwrap();
}

#[tokio::test]
async fn dropping_a_balancer_frees_the_port_and_leaves_open_connections_alone() {
    let replica = Replica::new("a").await;
    let balancer = over(&[&replica]).await;
    let port = balancer.address().port();
    let (mut client, mut server) = pair(&balancer, &replica).await;
    drop(balancer);
    soon(async {
        while Balancer::bind(port).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    client.write_all(b"on and on").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(all(&mut server).await.unwrap(), b"on and on");
}

//! Where the processes of a service listen now, and one address for all of them, as a cluster's Service has.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::error::{Failure, Result};
use crate::random::Random;
use crate::slot::Tally;

/// The addresses of a service's processes; `None` for one that is dead.
#[derive(Clone, Debug)]
pub(crate) struct Live(Arc<Mutex<Vec<Option<SocketAddr>>>>);

impl Live {
    pub(crate) fn new(processes: usize) -> Self {
        Self(Arc::new(Mutex::new(vec![None; processes])))
    }

    pub(crate) fn set(&self, index: usize, address: Option<SocketAddr>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[index] = address;
    }

    /// Those that live, with their index.
    pub(crate) fn all(&self) -> Vec<(usize, SocketAddr)> {
        let addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.iter().enumerate().filter_map(|(index, address)| Some((index, (*address)?))).collect()
    }
}

/// Connections that are cut while both ends live: answers are lost, and nobody died.
#[derive(Clone, Debug)]
pub(crate) struct Cuts {
    pub(crate) seed: u64,
    pub(crate) tally: Arc<Tally>,
}

/// Listens on loopback and passes each connection on to a process that lives; ends when dropped.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Front {
    pub(crate) async fn listen(live: Live, cuts: Option<Cuts>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Failure::to("listen on loopback"))?;
        let address = listener.local_addr().map_err(Failure::to("listen on loopback"))?;
        let task = tokio::spawn(async move {
            for number in 0.. {
                let Ok((socket, _)) = listener.accept().await else { continue };
                let cuts = cuts.clone();
                let passed = pass_on(socket, live.clone(), number);
                tokio::spawn(async move {
                    let Some((cuts, time)) = cuts.and_then(|cuts| cuts.after(number).map(|time| (cuts, time))) else {
                        return passed.await;
                    };
                    // Dropped, both of its connections are closed.
                    if timeout(time, passed).await.is_err() {
                        cuts.tally.note("connections to B cut");
                    }
                });
            }
        });
        Ok(Self { address, task })
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Cuts {
    /// When the connection `number` is cut; not all are.
    fn after(&self, number: usize) -> Option<Duration> {
        let mut random = Random::new(self.seed, "cuts", number as u64);
        random.chance(20).then(|| Duration::from_millis(random.between(5, 2_000)))
    }
}

/// Where nobody lives, the connection is closed: a delivery that fails.
async fn pass_on(mut socket: TcpStream, live: Live, first: usize) {
    let all = live.all();
    for offset in 0..all.len() {
        let (_, address) = all[(first + offset) % all.len()];
        if let Ok(mut backend) = TcpStream::connect(address).await {
            // Either side's end, however it comes, is the other's too.
            let _ = copy_bidirectional(&mut socket, &mut backend).await;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn answer(front: &Front) -> String {
        let mut socket = TcpStream::connect(front.address).await.unwrap();
        let mut text = String::new();
        let _ = socket.read_to_string(&mut text).await;
        text
    }

    #[tokio::test]
    async fn connections_take_turns_among_those_that_live_and_pass_over_one_that_died_unnoticed() {
        let live = Live::new(3);
        for (index, name) in [(0, "first"), (1, "second")] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            live.set(index, Some(listener.local_addr().unwrap()));
            tokio::spawn(async move {
                while let Ok((mut socket, _)) = listener.accept().await {
                    let _ = socket.write_all(name.as_bytes()).await;
                }
            });
        }
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        live.set(2, Some(gone.local_addr().unwrap()));
        drop(gone);
        let front = Front::listen(live.clone(), None).await.unwrap();

        let mut answers = [answer(&front).await, answer(&front).await, answer(&front).await];
        answers.sort_unstable();
        assert_eq!(answers, ["first", "first", "second"]);

        for index in 0..3 {
            live.set(index, None);
        }
        assert_eq!(answer(&front).await, "");
    }
}

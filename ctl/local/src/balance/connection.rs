//! One connection: to a replica that takes it, and then bytes both ways.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::accept::pause;
use super::copy::{Outcome, both_ways};
use super::pool::{Open, Pool};
use crate::scarce;

/// A replica on this machine accepts at once, or its queue is full; then the next one is asked.
const DIAL: Duration = Duration::from_secs(1);

/// Until both sides have ended. What breaks on one side is broken on the other.
pub(super) async fn serve(mut client: TcpStream, pool: &Pool) {
    let Some((mut replica, _open)) = dial(pool).await else {
        pool.refuse(&client);
        return;
    };
    if both_ways(client.split(), replica.split()).await == Outcome::Broken {
        let _ = client.set_zero_linger();
        let _ = replica.set_zero_linger();
    }
}

/// The first ready replica, from the one whose turn it is, that takes a connection.
async fn dial(pool: &Pool) -> Option<(TcpStream, Open)> {
    let (turn, mut tried) = (pool.turn(), Vec::new());
    let until = Instant::now() + DIAL;
    while let Some((address, open)) = pool.pick(turn, &tried) {
        match timeout(DIAL, TcpStream::connect(address)).await {
            Ok(Ok(replica)) => {
                let _ = replica.set_nodelay(true);
                return Some((replica, open.kept()));
            }
            // Nor would the next one be reached.
            Ok(Err(error)) if scarce::is_ours(&error) && Instant::now() < until => pause(&error).await,
            Ok(Err(_)) | Err(_) => tried.push(address),
        }
    }
    None
}

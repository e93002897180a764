//! Sending the request, and what it means when there is no answer.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use reach::DialError;
use tokio::time::sleep;
use upstream::{Body, Config, Kind};

use super::dialer::Dialer;
use super::request::Outgoing;
use super::route::{Open, Route};
use crate::cluster::failure;
use crate::error::{Error, ExitCode};
use crate::lookup;
use crate::target::{Host, ServiceName};

/// Further attempts at a request that nobody took: a pod that goes is replaced in Service and DNS within about a second.
const RETRIES: u32 = 6;
/// Without a connection for so long, the port that was assumed is looked up.
const DOUBT: Duration = Duration::from_secs(1);
/// Between two questions for a name that cluster DNS should know, and does not yet.
const DNS_PAUSE: Duration = Duration::from_millis(250);

/// What came of an attempt.
enum Outcome {
    Answered(Response<Body>),
    /// The Service has another port than its name suggests.
    OtherPort(u16),
    /// The Service exists, and cluster DNS does not know it yet.
    NotKnownYet,
}

/// Sends until there is an answer, or none can be had.
pub(super) async fn send(open: &mut Open<'_>, outgoing: Outgoing, route: &Route<'_>) -> Result<Response<Body>, Error> {
    let mut doubtful = open.port_assumed && open.cluster.is_some();
    loop {
        let dialer = Dialer::new(open.way.connector.clone());
        let request = build(open, &outgoing)?;
        let shown = format!("{} {}", request.method(), request.uri());
        let client = upstream::Client::with_connector(config(route), dialer.clone());
        let attempt = attempt(&client, request, &dialer, open, &outgoing, doubtful);
        // The way speaks while it is waited for; it can't be borrowed by the attempt at the same time.
        match open.way.voice().aloud(attempt).await? {
            Outcome::Answered(response) => {
                if route.args.way.verbose {
                    let version = response.version();
                    route.printer.note(&format!("{shown}: {version:?} {} through {}", response.status(), open.way));
                }
                return Ok(response);
            }
            Outcome::OtherPort(port) => {
                doubtful = false;
                open.port = port;
            }
            Outcome::NotKnownYet => {
                route.printer.live(vec![format!("waiting for cluster DNS to know {}", open.host)]);
                sleep(DNS_PAUSE).await;
            }
        }
    }
}

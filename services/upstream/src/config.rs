//! How a client behaves.

use std::time::Duration;

use http::HeaderValue;

/// A client's bounds.
#[derive(Clone, Debug)]
pub struct Config {
    /// For a whole call: connecting, every attempt, and the answer's body to its end.
    pub timeout: Duration,
    /// For one connection to come about. Above one second, so that a lost SYN is sent again once.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept. Shorter than servers keep theirs (ours 75 s, Go's and nginx's 60 s and
    /// more), so that it is the client that closes: a server that closes first may do so while a request is on its
    /// way.
    pub pool_idle_timeout: Duration,
    /// Unused connections kept for one authority.
    pub pool_max_idle: usize,
    /// A connection is used for at least half of this and at most all of it (chosen at random, so that they don't all
    /// go at once). Behind a Service's virtual address a connection stays with the pod it was made to: replicas that
    /// are added later would get nothing from clients whose connections never end.
    pub max_connection_age: Duration,
    /// Further attempts at one call, when the budget allows them.
    pub max_retries: u32,
    /// What retries may add to the load.
    pub budget: Budget,
    /// Sent as `User-Agent` where a request has none.
    pub user_agent: Option<HeaderValue>,
}

/// Retries that a client may make, over all its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Retries earned by a hundred calls.
    pub percent: u32,
    /// Retries there are at the start, so that a quiet client has some too.
    pub reserve: u32,
    /// Retries that can be saved up: enough for a replica that goes with a hundred requests in flight.
    pub most: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_millis(1500),
            pool_idle_timeout: Duration::from_secs(30),
            pool_max_idle: 64,
            max_connection_age: Duration::from_mins(1),
            // With the pauses between them about half a second: as long as a Service's new endpoints take to reach a node.
            max_retries: 5,
            budget: Budget { percent: 10, reserve: 20, most: 100 },
            user_agent: None,
        }
    }
}

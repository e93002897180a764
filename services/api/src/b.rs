//! Service B.

/// The service's name: its image, its objects in a cluster, `service.name` in its traces.
pub const NAME: &str = "service-b";
/// The traffic port.
pub const PORT: u16 = 8001;
/// The admin port: probes and metrics.
pub const ADMIN_PORT: u16 = 9001;
/// `GET` answers [`HELLO`].
pub const ROOT_PATH: &str = "/";
/// The body of `GET /`, sent as [`crate::TEXT_PLAIN`].
pub const HELLO: &str = "Hello, ServiceB!";
/// `POST`: one `CloudEvent`, in binary or structured mode.
pub const EVENTS_PATH: &str = "/events";
/// `GET` lists B's own copies ([`crate::message`]).
pub const MESSAGES_PATH: &str = "/messages";
/// `GET`: one of them.
pub const MESSAGE_PATH: &str = "/messages/{id}";
/// `GET`: [`crate::message::Stats`].
pub const STATS_PATH: &str = "/stats";

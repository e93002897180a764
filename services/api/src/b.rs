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

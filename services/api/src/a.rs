//! Service A.

/// The service's name: its image, its objects in a cluster, `service.name` in its traces.
pub const NAME: &str = "service-a";
/// The traffic port.
pub const PORT: u16 = 8000;
/// The admin port: probes and metrics.
pub const ADMIN_PORT: u16 = 9000;
/// `GET` and `POST` (JSON) answer [`HELLO`].
pub const ROOT_PATH: &str = "/";
/// `GET`: A calls B's root and passes its answer on.
pub const SERVICE_B_PATH: &str = "/service-b";
/// The body of `GET /` and `POST /`, sent as [`crate::TEXT_PLAIN`].
pub const HELLO: &str = "Hello, World!";
/// `POST` accepts a message, `GET` lists them ([`crate::message`]).
pub const MESSAGES_PATH: &str = "/messages";
/// `GET`: one message.
pub const MESSAGE_PATH: &str = "/messages/{id}";
/// `POST`: a message that was given up is tried again.
pub const REDELIVER_PATH: &str = "/messages/{id}/redeliver";

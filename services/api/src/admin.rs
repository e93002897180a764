//! The admin port, the same on every service.

/// 200 while the process is alive.
pub const LIVEZ: &str = "/livez";
/// 200 while traffic is welcome, 503 while starting and draining.
pub const READYZ: &str = "/readyz";
/// Metrics in the `OpenMetrics` text format.
pub const METRICS: &str = "/metrics";

//! What the verbs do on a cluster.

pub(crate) mod delete;
pub(crate) mod deploy;
pub(crate) mod logs;
pub(crate) mod scale;
pub(crate) mod status;

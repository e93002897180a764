//! Messages between services that are neither lost nor doubled: the transactional outbox, and `CloudEvents` over HTTP.

pub mod event;

//! The statements, in the order in which a message meets them.

/// Of a key that is not too old: hash, message. Parameters: key, now.
pub(super) const KEY: &str = "SELECT body_hash, message_id FROM idempotency_keys WHERE key = ?1 AND expires_at > ?2";

/// Also in the place of a key that is too old. Parameters: key, hash, message, expiry.
pub(super) const INSERT_KEY: &str =
    "INSERT OR REPLACE INTO idempotency_keys (key, body_hash, message_id, expires_at) VALUES (?1, ?2, ?3, ?4)";

/// Parameters: id, creation, traceparent, tracestate, body.
pub const INSERT_MESSAGE: &str = "\
INSERT INTO messages (id, state, attempts, created_at, traceparent, tracestate, body) \
VALUES (?1, 0, 0, ?2, ?3, ?4, ?5)";

/// Parameters: id, availability, owner, attempts, enqueued, last error.
pub const INSERT_OUTBOX: &str = "\
INSERT INTO outbox (id, available_at, lease_owner, attempts, enqueued_at, last_error) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// Rows whose time has come, and those of nobody that are due soon. Parameters: now, horizon, limit.
pub const CLAIM: &str = "\
SELECT o.id, m.body, m.created_at, o.enqueued_at, o.attempts, m.traceparent, m.tracestate \
FROM outbox o JOIN messages m ON m.id = o.id \
WHERE o.available_at <= ?2 AND (o.lease_owner IS NULL OR o.available_at <= ?1) \
ORDER BY o.available_at LIMIT ?3";

/// Parameters: id, end, owner.
pub(super) const LEASE: &str = "UPDATE outbox SET available_at = ?2, lease_owner = ?3 WHERE id = ?1";

/// Parameter: id.
pub(super) const DELETE_OUTBOX: &str = "DELETE FROM outbox WHERE id = ?1 RETURNING attempts";

/// Parameters: id, time, attempts before this one where a row told them.
pub(super) const DELIVERED: &str = "\
UPDATE messages SET state = 1, delivered_at = ?2, attempts = coalesce(?3, attempts) + 1, last_error = NULL \
WHERE id = ?1 AND state <> 1";

/// Parameters: id, owner, time of the next try, error.
pub(super) const AGAIN: &str = "\
UPDATE outbox SET available_at = ?3, lease_owner = NULL, attempts = attempts + 1, last_error = ?4 \
WHERE id = ?1 AND lease_owner = ?2";

/// Parameters: id, owner.
pub(super) const DELETE_OWN: &str = "DELETE FROM outbox WHERE id = ?1 AND lease_owner = ?2";

/// Parameters: id, attempts, error.
pub(super) const DEAD: &str =
    "UPDATE messages SET state = 2, attempts = ?2, last_error = ?3 WHERE id = ?1 AND state = 0";

/// In the order of the key, so that what is old is found first. Parameters: when they were put there, now, limit.
pub(super) const EXPIRED: &str = "\
SELECT id, attempts, last_error FROM outbox \
WHERE enqueued_at < ?1 AND (lease_owner IS NULL OR available_at <= ?2) ORDER BY id LIMIT ?3";

/// Parameter: id.
pub(super) const EXPIRE: &str = "DELETE FROM outbox WHERE id = ?1";

/// Parameters: id, owner, now.
pub(super) const GIVE_BACK: &str =
    "UPDATE outbox SET available_at = ?3, lease_owner = NULL WHERE id = ?1 AND lease_owner = ?2";

/// Parameter: id.
pub(super) const GIVEN_UP: &str = "SELECT state, created_at, attempts, last_error FROM messages WHERE id = ?1";

/// Parameter: id.
pub(super) const PENDING_AGAIN: &str = "UPDATE messages SET state = 0 WHERE id = ?1";

/// Parameters: after, before, limit.
pub(super) const OLD: &str = "SELECT id FROM messages WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3";

/// Parameters: after, up to.
pub(super) const PURGE: &str = "DELETE FROM messages WHERE id > ?1 AND id <= ?2 AND state <> 0";

/// Parameters: now, limit.
pub(super) const FORGET_KEYS: &str = "\
DELETE FROM idempotency_keys WHERE key IN \
(SELECT key FROM idempotency_keys WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";

/// Parameter: id.
pub(super) const STATE: &str = "SELECT state FROM messages WHERE id = ?1";

/// Parameter: the most rows that are counted.
pub(super) const DEPTH: &str = "SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT ?1)";

pub(super) const OLDEST: &str = "SELECT id FROM outbox ORDER BY id LIMIT 1";

/// What `kept` reads, from `m` and `o`. A lease is no time at which anything is due.
macro_rules! kept {
    ($from:literal) => {
        concat!(
            "SELECT m.id, m.state, coalesce(o.attempts, m.attempts), m.created_at, m.delivered_at, \
             CASE WHEN o.lease_owner IS NULL THEN o.available_at END, coalesce(o.last_error, m.last_error), m.body ",
            $from
        )
    };
}

/// Parameter: id.
pub(super) const GET: &str = kept!("FROM messages m LEFT JOIN outbox o ON o.id = m.id WHERE m.id = ?1");

/// Parameters of the lists: before, limit.
pub(super) const LIST: &str =
    kept!("FROM messages m LEFT JOIN outbox o ON o.id = m.id WHERE m.id < ?1 ORDER BY m.id DESC LIMIT ?2");

/// By the outbox, which has those only.
pub(super) const LIST_PENDING: &str = kept!(
    "FROM outbox o CROSS JOIN messages m ON m.id = o.id WHERE o.id < ?1 AND m.state = 0 ORDER BY o.id DESC LIMIT ?2"
);

pub(super) const LIST_DELIVERED: &str = kept!(
    "FROM messages m LEFT JOIN outbox o ON o.id = m.id WHERE m.id < ?1 AND m.state = 1 ORDER BY m.id DESC LIMIT ?2"
);

/// By the index of those.
pub(super) const LIST_DEAD: &str = kept!(
    "FROM messages m LEFT JOIN outbox o ON o.id = m.id WHERE m.id < ?1 AND m.state = 2 ORDER BY m.id DESC LIMIT ?2"
);

//! The statements, in the order in which a message meets them.
//!
//! Each takes arrays, one element a message. The time is the database's: `statement_timestamp()`, which an index can be
//! searched for, unlike `clock_timestamp()`.
//!
//! Rows of the outbox are found by `id = ANY(...)`, which only an index answers. It is nearly empty whenever it is
//! vacuumed, and passes for that until the next time: a join alone would read all that came since, once for each row of a
//! batch.

macro_rules! now {
    () => {
        "(extract(epoch FROM statement_timestamp()) * 1000)::bigint"
    };
}

/// Statements are planned once and kept. What is planned while a table is small, or before it was first analysed, would
/// go on to read all of it when it is large: so no plan that reads a whole table is taken where another one can be had.
pub(super) const USE_INDEXES: &str = "SET LOCAL enable_seqscan = off";

/// The same for a connection that only reads.
pub(super) const USE_INDEXES_ALWAYS: &str = "SET enable_seqscan = off";

/// Messages without keys, and their outbox rows.
///
/// Parameters: ids, creation, traceparent, tracestate, bodies, owners (null: anybody's), lease times in milliseconds.
pub const INSERT: &str = concat!(
    "WITH input AS (SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::uuid[], \
     $7::bigint[]) AS i (id, created_at, traceparent, tracestate, body, owner, lease)), \
     written AS (INSERT INTO messages (id, state, attempts, created_at, traceparent, tracestate, body) \
     SELECT id, 0, 0, created_at, traceparent, tracestate, body FROM input) \
     INSERT INTO outbox (id, available_at, lease_owner, attempts, enqueued_at) SELECT id, ",
    now!(),
    " + lease, owner, 0, created_at FROM input"
);

/// The same for messages with keys, no two the same; returns those that are written.
///
/// A key that is there and not too old keeps its message from being written. Keys are taken in their order, so that two
/// replicas with the same keys wait for each other instead of both giving up. The row of a key that is there is locked
/// by `ON CONFLICT DO UPDATE` even though it stays as it is: it can be read until the commit.
///
/// Further parameters: keys, hashes, the time that a key is kept in milliseconds.
pub(super) const INSERT_KEYED: &str = concat!(
    "WITH input AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], \
     $6::uuid[], $7::bigint[], $8::text[], $9::bytea[]) \
     AS i (id, created_at, traceparent, tracestate, body, owner, lease, key, hash)), \
     taken AS (INSERT INTO idempotency_keys AS k (key, body_hash, message_id, expires_at) SELECT key, hash, id, ",
    now!(),
    " + $10::bigint FROM input ORDER BY key ON CONFLICT (key) DO UPDATE SET body_hash = excluded.body_hash, \
     message_id = excluded.message_id, expires_at = excluded.expires_at WHERE k.expires_at <= ",
    now!(),
    " RETURNING k.message_id), \
     fresh AS MATERIALIZED (SELECT * FROM input WHERE id IN (SELECT message_id FROM taken)), \
     written AS (INSERT INTO messages (id, state, attempts, created_at, traceparent, tracestate, body) \
     SELECT id, 0, 0, created_at, traceparent, tracestate, body FROM fresh) \
     INSERT INTO outbox (id, available_at, lease_owner, attempts, enqueued_at) SELECT id, ",
    now!(),
    " + lease, owner, 0, created_at FROM fresh RETURNING id"
);

/// Parameter: a key.
pub(super) const KEY: &str =
    concat!("SELECT body_hash, message_id FROM idempotency_keys WHERE key = $1 AND expires_at > ", now!());

/// Parameter: keys.
pub(super) const KEYS: &str = "SELECT key, body_hash, message_id FROM idempotency_keys WHERE key = ANY($1)";

/// Rows whose time has come, and those of nobody that are due soon; rows that others are claiming are passed over.
///
/// Of these, as many are leased as have so many bytes of bodies together, and one at least. The last column is the same
/// in all rows: whether any were left for their bytes.
///
/// Parameters: owner, lease time and how long before they are due in milliseconds, limit, bytes.
pub const CLAIM: &str = concat!(
    "WITH due AS MATERIALIZED (SELECT id, available_at FROM outbox WHERE available_at <= ",
    now!(),
    " + $3::bigint AND (lease_owner IS NULL OR available_at <= ",
    now!(),
    ") ORDER BY available_at LIMIT $4::bigint FOR UPDATE SKIP LOCKED), \
     sized AS (SELECT due.id, row_number() OVER longest_first AS place, \
     sum(octet_length(m.body)) OVER longest_first AS bytes FROM due JOIN messages m ON m.id = due.id \
     WINDOW longest_first AS (ORDER BY due.available_at, due.id)), \
     fitting AS MATERIALIZED (SELECT id FROM sized WHERE bytes <= $5::bigint OR place = 1), \
     leased AS (UPDATE outbox o SET available_at = ",
    now!(),
    " + $2::bigint, lease_owner = $1::uuid WHERE o.id = ANY(ARRAY(SELECT id FROM fitting)) \
     RETURNING o.id, o.enqueued_at, o.attempts) \
     SELECT l.id, m.body, m.created_at, l.enqueued_at, l.attempts, m.traceparent, m.tracestate, \
     (SELECT count(*) FROM due) > (SELECT count(*) FROM fitting) \
     FROM leased l JOIN messages m ON m.id = l.id ORDER BY l.id"
);

/// Rows are locked in their order: two processes that both delivered the same ones wait for each other.
///
/// What came and what is gone are grouped, not joined: where nearly all messages were delivered before, the planner
/// expects none here that was not, and would compare each with each of a batch.
///
/// Parameters: ids, times.
pub(super) const DELIVERED: &str = "\
WITH input AS (SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS i (id, at)), \
locked AS MATERIALIZED (SELECT id FROM outbox WHERE id = ANY($1) ORDER BY id FOR UPDATE), \
gone AS (DELETE FROM outbox WHERE id = ANY(ARRAY(SELECT id FROM locked)) RETURNING id, attempts), \
ended AS (SELECT id, max(at) AS at, max(attempts) AS attempts FROM (SELECT id, at, NULL::bigint AS attempts FROM input \
UNION ALL SELECT id, NULL, attempts FROM gone) AS parts GROUP BY id) \
UPDATE messages m SET state = 1, delivered_at = ended.at, attempts = coalesce(ended.attempts, m.attempts) + 1, \
last_error = NULL FROM ended WHERE m.id = ended.id AND m.state <> 1";

/// Parameters: ids, owners, pauses in milliseconds, errors.
pub(super) const AGAIN: &str = concat!(
    "UPDATE outbox o SET available_at = ",
    now!(),
    " + i.after, lease_owner = NULL, attempts = o.attempts + 1, last_error = i.error \
     FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[]) AS i (id, owner, after, error) \
     WHERE o.id = ANY($1) AND o.id = i.id AND o.lease_owner = i.owner"
);

/// Parameters: ids, owners, attempts, errors.
pub(super) const DEAD: &str = "\
WITH gone AS (DELETE FROM outbox o \
USING unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[]) AS i (id, owner, attempts, error) \
WHERE o.id = ANY($1) AND o.id = i.id AND o.lease_owner = i.owner RETURNING o.id, i.attempts, i.error) \
UPDATE messages m SET state = 2, attempts = gone.attempts, last_error = gone.error \
FROM gone WHERE m.id = gone.id AND m.state = 0";

/// In the order of the key, so that what is old is found first; rows that others are claiming are passed over.
///
/// Parameters: when they were put there, limit, error of those that have none.
pub(super) const EXPIRE: &str = concat!(
    "WITH old AS MATERIALIZED (SELECT id FROM outbox WHERE enqueued_at < $1 AND (lease_owner IS NULL OR available_at <= ",
    now!(),
    ") ORDER BY id LIMIT $2::bigint FOR UPDATE SKIP LOCKED), \
     gone AS (DELETE FROM outbox WHERE id = ANY(ARRAY(SELECT id FROM old)) RETURNING id, attempts, last_error) \
     UPDATE messages m SET state = 2, attempts = gone.attempts, last_error = coalesce(gone.last_error, $3::text) \
     FROM gone WHERE m.id = gone.id AND m.state = 0 RETURNING m.id"
);

/// Parameters: owner, ids.
pub(super) const GIVE_BACK: &str = concat!(
    "UPDATE outbox SET available_at = ",
    now!(),
    ", lease_owner = NULL WHERE id = ANY($2) AND lease_owner = $1"
);

/// Parameter: id.
pub(super) const GIVEN_UP: &str = "SELECT state, created_at FROM messages WHERE id = $1 FOR UPDATE";

/// Parameters: id, when.
pub(super) const REDELIVER: &str = concat!(
    "WITH again AS (UPDATE messages SET state = 0 WHERE id = $1 RETURNING id, attempts, last_error) \
     INSERT INTO outbox (id, available_at, attempts, enqueued_at, last_error) SELECT id, ",
    now!(),
    ", attempts, $2::bigint, last_error FROM again"
);

/// Returns all that were looked at. Parameters: after, before, limit.
pub(super) const PURGE: &str = "\
WITH old AS MATERIALIZED (SELECT id FROM messages WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3::bigint), \
gone AS (DELETE FROM messages WHERE id = ANY(ARRAY(SELECT id FROM old)) AND state <> 0) \
SELECT id FROM old ORDER BY id";

/// Keys that are being taken anew are passed over. Parameter: limit.
pub(super) const FORGET_KEYS: &str = concat!(
    "WITH old AS MATERIALIZED (SELECT key FROM idempotency_keys WHERE expires_at <= ",
    now!(),
    " ORDER BY expires_at LIMIT $1::bigint FOR UPDATE SKIP LOCKED) \
     DELETE FROM idempotency_keys WHERE key = ANY(ARRAY(SELECT key FROM old))"
);

/// Parameter: ids.
pub(super) const ENDED: &str = "SELECT id FROM messages WHERE id = ANY($1) AND state <> 0";

/// Parameter: the most rows that are counted.
pub(super) const DEPTH: &str = "\
SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT $1::bigint) few), (SELECT id FROM outbox ORDER BY id LIMIT 1)";

/// What `kept` reads, from `m` and `o`. A lease is no time at which anything is due.
macro_rules! kept {
    ($from:literal) => {
        concat!(
            "SELECT m.id, m.state, coalesce(o.attempts, m.attempts) AS attempts, m.created_at, m.delivered_at, \
             CASE WHEN o.lease_owner IS NULL THEN o.available_at END AS next_attempt_at, \
             coalesce(o.last_error, m.last_error) AS last_error, m.body ",
            $from
        )
    };
}

/// The same for a page, and how many rows there were before those were left out that come after so many bytes of bodies:
/// what is not shown is not sent either. The length of a body is known without the body being read.
macro_rules! page {
    ($from:literal) => {
        concat!(
            "SELECT id, state, attempts, created_at, delivered_at, next_attempt_at, last_error, body, total \
             FROM (SELECT *, count(*) OVER () AS total, sum(octet_length(body)) \
             OVER (ORDER BY id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM (",
            kept!($from),
            ") AS few) AS sized WHERE coalesce(before, 0) <= $3::bigint ORDER BY id DESC"
        )
    };
}

/// Parameter: id.
pub(super) const GET: &str = kept!("FROM messages m LEFT JOIN outbox o ON o.id = m.id WHERE m.id = $1");

/// Parameters of the lists: before, limit, bytes before the last row.
pub(super) const LIST: &str =
    page!("FROM messages m LEFT JOIN outbox o ON o.id = m.id WHERE m.id < $1 ORDER BY m.id DESC LIMIT $2::bigint");

/// By the outbox, which has those only.
pub(super) const LIST_PENDING: &str = page!(
    "FROM outbox o JOIN messages m ON m.id = o.id WHERE o.id < $1 AND m.state = 0 ORDER BY o.id DESC LIMIT $2::bigint"
);

pub(super) const LIST_DELIVERED: &str = page!(
    "FROM messages m LEFT JOIN outbox o ON o.id = m.id WHERE m.id < $1 AND m.state = 1 \
     ORDER BY m.id DESC LIMIT $2::bigint"
);

/// By the index of those.
pub(super) const LIST_DEAD: &str = page!(
    "FROM messages m LEFT JOIN outbox o ON o.id = m.id WHERE m.id < $1 AND m.state = 2 \
     ORDER BY m.id DESC LIMIT $2::bigint"
);

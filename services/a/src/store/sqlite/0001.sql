CREATE TABLE messages (
    id BLOB NOT NULL PRIMARY KEY,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    delivered_at INTEGER,
    last_error TEXT,
    traceparent TEXT,
    tracestate TEXT,
    body TEXT NOT NULL
);

-- For the list of messages that were given up. Whatever else is written never touches it.
CREATE INDEX messages_dead ON messages (id) WHERE state = 2;

CREATE TABLE outbox (
    id BLOB NOT NULL PRIMARY KEY,
    -- When it may be claimed: the end of its lease, or the time of its next delivery.
    available_at INTEGER NOT NULL,
    lease_owner BLOB,
    attempts INTEGER NOT NULL,
    enqueued_at INTEGER NOT NULL,
    last_error TEXT
) WITHOUT ROWID;

CREATE INDEX outbox_available_at ON outbox (available_at);

CREATE TABLE idempotency_keys (
    key TEXT NOT NULL PRIMARY KEY,
    body_hash BLOB NOT NULL,
    message_id BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);

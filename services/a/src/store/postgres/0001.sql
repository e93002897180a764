CREATE TABLE messages (
    id uuid NOT NULL PRIMARY KEY,
    state smallint NOT NULL,
    attempts bigint NOT NULL,
    created_at bigint NOT NULL,
    delivered_at bigint,
    last_error text,
    traceparent text,
    tracestate text,
    body text NOT NULL
);

-- For the list of messages that were given up. Whatever else is written never touches it.
CREATE INDEX messages_dead ON messages (id) WHERE state = 2;

CREATE TABLE outbox (
    id uuid NOT NULL PRIMARY KEY,
    -- When it may be claimed: the end of its lease, or the time of its next delivery.
    available_at bigint NOT NULL,
    lease_owner uuid,
    attempts bigint NOT NULL,
    enqueued_at bigint NOT NULL,
    last_error text
);

CREATE INDEX outbox_available_at ON outbox (available_at);

-- Its rows live for milliseconds: what is dead must go early, or every look at the table wades through it.
ALTER TABLE outbox SET (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0
);

CREATE TABLE idempotency_keys (
    key text NOT NULL PRIMARY KEY,
    body_hash bytea NOT NULL,
    message_id uuid NOT NULL,
    expires_at bigint NOT NULL
);

CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);

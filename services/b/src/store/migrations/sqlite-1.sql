-- Which events were applied.
CREATE TABLE inbox (
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;

-- B's copies. Nothing here keeps them single: the inbox does.
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    received_at INTEGER NOT NULL
) STRICT;

CREATE INDEX messages_id ON messages (id);

-- The highest seq that was ever deleted. SQLite would give it again once the newest rows are gone, and a cursor would find
-- events behind it that came after it. AUTOINCREMENT can't be added to a table that is there, and copying it would take as
-- long as it is large; and programs of version 1, which know nothing of this, are kept from it as well.
CREATE TABLE messages_seq (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    highest INTEGER NOT NULL
) STRICT;
INSERT INTO messages_seq (id, highest) SELECT 1, coalesce(max(seq), 0) FROM messages;

CREATE TRIGGER messages_deleted AFTER DELETE ON messages
WHEN old.seq > (SELECT highest FROM messages_seq)
BEGIN
    UPDATE messages_seq SET highest = old.seq;
END;

CREATE TRIGGER messages_inserted AFTER INSERT ON messages
WHEN new.seq <= (SELECT highest FROM messages_seq)
BEGIN
    UPDATE messages SET seq = (SELECT highest + 1 FROM messages_seq) WHERE seq = new.seq;
END;

-- An item is due at a time in milliseconds, or never (NULL) once it is handled or rejected.
-- The data is the last column, so that it is not read where only others are needed.
CREATE TABLE IF NOT EXISTS items (
	key TEXT PRIMARY KEY, added INTEGER NOT NULL, attempt INTEGER NOT NULL DEFAULT 0,
	due INTEGER, done INTEGER, rejected TEXT, data BLOB
);
CREATE INDEX IF NOT EXISTS items_due ON items (due) WHERE due IS NOT NULL;
CREATE INDEX IF NOT EXISTS items_done ON items (done) WHERE done IS NOT NULL;
CREATE INDEX IF NOT EXISTS items_rejected ON items (key) WHERE rejected IS NOT NULL;

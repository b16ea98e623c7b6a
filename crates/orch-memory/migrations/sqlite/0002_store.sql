-- The one row says which store this is. Rust draws the id, so no migration can write it.
CREATE TABLE orch_store (
    place INTEGER NOT NULL PRIMARY KEY CHECK (place = 1), -- at most one row
    id    TEXT    NOT NULL                                -- 128 random bits, 32 hex digits
);

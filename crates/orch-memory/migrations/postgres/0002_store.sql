-- As in migrations/sqlite, where it is explained.
CREATE TABLE orch_store (
    place BIGINT NOT NULL PRIMARY KEY CHECK (place = 1),
    id    TEXT COLLATE "C" NOT NULL
);

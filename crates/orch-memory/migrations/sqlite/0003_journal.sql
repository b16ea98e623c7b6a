-- The journal: runs, their events, and what goes with them. Times are microseconds since 1970-01-01 UTC.
-- The first migration. Its number is above those of earlier tables, which no program reads any more.

-- The one row says which store this is.
CREATE TABLE orch_store (
    place INTEGER NOT NULL PRIMARY KEY CHECK (place = 1), -- at most one row
    id    TEXT    NOT NULL                                -- 128 random bits, 32 hex digits
);
INSERT INTO orch_store (place, id) VALUES (1, lower(hex(randomblob(16))));

-- One row per run, brought up to date in the transaction of every append: answers lists and status without folding.
CREATE TABLE orch_runs (
    id          INTEGER NOT NULL PRIMARY KEY, -- what other tables call it
    run         TEXT    NOT NULL,             -- what everybody else calls it: UUID v7 as text, which sorts by time of submission
    project     TEXT    NOT NULL,
    task_id     TEXT    NOT NULL,
    task_type   TEXT    NOT NULL,
    description TEXT    NOT NULL,
    request_key TEXT,
    phase       TEXT    NOT NULL,
    end_status  TEXT,
    counts      TEXT    NOT NULL,             -- JSON: how many subtasks stand where
    seq         INTEGER NOT NULL,             -- the last event
    digest      TEXT    NOT NULL,             -- of the last event, 64 hex digits
    epoch       INTEGER NOT NULL,             -- of the last owner
    owner       TEXT,
    rev         INTEGER NOT NULL,             -- how often the row was written
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL              -- when the last event happened
);
CREATE UNIQUE INDEX orch_runs_run ON orch_runs (run);
CREATE UNIQUE INDEX orch_runs_request ON orch_runs (project, request_key) WHERE request_key IS NOT NULL;
CREATE INDEX orch_runs_project ON orch_runs (project, run);
CREATE INDEX orch_runs_open ON orch_runs (run) WHERE phase <> 'ended';

-- The truth. Never updated, never deleted.
CREATE TABLE orch_events (
    run     INTEGER NOT NULL,                 -- the id of the run's row
    seq     INTEGER NOT NULL,
    version INTEGER NOT NULL,                 -- of the vocabulary of `body`
    at      INTEGER NOT NULL,
    body    TEXT    NOT NULL,                 -- the event as JSON; only its type when `blob` is set
    blob    TEXT,                             -- the hash of the blob that has the JSON of a large event
    digest  BLOB    NOT NULL,                 -- BLAKE3 over the digest of the event before and this event
    type    TEXT GENERATED ALWAYS AS (CASE WHEN json_valid(body) THEN body ->> '$.type' END) VIRTUAL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;

-- Large things by the hash of their bytes, in pieces of 1 MiB. Piece 0 is written last: where it is, all are.
CREATE TABLE orch_blobs (
    hash  TEXT    NOT NULL,                   -- BLAKE3, 64 hex digits
    piece INTEGER NOT NULL,
    bytes BLOB    NOT NULL,
    PRIMARY KEY (hash, piece)
);

-- What runs hold now of what the runs of a project share.
CREATE TABLE orch_resources (
    project TEXT    NOT NULL,
    kind    TEXT    NOT NULL,                 -- lock
    name    TEXT    NOT NULL,
    run     INTEGER NOT NULL,                 -- the holder
    PRIMARY KEY (project, kind, name)
) WITHOUT ROWID;
CREATE INDEX orch_resources_run ON orch_resources (run);

-- Processes that may own runs, living until `until` unless known to be dead.
CREATE TABLE orch_owners (
    id      TEXT    NOT NULL PRIMARY KEY,
    name    TEXT    NOT NULL,
    pid     INTEGER NOT NULL,
    start   INTEGER NOT NULL,
    boot    TEXT    NOT NULL,
    until   INTEGER NOT NULL
) WITHOUT ROWID;

-- Processes of attempts, to be killed if their supervisor dies. Gone when the run ends.
CREATE TABLE orch_processes (
    run     INTEGER NOT NULL,
    fence   INTEGER NOT NULL,
    pid     INTEGER NOT NULL,
    start   INTEGER NOT NULL,
    boot    TEXT    NOT NULL
);
CREATE INDEX orch_processes_run ON orch_processes (run);

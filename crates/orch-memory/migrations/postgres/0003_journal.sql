-- The journal: runs, their events, and what goes with them. Times are microseconds since 1970-01-01 UTC.
-- The same tables and columns as in migrations/sqlite, where they are explained; the remarks here are on what differs.
-- Text that is compared or sorted has the collation "C": bytes, as in SQLite, whatever the language of the database.

CREATE TABLE orch_store (
    place BIGINT NOT NULL PRIMARY KEY CHECK (place = 1),
    id    TEXT COLLATE "C" NOT NULL -- 122 of its bits are random
);
INSERT INTO orch_store (place, id) VALUES (1, replace(gen_random_uuid()::text, '-', ''));

CREATE TABLE orch_runs (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run         TEXT COLLATE "C" NOT NULL,
    project     TEXT COLLATE "C" NOT NULL,
    task_id     TEXT   NOT NULL,
    task_type   TEXT   NOT NULL,
    description TEXT   NOT NULL,
    request_key TEXT COLLATE "C",
    phase       TEXT   NOT NULL,
    end_status  TEXT,
    counts      TEXT   NOT NULL,
    seq         BIGINT NOT NULL,
    digest      TEXT   NOT NULL,
    epoch       BIGINT NOT NULL,
    owner       TEXT COLLATE "C",
    rev         BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
) WITH (fillfactor = 70); -- every append updates its run: room for the new version on the same page
CREATE UNIQUE INDEX orch_runs_run ON orch_runs (run);
CREATE UNIQUE INDEX orch_runs_request ON orch_runs (project, request_key) WHERE request_key IS NOT NULL;
CREATE INDEX orch_runs_project ON orch_runs (project, run);
CREATE INDEX orch_runs_open ON orch_runs (run) WHERE phase <> 'ended';

CREATE TABLE orch_events (
    run     BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    version BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    body    TEXT   NOT NULL, -- not json(b): that changes numbers and the order of keys, and cannot read \u0000
    blob    TEXT COLLATE "C",
    digest  BYTEA  NOT NULL,
    type    TEXT GENERATED ALWAYS AS (substring(body FROM '"type":"([a-z_]+)"')) STORED,
    PRIMARY KEY (run, seq)
);

CREATE TABLE orch_blobs (
    hash  TEXT COLLATE "C" NOT NULL,
    piece BIGINT NOT NULL,
    bytes BYTEA  NOT NULL,
    PRIMARY KEY (hash, piece)
);

CREATE TABLE orch_resources (
    project TEXT COLLATE "C" NOT NULL,
    kind    TEXT COLLATE "C" NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    run     BIGINT NOT NULL,
    PRIMARY KEY (project, kind, name)
);
CREATE INDEX orch_resources_run ON orch_resources (run);

CREATE TABLE orch_owners (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name    TEXT   NOT NULL,
    pid     BIGINT NOT NULL,
    start   BIGINT NOT NULL,
    boot    TEXT   NOT NULL,
    until   BIGINT NOT NULL
);

CREATE TABLE orch_processes (
    run     BIGINT NOT NULL,
    fence   BIGINT NOT NULL,
    pid     BIGINT NOT NULL,
    start   BIGINT NOT NULL,
    boot    TEXT   NOT NULL,
    rowid   BIGINT GENERATED ALWAYS AS IDENTITY -- the order of noting, which SQLite keeps by itself
);
CREATE INDEX orch_processes_run ON orch_processes (run);

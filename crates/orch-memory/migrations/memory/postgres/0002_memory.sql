-- Learned memory: sums over finished attempts and runs, and examples. Times are microseconds since 1970-01-01 UTC.
-- The first migration. Its number is above that of earlier tables, which no program reads any more.

-- How far each run was folded; moves in the transaction that adds what was folded.
CREATE TABLE orch_folded (
    run TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    seq BIGINT  NOT NULL
);

-- How a worker did at a type of subtask. Snapshots read the summaries of all workers and types; sums are too long to stand in the row.
CREATE TABLE orch_worker_stats (
    project   TEXT COLLATE "C" NOT NULL,
    task_type TEXT COLLATE "C" NOT NULL,
    worker    TEXT COLLATE "C" NOT NULL,
    summary   TEXT NOT NULL,              -- JSON: what follows from `stats`, in few numbers; null without attempts
    stats     TEXT NOT NULL,              -- JSON: the sums
    PRIMARY KEY (project, task_type, worker)
);

-- How runs of a type of task went.
CREATE TABLE orch_task_stats (
    project   TEXT COLLATE "C" NOT NULL,
    task_type TEXT COLLATE "C" NOT NULL,
    stats     TEXT NOT NULL,              -- JSON
    PRIMARY KEY (project, task_type)
);

-- Examples: runs, and subtasks by who did them. The newest of each project, agent and type are kept, and stand side by side.
CREATE TABLE orch_past (
    project   TEXT COLLATE "C" NOT NULL,
    agent     TEXT COLLATE "C" NOT NULL,           -- the worker; empty for the run
    task_type TEXT COLLATE "C" NOT NULL,
    ended_at  BIGINT  NOT NULL,
    run       TEXT COLLATE "C" NOT NULL,
    step      TEXT COLLATE "C" NOT NULL,           -- the subtask; empty for the run
    success   BIGINT  NOT NULL,
    text      TEXT    NOT NULL,           -- what was asked
    body      TEXT    NOT NULL,           -- JSON: outcome, plan, feedback; empty for a subtask
    grades    TEXT    NOT NULL,           -- JSON: what feedback has to change; empty for a subtask
    PRIMARY KEY (project, agent, task_type, ended_at, run, step)
);
CREATE UNIQUE INDEX orch_past_run ON orch_past (run, step);

-- What a person has decided about rules.
CREATE TABLE orch_rulings (
    project TEXT COLLATE "C" NOT NULL,
    rule    TEXT COLLATE "C" NOT NULL,                -- the rule's id
    verdict TEXT NOT NULL,                -- pinned or forbidden
    body    TEXT NOT NULL,                -- JSON: the rule as it was then, and why
    PRIMARY KEY (project, rule)
);

-- Runs that were learned from and that ALMA, another memory of the project, is to be told of.
CREATE TABLE orch_untold (
    project TEXT COLLATE "C" NOT NULL,
    run     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project, run)
);

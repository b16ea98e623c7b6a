-- Learned memory: sums over finished attempts and runs, and examples. Times are microseconds since 1970-01-01 UTC.
-- The first migration. Its number is above that of earlier tables, which no program reads any more.

-- How far each run was folded; moves in the transaction that adds what was folded.
CREATE TABLE orch_folded (
    run TEXT    NOT NULL PRIMARY KEY,
    seq INTEGER NOT NULL
) WITHOUT ROWID;

-- How a worker did at a type of subtask. Snapshots read the summaries of all workers and types, and the index has them side by side.
CREATE TABLE orch_worker_stats (
    project   TEXT NOT NULL,
    task_type TEXT NOT NULL,
    worker    TEXT NOT NULL,
    summary   TEXT NOT NULL,              -- JSON: what follows from `stats`, in few numbers; null without attempts
    stats     TEXT NOT NULL,              -- JSON: the sums
    PRIMARY KEY (project, task_type, worker)
) WITHOUT ROWID;
CREATE INDEX orch_worker_summaries ON orch_worker_stats (project, task_type, worker, summary);

-- How runs of a type of task went.
CREATE TABLE orch_task_stats (
    project   TEXT NOT NULL,
    task_type TEXT NOT NULL,
    stats     TEXT NOT NULL,              -- JSON
    PRIMARY KEY (project, task_type)
) WITHOUT ROWID;

-- Examples: runs, and subtasks by who did them. The newest of each project, agent and type are kept, and stand side by side.
CREATE TABLE orch_past (
    project   TEXT    NOT NULL,
    agent     TEXT    NOT NULL,           -- the worker; empty for the run
    task_type TEXT    NOT NULL,
    ended_at  INTEGER NOT NULL,
    run       TEXT    NOT NULL,
    step      TEXT    NOT NULL,           -- the subtask; empty for the run
    success   INTEGER NOT NULL,
    text      TEXT    NOT NULL,           -- what was asked
    body      TEXT    NOT NULL,           -- JSON: outcome, plan, feedback; empty for a subtask
    grades    TEXT    NOT NULL,           -- JSON: what feedback has to change; empty for a subtask
    PRIMARY KEY (project, agent, task_type, ended_at, run, step)
) WITHOUT ROWID;
CREATE UNIQUE INDEX orch_past_run ON orch_past (run, step);

-- What a person has decided about rules.
CREATE TABLE orch_rulings (
    project TEXT NOT NULL,
    rule    TEXT NOT NULL,                -- the rule's id
    verdict TEXT NOT NULL,                -- pinned or forbidden
    body    TEXT NOT NULL,                -- JSON: the rule as it was then, and why
    PRIMARY KEY (project, rule)
) WITHOUT ROWID;

-- Runs that were learned from and that ALMA, another memory of the project, is to be told of.
CREATE TABLE orch_untold (
    project TEXT NOT NULL,
    run     TEXT NOT NULL,
    PRIMARY KEY (project, run)
) WITHOUT ROWID;

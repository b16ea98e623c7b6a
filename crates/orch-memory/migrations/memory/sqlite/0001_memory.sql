-- Learned memory: sums over finished attempts and runs, and examples. Times are microseconds since 1970-01-01 UTC.

-- How far each run was folded; moves in the transaction that adds what was folded.
CREATE TABLE orch_folded (
    run TEXT    NOT NULL PRIMARY KEY,
    seq INTEGER NOT NULL
) WITHOUT ROWID;

-- How a worker did at a type of subtask. `history` is read for all workers and types at once, `details` for few.
CREATE TABLE orch_worker_stats (
    project   TEXT NOT NULL,
    task_type TEXT NOT NULL,
    worker    TEXT NOT NULL,
    history   TEXT NOT NULL,              -- JSON: [first day, n, successes, rewards in 1e-3, squares in 1e-6] per block of days
    details   TEXT NOT NULL,              -- JSON: durations, costs, tokens, failures
    PRIMARY KEY (project, task_type, worker)
) WITHOUT ROWID;

-- How runs of a type of task went.
CREATE TABLE orch_task_stats (
    project   TEXT NOT NULL,
    task_type TEXT NOT NULL,
    stats     TEXT NOT NULL,              -- JSON
    PRIMARY KEY (project, task_type)
) WITHOUT ROWID;

-- Examples: runs, and subtasks by who did them. The newest of each project, agent and type are kept.
CREATE TABLE orch_past (
    id        INTEGER NOT NULL PRIMARY KEY,
    run       TEXT    NOT NULL,
    step      TEXT    NOT NULL,           -- the subtask; empty for the run
    project   TEXT    NOT NULL,
    agent     TEXT    NOT NULL,           -- the worker; empty for the run
    task_type TEXT    NOT NULL,
    ended_at  INTEGER NOT NULL,
    success   INTEGER NOT NULL,
    text      TEXT    NOT NULL,           -- what was asked
    body      TEXT    NOT NULL,           -- JSON: outcome, plan, feedback; empty for a subtask
    grades    TEXT    NOT NULL,           -- JSON: what feedback has to change; empty for a subtask
    UNIQUE (run, step)
);
CREATE INDEX orch_past_scope ON orch_past (project, agent, task_type, ended_at, run, step);

-- The words of examples. `scope` is one word that stands for project, agent and type, so that a search never leaves it.
CREATE VIRTUAL TABLE orch_past_words USING fts5 (
    scope, words, content = '', contentless_delete = 1, detail = column, tokenize = 'unicode61 remove_diacritics 0'
);

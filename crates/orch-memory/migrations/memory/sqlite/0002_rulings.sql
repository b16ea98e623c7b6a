-- What a person has decided about rules.
CREATE TABLE orch_rulings (
    project TEXT NOT NULL,
    rule    TEXT NOT NULL,                -- the rule's id
    verdict TEXT NOT NULL,                -- pinned or forbidden
    body    TEXT NOT NULL,                -- JSON: the rule as it was then, and why
    PRIMARY KEY (project, rule)
) WITHOUT ROWID;

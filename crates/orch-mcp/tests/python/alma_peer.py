"""ALMA as a program of its own uses it: storage, retrieval and learning on `.alma/alma.db`, with the embedder `mock`.

Reads one JSON command a line and answers each with a line; `open` is what a program does that starts.
"""

import json
import pathlib
import sys

import numpy
from alma import ALMA
from alma.learning.protocols import LearningProtocol
from alma.retrieval.embeddings import MockEmbedder
from alma.retrieval.engine import RetrievalEngine
from alma.storage.sqlite_local import SQLiteStorage

DATABASE = pathlib.Path(".alma/alma.db")
EMBEDDER = MockEmbedder()


def opened() -> ALMA:
    storage = SQLiteStorage(DATABASE)
    retrieval = RetrievalEngine(storage=storage, embedding_provider="mock")
    retrieval._embedder = EMBEDDER
    learning = LearningProtocol(storage=storage, scopes={}, embedder=EMBEDDER)
    return ALMA(storage, retrieval, learning, {}, "shop")


def learn(alma: ALMA, times: int = 1, **lesson: str) -> str:
    for _ in range(times):
        alma.learn(**lesson)
    return "learned"


def retrieve(alma: ALMA, **question: str) -> dict:
    found = alma.retrieve(**question)
    return {
        "counts": [len(found.heuristics), len(found.outcomes), len(found.domain_knowledge), len(found.anti_patterns)],
        "outcomes": [
            {"task": o.task_description, "type": o.task_type, "success": o.success, "error": o.error_message}
            | {"strategy": o.strategy_used, "duration_ms": o.duration_ms, "at": o.timestamp.isoformat()}
            | {"note": o.metadata.get("orchestration")}
            for o in found.outcomes
        ],
    }


def stats(alma: ALMA) -> dict:
    return alma.storage.get_stats("shop")


def workflows(alma: ALMA) -> list:
    fields = "workflow_id", "agent", "summary", "node_count", "error_message", "metadata", "strategies_used"
    return [{field: getattr(o, field) for field in fields} | {"result": o.result.value} for o in alma.storage.get_workflow_outcomes("shop")]


def vectors(alma: ALMA) -> int:
    """Checks that each outcome has the vector that ALMA would give it; returns how many there are."""
    with alma.storage._get_connection() as database:
        rows = database.execute(
            "select task_description, strategy_used, embedding from outcomes join embeddings"
            " on memory_type = 'outcomes' and memory_id = outcomes.id"
        ).fetchall()
        assert database.execute("pragma integrity_check").fetchone()[0] == "ok"
    for task, strategy, stored in rows:
        expected = numpy.array(EMBEDDER.encode(f"{task} {strategy}"), dtype=numpy.float32)
        assert stored == expected.tobytes(), task
    return len(rows)


def main() -> None:
    alma = opened()
    for line in sys.stdin:
        command, arguments = json.loads(line)
        if command == "open":
            alma, answer = opened(), "opened"
        else:
            answer = globals()[command](alma, **arguments)
        print(json.dumps(answer), flush=True)


main()

"""Starts the servers of `.mcp.json` as one client does, uses ALMA's tools and, if it is there, orch's: before ALMA's server
starts if the first argument is `first`, between its answers, at the same time, and before it starts again.

Prints one JSON object: the names of the tools of each server, what ALMA answered (without ids and times), ALMA's tables, and
what orch did. ALMA frames its messages with `Content-Length`, which no MCP client speaks: so it gets a client
of its own here.
"""

import asyncio
import hashlib
import json
import pathlib
import re
import sqlite3
import subprocess
import sys

import mcp

DATABASE = pathlib.Path(".alma/alma.db")
LESSON = {
    "agent": "helena",
    "task": "test the login form",
    "outcome": "success",
    "strategy_used": "fill fields then submit",
    "task_type": "form_testing",
}
QUESTION = {"task": "test the login form", "agent": "helena"}
STATE = {"run_id": "r-1", "node_id": "n-1", "state": {"step": 1}}
BUSY = {**LESSON, "agent": "victor", "task_type": "busy", "strategy_used": "one after the other"}


class Alma:
    """A client of ALMA's server."""

    def __init__(self, command: str, args: list[str]):
        self.server = subprocess.Popen([command, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.request("initialize", {"protocolVersion": "2024-11-05", "capabilities": {}})

    def request(self, method: str, params: dict) -> dict:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        self.server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.server.stdin.flush()
        length = int(self.server.stdout.readline().split(b":")[1])
        assert not self.server.stdout.readline().strip()
        return json.loads(self.server.stdout.read(length))["result"]

    def tools(self) -> list[str]:
        return [tool["name"] for tool in self.request("tools/list", {})["tools"]]

    def call(self, tool: str, arguments: dict) -> dict:
        return json.loads(self.request("tools/call", {"name": tool, "arguments": arguments})["content"][0]["text"])

    def close(self) -> None:
        self.server.stdin.close()
        self.server.wait()


def same(value: object) -> object:
    """Leaves out what differs from one run to the next."""
    if isinstance(value, dict):
        return {key: same(value) for key, value in value.items() if not key.endswith("_ms")}
    if isinstance(value, list):
        return [same(item) for item in value]
    if isinstance(value, str):
        value = re.sub(r"\b(out|heur|anti|dk|pref)_[0-9a-f]{12}\b", "ID", value)
        value = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "ID", value)
        return re.sub(r"\d{4}-\d\d-\d\dT[\d:.+Z-]+", "TIME", value)
    return value


def digest() -> str | None:
    return hashlib.sha256(DATABASE.read_bytes()).hexdigest() if DATABASE.exists() else None


def tables() -> tuple[dict, list[str]]:
    """How many rows each of ALMA's tables has, and the names of the others."""
    with sqlite3.connect(DATABASE) as database:
        names = [name for (name,) in database.execute("select name from sqlite_master where type = 'table' order by name")]
        ours = [name for name in names if re.match("_?orch_", name)]
        theirs = [name for name in names if name not in ours]
        counts = {name: database.execute(f"select count(*) from {name}").fetchone()[0] for name in theirs}
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    return counts, ours


class Orch:
    """A client of orch's server, which does one run after the other."""

    def __init__(self, client: mcp.Client):
        self.client = client
        self.run, self.ready, self.statuses, self.left_alone = None, [], [], True

    async def call(self, tool: str, **arguments: object) -> dict:
        before = digest()
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result
        self.left_alone &= before == digest()
        return result.structured_content

    async def delegate(self) -> None:
        subtasks = [{"id": f"part-{i}", "description": f"Test form {i}"} for i in range(4)]
        answer = await self.call("alma_delegate_task", task="Test the forms", subtasks=subtasks, workers=["helena"])
        self.run, self.ready = answer["orchestration_id"], answer["ready"]

    async def step(self) -> None:
        entry = self.ready.pop(0)
        given = {"orchestration_id": self.run, "subtask_id": entry["subtask_id"], "attempt": entry["attempt"]}
        answer = await self.call("alma_report_subtask", **given, result="tested")
        self.ready += answer["ready"]
        if not self.ready:
            self.statuses.append(answer["status"])

    async def whole_run(self) -> None:
        await self.delegate()
        while self.ready:
            await self.step()


async def in_turns(alma: Alma, orch: Orch | None) -> list:
    answers = []
    if orch:
        await orch.delegate()
    for _ in range(4):
        answers.append(alma.call("alma_learn", LESSON))
        answers.append(alma.call("alma_retrieve", QUESTION))
        answers.append(alma.call("alma_checkpoint", STATE))
        if orch:
            await orch.step()
    answers.append(alma.call("alma_resume", {"run_id": STATE["run_id"]}))
    answers.append(alma.call("alma_stats", {"agent": "helena"}))
    answers.append(alma.call("alma_health", {}))
    return same(answers)


async def at_once(alma: Alma, orch: Orch | None) -> list:
    learning = asyncio.create_task(asyncio.to_thread(lambda: [alma.call("alma_learn", BUSY) for _ in range(60)]))
    runs = 0
    while orch and (runs < 3 or not learning.done()):
        await orch.whole_run()
        runs += 1
    return same(await learning)


async def play(server: dict, orch: Orch | None, seen: dict) -> None:
    if orch and "first" in sys.argv:
        await orch.whole_run()
    alma = Alma(**server)
    seen["alma_tools"] = alma.tools()
    seen["answers"] = await in_turns(alma, orch)
    seen["left_alone"] = orch and orch.left_alone
    seen["answers"] += await at_once(alma, orch)
    alma.close()
    if orch:
        await orch.whole_run()
    again = Alma(**server)
    calls = ("alma_stats", {}), ("alma_retrieve", QUESTION), ("alma_resume", {"run_id": STATE["run_id"]})
    seen["answers"] += same([again.call(*call) for call in calls])
    again.close()


async def main() -> None:
    servers, seen = json.loads(pathlib.Path(".mcp.json").read_text())["mcpServers"], {}
    if "alma-orchestration" in servers:
        started = mcp.StdioServerParameters(**servers["alma-orchestration"], cwd=".")
        async with mcp.Client(mcp.stdio_client(started)) as client:
            orch = Orch(client)
            seen["orch_tools"] = [tool.name for tool in (await client.list_tools()).tools]
            await play(servers["alma-memory"], orch, seen)
            seen["statuses"] = sorted(set(orch.statuses))
    else:
        await play(servers["alma-memory"], None, seen)
    seen["tables"], seen["our_tables"] = tables()
    print(json.dumps(seen))


asyncio.run(main())

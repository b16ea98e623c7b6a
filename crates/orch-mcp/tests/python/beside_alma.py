"""Starts the servers of `.mcp.json` as one client does, uses ALMA's tools and, if it is there, orch's in between.

Prints one JSON object: the names of the tools of each server, what ALMA answered (without ids and times), ALMA's tables, and
how the orchestration ended. ALMA frames its messages with `Content-Length`, which no MCP client speaks: so it gets a client
of its own here.
"""

import asyncio
import hashlib
import json
import pathlib
import re
import sqlite3
import subprocess

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
        return re.sub(r"\d{4}-\d\d-\d\dT[\d:.+Z-]+", "TIME", value)
    return value


def digest() -> str:
    return hashlib.sha256(DATABASE.read_bytes()).hexdigest()


def tables() -> dict:
    with sqlite3.connect(DATABASE) as database:
        names = [name for (name,) in database.execute("select name from sqlite_master where type = 'table' order by name")]
        counts = {name: database.execute(f"select count(*) from {name}").fetchone()[0] for name in names}
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    return counts


class Orch:
    """A client of orch's server, which is doing one run."""

    def __init__(self, client: mcp.Client):
        self.client = client
        self.run, self.ready, self.status, self.left_alone = None, [], None, True

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
        self.status = answer["status"]


async def play(alma: Alma, orch: Orch | None) -> list:
    answers = []
    if orch:
        await orch.delegate()
    for _ in range(4):
        answers.append(alma.call("alma_learn", LESSON))
        answers.append(alma.call("alma_retrieve", QUESTION))
        if orch:
            await orch.step()
    answers.append(alma.call("alma_stats", {"agent": "helena"}))
    answers.append(alma.call("alma_health", {}))
    return same(answers)


async def main() -> None:
    servers = json.loads(pathlib.Path(".mcp.json").read_text())["mcpServers"]
    alma, seen = Alma(**servers["alma-memory"]), {}
    seen["alma_tools"] = alma.tools()
    if "alma-orchestration" in servers:
        started = mcp.StdioServerParameters(**servers["alma-orchestration"], cwd=".")
        async with mcp.Client(mcp.stdio_client(started)) as client:
            orch = Orch(client)
            seen["orch_tools"] = [tool.name for tool in (await client.list_tools()).tools]
            seen["answers"] = await play(alma, orch)
            seen["status"], seen["left_alone"] = orch.status, orch.left_alone
    else:
        seen["answers"] = await play(alma, None)
    alma.close()
    seen["tables"] = tables()
    print(json.dumps(seen))


asyncio.run(main())

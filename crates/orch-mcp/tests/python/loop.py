"""Plays the parent of runs as Python clients do: delegates, does the work, reports.

Usage: loop.py SERVER MODE..., where SERVER is a command or an http address and MODE is `legacy` or `auto` (the MCP SDK) or
`fastmcp`. Prints one JSON object: what was seen in each mode.
"""

import asyncio
import contextlib
import json
import pathlib
import sys

import fastmcp
import mcp
from fastmcp.client.transports import StdioTransport

SUBTASKS = [
    {"id": "a", "description": "Review the code of a"},
    {"id": "b", "description": "Review the code of b"},
    {"id": "sum", "description": "Sum up both", "dependencies": ["a", "b"]},
]


class Sdk:
    """The MCP Python SDK, in one era of the protocol or as it negotiates."""

    def __init__(self, server: str, mode: str):
        http = server.startswith("http://")
        target = server if http else mcp.stdio_client(mcp.StdioServerParameters(command=server, args=[], cwd="."))
        self.client = mcp.Client(target, mode=mode)

    async def tools(self) -> list[str]:
        return [tool.name for tool in (await self.client.list_tools()).tools]

    async def call(self, tool: str, arguments: dict) -> tuple[bool, dict]:
        result = await self.client.call_tool(tool, arguments)
        assert json.loads(result.content[0].text) == result.structured_content
        return result.is_error, result.structured_content

    def version(self) -> str:
        return self.client.protocol_version


class Fastmcp:
    """The client of fastmcp; it does not say which version it speaks."""

    def __init__(self, server: str):
        http = server.startswith("http://")
        self.client = fastmcp.Client(server if http else StdioTransport(command=server, args=[], cwd="."))

    async def tools(self) -> list[str]:
        return [tool.name for tool in await self.client.list_tools()]

    async def call(self, tool: str, arguments: dict) -> tuple[bool, dict]:
        result = await self.client.call_tool(tool, arguments, raise_on_error=False)
        assert json.loads(result.content[0].text) == result.structured_content
        return result.is_error, result.structured_content

    def version(self) -> None:
        return None


async def play(peer: Sdk | Fastmcp, mode: str) -> dict:
    async def done(tool: str, **arguments: object) -> dict:
        is_error, answer = await peer.call(tool, arguments)
        assert not is_error, answer
        return answer

    answer = await done("alma_delegate_task", task=f"Review in mode {mode}", subtasks=SUBTASKS)
    run, ready, reports = answer["orchestration_id"], answer["ready"], 0
    while ready:
        entry = ready.pop(0)
        pathlib.Path(entry["result_file"]).write_text(f"result of {entry['subtask_id']}")
        answer = await done(
            "alma_report_subtask",
            orchestration_id=run,
            subtask_id=entry["subtask_id"],
            attempt=entry["attempt"],
            result_file=entry["result_file"],
        )
        assert answer["answer"] == "accepted", answer
        reports, ready = reports + 1, ready + answer["ready"]
    is_error, wrong = await peer.call("alma_report_subtask", {"orchestration_id": run, "subtask_id": "x", "result": 1})
    assert is_error and "has no subtask" in wrong["error"], wrong
    status = await done("alma_orchestration_status", orchestration_id=run)
    return {
        "version": peer.version(),
        "tools": len(await peer.tools()),
        "reports": reports,
        "status": status["status"],
        "output": answer["aggregated_output"],
    }


async def main(server: str, *modes: str) -> None:
    seen = {}
    for mode in modes:
        peer = Fastmcp(server) if mode == "fastmcp" else Sdk(server, mode)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(peer.client)
            seen[mode] = await play(peer, mode)
    print(json.dumps(seen))


asyncio.run(main(*sys.argv[1:]))

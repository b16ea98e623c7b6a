"""Delegates a managed run through the MCP Python SDK and waits for it with progress. Usage: wait.py SERVER MODE..."""

import asyncio
import json
import sys

from mcp import Client, StdioServerParameters, stdio_client

SUBTASKS = [
    {"id": "a", "description": "Say a", "task_type": "say"},
    {"id": "b", "description": "Say b", "task_type": "say", "dependencies": ["a"]},
]


async def play(server: str, mode: str) -> dict:
    heard = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    started = StdioServerParameters(command=server, args=["--trust"], cwd=".")
    async with Client(stdio_client(started), mode=mode) as client:

        async def call(tool: str, **arguments: object) -> dict:
            result = await client.call_tool(tool, arguments, progress_callback=on_progress)
            assert not result.is_error, result
            return result.structured_content

        arguments = {"task": f"Say it in mode {mode}", "mode": "managed", "subtasks": SUBTASKS}
        answer = await call("alma_delegate_task", **arguments)
        planned, heard[:] = heard[:], []
        run = answer["orchestration_id"]
        answer = await call("alma_orchestration_status", orchestration_id=run, wait_s=60)
        steps = [progress for progress, _, _ in heard]
        assert steps == sorted(set(steps)), heard
        return {
            "planned": [message for _, _, message in planned],
            "last": heard[-1][:2],
            "status": answer["status"],
            "output": answer["aggregated_output"],
        }


async def main(server: str, *modes: str) -> None:
    print(json.dumps({mode: await play(server, mode) for mode in modes}))


asyncio.run(main(*sys.argv[1:]))

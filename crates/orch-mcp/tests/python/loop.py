"""Plays the parent of a run through the MCP Python SDK: delegates, does the work, reports. Usage: loop.py SERVER MODE"""

import asyncio
import json
import pathlib
import sys

from mcp import Client, StdioServerParameters, stdio_client

SUBTASKS = [
    {"id": "a", "description": "Review the code of a"},
    {"id": "b", "description": "Review the code of b"},
    {"id": "sum", "description": "Sum up both", "dependencies": ["a", "b"]},
]


async def main(server: str, mode: str) -> None:
    started = StdioServerParameters(command=server, args=[], cwd=".")
    async with Client(stdio_client(started), mode=mode) as client:

        async def call(tool: str, **arguments: object) -> dict:
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, result
            assert json.loads(result.content[0].text) == result.structured_content
            return result.structured_content

        tools = [tool.name for tool in (await client.list_tools()).tools]
        answer = await call("alma_delegate_task", task=f"Review in mode {mode}", subtasks=SUBTASKS)
        run, ready, reports = answer["orchestration_id"], answer["ready"], 0
        while ready:
            entry = ready.pop(0)
            pathlib.Path(entry["result_file"]).write_text(f"result of {entry['subtask_id']}")
            answer = await call(
                "alma_report_subtask",
                orchestration_id=run,
                subtask_id=entry["subtask_id"],
                attempt=entry["attempt"],
                result_file=entry["result_file"],
            )
            assert answer["answer"] == "accepted", answer
            reports, ready = reports + 1, ready + answer["ready"]
        wrong = await client.call_tool("alma_report_subtask", {"orchestration_id": run, "subtask_id": "x", "result": 1})
        assert wrong.is_error and "has no subtask" in wrong.structured_content["error"], wrong
        status = await call("alma_orchestration_status", orchestration_id=run)
        seen = {
            "version": client.protocol_version,
            "tools": len(tools),
            "reports": reports,
            "status": status["status"],
            "output": answer["aggregated_output"],
        }
        print(json.dumps(seen))


asyncio.run(main(*sys.argv[1:]))

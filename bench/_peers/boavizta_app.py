"""boaviztapi's own HTTP application, called in process without a socket. Needs nothing but boaviztapi, so that any interpreter that has it can run this.

As a program it reads one JSON question a line and answers in kind: {"path", "content", "query", "times"} -> {"status", "said", "seconds"}.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from typing import Any


def ask(path: str, content: Any, query: str = "verbose=true&criteria=gwp", times: int = 1) -> dict[str, Any]:
    """POST `content`, or each of a list of contents, `times` times. status and body of the last; seconds of all."""
    from boaviztapi.main import app

    bodies = [json.dumps(each).encode() for each in (content if isinstance(content, list) else [content])]
    status: list[int] = []
    answers: list[bytes] = []

    async def post(body: bytes) -> None:
        said = bytearray()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])
            said.extend(message.get("body", b""))

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": path, "raw_path": path.encode(), "root_path": "",
            "scheme": "http", "query_string": query.encode(), "headers": [(b"content-type", b"application/json")], "client": ("here", 1),
            "server": ("here", 80),
        }  # fmt: skip
        try:
            await app(scope, receive, send)
        except Exception:  # a failing end point answers 500, then raises what failed
            if not status or status[-1] != 500:
                raise
        answers.append(bytes(said))

    async def all_of_them() -> float:
        start = time.perf_counter()
        for _ in range(times):
            for body in bodies:
                await post(body)
        return time.perf_counter() - start

    seconds = asyncio.run(all_of_them())
    said = [json.loads(each) if code == 200 else each.decode() for code, each in zip(status[-len(bodies) :], answers[-len(bodies) :], strict=True)]
    return {"status": status[-1], "said": said if isinstance(content, list) else said[-1], "seconds": seconds}


def main() -> None:
    """Answer until the questions end. The application's own prints go to stderr."""
    out, sys.stdout = sys.stdout, sys.stderr
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        print(json.dumps(ask(**json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    main()

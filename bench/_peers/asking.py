"""boaviztapi, in this process where it is importable, else in another interpreter that has it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import logging
import subprocess
from pathlib import Path
from typing import Any

from _peers import boavizta_app

APP = Path(boavizta_app.__file__)


class Boavizta:
    """Its questions and answers. `version` is that of the package that answers."""

    def __init__(self, python: str | None) -> None:
        self.process = None
        if python is None:
            logging.disable(logging.CRITICAL)
            self.version = importlib.metadata.version("boaviztapi")
            return
        show = "import importlib.metadata as m; print(m.version('boaviztapi'))"
        self.version = subprocess.run([python, "-c", show], capture_output=True, text=True, check=True).stdout.strip()
        self.process = subprocess.Popen([python, str(APP)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    @classmethod
    def at_hand(cls, python: str | None) -> Boavizta | None:
        """None where neither this interpreter nor a named one has it."""
        return cls(python) if python or importlib.util.find_spec("boaviztapi") is not None else None

    def ask(self, path: str, content: Any, **more: Any) -> dict[str, Any]:
        asked = {"path": f"/v1/{path}", "content": content, **more}
        if self.process is None:
            return boavizta_app.ask(**asked)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the interpreter of --peers stopped: run it with bench/_peers/boavizta_app.py to see why")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def made_kg(self, component: str, content: dict[str, Any]) -> tuple[float, dict[str, Any]]:
        """kg of making a component over its whole life, and every value that it took, by name."""
        said = self.ask(f"component/{component}", content)
        assert said["status"] == 200, (component, content, said)
        return float(said["said"]["impacts"]["gwp"]["embedded"]["value"]), taken(said["said"]["verbose"])

    def close(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            self.process.wait(timeout=30)


def taken(verbose: dict[str, Any]) -> dict[str, Any]:
    """Values that an answer says it took, its defaults included."""
    return {name: said["value"] for name, said in verbose.items() if isinstance(said, dict) and "value" in said}

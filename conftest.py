"""What every test may rely on: no network, no colour, a cache of its own, and examples that are the same on every machine.

Pages are tests too: Python blocks of README.md and docs/ are run, and so are the commands of their console blocks (see docs/examples.py).
"""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

# Set before any test module imports a library that reads them.
os.environ.update({"NO_COLOR": "1", "COLUMNS": "100", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"})
for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "TYPER_USE_RICH"):
    os.environ.pop(name, None)

settings.register_profile("thrifty", deadline=None, derandomize=True, database=None, print_blob=False)
settings.load_profile("thrifty")

_spec = importlib.util.spec_from_file_location("thrifty_examples", Path(__file__).parent / "docs" / "examples.py")
assert _spec is not None and _spec.loader is not None
_examples = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_examples)

pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser("console", _examples.run_console),
        CodeBlockParser("toml", _examples.keep_file),
        SkipParser(),
    ],
    patterns=["README.md", "CONTRIBUTING.md", "docs/*.md", "docs/**/*.md"],
    setup=_examples.enter_folder,
    teardown=_examples.leave_folder,
).pytest()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's cache is neither read nor written by tests."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Connecting to another machine is an error."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        yield

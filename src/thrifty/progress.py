"""Progress on stderr for work of more than two seconds: a bar on a terminal, one line a stage elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

Progress = Callable[[str, float], None]
"""Called with what is being done (``stage: detail``) and the share of it that is done, from 0 to 1."""
PATIENCE_S: Final = 2.0


@contextmanager
def showing() -> Iterator[Progress]:
    """A function to report progress with. It shows nothing before `PATIENCE_S` seconds have gone by; a bar goes away when the work is done."""
    began = time.monotonic()
    if not sys.stderr.isatty():
        yield _lines(began)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    drawn = Bar(BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"), console=Console(stderr=True, file=sys.stderr), transient=True)
    task = drawn.add_task("", total=1.0)

    def tell(what: str, share: float) -> None:
        drawn.update(task, description=what, completed=share)
        if time.monotonic() - began > PATIENCE_S:
            drawn.start()
            drawn.refresh()

    try:
        yield tell
    finally:
        drawn.stop()


def _lines(began: float) -> Progress:
    said: set[str] = set()

    def tell(what: str, share: float) -> None:
        stage, past = what.partition(":")[0], time.monotonic() - began
        if past > PATIENCE_S and stage not in said:
            said.add(stage)
            sys.stderr.write(f"[{past:5.0f} s] {stage}\n")
            sys.stderr.flush()

    return tell

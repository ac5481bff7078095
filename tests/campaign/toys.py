"""Functions that the tests of campaigns run, here and on workers."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any


def square(configuration: dict[str, Any], seed: int) -> dict[str, Any]:
    return {"y": configuration["x"] ** 2, "seed_text": str(seed)}


def thrown(configuration: dict[str, Any], seed: int) -> dict[str, Any]:
    """Some dice."""
    import numpy as np

    return {"mean": float(np.random.default_rng(seed).normal(configuration["mean"], 1.0, size=3).mean())}


def fussy(configuration: dict[str, Any], seed: int) -> Any:
    """Answers by what it is asked for."""
    match configuration["x"]:
        case "raise":
            raise ValueError("no good\nand more lines")
        case "exit":
            raise SystemExit(3)
        case "list":
            return {"y": [1, 2]}
        case "nothing":
            return []
        case "long":
            return {"y": 2**63}
        case "key":
            return {"key": 1}
        case "text":
            return {"y": "text"}
        case "one" if Path(configuration["flag"]).exists():
            return {"y": 1}
        case "one":
            raise OSError("not yet")
    return {"y": configuration["x"]}


def mixed(configuration: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    """Several rows, of columns that are not all there, whole numbers and floats, NaN and None."""
    x = configuration["x"]
    return [{"y": x, "word": "a"}, {"y": x + 0.5, "flag": True, "nan": float("nan")}, {"none": None}]


def logged(configuration: dict[str, Any], seed: int) -> dict[str, Any]:
    """Says in a file that it ran, after a while; ``seconds`` is no part of the answer."""
    time.sleep(configuration["seconds"])
    _say(configuration["log"], str(configuration["x"]))
    return {"y": configuration["x"] ** 2}


def lethal(configuration: dict[str, Any], seed: int) -> dict[str, Any]:
    """Ends its worker at 7."""
    if configuration["x"] == 7:
        os._exit(3)
    return {"y": configuration["x"]}


def on_a_node(configuration: dict[str, Any], seed: int) -> dict[str, Any]:
    """Says in a file on which node of Ray it begins."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    _say(configuration["log"], node)
    time.sleep(configuration["seconds"])
    return {"node": node}


def on_a_worker(configuration: dict[str, Any], seed: int) -> dict[str, Any]:
    """Says in a file in which process it begins."""
    _say(configuration["log"], str(os.getpid()))
    time.sleep(configuration["seconds"])
    return {"pid": os.getpid()}


def _say(log: str, line: str) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)  # one write of a line is whole, whoever else writes
    os.write(handle, f"{line}\n".encode())
    os.close(handle)

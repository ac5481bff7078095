"""What an assessment leaves behind: report.html, report.json and trace.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from thrifty.files import writing
from thrifty.report import write_html
from thrifty.timeline import Event, write_chrome_trace
from thrifty.workload import Kind

if TYPE_CHECKING:
    from thrifty.assessment.steps import Assessment


def write_outputs(assessment: Assessment, folder: Path) -> dict[str, Path]:
    """Write the three files into `folder` (made where missing), each whole or not at all. Raises CannotWrite."""
    from thrifty.assessment.page import page_of

    files = {name: folder / name for name in ("report.html", "report.json", "trace.json")}
    with writing(files["report.json"]) as file:
        file.write(json.dumps(assessment.to_dict(), indent=1, allow_nan=False, ensure_ascii=False).encode())
    write_chrome_trace(trace_events(assessment), files["trace.json"])
    write_html(page_of(assessment), files["report.html"])
    return files


def trace_events(assessment: Assessment) -> list[Event]:
    """Every operator of one run of each part, one after the other: modelled on each device; measured too where this machine ran it."""
    events: list[Event] = []
    for case in assessment.cases:
        start = 0.0
        for priced in case.priced:
            start = _lane(events, f"{case.device.name} (modelled)", priced.workload.phase, priced.workload.table, priced.seconds_R, start)
    if assessment.run is not None:
        start = 0.0
        for profile in assessment.run.profiles:
            start = _lane(events, "this-machine (measured)", profile.name, profile.table, profile.seconds_R, start)
    return events


def _lane(events: list[Event], process: str, thread: str, table: object, seconds: object, start: float) -> float:
    from thrifty.workload import OperatorTable

    assert isinstance(table, OperatorTable) and isinstance(seconds, np.ndarray)
    rows = table.rows
    for index, duration in enumerate(seconds.tolist()):
        row = rows[index]
        arguments: dict[str, str | int | float | bool | None] = {
            "module": table.module(index), "kind": Kind(row["kind"]).label, "flops_matrix": int(row["flops_matrix"]),
            "bytes_read": int(row["bytes_read"]), "bytes_written": int(row["bytes_written"]),
        }  # fmt: skip
        events.append(Event(name=table.op(index), process=process, thread=thread, start_s=start, duration_s=duration, args=arguments))
        start += duration
    return start

"""What an assessment leaves behind: report.html, report.json and trace.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from thrifty.files import writing
from thrifty.report import write_html
from thrifty.timeline import Event, write_chrome_trace
from thrifty.version import __version__
from thrifty.workload import Kind, OperatorTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thrifty.assessment.result import Assessment
    from thrifty.cost.columns import Floats

NAMES: Final = ("report.html", "report.json", "trace.json")


def write_outputs(assessment: Assessment, folder: Path) -> dict[str, Path]:
    """Write the three files into `folder` (made where missing), each whole or not at all. Raises CannotWrite."""
    from thrifty.assessment.page import page_of

    files = {name: folder / name for name in NAMES}
    page = page_of(assessment)
    content = assessment.to_dict() | {"files": {name: name for name in NAMES}}  # beside one another, wherever the folder goes
    with writing(files["report.json"]) as file:
        file.write(json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False).encode())
    write_chrome_trace(trace_events(assessment), files["trace.json"], {"made by": f"thrifty {__version__}", "command": assessment.command})
    write_html(page, files["report.html"])
    return files


def trace_events(assessment: Assessment) -> list[Event]:
    """Every operator of one run of each part, one after the other: modelled on each device; measured too where this machine ran it."""
    events: list[Event] = []
    for case in assessment.cases:
        start = 0.0
        for priced in case.priced:
            events += _lane(f"{case.device.name} (modelled)", priced.workload.phase, priced.workload.table, priced.seconds_R, start)
            start += float(priced.seconds_R.sum())
    if assessment.run is not None:
        start = 0.0
        for profile in assessment.run.profiles:
            events += _lane("this-machine (measured)", profile.name, profile.table, profile.seconds_R, start)
            start += float(profile.seconds_R.sum())
    return events


def _lane(process: str, thread: str, table: OperatorTable, seconds_R: Floats, start_s: float) -> Iterator[Event]:
    """The rows of `table` end to end."""
    for index, duration in enumerate(seconds_R.tolist()):
        row = table.rows[index]
        kind = Kind(row["kind"]).label
        arguments: dict[str, str | int] = {
            "module": table.module(index), "kind": kind, "flops_matrix": int(row["flops_matrix"]),
            "bytes_read": int(row["bytes_read"]), "bytes_written": int(row["bytes_written"]),
        }  # fmt: skip
        yield Event(
            name=table.op(index), process=process, thread=thread, start_s=start_s, duration_s=duration, category=kind, args=arguments
        )  # fmt: skip
        start_s += duration

"""What is held at the fullest moment, by role, and what the process holds in all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thrifty.assessment.sections.words import listed, measured, modelled, share, step_name
from thrifty.quantities import show
from thrifty.report import Block, Cell, Chart, Column, Facts, Number, Section, Text

if TYPE_CHECKING:
    from thrifty.assessment.result import Assessment


def section(a: Assessment) -> Section:
    case = a.case
    fullest = max(case.priced, key=lambda priced: priced.memory.peak_memory_bytes)
    rows: list[list[Cell]] = []
    for priced in case.priced:
        held = {**{k: v for k, v in priced.memory.by_role.items() if v}, "workspace": priced.memory.workspace_bytes}
        rows += [[step_name(priced), role, float(size)] for role, size in held.items() if size]
    account = fullest.memory
    total = account.peak_memory_bytes or 1
    largest = sorted(account.by_role.items(), key=lambda item: -item[1])[:2]
    words = listed(f"{role} {show(size, 'B')} ({share(size / total)})" for role, size in largest)
    chart = Chart(
        kind="stacked bars", title="Held at the fullest moment, by role", x="bytes", y="step", series="role", rows=rows,
        columns=(Column(key="step", title="Step"), Column(key="role", title="Role"), Column(key="bytes", title="Held", unit="B", truth="modelled")),
        alt=f"Stacked bars of the bytes held at the fullest moment of each step, by role. Of {step_name(fullest)}: {words}.",
    )  # fmt: skip
    facts: dict[str, Number | str] = {"Peak: weights and torch's allocator": modelled(float(account.peak_memory_bytes), "B")}
    if a.run is not None:
        use = a.run.memory
        facts |= {
            "The same, seen": measured(float(use.peak_memory_bytes), "B"), "of it resident: weights, buffers, inputs": measured(float(use.resident_bytes), "B"),
            "of it the allocator's peak": measured(float(use.allocator_bytes), "B"), "Whole process (RSS)": measured(float(use.rss_bytes), "B"),
        }  # fmt: skip
    facts |= {
        "Process outside the allocator": modelled(float(account.process_bytes), "B"),
        f"Memory of {case.device.name}": Number(value=case.device.memory_bytes, unit="B", truth=case.device.truth),
        "Fullest at": f"`{account.peak_op or 'start'}` in `{account.peak_module or '(root)'}`, {step_name(fullest)}",
    }
    short, room = account.shortfall_bytes(case.device), case.device.memory_bytes
    verdict = f"**It does not fit**: {show(short, 'B')} short." if short else f"It fits: it needs {share(account.needed_bytes / room)} of the memory."
    blocks: list[Block] = [Text(verdict), chart, Facts(facts)]
    return Section("Memory", blocks, id="memory")

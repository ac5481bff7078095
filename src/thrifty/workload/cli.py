"""The commands of this room: `thrifty workload list`, `show` and `trace`. They parse, load and print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thrifty.errors import BadValue
from thrifty.printing import make_table, print_json, print_parts
from thrifty.quantities import show as write
from thrifty.workload.entries import as_published
from thrifty.workload.library import get_entry, load, names
from thrifty.workload.model import PHASES, Workload, WorkPhase
from thrifty.workload.points import read_sizes

if TYPE_CHECKING:
    pass

app = typer.Typer(no_args_is_help=True, help="What runs: list, show and trace workloads.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Name = Annotated[str, typer.Argument(help="Catalogue name, your own .toml, model folder, .gguf file or package.module:callable.")]
Format = Annotated[str | None, typer.Option("--format", help="Number format of the weights. Default: as published.")]


@app.command("list")
def list_workloads(as_json: Json = False) -> None:
    """List the workloads of the catalogue and of installed packages."""
    found = [_summary(load(name)) for name in names()]
    if as_json:
        print_json({"workloads": found})
        return
    print_parts(make_table("workload", "title", "parameters", "weights", "format", "origin", "licence", rows=[
        (
            one["name"], one["title"], write(one["parameters"], ""), write(one["weight_bytes"], "B"), one["format"],
            one["origin"] + (", a paper's stand-in" if one["stand_in"] else ""), one["licence"] or "–",
        )
        for one in found
    ]))  # fmt: skip


@app.command("show")
def show(name: Name, number_format: Format = None, as_json: Json = False) -> None:
    """Show one workload: its parameters, its bytes, its sizes, and who says so."""
    workload = load(name, format=number_format)
    said = {
        **_summary(workload), "phase": workload.phase,
        "symbols": [
            {"name": s.name, "default": s.default, "high": s.high, "modulus": s.modulus, "meaning": s.meaning} for s in workload.symbols
        ],
        "notes": list(workload.notes), "facts": _facts(name),
    }  # fmt: skip
    if as_json:
        print_json(said)
        return
    sizes = [f"{s.name} from 1{f' to {s.high}' if s.high else ''} (default {s.default})" for s in workload.symbols]
    rows = [
        ("parameters", f"{workload.parameters:,}"), ("weights", f"{workload.weight_bytes:,} B in {workload.format}"),
        ("stored file", "–" if workload.file_bytes is None else f"{workload.file_bytes:,} B"), ("sizes", "\n".join(sizes) or "–"),
        ("origin", workload.origin), ("licence", said["licence"] or "–"),
        *[(f"source of {what}", f"{fact['source']}: {fact['where']}. Read {fact['read_on']}.") for what, fact in said["facts"].items()],
    ]  # fmt: skip
    print_parts(f"{workload.name}: {said['title']}", make_table("", "", rows=[(label, text) for label, text in rows if text != "–"]), *workload.notes)


@app.command("trace")
def trace(
    name: Name,
    phase: Annotated[str | None, typer.Option("--phase", help=f"One of {', '.join(PHASES)}. Default: prefill for language models, else forward.")] = None,
    sizes: Annotated[list[str] | None, typer.Option("--set", help="A size, e.g. batch=1. May be repeated.")] = None,
    number_format: Format = None,
    capture: Annotated[bool, typer.Option("--capture", help="Record it from the torch module instead of the family.")] = False,
    recompute: Annotated[bool, typer.Option("--recompute", help="In training, run each layer again instead of keeping its activations.")] = False,
    as_json: Json = False,
) -> None:
    """Count every operator of one step: FLOPs, bytes, peak memory, by kind."""
    workload = _traced(name, phase, read_sizes(sizes or []), number_format, capture, recompute)
    table = workload.table
    said: dict[str, Any] = {
        "workload": workload.name, "phase": workload.phase, "format": workload.format, "point": dict(workload.point), "origin": workload.origin,
        "notes": list(workload.notes),
        **{key: value for key, value in table.totals().items() if key in ("flops_matrix", "flops_vector", "bytes_read", "bytes_written", "bytes_weight")},
        "peak_memory_bytes": table.peak()[0], "by_kind": table.by_kind(), "rows": len(table), "unknown": table.unknown(),
    }  # fmt: skip
    if as_json:
        print_json(said)
        return
    point = ", ".join(f"{key} {value}" for key, value in workload.point.items())
    print_parts(
        f"{workload.name}, {workload.phase}, {workload.format}{', ' + point if point else ''} ({workload.origin})",
        make_table("kind", "rows", "matrix FLOP", "vector FLOP", "read", "written", rows=[
            *[
                (
                    kind, str(c["rows"]), write(c["flops_matrix"], ""), write(c["flops_vector"], ""), write(c["bytes_read"], "B"),
                    write(c["bytes_written"], "B"),
                )
                for kind, c in table.by_kind().items()
            ],
            (
                "all", str(len(table)), write(said["flops_matrix"], ""), write(said["flops_vector"], ""), write(said["bytes_read"], "B"),
                write(said["bytes_written"], "B"),
            ),
        ]),
        f"peak memory {write(said['peak_memory_bytes'], 'B')}; weights touched {write(said['bytes_weight'], 'B')}",
        *([f"unknown operators: {', '.join(said['unknown'])}"] if said["unknown"] else []), *workload.notes,
    )  # fmt: skip


def _traced(name: str, phase: str | None, point: Mapping[str, Any], number_format: str | None, capture: bool, recompute: bool) -> Workload:
    if phase is not None and phase not in PHASES:
        raise BadValue(f"phase='{phase}' is none of {', '.join(PHASES)}. Choose one of them.")
    chosen: WorkPhase | None = phase
    if not capture:
        return load(name, phase=chosen, format=number_format, recompute=recompute, **point)
    if recompute:
        raise BadValue("--recompute is a choice of the family, and --capture records the torch module as it is. Leave one of them out.")
    from thrifty.workload.building import load_any, names_something_to_build, recorded_twin

    if names_something_to_build(name) and not name.endswith(".toml"):
        return load_any(name).at(phase=chosen, format=number_format, **point)
    return recorded_twin(load(name), get_entry(name), phase=chosen, format=number_format, **point)


def _summary(workload: Workload) -> dict[str, Any]:
    details = workload.details
    return {
        "name": workload.name, "title": details.get("title", workload.name), "parameters": workload.parameters, "weight_bytes": workload.weight_bytes,
        "file_bytes": workload.file_bytes, "format": workload.format, "origin": workload.origin, "licence": details.get("licence"),
        "stand_in": bool(details.get("stand_in")),
    }  # fmt: skip


def _facts(name: str) -> dict[str, dict[str, str]]:
    if not (name.endswith(".toml") or as_published(name).lower() in names()):
        return {}
    return {what: dict(fact) for what, fact in get_entry(name).facts.items()}

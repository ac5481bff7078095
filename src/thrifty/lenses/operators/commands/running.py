"""The commands that run or simulate something, or read what a profiler wrote: `measure`, `kernels`, `cache`, `trace`, `counters`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from thrifty.errors import BadValue
from thrifty.lenses.operators.commands.options import DEVICE, Json, Name, Phase, Preset, Sizes, subject_of
from thrifty.printing import make_table, print_json, print_parts
from thrifty.quantities import show as write


def measure(
    workload: Name, preset: Preset = "tiny", sizes: Sizes = None, phase: Phase = None,
    seconds: Annotated[float, typer.Option(metavar="S", help="How long each stage is run for, about.")] = 1.5, as_json: Json = False,
) -> None:  # fmt: skip
    """Run every stage here with random weights, its operators timed, beside what the calibrated model says of the same run."""
    from thrifty.lenses.operators.measured import measure_subject
    from thrifty.progress import showing

    if not 0 < seconds <= 600:
        raise BadValue(f"seconds={seconds} is not between 0 and 600. Choose e.g. 1.5.")
    with showing() as progress:
        found = measure_subject(subject_of(workload, sizes, preset, phase), budget_s=seconds, progress=progress)
    if as_json:
        print_json({"truth": "measured", **found.to_dict()})
        return
    stages = [
        (
            each.stage.name, each.row.workload, f"{each.stage.repeat:,}", write(each.row.measured_s, "s"), write(each.row.modelled_s, "s"),
            f"{each.row.time_error:+.1%}",
        )
        for each in found.stages
    ]  # fmt: skip
    classes = [(name, write(a, "s"), write(b, "s"), f"{a / found.measured_s:.1%}") for name, (a, b) in found.by_class().items()]
    print_parts(
        f"{found.name} on {found.device}, fp32, random weights: {write(found.measured_s, 's')} measured, {write(found.modelled_s, 's')} modelled",
        make_table("stage", "what ran", "repeats", "measured", "modelled", "error", rows=stages),
        make_table("class", "measured", "modelled", "share of measured", rows=classes),
    )  # fmt: skip


def kernels(
    workload: Name, preset: Preset = "tiny", sizes: Sizes = None, phase: Phase = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="Where torch runs it: cpu or cuda.")] = "cpu",
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Leave the traces there, one a stage.")] = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Run every stage once under torch's profiler: its kernels tied to operators and modules, by class."""
    from thrifty.lenses.operators.measured import profile_kernels
    from thrifty.progress import showing

    with showing() as progress:
        found = profile_kernels(subject_of(workload, sizes, preset, phase), device=device, keep=keep, progress=progress)
    if as_json:
        print_json({"truth": "measured", "device": device, "stages": {name: profile.to_dict() for name, profile in found.items()}})
        return
    for name, profile in found.items():
        whole = max(sum(profile.by_class.values()), 1e-300)
        classes = [(kind, write(seconds, "s"), f"{seconds / whole:.1%}") for kind, seconds in profile.by_class.items()]
        modules = [(path, write(seconds, "s"), f"{seconds / whole:.1%}") for path, seconds in list(profile.by_module.items())[:8]]
        print_parts(
            f"{name} on {device} (measured, under the profiler): {profile.launches:,} launches, {profile.linked:.0%} of the work has an operator",
            make_table("class", "time", "share", rows=classes), make_table("module", "time", "share", rows=modules),
        )  # fmt: skip


def cache(
    on: Annotated[str, typer.Option("--on", metavar="DEVICE", help="Whose caches to simulate; this-machine reads its own.")] = DEVICE,
    frames: Annotated[int, typer.Option(metavar="N", help="Frames of the video.")] = 16,
    side: Annotated[int, typer.Option(metavar="N", help="Height and width of the feature map.")] = 64,
    channels: Annotated[int, typer.Option(metavar="N", help="Channels of all heads.")] = 320,
    heads: Annotated[int, typer.Option(metavar="N", help="Heads.")] = 8,
    staging: Annotated[str, typer.Option(metavar="WAY", help="How a GPU's product loads its tiles: shared (memory) or direct.")] = "shared",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Why temporal attention is slow: simulated cache hit rates of its kernels beside spatial attention's, strided and made contiguous."""
    from thrifty.lenses.operators.caching import study
    from thrifty.progress import showing

    with showing() as progress:
        progress("simulating", 0.0)
        found = study(on, frames=frames, side=side, channels=channels, heads=heads, staging=cast(Any, staging))
    if as_json:
        print_json({"truth": "modelled", **found.to_dict()})
        return
    rows = [
        (
            r.kernel, r.kind, r.layout, f"{r.accesses:,.0f}", f"{r.l1_hit_rate:.1%}", f"{r.l1_load_hit_rate:.1%}", f"{r.l2_hit_rate:.1%}",
            write(r.dram_bytes, "B"),
        )
        for r in found.rows
    ]  # fmt: skip
    heading = make_table("kernel", "attention", "layout", "accesses", "L1 hits", "L1 hits of loads", "L2 hits", "behind L2", rows=rows)
    print_parts(f"{frames} frames of {side} × {side}, {channels} channels in {heads} heads on {on} (simulated)", heading, *found.findings())


def trace(file: Annotated[Path, typer.Argument(metavar="FILE", help="A profiler's trace: .json or .json.gz.")], as_json: Json = False) -> None:
    """What dominates in a Kineto or Chrome trace that a profiler wrote."""
    from thrifty.measure.traced import profile_of_trace

    found: Any = profile_of_trace(file)
    if as_json:
        print_json(found.to_dict())
        return
    rows = [(name, write(seconds, "s"), f"{seconds / max(sum(found.by_class.values()), 1e-300):.1%}") for name, seconds in found.by_class.items()]
    print_parts(f"{file.name}", make_table("class", "time", "share", rows=rows))


def counters(workload: Annotated[str, typer.Argument(metavar="WORKLOAD", help="The UNet to count.")] = "sd-1.5-unet", as_json: Json = False) -> None:
    """Who counts what: thrifty and its peers on the same UNet, each against the closed form."""
    from thrifty.lenses.operators.counting.counters import counters as count

    found: Any = count(workload)
    if as_json:
        print_json(found.to_dict())
        return
    print_parts(*found.parts())

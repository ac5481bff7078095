"""Commands of this room: `thrifty hardware calibrate` (joined to the hardware commands by the root) and `thrifty validate host`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from thrifty.progress import showing
from thrifty.quantities import show

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
validate_app = typer.Typer(no_args_is_help=True, help="Hold the models against reality.")


@validate_app.callback()
def validate() -> None:
    """Hold the models against reality."""


@validate_app.command("host")
def validate_host(as_json: Json = False) -> None:
    """Run real workloads on this machine and price the same tables by its calibration, which is frozen before the first of them runs."""
    from thrifty import measure

    with showing() as progress:
        found = measure.validate_host(progress=progress)
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2, allow_nan=False, ensure_ascii=False))
        return
    typer.echo(f"{'workload':34} {'measured':>10} {'modelled':>10} {'error':>7}   {'peak measured':>13} {'modelled':>10} {'error':>7}")
    for row in found.rows:
        times = f"{show(row.measured_s, 's'):>10} {show(row.modelled_s, 's'):>10} {row.time_error:+7.0%}"
        memory = f"{show(row.measured_bytes, 'B'):>13} {show(row.modelled_bytes, 'B'):>10} {row.memory_error:+7.1%}"
        typer.echo(f"{row.workload:34} {times}   {memory}")
    typer.echo("")
    for kind, entry in found.by_class().items():
        typer.echo(f"  {kind:12} {entry['share']:6.1%} of the time, error {entry['error']:+.0%}")
    errors = found.errors()
    time = f"time error: median {errors['median_time_error']:.1%}, 90th percentile {errors['p90_time_error']:.1%}"
    memory = f"memory error: median {errors['median_memory_error']:.1%}, 90th percentile {errors['p90_memory_error']:.1%}"
    typer.echo(f"{time}; {memory}")


def calibrate(
    force: Annotated[bool, typer.Option("--force", help="Measure again, also where a valid calibration is kept.")] = False, as_json: Json = False
) -> None:
    """Find out what this machine sustains, and keep it in the user's cache; from then on 'this-machine' is a device like any other."""
    from thrifty import measure

    with showing() as progress:
        device = measure.calibrate(force=force, progress=progress)
    if as_json:
        typer.echo(json.dumps(as_dict(device), indent=2, allow_nan=False, ensure_ascii=False))
        return
    facts = as_dict(device)
    typer.echo(f"{device.title} (measured {facts['made_at']}, {facts['seconds']:.0f} s, half-spread {facts['spread']['median']:.1%})")
    for name, peak in device.peak_flops.items():
        typer.echo(f"  best matrix product, {name:5} {show(peak, 'FLOP/s')}")
    typer.echo(f"  reading memory              {show(device.bandwidth_bytes_per_s, 'B/s')}")
    typer.echo(f"  kept in {facts['path']}")


def as_dict(device: Any) -> dict[str, Any]:
    """What a calibrated device is, in plain values: its best rates, and when, in how long and how steadily they were measured."""
    calibration = device.calibration
    return {
        "device": device.name, "title": device.title, "peak_flops": dict(device.peak_flops), "vector_flops": device.vector_flops,
        "bandwidth_bytes_per_s": device.bandwidth_bytes_per_s, "memory_bytes": device.memory_bytes, "truth": device.truth,
        **{key: calibration.content[key] for key in ("made_at", "seconds", "spread", "fingerprint")}, "path": calibration.path,
    }  # fmt: skip

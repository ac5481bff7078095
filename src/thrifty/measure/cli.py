"""`thrifty validate` and `thrifty hardware calibrate`: thin over `measure`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from thrifty.printing import print_json
from thrifty.progress import showing
from thrifty.quantities import show

validate_app = typer.Typer(no_args_is_help=True, help="Hold the models against reality.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@validate_app.callback()
def validate() -> None:
    """Hold the models against reality."""


@validate_app.command("host")
def validate_host_command(as_json: Json = False) -> None:
    """Run real workloads on this machine and hold the calibrated model against them: time, memory, operator classes."""
    from thrifty.measure.validation import validate_host

    with showing() as tell:
        found = validate_host(progress=tell)
    if as_json:
        print_json(found.to_dict())
        return
    typer.echo(f"{'workload':58} {'measured':>9} {'modelled':>9} {'error':>6}   {'measured':>8} {'modelled':>8} {'error':>6}")
    for row in found.rows:
        typer.echo(
            f"{row.workload:58} {show(row.measured_s, 's'):>9} {show(row.modelled_s, 's'):>9} {row.time_error:+6.0%}   "
            f"{show(row.measured_bytes, 'B'):>8} {show(row.modelled_bytes, 'B'):>8} {row.memory_error:+6.1%}"
        )
    errors = found.errors()
    typer.echo(
        f"time: median error {errors['median_time_error']:.1%}, 90th percentile {errors['p90_time_error']:.1%}; "
        f"memory: median {errors['median_memory_error']:.2%}"
    )
    for name, entry in found.by_class().items():
        typer.echo(f"  {name:12} {entry['share']:5.0%} of measured time, modelled {entry['error']:+.0%}{'  (main class)' if entry['main'] else ''}")


@validate_app.command("energy")
def validate_energy_command(as_json: Json = False) -> None:
    """Hold the energy model against published measurements, misses included."""
    from thrifty.cost.energy_evidence import validate_energy

    found = validate_energy()
    if as_json:
        print_json(found.to_dict())
        return
    typer.echo(f"{'what was measured':62} {'published':>12} {'modelled':>12} {'ratio':>6}")
    for row in found.rows:
        ratio = "" if row.modelled_j is None else f"{row.modelled_j / row.measured_j:6.2f}"
        typer.echo(f"{row.name:62} {show(row.measured_j, 'J'):>12} {show(row.modelled_j, 'J'):>12} {ratio:>6}")


def calibrate(
    device: Annotated[str, typer.Option(metavar="cpu|cuda", help="The machine itself, or its first CUDA device.")] = "cpu",
    like: Annotated[str | None, typer.Option(metavar="SHEET", help="The catalogue's sheet of the CUDA device, for its power and die.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Measure again even where a valid calibration is there.")] = False, as_json: Json = False,
) -> None:
    """Find what this machine sustains (about half a minute) and keep it in the user's cache."""
    from thrifty.measure import calibration

    with showing() as tell:
        made = calibration.calibrate(device=device, like=like, force=force, progress=tell)
    assert made.calibration is not None
    content: dict[str, Any] = dict(made.calibration.content)
    if as_json:
        print_json(content | {"path": made.calibration.path})
        return
    typer.echo(made.title)
    for name, peak in made.peak_flops.items():
        typer.echo(f"  {name:5} {show(peak, 'FLOP/s'):>14}   best of its matrix products")
    typer.echo(f"  {made.memory[0].name:5} {show(made.bandwidth_bytes_per_s, 'B/s'):>14}   reading one large array")
    spread, host = content["spread"], content["host"]
    typer.echo(
        f"  a view {show(host['view_s'], 's')}, a module call {show(host['call_s'], 's')}, an autograd node {show(host['backward_s'], 's')}\n"
        f"  {spread['measurements']} measurements in {content['seconds']:.0f} s, "
        f"spread {spread['median']:.0%} (median) and {spread['p90']:.0%} (90th percentile)\n"
        f"  kept in {made.calibration.path}"
    )

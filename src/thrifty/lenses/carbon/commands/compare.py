"""`thrifty carbon compare`: which of several designs emits less, how sure that is, and where the answer turns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from thrifty.errors import BadValue, unknown_name
from thrifty.printing import command_line

if TYPE_CHECKING:
    from thrifty.cost.carbon.factors import Distribution

MOST: Final = 12
MOST_WORK: Final = (1e-3, 1e30)
"""FLOP of one unit of work, least and most."""
DRAWN: Final = ("pareto", "plane")
"""Sections of pages that are drawings."""


def compare(
    designs: Annotated[list[str] | None, typer.Argument(
        metavar="[DESIGN]...", show_default=False,
        help="Devices of the catalogue, or e.g. mine:embodied_kg=40,delay_s=2,power_w=300 (also bom=FILE, energy_j, idle_w; numbers may be low/mid/high).",
    )] = None,
    metric: Annotated[str, typer.Option(metavar="NAME", help="carbon, cdp, cep, c2ep, ce2p, tcdp or tcep: the one that names the winner.")] = "carbon",
    intensity: Annotated[str, typer.Option(show_default=False, metavar="G", help="gCO2e/kWh, or low/mid/high. [default: the site's, 10 % either way]")] = "",
    site: Annotated[str, typer.Option("--site", metavar="NAME", help="Whose grid and building count.")] = "world",
    pue: Annotated[float | None, typer.Option(help="Of the building. [default: the site's]")] = None,
    life: Annotated[str, typer.Option(show_default=False, metavar="YEARS", help="Of every design, or low/mid/high. [default: 4/5/6]")] = "",
    utilisation: Annotated[str, typer.Option(metavar="SHARE", help="Of its life in which a device works, or low/mid/high.")] = "1",
    work: Annotated[float, typer.Option(metavar="FLOP", help="Devices of the catalogue: what one unit of work is.")] = 1e15,
    number_format: Annotated[str, typer.Option("--format", metavar="FORMAT", help="In which devices of the catalogue multiply.")] = "bf16",
    workload: Annotated[str, typer.Option("--workload", show_default=False, metavar="NAME", help="Instead of --work: a token or sample of it.")] = "",
    samples: Annotated[int, typer.Option(metavar="N", help="Points drawn, at least.")] = 65536,
    method: Annotated[str, typer.Option(metavar="NAME", help="How points are drawn: sobol, latin or plain.")] = "sobol",
    seed: Annotated[int, typer.Option(metavar="N", help="Of the draw.")] = 0,
    catalogue: Annotated[bool, typer.Option("--catalogue", help="Instead: which devices of the catalogue win anywhere, under each total.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:  # fmt: skip
    """Which design emits less a unit of work: winners by metric, chances, quantiles, Sobol indices, what to find out, boundaries."""
    from thrifty.cost.carbon.factors import Distribution, load_pack
    from thrifty.cost.carbon.metrics import METRICS
    from thrifty.hardware import load_site
    from thrifty.lenses.carbon.comparing import Question, compare_subjects, read_number, read_subject
    from thrifty.lenses.carbon.pages.compare import compare_page
    from thrifty.report import give, made_now

    if not work > 0 or work == float("inf"):
        raise BadValue(f"work={work:g} is not above 0 and finite. Give FLOPs, e.g. 1e15.")
    if not MOST_WORK[0] <= work <= MOST_WORK[1]:
        raise BadValue(f"work={work:g} is outside {MOST_WORK[0]:g} to {MOST_WORK[1]:g}. Give FLOPs, e.g. 1e15.")
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS, "thrifty carbon compare --help")
    if designs and all(":" in text for text in designs) and (workload or number_format != "bf16"):
        said = "workload" if workload else "format"
        raise BadValue(f"{said} says what devices of the catalogue run, and none is named. Leave it out, or name one.")
    command = _command(designs or [], {
        "metric": (metric, "carbon"), "intensity": (intensity, ""), "site": (site, "world"), "pue": (pue, None), "life": (life, ""),
        "utilisation": (utilisation, "1"), "work": (work, 1e15), "format": (number_format, "bf16"), "workload": (workload, ""), "samples": (samples, 65536),
        "method": (method, "sobol"), "seed": (seed, 0),
    }, catalogue)  # fmt: skip
    used = read_number("utilisation", utilisation, above=True)
    if catalogue:
        _catalogue(designs or [], work, number_format, used, command, out, as_json)
        return
    if len(designs or []) > MOST:
        raise BadValue(f"{len(designs or [])} designs are above {MOST}. Compare fewer, or see who wins anywhere: --catalogue")
    pack, place = load_pack(), load_site(site)
    grid = pack.factor("uncertainty:compare.grid").distribution
    found = compare_subjects(
        Question(
            subjects=tuple(read_subject(text, flops=work, number_format=number_format, workload=workload) for text in designs or []),
            intensity=read_number("intensity", intensity) if intensity else grid.scaled(place.intensity_gco2e_per_kwh),
            life=read_number("life", life, above=True) if life else Distribution("triangular", _lives()), utilisation=used,
            pue=place.pue if pue is None else pue,
            place="as given" if intensity else place.title, notes=_remarks(designs or [], intensity, place, workload, work),
        ),
        metric=metric, samples=samples, method=method, seed=seed,  # type: ignore[arg-type]
    )  # fmt: skip
    give(
        lambda: compare_page(found, command=command, generated=made_now()), lambda: {**found.to_dict(), "command": command}, out, as_json, drawn=DRAWN
    )  # fmt: skip


def _lives() -> tuple[float, ...]:
    from thrifty.cost.carbon.factors import load_pack
    from thrifty.quantities import YEAR_S

    return tuple(load_pack().get(f"embodied:life.{end}", "time") / YEAR_S for end in ("low", "mid", "high"))


def _remarks(designs: list[str], intensity: str, place: Any, workload: str, work: float) -> list[str]:
    found = []
    if not intensity and place.intensity_scope == "direct":
        found.append(f"grid of '{place.name}' counts power plants' own emissions only, not their building and fuel supply")
    stated = [text.partition(":")[0] for text in designs if ":" in text]
    if stated and len(stated) < len(designs):
        unit = f"a token or sample of {workload}" if workload else f"{work:g} FLOP"
        found.append(f"{', '.join(stated)}: time and energy are taken as those of the same work, {unit}")
    if workload:
        found.append("time and energy of the workload are modelled; the spread of modelled times is an assumption")
    return found


def _catalogue(names: list[str], work: float, number_format: str, used: Distribution, command: str, out: Path | None, as_json: bool) -> None:
    from thrifty.lenses.carbon.comparing import eliminate
    from thrifty.lenses.carbon.pages.compare import eliminated_page
    from thrifty.report import give, made_now

    if used.mean > 1:
        raise BadValue(f"utilisation={used.mean:g} is above 1. Give the share of their life in which devices work.")
    found = [eliminate(key, names=names, flops=work, number_format=number_format, utilisation=used.mean) for key in ("carbon", "tcdp", "tcep")]
    said = {
        "truth": "modelled", "command": command, "by_metric": {
            each.metric: {"devices": each.count, "kept": list(each.kept), "eliminated": each.share_eliminated, "left_out": each.left_out} for each in found
        },
    }  # fmt: skip
    give(lambda: eliminated_page(found, command=command, generated=made_now()), lambda: said, out, as_json, drawn=DRAWN)


def _command(designs: list[str], options: dict[str, tuple[Any, Any]], catalogue: bool) -> str:
    stated = {key: str(value) if value == 0 else value for key, (value, usual) in options.items() if value != usual}
    return command_line("thrifty", "carbon", "compare", *designs, **stated, catalogue=catalogue)
